import Nightjar
import NightjarPlugins
import NightjarSignals

/// What `nightjar score` prints.
struct ScoreReport {
    private static let barWidth = 40
    private let scorers: [ScorerOutline]
    private let outcome: ScoringOutcome

    /// The report of a run of these scorers.
    init(_ scorers: [ScorerOutline], outcome: ScoringOutcome) {
        self.scorers = scorers
        self.outcome = outcome
    }

    /// One JSON line: the type, and under it the value.
    static func line(_ type: String, _ value: Value) -> String {
        (["type": .string(type), type: value] as Value).json + "\n"
    }

    /// How many traces there were.
    var heading: String {
        var text = "\(outcome.looked) traces scored"
        if outcome.leftOut > 0 { text += ", \(outcome.leftOut) left out" }
        if outcome.open > 0 { text += ", \(outcome.open) still under way" }
        return text + "\n"
    }

    // MARK: - Backfill

    /// What a backfill has done.
    var backfill: String {
        var text = "\(outcome.written) scores written, \(outcome.unchanged) unchanged; \(heading)"
        if outcome.resumed > 0 { text += "\(outcome.resumed) traces were done before\n" }
        return text
    }

    /// The same as a line.
    var backfillLine: String {
        func count(_ value: Int) -> Value { .int(Int64(value)) }
        return Self.line(
            "backfill",
            [
                "written": count(outcome.written), "unchanged": count(outcome.unchanged),
                "scored": count(outcome.looked), "leftOut": count(outcome.leftOut),
                "open": count(outcome.open), "resumed": count(outcome.resumed),
                "isFinished": .bool(outcome.isFinished),
            ]
        )
    }

    // MARK: - Distributions

    /// The summary of each scorer.
    func summaries(_ verdicts: [Verdict]) -> [ScoreSummary] {
        scorers.map { scorer in
            ScoreSummary(scorer.name, verdicts.filter { $0.scorer == scorer.name }, range: scorer.range)
        }
    }

    /// The distributions, a histogram of each and examples.
    func tables(_ summaries: [ScoreSummary]) -> String {
        TextTable.text(
            ["SCORER", "SCORES", "TRACES", "MEAN", "MIN", "MAX", "P50", "P90", "FAILED"],
            summaries.map { summary in
                let spread = summary.distribution
                return [summary.scorer, "\(summary.count)", "\(summary.traces)"]
                    + [spread?.mean, spread?.minimum, spread?.maximum, spread?.p50, spread?.p90].map(shown)
                    + [summary.failed == 0 ? "-" : "\(summary.failed)"]
            }
        ) + summaries.filter { $0.count > 0 }.map { histogram($0) + examples($0) }.joined()
    }

    private func histogram(_ summary: ScoreSummary) -> String {
        let bars: [(name: String, count: Int)] =
            summary.distribution?.histogram.map { bar in
                ("\(number(bar.low, digits: 4)) to \(number(bar.high, digits: 4))", bar.count)
            } ?? summary.labels
        let most = bars.map(\.count).max() ?? 0
        guard most > 0 else { return "" }
        return TextTable.text(
            [summary.scorer, "", "COUNT"],
            bars.map { name, count in
                // What is there is seen, however little it is.
                let width = count == 0 ? 0 : max(1, count * Self.barWidth / most)
                return [name, String(repeating: "#", count: width), "\(count)"]
            }
        )
    }

    private func examples(_ summary: ScoreSummary) -> String {
        TextTable.text(
            ["EXAMPLE", "SCORE", "TRACE", "SPAN", "REASON"],
            summary.examples.map { place, verdict in
                [
                    summary.distribution == nil ? "" : place.rawValue, shown(verdict),
                    verdict.trace.description, verdict.span?.description ?? "", verdict.reason ?? "",
                ]
            }
        )
    }

    /// The same as lines.
    func jsonLines(_ summaries: [ScoreSummary]) -> String {
        summaries.map { Self.line("score_summary", json($0)) }.joined()
    }

    private func json(_ summary: ScoreSummary) -> Value {
        var object: Value.Object = [
            "scorer": .string(summary.scorer), "count": .int(Int64(summary.count)),
            "traces": .int(Int64(summary.traces)), "failed": .int(Int64(summary.failed)),
        ]
        if let spread = summary.distribution {
            object["mean"] = .double(spread.mean)
            object["min"] = .double(spread.minimum)
            object["max"] = .double(spread.maximum)
            object["p50"] = .double(spread.p50)
            object["p90"] = .double(spread.p90)
            object["histogram"] = .array(
                spread.histogram.map {
                    ["low": .double($0.low), "high": .double($0.high), "count": .int(Int64($0.count))]
                }
            )
        }
        if !summary.labels.isEmpty {
            object["labels"] = .object(
                summary.labels.reduce(into: Value.Object()) { $0[$1.label] = .int(Int64($1.count)) }
            )
        }
        object["examples"] = .array(
            summary.examples.map { place, verdict in
                var example = json(verdict)
                example["place"] = .string(place.rawValue)
                return .object(example)
            }
        )
        return .object(object)
    }

    func json(_ verdict: Verdict) -> Value.Object {
        var object: Value.Object = ["traceId": .string(verdict.trace.description)]
        object["spanId"] = verdict.span.map { .string($0.description) }
        object["score"] = verdict.score.map { .double($0) }
        object["label"] = verdict.label.map { .string($0) }
        object["reason"] = verdict.reason.map { .string($0) }
        object["error"] = verdict.error.map { .string($0) }
        return object
    }

    func shown(_ verdict: Verdict) -> String {
        verdict.score.map { number($0, digits: 4) } ?? verdict.label ?? verdict.error.map { "error: \($0)" }
            ?? ""
    }

    func shown(_ value: Double?) -> String { value.map { number($0, digits: 4) } ?? "-" }

    // MARK: - Comparisons

    /// Each scorer beside that of the same name in another version; where both have only one, whatever its name.
    func comparisons(old: [Verdict], of others: [ScorerOutline], new: [Verdict]) -> [ScoreComparison] {
        scorers.compactMap { scorer in
            let isAlone = scorers.count == 1 && others.count == 1
            guard let other = isAlone ? others.first : others.first(where: { $0.name == scorer.name }) else {
                return nil
            }
            return ScoreComparison(
                scorer.name,
                old: old.filter { $0.scorer == other.name },
                new: new.filter { $0.scorer == scorer.name },
                range: scorer.range
            )
        }
    }
}
