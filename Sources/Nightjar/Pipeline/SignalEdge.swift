import NightjarBus
import NightjarSignals

/// What is done to a signal before it is written anywhere: secrets are taken out, and what is too large is cut.
struct SignalEdge: Sendable {
    let filter: SensitiveDataFilter?
    let limiter: ValueLimiter

    /// The event without secrets and within its limits. A filter never drops anything here.
    func cleaned(_ event: SignalEvent) -> SignalEvent {
        switch event {
        case .spanStarted(let span): .spanStarted(cleaned(span))
        case .spanUpdated(let span): .spanUpdated(cleaned(span))
        case .spanEnded(let span): .spanEnded(cleaned(span))
        case .log(let log): .log(limited(filter?.processLog(log) ?? log))
        case .metric(let metric): .metric(limited(filter?.processMetric(metric) ?? metric))
        case .score(let score): .score(cleaned(score))
        case .feedback(let feedback): .feedback(cleaned(feedback))
        case .drop, .traceEnded: event
        }
    }

    func cleaned(_ score: Score) -> Score { limiter.score(filter?.score(score) ?? score) }

    func cleaned(_ feedback: Feedback) -> Feedback {
        limiter.feedback(filter?.feedback(feedback) ?? feedback)
    }

    private func cleaned(_ span: Span) -> Span {
        let span = filter?.processSpan(span) ?? span
        return limiter.processSpan(span) ?? span
    }

    private func limited(_ log: Log) -> Log { limiter.processLog(log) ?? log }

    private func limited(_ metric: Metric) -> Metric { limiter.processMetric(metric) ?? metric }
}
