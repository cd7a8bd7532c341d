import HTTPTypes
import NightjarSignals

/// What gives data back.
extension Operation {
    static let listTraces = Operation(
        id: "listTraces",
        group: "Traces",
        about: "traces, newest first; all filters that are given must hold",
        parameters: [
            from, to, Parameter("status", "of the root", Schema.status), Parameter("name", "the root's"),
            Parameter("type", "the root's"), Parameter("service", "the root's"),
            Parameter("environment", "the root's"), Parameter("agent", "of any run"),
            Parameter("model", "of any generation"), Parameter("tool", "of any call"),
            Parameter("workflow", "the first run's"), Parameter("user", "its id"),
            Parameter("session", "its id"), tag, Parameter("minDuration", "in ms, or such as 5s", length),
            Parameter("maxDuration", "in ms, or such as 5s", length), Parameter("scorer", "that judged it"),
            Parameter("minScore", "of that scorer, at least", Schema.number),
            Parameter("maxScore", "of that scorer, at most", Schema.number),
            Parameter("feedback", "a feedbackType that it has"),
            Parameter("q", "text within names, input or output of its spans"),
            Parameter("sort", "by start, or by the last receipt", Schema.one(of: ["start", "received"])),
            limit,
            cursor,
        ],
        answers: [
            .json(
                Schema.object([
                    "traces": Schema.list(Schema.named("TraceSummary")), "nextCursor?": Schema.text,
                    "scannedUntil?": Schema.instant,
                ])
            )
        ] + .readFaults
    )

    /// A length of time: milliseconds, or a number with a unit.
    static let length: Value = ["anyOf": [["type": "number", "minimum": 0], duration]]
    static let limit = Parameter("limit", "how many, 50 unless said", Schema.integer(from: 1, to: 500))
    static let cursor = Parameter(
        "cursor",
        "the nextCursor of the page before",
        ["type": "string", "pattern": "^-?[0-9]{1,18}\\.[0-9]{1,18}$"]
    )

    static let getTrace = Operation(
        id: "getTrace",
        group: "Traces",
        about: "a trace with its spans, scores, feedback and logs",
        parameters: [
            Parameter("id", "the trace id", Schema.writtenTraceID),
            Parameter(
                "format",
                "flat unless said; tree: spans hold their children; otlp and protobuf: OTLP as JSON and in binary",
                Schema.one(of: ["flat", "tree", "otlp", "protobuf"])
            ),
        ],
        answers: [
            Answer(
                status: .ok,
                about: "the trace",
                content: [
                    ("application/json", ["anyOf": [Schema.named("Trace"), otlp]]),
                    ("application/x-protobuf", Schema.any),
                ]
            )
        ] + .readFaults
    )

    private static let otlp = Schema.open(["resourceSpans": Schema.list(Schema.members)])

    static let explainTrace = Operation(
        id: "explainTrace",
        group: "Traces",
        about: "what every plugin rule did for a trace, or why it did nothing",
        parameters: [Parameter("id", "the trace id", Schema.writtenTraceID)],
        answers: [
            .json(
                Schema.object(["traceId": Schema.traceID, "rules": Schema.list(Schema.named("RuleOutcome"))])
            )
        ] + .readFaults
    )

    static let exposeMetrics = Operation(
        id: "exposeMetrics",
        group: "Metrics",
        about: "all metrics for Prometheus, as text 0.0.4 or OpenMetrics 1.0 by Accept",
        answers: [
            Answer(
                status: .ok,
                about: "the metrics",
                content: [("text/plain", Schema.text), ("application/openmetrics-text", Schema.text)]
            )
        ],
        takesAnyParameter: true
    )

    static let listMetrics = Operation(
        id: "listMetrics",
        group: "Metrics",
        about: "names, types, label names and series of all metrics, and the labels that were dropped",
        answers: [.json(Schema.object(["metrics": Schema.list(Schema.named("Metric"))])), badParameter]
    )

    static let badParameter = Answer.problem(.badRequest, "a parameter is not known; `detail` names it")

    static let live = Operation(
        id: "live",
        group: "Status",
        about: "whether the process is alive",
        answers: [.json(Schema.object(["status": Schema.text]))],
        takesAnyParameter: true
    )

    static let ready = Operation(
        id: "ready",
        group: "Status",
        about: "whether it can take data",
        answers: [
            .json(Schema.object(["status": Schema.text])),
            .problem(.serviceUnavailable, "it cannot; `detail` says why"),
        ],
        takesAnyParameter: true
    )

    static let index = Operation(
        id: "index",
        group: "Status",
        about: "what there is here, for people",
        answers: [Answer(status: .ok, about: "a list", content: [("text/plain", Schema.text)])],
        takesAnyParameter: true
    )
}
