import Nightjar
import NightjarSignals

extension ScoreReport {
    /// How the versions agree, and where they differ most.
    func tables(_ comparisons: [ScoreComparison]) -> String {
        guard !comparisons.isEmpty else { return "the versions have no scorer of one name\n" }
        return TextTable.text(
            ["SCORER", "BOTH", "ONLY OLD", "ONLY NEW", "AGREEMENT", "PEARSON", "SPEARMAN"],
            comparisons.map {
                [
                    $0.scorer, "\($0.count)", "\($0.onlyOld)", "\($0.onlyNew)", shown($0.agreement),
                    shown($0.pearson), shown($0.spearman),
                ]
            }
        ) + comparisons.map(differences).joined()
    }

    private func differences(_ comparison: ScoreComparison) -> String {
        TextTable.text(
            [comparison.scorer, "SPAN", "OLD", "NEW", "OLD REASON", "NEW REASON"],
            comparison.differences.map { difference in
                [
                    difference.new.trace.description, difference.new.span?.description ?? "",
                    shown(difference.old), shown(difference.new), difference.old.reason ?? "",
                    difference.new.reason ?? "",
                ]
            }
        )
    }

    /// The same as lines.
    func jsonLines(_ comparisons: [ScoreComparison]) -> String {
        comparisons.map { comparison in
            var object: Value.Object = [
                "scorer": .string(comparison.scorer), "count": .int(Int64(comparison.count)),
                "onlyOld": .int(Int64(comparison.onlyOld)), "onlyNew": .int(Int64(comparison.onlyNew)),
            ]
            object["agreement"] = comparison.agreement.map { .double($0) }
            object["pearson"] = comparison.pearson.map { .double($0) }
            object["spearman"] = comparison.spearman.map { .double($0) }
            object["differences"] = .array(
                comparison.differences.map {
                    ["old": .object(json($0.old)), "new": .object(json($0.new))]
                }
            )
            return Self.line("score_comparison", .object(object))
        }.joined()
    }

    // MARK: - Feedback

    /// What the scores say of what people said.
    func tables(_ pairs: FeedbackPairs) -> String {
        let agreements = pairs.agreements
        guard !agreements.isEmpty else { return "no scored trace has feedback of people that can be read\n" }
        return "\(pairs.traces) of them have feedback of people\n"
            + TextTable.text(
                ["SCORER", "FEEDBACK", "N", "GOOD", "ACCURACY", "AT", "AUC", "SPEARMAN"],
                agreements.map {
                    [
                        $0.scorer, $0.feedbackType, "\($0.count)", $0.positives.map { "\($0)" } ?? "-",
                        shown($0.accuracy), shown(threshold: $0.threshold), shown($0.areaUnderCurve),
                        shown($0.spearman),
                    ]
                }
            )
    }

    private func shown(threshold: Double?) -> String {
        guard let threshold else { return "-" }
        return threshold.isFinite ? ">= " + shown(threshold) : threshold < 0 ? "always good" : "always bad"
    }

    /// The same as lines.
    func jsonLines(_ agreements: [FeedbackAgreement]) -> String {
        agreements.map { agreement in
            var object: Value.Object = [
                "scorer": .string(agreement.scorer), "feedbackType": .string(agreement.feedbackType),
                "kind": .string(agreement.kind.rawValue), "n": .int(Int64(agreement.count)),
            ]
            object["positives"] = agreement.positives.map { .int(Int64($0)) }
            object["accuracy"] = agreement.accuracy.map { .double($0) }
            // Where always the same answer is best there is none.
            object["threshold"] = agreement.threshold.flatMap { $0.isFinite ? .double($0) : nil }
            object["auc"] = agreement.areaUnderCurve.map { .double($0) }
            object["spearman"] = agreement.spearman.map { .double($0) }
            return Self.line("score_agreement", .object(object))
        }.joined()
    }
}
