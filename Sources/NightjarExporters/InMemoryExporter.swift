public import NightjarBus
public import NightjarSignals
import Synchronization

/// Keeps every signal in memory, so that tests can look at what an application has emitted.
///
/// It grows without bound: `reset` it, or make one for each test. All functions may be called from any thread.
public final class InMemoryExporter: SpanExporter, LogExporter, MetricExporter, ScoreExporter,
    FeedbackExporter,
    DropExporter, TraceEndExporter
{
    private struct State {
        var events: [SignalEvent] = []
        var isShutDown = false
        var next = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    /// What it is called in logs, metrics and drops.
    public let name: String
    private let willKeep: @Sendable (Signal) async throws -> Void
    private let state = Mutex(State())

    /// An empty exporter. `willKeep` is called before each batch: what it throws, the exporter throws, so that an application's
    /// behaviour under failure can be tested.
    public init(
        name: String = "in_memory",
        willKeep: @escaping @Sendable (Signal) async throws -> Void = { _ in }
    ) {
        self.name = name
        self.willKeep = willKeep
    }

    // MARK: What was kept

    /// All events in the order in which they came.
    public var events: [SignalEvent] { state.withLock { $0.events } }

    /// Spans that have ended, in the order of their ends.
    public var spans: [Span] { pick { if case .spanEnded(let span) = $0 { span } else { nil } } }

    /// Spans as they were when they began, in that order.
    public var startedSpans: [Span] { pick { if case .spanStarted(let span) = $0 { span } else { nil } } }

    /// Log lines.
    public var logs: [Log] { pick { if case .log(let log) = $0 { log } else { nil } } }

    /// Observations of metrics.
    public var metrics: [Metric] { pick { if case .metric(let metric) = $0 { metric } else { nil } } }

    /// Scores.
    public var scores: [Score] { pick { if case .score(let score) = $0 { score } else { nil } } }

    /// Feedback.
    public var feedback: [Feedback] {
        pick { if case .feedback(let feedback) = $0 { feedback } else { nil } }
    }

    /// What the pipeline lost.
    public var drops: [Drop] { pick { if case .drop(let drop) = $0 { drop } else { nil } } }

    /// Ends of traces.
    public var traceEnds: [TraceEnd] { pick { if case .traceEnded(let end) = $0 { end } else { nil } } }

    /// Ended spans of a name.
    public func spans(named name: String) -> [Span] { spans.filter { $0.name == name } }

    /// Observations of a metric.
    public func metrics(named name: String) -> [Metric] { metrics.filter { $0.name == name } }

    /// The sum of a metric's observations that carry at least the given labels.
    public func value(of metric: String, labels: [String: String] = [:]) -> Double {
        metrics(named: metric)
            .filter { observation in labels.allSatisfy { observation.labels[$0.key] == $0.value } }
            .reduce(0) { $0 + $1.value }
    }

    /// Forgets everything.
    public func reset() { state.withLock { $0.events = [] } }

    /// Waits until the condition holds; false where it does not within the time-out. The condition is asked after each batch.
    public func waitFor(
        timeout: Duration = .seconds(5),
        _ condition: @escaping @Sendable (InMemoryExporter) -> Bool
    ) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                while !Task.isCancelled {
                    let seen = self.events.count
                    if condition(self) { return true }
                    await self.change(after: seen)
                }
                return false
            }
            group.addTask {
                // A cancelled sleep means that the condition came first.
                try? await Task.sleep(for: timeout)
                return false
            }
            let first = await group.next() ?? false
            group.cancelAll()
            return first
        }
    }

    // MARK: Taking

    /// Keeps tracing events.
    public func exportSpans(_ events: [SignalEvent]) async throws { try await keep(.tracing, events) }

    /// Keeps log lines.
    public func exportLogs(_ logs: [Log]) async throws { try await keep(.log, logs.map(SignalEvent.log)) }

    /// Keeps observations.
    public func exportMetrics(_ metrics: [Metric]) async throws {
        try await keep(.metric, metrics.map(SignalEvent.metric))
    }

    /// Keeps scores.
    public func exportScores(_ scores: [Score]) async throws {
        try await keep(.score, scores.map(SignalEvent.score))
    }

    /// Keeps feedback.
    public func exportFeedback(_ feedback: [Feedback]) async throws {
        try await keep(.feedback, feedback.map(SignalEvent.feedback))
    }

    /// Keeps losses.
    public func exportDrops(_ drops: [Drop]) async throws {
        try await keep(.drop, drops.map(SignalEvent.drop))
    }

    /// Keeps ends of traces.
    public func exportTraceEnds(_ ends: [TraceEnd]) async throws {
        try await keep(.traceEnded, ends.map(SignalEvent.traceEnded))
    }

    /// Takes nothing any more; what was kept stays.
    public func shutdown() async throws { state.withLock { $0.isShutDown = true } }

    private func keep(_ signal: Signal, _ events: [SignalEvent]) async throws {
        try await willKeep(signal)
        let waiters = try state.withLock { state in
            guard !state.isShutDown else { throw ExportError(code: .shutDown, detail: "is shut down") }
            state.events += events
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values { waiter.resume() }
    }

    /// Returns when there is more than was seen, or the task is cancelled.
    private func change(after seen: Int) async {
        let ticket = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDone = state.withLock { state in
                    if state.events.count != seen || Task.isCancelled { return true }
                    state.waiters[ticket] = continuation
                    return false
                }
                if isDone { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: ticket) }?.resume()
        }
    }

    private func pick<Kept>(_ choose: (SignalEvent) -> Kept?) -> [Kept] { events.compactMap(choose) }
}
