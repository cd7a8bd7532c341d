import NightjarSignals

/// What several routes give or take.
extension Schema {
    static let components: Value.Object = signals.merging(answers).merging(inputs).merging(reports)

    private static let problem = object([
        "type": text, "title": text, "status": integer(from: 400, to: 599), "detail": text,
        "errors?": list(object(["path": text, "message": text])),
    ])

    private static let usage = object([
        "inputTokens?": number, "outputTokens?": number, "cacheReadTokens?": number,
        "cacheWriteTokens?": number,
        "reasoningTokens?": number, "cost?": number,
    ])

    private static let span = object([
        "id": spanID, "traceId": traceID, "parentSpanId?": spanID, "name": text,
        "kind": one(of: ["internal", "server", "client", "producer", "consumer"]), "type": text,
        "entityType?": text,
        "entityId?": text, "entityName?": text, "startTime": instant, "endTime?": instant, "isEvent": flag,
        "status": status, "durationMs?": number, "agent?": text, "model?": text, "responseModel?": text,
        "provider?": text, "tool?": text, "workflow?": text, "service?": text, "environment?": text,
        "usage?": named("Usage"), "timeToFirstTokenMs?": number, "finishReason?": text,
        "duplicateOf?": spanID,
        "derivedFrom?": spanID, "attributes?": members,
        "events?": list(object(["name": text, "time": instant, "attributes?": members])),
        "links?": list(object(["traceId": traceID, "spanId": spanID, "attributes?": members])),
        "resource?": members, "scope?": members, "metadata?": members, "tags?": texts, "input?": any,
        "output?": any,
        "errorInfo?": object([
            "message": text, "id?": text, "domain?": text, "category?": text, "details?": members,
            "stack?": text,
        ]),
        "children?": list(named("Span")),
    ])

    static let status = one(of: ["running", "ok", "error"])

    private static let correlation = object([
        "traceId?": traceID, "spanId?": spanID, "entityType?": text, "entityId?": text, "entityName?": text,
        "parentEntityType?": text, "parentEntityId?": text, "parentEntityName?": text,
        "rootEntityType?": text,
        "rootEntityId?": text, "rootEntityName?": text, "userId?": text, "organizationId?": text,
        "resourceId?": text, "runId?": text, "sessionId?": text, "threadId?": text, "requestId?": text,
        "experiment?": text, "environment?": text, "source?": text, "serviceName?": text, "tags?": texts,
    ])

    private static let score = object([
        "id": text, "timestamp": instant, "traceId?": traceID, "spanId?": spanID, "sessionId?": text,
        "scorerName": text, "scorerVersion?": text, "score?": number, "label?": text, "reason?": text,
        "error?": text, "experiment?": text, "annotatorKind?": text, "metadata?": members,
        "correlation?": named("Correlation"),
    ])

    private static let feedback = object([
        "id": text, "timestamp": instant, "traceId?": traceID, "spanId?": spanID, "sessionId?": text,
        "source": text, "feedbackType": text, "value": any, "comment?": text, "experiment?": text,
        "metadata?": members, "correlation?": named("Correlation"),
    ])

    private static let log = object([
        "timestamp": instant, "level": level, "message": text, "data?": members, "traceId?": traceID,
        "spanId?": spanID, "tags?": texts, "metadata?": members, "correlation?": named("Correlation"),
    ])

    static let level = one(of: ["debug", "info", "warn", "error", "fatal"])

    static let signals: Value.Object = [
        "Problem": problem, "Usage": usage, "Span": span, "Correlation": correlation, "Score": score,
        "Feedback": feedback, "Log": log,
        // What OTLP answers instead of a problem, in JSON.
        "RpcStatus": object(["code": count, "message": text]),
        "ExportResponse": object([
            "partialSuccess?": object([
                "rejectedSpans?": text, "rejectedLogRecords?": text, "rejectedDataPoints?": text,
                "errorMessage?": text,
            ])
        ]),
    ]

    private static let answers: Value.Object = [
        "Trace": object([
            "traceId": traceID, "spans": list(named("Span")), "scores": list(named("Score")),
            "feedback": list(named("Feedback")), "logs": list(named("Log")), "status": status,
            "isPartial": flag,
        ]),
        "TraceSummary": object([
            "traceId": traceID, "name": text, "type": text, "status": status, "hasErrors": flag,
            "spanCount": count,
            "isPartial": flag, "isOpen": flag, "startTime?": instant, "endTime?": instant,
            "durationMs?": number,
            "service?": text, "environment?": text, "agent?": text, "workflow?": text, "userId?": text,
            "sessionId?": text, "models?": texts, "tools?": texts, "agents?": texts, "tags?": texts,
            "usage?": named("Usage"), "receivedAt": instant, "lastReceivedAt": instant,
        ]),
        "RuleOutcome": object([
            "plugin": text, "rule": text, "event": text, "place": text, "generation": count,
            "outcome": one(of: [
                "ran", "failed", "circuit_open", "no_match", "sampled_out", "waiting", "no_event",
                "would_run",
                "not_stored",
            ]), "match?": any, "key?": text, "spanId?": spanID, "ranGeneration?": count, "calls?": count,
            "errors?": count, "emitted?": count, "meanMicroseconds?": number, "reason": text,
        ]),
        "Receipts": object(["results": list(object(["id": text, "replaced?": flag, "pending?": flag]))]),
        "PartialReceipts": object([
            "results": list(
                object([
                    "id?": text, "replaced?": flag, "pending?": flag,
                    "errors?": list(object(["path": text, "message": text])),
                ])
            )
        ]),
        "Metric": object([
            "name": text, "origin": text, "metricType": one(of: ["counter", "gauge", "histogram"]),
            "unit?": text,
            "help?": text, "buckets?": list(number),
            "quantiles?": object(["p50": number, "p95": number, "p99": number]), "labelNames": texts,
            "seriesCount": count, "overflowed": flag, "overflowCount?": count, "lastSeen?": instant,
            "dropped": list(object(["label": text, "reason": text, "count": count, "samples": texts])),
        ]), "Plugin": plugin,
        "PluginSource": object([
            "name": text, "file": text, "hash": text, "text": text, "modules": members,
        ]),
    ]

    private static let plugin = object([
        "name": text, "state": one(of: ["running", "stale", "failed", "disabled"]), "generation": count,
        "pinned": flag, "displayName?": text, "description?": text, "version?": text, "hash?": text,
        "since?": instant,
        "matches": count, "calls": count, "callSeconds": number, "share": number, "memoryBytes": count,
        "metrics": texts, "loadError?": text, "lastLoad?": text,
        "rules": list(
            object([
                "name": text, "label": text, "event": text, "place": text, "matches": count, "calls": count,
                "errors": count, "circuitOpen": flag, "match?": any, "meanMicroseconds?": number,
                "p99Microseconds?": number, "share?": number, "callSeconds": number,
            ])
        ),
        "errors": list(
            object([
                "rule": text, "message": text, "traceback": text, "isLimit": flag, "count": count,
                "lastSeen": instant,
                "traceId?": traceID,
            ])
        ),
    ])
}
