package import NightjarSignals

/// Something that an exporter or subscriber did wrong, for the host's log.
public struct BusFault: Error, Sendable, CustomStringConvertible {
    /// The kinds of fault; each may be a label.
    public enum Code: String, Sendable {
        /// A call took longer than the limit and was cancelled.
        case timeout
        /// A batch did not go through, however often it was tried.
        case retriesExhausted = "retries_exhausted"
        /// A batch was refused for good.
        case rejected
        /// The queue is full: events are dropped.
        case queueFull = "queue_full"
        /// A flush or shutdown failed or was not over in time.
        case notFlushed = "not_flushed"
        /// A log level looser than the bus's was raised to it.
        case levelRaised = "level_raised"
    }

    /// What kind it is.
    public let code: Code
    /// The exporter's or subscriber's name.
    public let exporter: String
    /// What happened and what to do about it.
    public let detail: String

    /// One line a person can act on.
    public var description: String { "exporter \(exporter): \(detail)" }
}

/// What a flush achieved.
public struct FlushReport: Sendable, Equatable {
    /// The exporters and subscribers that did not finish in time or whose own flush failed.
    public let unfinished: [String]

    /// Whether everything emitted before the flush was handed over or counted as lost.
    public var isComplete: Bool { unfinished.isEmpty }
}

/// How many events came to one end at one exporter.
package struct BusCount: Sendable, Equatable {
    /// The exporter's or subscriber's name; ``bus`` for what came after the shutdown.
    package let exporter: String
    /// Of which signal.
    package let signal: Signal
    /// `delivered`, or the reason of the loss.
    package let reason: String
    /// How many, since the start.
    package let count: Int

    /// The word for what was not lost.
    package static let delivered = "delivered"
    /// The name under which the bus counts what no exporter was offered.
    package static let bus = "bus"

    /// A count.
    package init(exporter: String, signal: Signal, reason: String, count: Int) {
        self.exporter = exporter
        self.signal = signal
        self.reason = reason
        self.count = count
    }
}
