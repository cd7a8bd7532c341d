import Synchronization

/// What cardinality protection has dropped, with sample values, for people to look at; and who is to be warned once.
/// Safe to use from any thread.
package final class CardinalityReport: Sendable {
    /// At most so many pairs of metric and label have counters of their own; the rest counts as `other`. So many metrics are
    /// warned about, too.
    package static let pairLimit = 1000
    /// So many different values of a dropped label are kept as samples.
    package static let sampleLimit = 5
    /// Samples, and names in warnings, are cut to so many characters: they are what someone sent.
    private static let textLimit = 128

    /// One line of the report.
    package struct Entry: Sendable, Equatable {
        /// The metric.
        package var metric: String
        /// The label; `other` stands for those beyond the limit.
        package var label: String
        /// Why it was dropped, a ``LabelDropReason``.
        package var reason: String
        /// How often.
        package var count: UInt64
        /// Some of its values.
        package var samples: [String]
    }

    private struct Key: Hashable {
        let metric: String
        let label: String
        let reason: String
    }

    private struct State {
        var samples: [Key: [String]] = [:]
        var pairs: Set<[String]> = []
        var refused: Set<String> = []
        var overflowed: Set<String> = []
    }

    private let state = Mutex(State())
    private let warn: @Sendable (String) -> Void

    /// A report that passes each first finding to `warn`.
    package init(warn: @escaping @Sendable (String) -> Void) {
        self.warn = warn
    }

    /// Notes a dropped label; returns the value that its counter's label `label` gets.
    func dropped(_ metric: String, _ drop: LabelFilter.Drop) -> String {
        let key = Key(metric: metric, label: drop.name, reason: drop.reason.rawValue)
        let (isFirst, label) = state.withLock { state in
            if let samples = state.samples[key] {
                note(drop.value, key, samples, &state)
                return (false, drop.name)
            }
            let pair = [metric, drop.name]
            guard state.pairs.contains(pair) || state.pairs.count < Self.pairLimit else {
                return (false, "other")
            }
            state.pairs.insert(pair)
            state.samples[key] = [cut(drop.value)]
            return (true, drop.name)
        }
        if isFirst {
            warn("label \(drop.name) of \(metric) is dropped (\(drop.reason.rawValue)): \(cut(drop.value))")
        }
        return label
    }

    private func note(_ value: String, _ key: Key, _ samples: [String], _ state: inout State) {
        guard samples.count < Self.sampleLimit else { return }
        let value = cut(value)
        if !samples.contains(value) { state.samples[key]?.append(value) }
    }

    /// Warns once for a metric whose observations are refused.
    func rejected(_ metric: String, _ reason: MetricError.Code) {
        warnOnce(\.refused, metric) { "observation of \($0) refused: \(reason.rawValue)" }
    }

    /// Warns once for a metric that has reached its limit of label sets.
    func overflowed(_ metric: String) {
        warnOnce(\.overflowed, metric) {
            "metric \($0) has reached its limit of label sets; new ones count in otel_metric_overflow"
        }
    }

    /// The report, by metric, label and reason. How often is what `series` (the ledger's) say, so it goes on after a restart;
    /// samples are those since the start.
    package func entries(counting series: [StoredSeries] = []) -> [Entry] {
        var entries = state.withLock(\.samples).reduce(into: [Key: Entry]()) { entries, sample in
            let key = sample.key
            entries[key] = Entry(
                metric: key.metric,
                label: key.label,
                reason: key.reason,
                count: 0,
                samples: sample.value
            )
        }
        for one in series where one.instrument.name == HostMetrics.labelsDroppedName {
            let labels = Dictionary(one.labels.map { ($0.name, $0.value) }) { $1 }
            guard let metric = labels["metric"], let label = labels["label"], let reason = labels["reason"]
            else { continue }
            let key = Key(metric: metric, label: label, reason: reason)
            entries[
                key,
                default: Entry(metric: metric, label: label, reason: reason, count: 0, samples: [])
            ].count += one.total.count
        }
        return entries.values.sorted { ($0.metric, $0.label, $0.reason) < ($1.metric, $1.label, $1.reason) }
    }

    private func warnOnce(
        _ warned: any WritableKeyPath<State, Set<String>> & Sendable,
        _ metric: String,
        _ message: (String) -> String
    ) {
        let name = cut(metric)
        let isFirst = state.withLock { state in
            state[keyPath: warned].count < Self.pairLimit && state[keyPath: warned].insert(name).inserted
        }
        if isFirst { warn(message(name)) }
    }

    private func cut(_ text: String) -> String {
        text.utf8.count <= Self.textLimit ? text : String(text.prefix(Self.textLimit))
    }
}
