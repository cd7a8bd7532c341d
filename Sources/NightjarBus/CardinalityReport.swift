import Synchronization

/// What cardinality protection has dropped, with sample values, for people to look at; and who is to be warned once.
/// Safe to use from any thread.
package final class CardinalityReport: Sendable {
    /// At most so many pairs of metric and label have counters of their own; the rest counts as `other`.
    package static let pairLimit = 1000
    /// So many different values of a dropped label are kept as samples.
    package static let sampleLimit = 5

    /// One line of the report.
    package struct Entry: Sendable, Equatable {
        /// The metric.
        package var metric: String
        /// The label.
        package var label: String
        /// Why it was dropped.
        package var reason: LabelDropReason
        /// Some of its values.
        package var samples: [String]
    }

    private struct Key: Hashable {
        let metric: String
        let label: String
        let reason: LabelDropReason
    }

    private struct State {
        var entries: [Key: [String]] = [:]
        var pairs: Set<[String]> = []
        var warned: Set<String> = []
    }

    private let state = Mutex(State())
    private let warn: @Sendable (String) -> Void

    /// A report that passes each first finding to `warn`.
    package init(warn: @escaping @Sendable (String) -> Void) {
        self.warn = warn
    }

    /// Notes a dropped label; returns the value that its counter's label `label` gets.
    func dropped(_ metric: String, _ drop: LabelFilter.Drop) -> String {
        let (isFirst, label) = state.withLock { state in
            let key = Key(metric: metric, label: drop.name, reason: drop.reason)
            let isKnown = state.pairs.contains([metric, drop.name])
            guard isKnown || state.pairs.count < Self.pairLimit else { return (false, "other") }
            state.pairs.insert([metric, drop.name])
            let isFirst = state.entries[key] == nil
            var samples = state.entries[key] ?? []
            if samples.count < Self.sampleLimit, !samples.contains(drop.value) { samples.append(drop.value) }
            state.entries[key] = samples
            return (isFirst, drop.name)
        }
        if isFirst {
            warn("label \(drop.name) of \(metric) is dropped (\(drop.reason.rawValue)): \(drop.value)")
        }
        return label
    }

    /// Warns once for a metric whose observations are refused, for at most as many metrics as there may be pairs.
    func rejected(_ metric: String, _ reason: MetricError.Code) {
        once("observation of \(metric) refused: \(reason.rawValue)")
    }

    /// Warns once for a metric that has reached its limit of label sets.
    func overflowed(_ metric: String) {
        once("metric \(metric) has reached its limit of label sets; new ones count in otel_metric_overflow")
    }

    /// The report, by metric, label and reason.
    package func entries() -> [Entry] {
        state.withLock { state in
            state.entries.map { Entry(metric: $0.metric, label: $0.label, reason: $0.reason, samples: $1) }
        }.sorted { ($0.metric, $0.label, $0.reason.rawValue) < ($1.metric, $1.label, $1.reason.rawValue) }
    }

    private func once(_ message: String) {
        let isFirst = state.withLock { state in
            state.warned.count < Self.pairLimit && state.warned.insert(message).inserted
        }
        if isFirst { warn(message) }
    }
}
