public import NightjarSignals

/// How much the bus holds for each exporter and subscriber, and how long it waits for them.
public struct BusConfiguration: Sendable {
    /// What `emit` does where a queue is full.
    public enum FullPolicy: String, Sendable, CaseIterable {
        /// Drops the event for that exporter and counts it.
        case dropNewest = "drop_newest"
        /// Blocks the calling thread until there is room, at most ``BusConfiguration/blockLimit``, then drops.
        ///
        /// Exporters run on Swift's own threads, as many as there are cores: callers that block all of them wait until the
        /// limit. Choose it only where events are emitted from threads of the application's own.
        case block
    }

    /// The most events that wait for one exporter.
    public var queueEvents = 16_384
    /// The most bytes, by estimate, that wait for one exporter.
    public var queueBytes = 32 << 20
    /// What happens beyond them.
    public var whenFull = FullPolicy.dropNewest
    /// The longest that one `emit` blocks, where it may.
    public var blockLimit = Duration.seconds(5)
    /// The most events that an exporter gets in one call.
    public var batchEvents = 512
    /// The most bytes, by estimate, that an exporter gets in one call; one event may be larger.
    public var batchBytes = 4 << 20
    /// How long one call of an exporter may take; then it is cancelled and its batch is lost.
    public var callLimit = Duration.seconds(5)
    /// The longest that a flush waits for an exporter that makes progress; one that makes none gets ``callLimit``.
    public var flushLimit = Duration.seconds(30)
    /// How often a batch is tried again.
    public var retries = 5
    /// The pause before the first of these tries and the longest of them; it doubles in between.
    public var backOff = Duration.milliseconds(100) ... .seconds(5)
    /// The least level of log lines that enter the bus; an exporter's own can only be stricter.
    public var logLevel = LogLevel.debug

    /// The defaults.
    public init() {}
}
