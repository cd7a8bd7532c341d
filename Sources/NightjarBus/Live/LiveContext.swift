package import NightjarSignals
import Synchronization

/// Where signals that are made in this process enter the bus.
package protocol LiveSink: AnyObject, Sendable {
    /// Takes an event. Returns at once, unless the configuration says that a full queue blocks; never fails.
    func emit(_ event: SignalEvent)
    /// Waits for room where the configuration says that a full queue blocks; else returns at once.
    func waitForRoom()
    /// Whether a trace that begins with this span is stored and exported; asked once for a trace.
    func isKept(_ root: Span) -> Bool
    /// Tells once of each id that was given from outside and is none.
    func report(invalidID: String)
}

/// What the live spans, loggers and metrics of one program have in common.
package final class LiveContext: Sendable {
    let sink: (any LiveSink)?
    let logLevel: LogLevel
    let serviceName: String?
    let environment: String?
    let clock: @Sendable () -> Timestamp
    private let ids: SpanIDSource

    /// A context; without a sink everything made in it is a no-op.
    package init(
        sink: (any LiveSink)?,
        serviceName: String? = nil,
        environment: String? = nil,
        logLevel: LogLevel = .debug,
        clock: @escaping @Sendable () -> Timestamp
    ) {
        self.sink = sink
        self.serviceName = serviceName
        self.environment = environment
        self.logLevel = logLevel
        self.clock = clock
        ids = SpanIDSource()
    }

    /// Takes nothing and tells no time.
    static let noOp = LiveContext(sink: nil) { Timestamp(unixNano: 0) }

    func newTraceID() -> TraceID { TraceID(high: ids.next(), low: ids.next()) }
    func newSpanID() -> SpanID { SpanID(value: ids.next()) }

    /// What a signal without a span belongs to: the environment and the service.
    var correlation: Correlation {
        var fields = Correlation.Fields()
        fields.environment = environment
        fields.serviceName = serviceName
        return Correlation(fields)
    }
}

/// Ids that are never 0 and differ within a process, and across processes but for chance: a counter that starts at random,
/// scrambled by SplitMix64's finalizer, which maps no two counts to one id. The system's generator costs a system call each.
private final class SpanIDSource: Sendable {
    private let count: Atomic<UInt64>
    private let key: UInt64

    init() {
        var generator = SystemRandomNumberGenerator()
        count = Atomic(generator.next())
        key = generator.next()
    }

    func next() -> UInt64 {
        while true {
            var value = count.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue ^ key
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            value ^= value >> 31
            if value != 0 { return value }
        }
    }
}
