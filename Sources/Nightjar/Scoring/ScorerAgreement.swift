package import NightjarStore

/// How two scorers agree on the targets that both judged.
package struct ScorerAgreement: Sendable, Equatable {
    /// The one.
    package let left: String
    /// The other.
    package let right: String
    /// How many targets both judged without failing.
    package let count: Int
    /// The correlation of their numbers; nil where either gives none, or always the same.
    package let pearson: Double?
    /// The correlation of the order of their numbers.
    package let spearman: Double?
    /// On how many targets both gave a label.
    package let labelled: Int
    /// On what share of those the labels are the same.
    package let equalLabels: Double?
    /// How far the labels agree beyond chance, 1 where always; nil where both always give the same one label.
    package let kappa: Double?

    /// The agreement of verdicts of which each scorer has one on a target.
    package init(_ left: String, _ lefts: [StoredVerdict], _ right: String, _ rights: [StoredVerdict]) {
        (self.left, self.right) = (left, right)
        let others = Dictionary(
            rights.filter { !$0.isFailure }.map { ($0.target, $0) },
            uniquingKeysWith: { $1 }
        )
        let pairs = lefts.compactMap { verdict in
            verdict.isFailure ? nil : others[verdict.target].map { (verdict, $0) }
        }
        count = pairs.count
        let numbers = pairs.compactMap { left, right in
            left.score.flatMap { one in right.score.map { (one, $0) } }
        }
        pearson = ScoreStatistics.pearson(numbers.map(\.0), numbers.map(\.1))
        spearman = ScoreStatistics.spearman(numbers.map(\.0), numbers.map(\.1))
        let labels = pairs.compactMap { left, right in
            left.label.flatMap { one in right.label.map { (one, $0) } }
        }
        labelled = labels.count
        equalLabels =
            labels.isEmpty ? nil : Double(labels.count { $0.0 == $0.1 }) / Double(labels.count)
        kappa = ScoreStatistics.cohensKappa(labels.map(\.0), labels.map(\.1))
    }
}

extension ScoreStatistics {
    /// How far two lists of categories of one length agree beyond what their frequencies alone would bring about: 1 always, 0 as
    /// often as by chance (Cohen 1960). Nil of nothing, and where chance alone brings full agreement.
    package static func cohensKappa(_ left: [String], _ right: [String]) -> Double? {
        guard left.count == right.count, !left.isEmpty else { return nil }
        let count = Double(left.count)
        let equal = Double(zip(left, right).count { $0 == $1 }) / count
        let lefts = Dictionary(grouping: left) { $0 }.mapValues { Double($0.count) / count }
        let rights = Dictionary(grouping: right) { $0 }.mapValues { Double($0.count) / count }
        let chance = lefts.reduce(0) { $0 + $1.value * rights[$1.key, default: 0] }
        return chance < 1 ? (equal - chance) / (1 - chance) : nil
    }
}
