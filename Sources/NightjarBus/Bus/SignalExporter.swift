public import NightjarSignals

/// Where signals go once they are processed. An exporter takes a signal by conforming to that signal's protocol beside this one
/// (``SpanExporter``, ``LogExporter``, ``MetricExporter``, ``ScoreExporter``, ``FeedbackExporter``, ``DropExporter``,
/// ``TraceEndExporter``); events of other signals never reach it.
///
/// The bus calls one exporter from one task at a time, in the order of the events of each trace, with batches of at least one
/// event. An exporter that throws a retryable ``ExportError`` gets the same batch again after a pause; any other error loses the
/// batch, which is counted and told as a `Drop`. A call that takes longer than the bus's limit is cancelled, and its batch is
/// lost; until it returns the exporter gets no other call. So an exporter waits with `await` and minds cancellation.
public protocol SignalExporter: Sendable {
    /// What it is called in logs, metrics and drops; bounded.
    var name: String { get }
    /// Returns when everything taken before has reached its destination.
    func flush() async throws
    /// Lets go of what the exporter holds. Called once by the bus; a second call does nothing.
    func shutdown() async throws
}

/// An exporter that takes spans.
public protocol SpanExporter: SignalExporter {
    /// Takes tracing events: `spanStarted`, `spanUpdated` and `spanEnded`.
    func exportSpans(_ events: [SignalEvent]) async throws
}

/// An exporter that takes log lines.
public protocol LogExporter: SignalExporter {
    /// The least level it takes; nil: all that enter the bus.
    var logLevel: LogLevel? { get }
    /// Takes log lines.
    func exportLogs(_ logs: [Log]) async throws
}

/// An exporter that takes observations of metrics.
public protocol MetricExporter: SignalExporter {
    /// Takes observations.
    func exportMetrics(_ metrics: [Metric]) async throws
}

/// An exporter that takes scores.
public protocol ScoreExporter: SignalExporter {
    /// Takes scores.
    func exportScores(_ scores: [Score]) async throws
}

/// An exporter that takes feedback.
public protocol FeedbackExporter: SignalExporter {
    /// Takes feedback.
    func exportFeedback(_ feedback: [Feedback]) async throws
}

/// An exporter that is told what the pipeline lost.
public protocol DropExporter: SignalExporter {
    /// Takes losses.
    func exportDrops(_ drops: [Drop]) async throws
}

/// An exporter that is told when traces end.
public protocol TraceEndExporter: SignalExporter {
    /// Takes ends of traces.
    func exportTraceEnds(_ ends: [TraceEnd]) async throws
}

extension SignalExporter {
    /// Nothing to wait for.
    public func flush() async throws {}
    /// Nothing to let go of.
    public func shutdown() async throws {}
}

extension LogExporter {
    /// All that enter the bus.
    public var logLevel: LogLevel? { nil }
}

/// Why an exporter did not take a batch.
public struct ExportError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure; each may be a label.
    public enum Code: String, Sendable {
        /// The destination cannot be reached or is overloaded: the same batch may go through later.
        case unavailable
        /// The destination refuses the batch, now and later.
        case rejected
        /// The exporter is shut down.
        case shutDown = "shut_down"
    }

    /// What kind it is.
    public let code: Code
    /// What to do about it.
    public let detail: String
    /// How long the destination asked to be left alone; nil: the bus's own back-off.
    public let retryAfter: Duration?
    /// How many events of a rejected batch are lost, the others having been taken; nil: all.
    public let lostCount: Int?

    /// A failure.
    public init(code: Code, detail: String, retryAfter: Duration? = nil, lostCount: Int? = nil) {
        self.code = code
        self.detail = detail
        self.retryAfter = retryAfter
        self.lostCount = lostCount
    }

    /// Whether the same batch may go through later.
    public var isRetryable: Bool { code == .unavailable }

    /// One line a person can act on.
    public var description: String { detail }
}
