import NightjarSignals
import Synchronization

/// What a pipe leads to: an exporter or a subscriber, reduced to its calls.
struct Destination: Sendable {
    let name: String
    let signals: Set<Signal>
    /// The least level of log lines that it gets.
    var logLevel: LogLevel
    /// Whether a failure concerns the event after those that the progress tells, rather than all of them.
    let isPerEvent: Bool
    let deliver: @Sendable (Signal, [SignalEvent], Progress) async throws -> Void
    let flush: @Sendable () async throws -> Void
    let shutdown: @Sendable () async throws -> Void

    /// A subscriber: it is called with one event after another.
    init(
        name: String,
        signals: Set<Signal>,
        logLevel: LogLevel,
        handler: @escaping @Sendable (SignalEvent) async throws -> Void
    ) {
        self.name = name
        self.signals = signals
        self.logLevel = logLevel
        isPerEvent = true
        deliver = { _, events, progress in
            for event in events {
                try await handler(event)
                guard progress.advance(by: 1) else { return }
            }
        }
        flush = {}
        shutdown = {}
    }

    /// An exporter, with the signals that it has a handler for.
    init(_ exporter: any SignalExporter, logLevel: LogLevel) {
        let calls = ExporterCalls(exporter)
        name = exporter.name
        signals = calls.signals
        self.logLevel = logLevel
        isPerEvent = false
        deliver = { signal, events, progress in
            try await calls.deliver(signal, events)
            progress.advance(by: events.count)
        }
        flush = { try await exporter.flush() }
        shutdown = { try await exporter.shutdown() }
    }
}

/// How far a call got, and when it last got further; stopped at the time limit, so that nothing is counted twice.
final class Progress: Sendable {
    private struct State {
        var handled = 0
        var isStopped = false
        var movedAt: Duration
    }

    private let state: Mutex<State>
    private let elapsed: @Sendable () -> Duration

    init(elapsed: @escaping @Sendable () -> Duration) {
        self.elapsed = elapsed
        state = Mutex(State(movedAt: elapsed()))
    }

    /// How many events were handled.
    var handled: Int { state.withLock { $0.handled } }

    /// When the last of them was, or the call began.
    var movedAt: Duration { state.withLock { $0.movedAt } }

    /// Counts events as handled; false once the progress was stopped: then they count no more, and nothing may follow.
    @discardableResult
    func advance(by count: Int) -> Bool {
        let now = elapsed()
        return state.withLock { state in
            guard !state.isStopped else { return false }
            state.handled += count
            state.movedAt = now
            return true
        }
    }

    /// Stops; how many events were handled until now.
    @discardableResult
    func stop() -> Int {
        state.withLock { state in
            state.isStopped = true
            return state.handled
        }
    }
}

/// The conformances of an exporter, looked up once.
private struct ExporterCalls: Sendable {
    private let spans: (any SpanExporter)?
    private let logs: (any LogExporter)?
    private let metrics: (any MetricExporter)?
    private let scores: (any ScoreExporter)?
    private let feedback: (any FeedbackExporter)?
    private let drops: (any DropExporter)?
    private let traceEnds: (any TraceEndExporter)?

    init(_ exporter: any SignalExporter) {
        spans = exporter as? any SpanExporter
        logs = exporter as? any LogExporter
        metrics = exporter as? any MetricExporter
        scores = exporter as? any ScoreExporter
        feedback = exporter as? any FeedbackExporter
        drops = exporter as? any DropExporter
        traceEnds = exporter as? any TraceEndExporter
    }

    var signals: Set<Signal> {
        let all: [(Signal, (any SignalExporter)?)] = [
            (.tracing, spans), (.log, logs), (.metric, metrics), (.score, scores), (.feedback, feedback),
            (.drop, drops), (.traceEnded, traceEnds),
        ]
        return Set(all.filter { $0.1 != nil }.map(\.0))
    }

    func deliver(_ signal: Signal, _ events: [SignalEvent]) async throws {
        switch signal {
        case .tracing: try await spans?.exportSpans(events)
        case .log:
            try await logs?.exportLogs(events.compactMap { if case .log(let log) = $0 { log } else { nil } })
        case .metric:
            try await metrics?.exportMetrics(
                events.compactMap { if case .metric(let metric) = $0 { metric } else { nil } }
            )
        case .score:
            try await scores?.exportScores(
                events.compactMap { if case .score(let score) = $0 { score } else { nil } }
            )
        case .feedback:
            try await feedback?.exportFeedback(
                events.compactMap { if case .feedback(let feedback) = $0 { feedback } else { nil } }
            )
        case .drop:
            try await drops?.exportDrops(
                events.compactMap { if case .drop(let drop) = $0 { drop } else { nil } }
            )
        case .traceEnded:
            try await traceEnds?.exportTraceEnds(
                events.compactMap { if case .traceEnded(let end) = $0 { end } else { nil } }
            )
        }
    }
}
