import CNightjarLua

/// What each state of a plugin may use.
package struct PluginLimits: Sendable, Equatable {
    /// Memory of a state, in bytes.
    package var memoryBytes = 64 << 20
    /// The longest string, in bytes.
    package var stringBytes = 1 << 20
    /// The largest block that is no string (a table's array, a stack), in bytes.
    package var blockBytes = 4 << 20
    /// CPU time of a call.
    package var callTime: Duration = .milliseconds(50)
    /// CPU time of loading a file.
    package var loadTime: Duration = .seconds(2)
    /// Steps of work inside library functions, about a byte or an element each, for a call.
    package var fuel = 50_000_000
    /// Metrics, scores, feedback and logs for one event.
    package var emissions = 1000

    /// The share of a worker that a rule of slow calls may take.
    package var share = 0.2

    /// The defaults of the plugin contract.
    package init() {}

    var raw: nj_limits {
        nj_limits(
            memory: UInt64(memoryBytes),
            string: UInt64(stringBytes),
            block: UInt64(blockBytes),
            call_ms: callTime.wholeMilliseconds,
            load_ms: loadTime.wholeMilliseconds,
            fuel: Int64(fuel),
            emissions: UInt32(clamping: emissions)
        )
    }
}

extension Duration {
    fileprivate var wholeMilliseconds: UInt32 {
        UInt32(clamping: components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000)
    }
}
