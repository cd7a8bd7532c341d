public import NightjarSignals

/// Changes or drops signals before extraction, rules, store and exporters see them (signals contract, section 11).
///
/// Called on the event path, one event at a time for each trace but from several threads: it must be quick, must not block, and
/// must guard its own state. Returning nil keeps the signal from the store and the exporters; a span still counts in the
/// built-in metrics. A processor sees a span at each of its events.
public protocol SignalProcessor: Sendable {
    /// What it is called in logs.
    var name: String { get }
    /// The changed span, or nil to drop it. Its ids cannot be changed.
    func processSpan(_ span: Span) -> Span?
    /// The changed line, or nil to drop it.
    func processLog(_ log: Log) -> Log?
    /// The changed observation, or nil to drop it.
    func processMetric(_ metric: Metric) -> Metric?
}

extension SignalProcessor {
    /// The span as it is.
    public func processSpan(_ span: Span) -> Span? { span }
    /// The line as it is.
    public func processLog(_ log: Log) -> Log? { log }
    /// The observation as it is.
    public func processMetric(_ metric: Metric) -> Metric? { metric }
}
