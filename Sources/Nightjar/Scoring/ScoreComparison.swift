import NightjarSignals

/// Two versions of a scorer side by side.
package struct ScoreComparison: Sendable, Equatable {
    /// Scores count as equal that are no farther apart, as a share of the declared range, else in themselves.
    package static let tolerance = 0.05
    /// So many traces are given on which they differ.
    package static let differenceLimit = 10

    /// A target on which both gave a verdict, and not the same.
    package struct Difference: Sendable, Equatable {
        /// What the old version said.
        package let old: Verdict
        /// What the new one says.
        package let new: Verdict

        /// How far the scores are apart; infinite where one has none.
        package var distance: Double {
            guard let old = old.score, let new = new.score else { return .infinity }
            return abs(new - old)
        }
    }

    /// The scorer's name in the new version.
    package let scorer: String
    /// On how many targets both gave a verdict.
    package let count: Int
    /// On how many only the old version did.
    package let onlyOld: Int
    /// On how many only the new version did.
    package let onlyNew: Int
    /// On what share of the targets of both the labels are equal, and the scores about equal; nil where there are none.
    package let agreement: Double?
    /// The correlation of the scores.
    package let pearson: Double?
    /// The correlation of their order.
    package let spearman: Double?
    /// Where they differ most, each trace once, the largest difference first; at most ``differenceLimit``.
    package let differences: [Difference]

    private struct Target: Hashable {
        let trace: TraceID
        let span: SpanID?
    }

    /// Compares the verdicts of one scorer; of several on one target the last counts.
    package init(_ scorer: String, old: [Verdict], new: [Verdict], range: ClosedRange<Double>? = nil) {
        self.scorer = scorer
        let (before, after) = (Self.byTarget(old), Self.byTarget(new))
        let pairs = after.order.compactMap { target in
            before.verdicts[target].flatMap { old in
                after.verdicts[target].map { Difference(old: old, new: $0) }
            }
        }
        count = pairs.count
        onlyOld = before.order.count - pairs.count
        onlyNew = after.order.count - pairs.count
        let limit = Self.tolerance * (range.map { $0.upperBound - $0.lowerBound } ?? 1)
        let unequal = pairs.filter { !$0.isAgreement(within: limit) }
        agreement = pairs.isEmpty ? nil : Double(pairs.count - unequal.count) / Double(pairs.count)
        let numbers = pairs.compactMap { pair in
            pair.old.score.flatMap { old in pair.new.score.map { (old: old, new: $0) } }
        }
        pearson = ScoreStatistics.pearson(numbers.map(\.old), numbers.map(\.new))
        spearman = ScoreStatistics.spearman(numbers.map(\.old), numbers.map(\.new))
        differences = Self.largest(pairs)
    }

    /// The last verdict on each target, and the targets in the order in which they came.
    private static func byTarget(_ verdicts: [Verdict]) -> (order: [Target], verdicts: [Target: Verdict]) {
        var order: [Target] = []
        var last: [Target: Verdict] = [:]
        for verdict in verdicts {
            let target = Target(trace: verdict.trace, span: verdict.span)
            if last.updateValue(verdict, forKey: target) == nil { order.append(target) }
        }
        return (order, last)
    }

    private static func largest(_ pairs: [Difference]) -> [Difference] {
        let ordered = pairs.filter { $0.distance > 0 || $0.old.label != $0.new.label }.enumerated().sorted {
            ($1.element.weight, $0.offset) < ($0.element.weight, $1.offset)
        }
        var seen: Set<TraceID> = []
        var largest: [Difference] = []
        for (_, difference) in ordered
        where largest.count < differenceLimit && seen.insert(difference.new.trace).inserted {
            largest.append(difference)
        }
        return largest
    }
}

extension ScoreComparison.Difference {
    /// Whether both say about the same.
    fileprivate func isAgreement(within limit: Double) -> Bool {
        guard old.label == new.label, (old.score == nil) == (new.score == nil) else { return false }
        // A little more than the limit is rounding, not disagreement.
        return old.score == nil || distance <= limit + 1e-9
    }

    /// By what differences are ordered: labels that differ first, then the distance.
    fileprivate var weight: Double { old.label == new.label && old.score != nil ? distance : .infinity }
}
