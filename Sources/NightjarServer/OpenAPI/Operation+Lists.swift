import HTTPTypes
import NightjarSignals

/// Lists of logs, scores, feedback and sessions, and what scores come to.
extension Operation {
    static let from = Parameter(
        "from",
        "not before: ISO 8601, or milliseconds since 1970",
        Schema.writtenInstant
    )
    static let to = Parameter("to", "before it", Schema.writtenInstant)
    static let tag = Parameter("tag", "among the tags; several times: all of them")

    /// What every list of signals is filtered by; the second name of some is that of the list of traces.
    private static let scope: [Parameter] =
        [
            from, to, Parameter("traceId", "the trace", Schema.writtenTraceID),
            Parameter("trace", "the same", Schema.writtenTraceID),
            Parameter("spanId", "the span", Schema.writtenSpanID),
            Parameter("span", "the same", Schema.writtenSpanID), tag,
            Parameter("tags", "the same"),
        ]
        + [
            "entityType", "entityId", "entityName", "parentEntityType", "parentEntityId", "parentEntityName",
            "rootEntityType", "rootEntityId", "rootEntityName", "userId", "organizationId", "resourceId",
            "runId", "sessionId", "threadId", "requestId", "experiment", "environment", "source",
            "serviceName",
        ].map { Parameter($0, "of what it belongs to") }
        + ["user", "session", "service"].map { Parameter($0, "the same as its longer name") } + [
            limit, cursor,
        ]

    /// A page of a list, under a name.
    private static func page(_ name: String, _ element: Value) -> Answer {
        var properties = Value.Object()
        properties[name] = Schema.list(element)
        properties["nextCursor"] = Schema.text
        properties["scannedUntil"] = Schema.instant
        return .json([
            "type": "object", "required": [.string(name)], "additionalProperties": false,
            "properties": .object(properties),
        ])
    }

    static let listLogs = Operation(
        id: "listLogs",
        group: "Signals",
        about:
            "log lines, newest first; nextCursor leads on, scannedUntil says how far a search got that found less",
        parameters: [
            Parameter("level", "at least so bad", Schema.level),
            Parameter(
                "q",
                "words of the message, all of them; \"in quotes\" one after the other, wor* begins",
                ["type": "string", "pattern": "[A-Za-z0-9]"]
            ),
        ] + scope,
        answers: [page("logs", Schema.named("StoredLog"))] + .readFaults
    )

    static let listScores = Operation(
        id: "listScores",
        group: "Signals",
        about: "scores, newest first",
        parameters: [
            Parameter("scorer", "who judged"), Parameter("version", "of the scorer"),
            Parameter("label", "that it gave"),
            Parameter("minScore", "at least", Schema.number), Parameter("maxScore", "at most", Schema.number),
        ] + scope,
        answers: [page("scores", Schema.named("ListedScore"))] + .readFaults
    )

    static let listFeedback = Operation(
        id: "listFeedback",
        group: "Signals",
        about: "feedback, newest first; source is its own",
        parameters: [Parameter("feedbackType", "what it is")] + scope,
        answers: [page("feedback", Schema.named("ListedFeedback"))] + .readFaults
    )

    static let listSessions = Operation(
        id: "listSessions",
        group: "Sessions",
        about: "sessions by their newest trace, with sums over their traces",
        parameters: [
            from, to, Parameter("user", "its id"), Parameter("environment", "of the root"),
            Parameter("service", "of the root"), limit,
            Parameter("cursor", "the nextCursor of the page before"),
        ],
        answers: [page("sessions", Schema.named("SessionSummary"))] + .readFaults
    )

    static let getSession = Operation(
        id: "getSession",
        group: "Sessions",
        about: "a session: its traces in order, its scores and feedback",
        parameters: [limit, cursor],
        answers: [.json(Schema.named("Session"))] + .readFaults
    )

    static let summarizeScores = Operation(
        id: "summarizeScores",
        group: "Signals",
        about:
            "what scorers said by version, how that moved, and how far scorers agree with each other and with feedback",
        parameters: [
            Parameter("scorer", "only this one"),
            Parameter("with", "a second scorer to compare with"), Parameter("experiment", "only of it"), from,
            to, Parameter("step", "the parts of the trend, such as 1h", duration),
        ],
        answers: [.json(Schema.named("ScoreSummary"))] + .readFaults
    )

    static let duration: Value = ["type": "string", "pattern": "^[1-9][0-9]{0,3}(s|m|h|d)$"]
}
