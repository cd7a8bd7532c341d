import NightjarSignals

/// What lists, sums and reports give.
extension Schema {
    private static let numberOrNull = orNull(number)
    private static let sums = object(["inputTokens?": number, "outputTokens?": number, "cost?": number])

    static let reports: Value.Object = [
        "StoredLog": extended("Log", ["id": count, "createdAt": instant]),
        "ListedScore": extended("Score", ["createdAt": instant]),
        "ListedFeedback": extended("Feedback", ["createdAt": instant]),
        "SessionSummary": object(session), "Session": sessionDetail, "ScoreSummary": scoreSummary,
        "MetricAnswer": metricAnswer, "Status": serverStatus,
    ]

    /// A component with further members.
    private static func extended(_ name: String, _ more: Value.Object) -> Value {
        guard case .object(var schema) = signals[name] ?? any, let properties = schema["properties"]?.object,
            let required = schema["required"]?.array
        else { return any }
        schema["properties"] = .object(properties.merging(more))
        schema["required"] = .array(required + more.entries.map { .string($0.key) })
        return .object(schema)
    }

    private static let session: KeyValuePairs<String, Value> = [
        "sessionId": text, "traceCount": count, "spanCount": count, "errorCount": count,
        "runningCount": count,
        "firstTime": instant, "lastTime": instant, "userId?": text, "isCut?": flag, "usage?": sums,
    ]

    private static let sessionDetail: Value = {
        guard case .object(var schema) = object(session), let properties = schema["properties"]?.object,
            let required = schema["required"]?.array
        else { return any }
        let more: Value.Object = [
            "traces": list(named("TraceSummary")), "scores": list(named("ListedScore")),
            "feedback": list(named("ListedFeedback")),
        ]
        schema["properties"] = .object(properties.merging(more).merging(["nextCursor": text]))
        schema["required"] = .array(required + more.entries.map { .string($0.key) })
        return .object(schema)
    }()

    private static let version = object([
        "version?": text, "count": count, "failed": count, "mean?": number, "minimum?": number,
        "maximum?": number, "p50?": number, "p90?": number,
        "histogram?": list(object(["low": number, "high": number, "count": count])),
        "labels?": list(object(["label": text, "count": count])),
        "trend": list(object(["time": instant, "count": count, "failed?": count, "mean?": number])),
        "firstTime": instant, "lastTime": instant,
    ])

    private static let scoreSummary = object([
        "scorers": list(
            object([
                "scorer": text, "versions": list(version), "comparison?": members,
                "before?": object(["count": count, "mean?": number]),
            ])
        ), "feedback": list(members), "stepMs": count, "from?": instant, "to?": instant,
        "agreement?": object([
            "scorers": texts, "count": count, "labelled": count, "pearson?": number, "spearman?": number,
            "equalLabels?": number, "kappa?": number,
        ]), "cutAt?": instant, "note?": text, "isFeedbackCut?": flag,
    ])

    private static let metricAnswer = object([
        "name": text, "origin": text, "metricType": one(of: ["counter", "gauge", "histogram"]), "agg": text,
        "groupBy": texts, "from": instant, "to": instant, "stepSeconds": count, "resolutionSeconds": count,
        "completeUntil": instant, "unit?": text, "total": numberOrNull,
        "previous?": object(["from": instant, "to": instant, "value": numberOrNull, "change": numberOrNull]),
        "series": list(
            object([
                "labels": members, "total": numberOrNull,
                "previous?": object(["value": numberOrNull, "change": numberOrNull]),
                "points": list(object(["time": instant, "value": numberOrNull])),
            ])
        ), "seriesCount": count, "truncated": flag,
    ])

    private static let depth = open(["bytes": count, "limitBytes": count])

    private static let serverStatus = object([
        "status": one(of: ["ok", "failing"]), "fault?": text,
        "versions": object(["nightjar": text, "sqlite": text]),
        "startedAt": instant, "uptimeSeconds": count, "lagSeconds": number,
        "queues": object([
            "bodies": depth, "answers": depth, "journal": depth, "workers": list(depth), "effects": depth,
            "queries": object(["running": count, "waiting": count, "limit": count]),
        ]), "connections": object(["open": count, "limit": count]),
        "refused": ["type": "object", "additionalProperties": count],
        "database": object(["path": text, "bytes?": count, "walBytes?": count, "freeDiskBytes?": count]),
        "residentBytes?": count,
    ])
}
