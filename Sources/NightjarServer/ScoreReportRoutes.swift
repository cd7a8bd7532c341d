import HTTPTypes
import Hummingbird
import Nightjar
import NightjarSignals
import NightjarStore

/// `GET /api/scores/summary`: what scorers said, by version, and how they agree.
struct ScoreReportRoutes {
    /// A trend has at most so many parts.
    private static let largestTrend = 1_000

    let engine: Engine

    func add(to router: APIRouter) {
        router.get("/api/scores/summary", .summarizeScores) { request, _ in
            let query = try Self.query(request)
            guard let report = try await engine.scoreReport(query) else { throw Problem.nothingStored }
            return Response.json(report.json(query))
        }
    }

    private static func query(_ request: Request) throws -> ScoreReportQuery {
        let parameters = try QueryParameters(
            request.uri.query,
            known: ["scorer", "with", "experiment", "from", "to", "step"]
        )
        var query = ScoreReportQuery()
        query.verdicts.scorers = parameters.texts("scorer")
        query.verdicts.experiment = parameters.text("experiment")
        query.verdicts.from = try parameters.instant("from")
        query.verdicts.to = try parameters.instant("to")
        query.other = parameters.text("with")
        guard query.other == nil || !query.verdicts.scorers.isEmpty else {
            throw Problem(.badRequest, "with names the scorer to compare with; name the other in scorer")
        }
        query.step = try parameters.duration("step")
        if let step = query.step {
            guard step >= .seconds(1) else { throw Problem(.badRequest, "step must be at least 1s") }
            if let from = query.verdicts.from, let to = query.verdicts.to {
                let length = to.unixNano.subtractingReportingOverflow(from.unixNano).partialValue
                guard length / step.nanoseconds <= largestTrend else {
                    throw Problem(
                        .badRequest,
                        "step makes more than \(largestTrend) parts of that time; make it longer"
                    )
                }
            }
        }
        return query
    }
}

extension ScoreReport {
    /// The report with what it is about.
    fileprivate func json(_ query: ScoreReportQuery) -> Value {
        var object: Value.Object = [
            "scorers": .array(scorers.map(\.json)), "feedback": .array(feedback.map(\.json)),
            "stepMs": .int(step.nanoseconds / 1_000_000),
        ]
        object["from"] = query.verdicts.from.map { .string($0.description) }
        object["to"] = query.verdicts.to.map { .string($0.description) }
        object["agreement"] = agreement.map(\.json)
        if let cutAt {
            object["cutAt"] = .string(cutAt.description)
            object["note"] = .string(
                "there are more scores than one summary looks at: those before cutAt are left out; ask for a shorter time"
            )
        }
        if isFeedbackCut { object["isFeedbackCut"] = true }
        return .object(object)
    }
}

extension ScoreReport.Scorer {
    fileprivate var json: Value {
        var object: Value.Object = [
            "scorer": .string(name), "versions": .array(versions.map(\.json)),
        ]
        if let comparison, versions.count > 1 {
            object["comparison"] = comparison.json(old: versions[1].version, new: versions[0].version)
        }
        if let before {
            var earlier: Value.Object = ["count": .int(Int64(before.count))]
            earlier["mean"] = before.mean.map { .double($0) }
            object["before"] = .object(earlier)
        }
        return .object(object)
    }
}

extension ScoreReport.Version {
    fileprivate var json: Value {
        var object: Value.Object = ["count": .int(Int64(count)), "failed": .int(Int64(failed))]
        object["version"] = version.map(Value.string)
        if let distribution {
            object["mean"] = .double(distribution.mean)
            object["minimum"] = .double(distribution.minimum)
            object["maximum"] = .double(distribution.maximum)
            object["p50"] = .double(distribution.p50)
            object["p90"] = .double(distribution.p90)
            object["histogram"] = .array(
                distribution.histogram.map {
                    ["low": .double($0.low), "high": .double($0.high), "count": .int(Int64($0.count))]
                }
            )
        }
        if !labels.isEmpty {
            object["labels"] = .array(
                labels.map { ["label": .string($0.label), "count": .int(Int64($0.count))] }
            )
        }
        object["trend"] = .array(trend.map(\.json))
        object["firstTime"] = .string(first.description)
        object["lastTime"] = .string(last.description)
        return .object(object)
    }
}

extension ScoreReport.TrendPoint {
    fileprivate var json: Value {
        var object: Value.Object = ["time": .string(time.description), "count": .int(Int64(count))]
        if failed > 0 { object["failed"] = .int(Int64(failed)) }
        object["mean"] = mean.map { .double($0) }
        return .object(object)
    }
}

extension ScoreComparison {
    fileprivate func json(old: String?, new: String?) -> Value {
        var object: Value.Object = [
            "count": .int(Int64(count)), "onlyOld": .int(Int64(onlyOld)), "onlyNew": .int(Int64(onlyNew)),
        ]
        object["old"] = old.map(Value.string)
        object["new"] = new.map(Value.string)
        object["agreement"] = agreement.map { .double($0) }
        object["pearson"] = pearson.map { .double($0) }
        object["spearman"] = spearman.map { .double($0) }
        object["differences"] = .array(
            differences.map { pair in
                var difference: Value.Object = ["traceId": .string(pair.new.trace.description)]
                difference["spanId"] = pair.new.span.map { .string($0.description) }
                difference["old"] = pair.old.said
                difference["new"] = pair.new.said
                return .object(difference)
            }
        )
        return .object(object)
    }
}

extension Verdict {
    /// The number, else the label.
    fileprivate var said: Value? { score.map { .double($0) } ?? label.map(Value.string) }
}

extension ScorerAgreement {
    fileprivate var json: Value {
        var object: Value.Object = [
            "scorers": [.string(left), .string(right)], "count": .int(Int64(count)),
            "labelled": .int(Int64(labelled)),
        ]
        object["pearson"] = pearson.map { .double($0) }
        object["spearman"] = spearman.map { .double($0) }
        object["equalLabels"] = equalLabels.map { .double($0) }
        object["kappa"] = kappa.map { .double($0) }
        return .object(object)
    }
}

extension FeedbackAgreement {
    fileprivate var json: Value {
        var object: Value.Object = [
            "scorer": .string(scorer), "feedbackType": .string(feedbackType), "kind": .string(kind.rawValue),
            "count": .int(Int64(count)),
        ]
        object["positives"] = positives.map { .int(Int64($0)) }
        // Always yes or always no is no threshold that JSON has a number for.
        object["threshold"] = threshold.flatMap { $0.isFinite ? .double($0) : nil }
        object["accuracy"] = accuracy.map { .double($0) }
        object["areaUnderCurve"] = areaUnderCurve.map { .double($0) }
        object["spearman"] = spearman.map { .double($0) }
        return .object(object)
    }
}
