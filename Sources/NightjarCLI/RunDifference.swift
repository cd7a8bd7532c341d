import Nightjar
import NightjarBus
import NightjarSignals

/// What two runs emitted differently, for people and machines.
struct RunDifference {
    let comparison: RunComparison

    init(_ comparison: RunComparison) { self.comparison = comparison }

    /// Two tables, or a line that says that there is no difference.
    var tables: String {
        guard !comparison.isEmpty else { return "no difference\n" }
        return TextTable.text(
            ["METRIC", "LABELS", "OLD", "NEW", "DIFFERENCE"],
            comparison.metrics.map { metric in
                [
                    metric.name, metric.labels.text, shown(metric.old, metric.type),
                    shown(metric.new, metric.type), difference(metric),
                ]
            }
        )
            + TextTable.text(
                ["SCORER", "TRACE", "SPAN", "OLD", "NEW", "REASON"],
                comparison.scores.map { verdict in
                    let either = verdict.new ?? verdict.old
                    return [
                        either?.scorerName ?? "", either?.traceID?.description ?? "",
                        either?.spanID?.description ?? "", shown(verdict.old), shown(verdict.new),
                        either?.reason ?? "",
                    ]
                }
            )
    }

    /// A line for each difference; none where there is none.
    var jsonLines: String {
        let metrics = comparison.metrics.map { metric -> Value in
            var object: Value.Object = [
                "name": .string(metric.name), "metricType": .string(metric.type.rawValue),
                "labels": .object(
                    metric.labels.reduce(into: Value.Object()) { $0[$1.name] = .string($1.value) }
                ),
            ]
            object["old"] = metric.old.map(json)
            object["new"] = metric.new.map(json)
            return ["type": "metric_difference", "metric": .object(object)]
        }
        let scores = comparison.scores.map { verdict -> Value in
            var object = Value.Object()
            object["change"] = .string(change(verdict))
            object["old"] = verdict.old?.json
            object["new"] = verdict.new?.json
            return ["type": "score_difference", "score": .object(object)]
        }
        return (metrics + scores).map { $0.json + "\n" }.joined()
    }

    private func change(_ verdict: RunComparison.Verdict) -> String {
        verdict.old == nil ? "added" : verdict.new == nil ? "gone" : "changed"
    }

    private func json(_ total: RunComparison.Total) -> Value {
        ["sum": .double(total.sum), "count": .int(Int64(clamping: total.count))]
    }

    private func shown(_ total: RunComparison.Total?, _ type: MetricType) -> String {
        guard let total else { return "-" }
        guard type == .histogram else { return number(total.sum) }
        return "n \(total.count), mean \(number(total.sum / Double(total.count), digits: 3))"
    }

    private func difference(_ metric: RunComparison.Metric) -> String {
        let sum = (metric.new?.sum ?? 0) - (metric.old?.sum ?? 0)
        guard metric.type == .histogram else { return signed(sum) }
        let count = Double(metric.new?.count ?? 0) - Double(metric.old?.count ?? 0)
        return "n \(signed(count)), sum \(signed(sum))"
    }

    private func shown(_ score: Score?) -> String {
        guard let score else { return "-" }
        return score.score.map { number($0, digits: 4) } ?? score.label ?? score.error.map { "error: \($0)" }
            ?? ""
    }

    private func signed(_ value: Double) -> String { (value > 0 ? "+" : "") + number(value, digits: 6) }
}

/// A number for people: as it is, or rounded to so many digits behind the point.
func number(_ value: Double, digits: Int? = nil) -> String {
    guard let digits, value.isFinite else { return Value.double(value).json }
    let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
    let rounded = (value * scale).rounded() / scale
    return Value.double(rounded == 0 ? 0 : rounded).json
}
