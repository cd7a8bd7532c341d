public import NightjarSignals

/// Hides secrets: the values of sensitive keys at any depth, also within JSON text (signals contract, section 11).
///
/// A list under a sensitive key is one: its texts and numbers are hidden. An object under one names its own fields and is walked
/// by them. What cannot be examined is withheld. A second pass changes nothing.
public struct SensitiveDataFilter: SignalProcessor {
    /// `sensitive_data_filter`.
    public let name = "sensitive_data_filter"
    private let rules: RedactionRules

    /// A filter by a configuration. Its tokens are its own: share one filter where they must agree.
    public init(_ configuration: RedactionConfiguration = RedactionConfiguration()) {
        self.init(RedactionRules(configuration))
    }

    /// A filter by the process's rules.
    package init(_ rules: RedactionRules) {
        self.rules = rules
    }

    /// The span with attributes, metadata, input, output, error and what belongs to its events and links redacted.
    public func processSpan(_ span: Span) -> Span? {
        guard rules.isEnabled else { return span }
        let redaction = ValueRedaction(rules: rules, trace: span.traceID)
        var span = span
        redaction.apply(toAttributes: &span.attributes)
        redaction.apply(to: &span.metadata)
        redaction.apply(to: &span.input)
        redaction.apply(to: &span.output)
        for index in span.events.indices {
            guard let changed = redaction.redacted(attributes: span.events[index].attributes) else {
                continue
            }
            span.events[index].attributes = changed
        }
        for index in span.links.indices {
            guard let changed = redaction.redacted(attributes: span.links[index].attributes) else { continue }
            span.links[index].attributes = changed
        }
        if var error = span.errorInfo {
            redaction.apply(to: &error.message)
            redaction.apply(to: &error.stack)
            redaction.apply(to: &error.details)
            span.errorInfo = error
        }
        return span
    }

    /// The line with message, data and metadata redacted.
    public func processLog(_ log: Log) -> Log? {
        guard rules.isEnabled else { return log }
        let redaction = ValueRedaction(rules: rules, trace: log.traceID)
        var log = log
        redaction.apply(to: &log.message)
        // The attributes of OTLP logs are data.
        redaction.apply(toAttributes: &log.data)
        redaction.apply(to: &log.metadata)
        return log
    }

    /// The observation with labels and metadata redacted.
    public func processMetric(_ metric: Metric) -> Metric? {
        guard rules.isEnabled else { return metric }
        var metric = metric
        let redaction = ValueRedaction(rules: rules, trace: metric.traceID)
        redaction.apply(to: &metric.metadata)
        // A token for each trace would be a series for each trace.
        let labels = ValueRedaction(rules: rules, trace: nil)
        for (name, value) in metric.labels {
            if let changed = labels.redacted(label: value, name) { metric.labels[name] = changed }
        }
        return metric
    }

    /// The score with reason, error and metadata redacted.
    public func score(_ score: Score) -> Score {
        guard rules.isEnabled else { return score }
        let redaction = ValueRedaction(rules: rules, trace: score.traceID)
        var score = score
        redaction.apply(to: &score.reason)
        redaction.apply(to: &score.error)
        redaction.apply(to: &score.metadata)
        return score
    }

    /// The feedback with value, comment and metadata redacted.
    public func feedback(_ feedback: Feedback) -> Feedback {
        guard rules.isEnabled else { return feedback }
        let redaction = ValueRedaction(rules: rules, trace: feedback.traceID)
        var feedback = feedback
        redaction.apply(to: &feedback.value)
        redaction.apply(to: &feedback.comment)
        redaction.apply(to: &feedback.metadata)
        return feedback
    }

    /// Any value, redacted. `trace` is what tokens hold within.
    public func value(_ value: Value, trace: TraceID? = nil) -> Value {
        guard rules.isEnabled else { return value }
        return ValueRedaction(rules: rules, trace: trace).redacted(value) ?? value
    }
}
