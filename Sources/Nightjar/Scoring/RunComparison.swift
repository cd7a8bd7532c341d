package import NightjarBus
package import NightjarSignals

/// What two runs over the same events emitted differently.
package struct RunComparison: Sendable {
    /// One series.
    package struct Metric: Sendable, Equatable {
        /// The metric.
        package let name: String
        /// Its type.
        package let type: MetricType
        /// The labels.
        package let labels: [Label]
        /// What the old run has; nil where it does not have the series.
        package let old: Total?
        /// What the new run has.
        package let new: Total?
    }

    /// What a series has counted.
    package struct Total: Sendable, Equatable {
        /// The sum; of a gauge the last value.
        package let sum: Double
        /// How many observations there were.
        package let count: UInt64
    }

    /// One verdict.
    package struct Verdict: Sendable, Equatable {
        /// What the old run said; nil where it said nothing.
        package let old: Score?
        /// What the new run said.
        package let new: Score?
    }

    /// Series whose totals differ, by name and labels.
    package let metrics: [Metric]
    /// Verdicts that differ, in the order of the new run; those that are gone come last.
    package let scores: [Verdict]

    /// Whether there is no difference.
    package var isEmpty: Bool { metrics.isEmpty && scores.isEmpty }

    /// The differences of the plugins' metrics and of the scores.
    package init(old: RecordedRun, new: RecordedRun) {
        metrics = Self.metrics(old.totals, new.totals)
        scores = Self.scores(old.scores, new.scores)
    }

    private struct SeriesName: Hashable {
        let name: String
        let labels: [Label]
    }

    private static func metrics(_ old: [StoredSeries], _ new: [StoredSeries]) -> [Metric] {
        let (before, after) = (byName(old), byName(new))
        let names = Set(before.keys).union(after.keys).sorted {
            ($0.name, $0.labels.text) < ($1.name, $1.labels.text)
        }
        return names.compactMap { name in
            let (one, other) = (before[name], after[name])
            let metric = Metric(
                name: name.name,
                type: (other ?? one)?.instrument.type ?? .counter,
                labels: name.labels,
                old: one.map { Total(sum: $0.total.sum, count: $0.total.count) },
                new: other.map { Total(sum: $0.total.sum, count: $0.total.count) }
            )
            return metric.old == metric.new ? nil : metric
        }
    }

    private static func byName(_ series: [StoredSeries]) -> [SeriesName: StoredSeries] {
        let shown = series.filter { !RecordedRun.isBuiltIn($0.instrument.name) && $0.total.count > 0 }
        return Dictionary(shown.map { (SeriesName(name: $0.instrument.name, labels: $0.labels), $0) }) { $1 }
    }

    private struct Target: Hashable {
        let scorer: String
        let experiment: String?
        let trace: TraceID?
        let span: SpanID?
        let session: String?
    }

    private static func scores(_ old: [Score], _ new: [Score]) -> [Verdict] {
        let (before, after) = (byTarget(old), byTarget(new))
        let changed = after.order.compactMap { target -> Verdict? in
            let (one, other) = (before.last[target], after.last[target])
            guard (one?.score, one?.label, one?.error) != (other?.score, other?.label, other?.error) else {
                return nil
            }
            return Verdict(old: one, new: other)
        }
        let gone = before.order.filter { after.last[$0] == nil }
        return changed + gone.map { Verdict(old: before.last[$0], new: nil) }
    }

    /// The last verdict on each target: a trace that goes on is judged again.
    private static func byTarget(_ scores: [Score]) -> (order: [Target], last: [Target: Score]) {
        var order: [Target] = []
        var last: [Target: Score] = [:]
        for score in scores {
            let target = Target(
                scorer: score.scorerName,
                experiment: score.experiment,
                trace: score.traceID,
                span: score.spanID,
                session: score.sessionID
            )
            if last.updateValue(score, forKey: target) == nil { order.append(target) }
        }
        return (order, last)
    }
}

extension [Label] {
    /// The labels for people, in one word each.
    package var text: String { map { "\($0.name)=\($0.value)" }.joined(separator: " ") }
}
