import Nightjar
import NightjarBus
import NightjarSignals

/// What a run over recorded events prints.
struct RunReport {
    let run: RecordedRun
    /// Whether built-in metrics are shown; with scripts given, only what those emit is asked for.
    let showsBuiltIn: Bool

    /// One event a line, in the form of the signals contract, section 2.
    var jsonLines: String {
        var lines: [String] = []
        for observation in run.observations where isShown(observation.series) {
            lines.append(line("metric", metric(observation)))
        }
        lines += run.scores.map { line("score", $0.json) }
        lines += run.feedback.map { line("feedback", $0.json) }
        lines += run.logs.map { line("log", $0.json) }
        return lines.map { $0 + "\n" }.joined()
    }

    /// Tables for people: totals by series, then scores, feedback and logs.
    var tables: String {
        var text = "\(run.spanCount) spans read"
        if run.rejectedCount > 0 { text += ", \(run.rejectedCount) refused" }
        text += "\n"
        let totals = run.totals.filter { isShown($0) && $0.total.count > 0 }
            .sorted { ($0.instrument.name, labels($0)) < ($1.instrument.name, labels($1)) }
        text += TextTable.text(
            ["METRIC", "LABELS", "VALUE"],
            totals.map { [$0.instrument.name, labels($0), value($0)] }
        )
        text += TextTable.text(
            ["SCORER", "TRACE", "SPAN", "SCORE", "REASON"],
            run.scores.map { score in
                [
                    score.scorerName, score.traceID?.description ?? "", score.spanID?.description ?? "",
                    score.score.map { number($0) } ?? score.label ?? "", score.reason ?? "",
                ]
            }
        )
        text += TextTable.text(
            ["FEEDBACK", "TRACE", "VALUE"],
            run.feedback.map { [$0.feedbackType, $0.traceID?.description ?? "", $0.value.json] }
        )
        text += TextTable.text(["LEVEL", "MESSAGE"], run.logs.map { [$0.level.name, $0.message] })
        return text
    }

    private func isShown(_ series: StoredSeries) -> Bool {
        showsBuiltIn || !RecordedRun.isBuiltIn(series.instrument.name)
    }

    private func line(_ type: String, _ value: Value) -> String {
        (["type": .string(type), type: value] as Value).json
    }

    private func metric(_ observation: RecordedRun.Observation) -> Value {
        [
            "timestamp": .string(observation.time.description),
            "name": .string(observation.series.instrument.name),
            "metricType": .string(observation.series.instrument.type.rawValue),
            "value": .double(observation.value),
            "labels": .object(
                observation.series.labels.reduce(into: Value.Object()) { $0[$1.name] = .string($1.value) }
            ),
        ]
    }

    private func labels(_ series: StoredSeries) -> String {
        series.labels.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
    }

    private func value(_ series: StoredSeries) -> String {
        guard series.instrument.type == .histogram else { return number(series.total.sum) }
        let mean = series.total.sum / Double(series.total.count)
        return "n \(series.total.count), mean \(number((mean * 1000).rounded() / 1000))"
    }

    private func number(_ value: Double) -> String { Value.double(value).json }
}
