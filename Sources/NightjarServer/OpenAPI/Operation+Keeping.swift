import HTTPTypes
import NightjarBus
import NightjarSignals

/// How the server is doing, what passes, and what is kept.
extension Operation {
    static let status = Operation(
        id: "status",
        group: "Status",
        about:
            "versions, queues with their bounds, what was refused, the database and how far processing is behind",
        answers: [.json(Schema.named("Status")), badParameter]
    )

    static let watch = Operation(
        id: "watch",
        group: "Traces",
        about: "events as they pass, as server-sent events; a reader that is too slow is told so and let go",
        parameters: [
            Parameter("types", "kinds of event with commas between them"), Parameter("signals", "the same"),
            Parameter("level", "of log lines, at least", Schema.level),
            Parameter("trace", "its id", Schema.writtenTraceID),
            Parameter("status", "of a span", Schema.status),
        ]
            + [
                "type", "service", "environment", "agent", "model", "tool", "workflow", "user", "session",
                "name",
                "scorer",
                "plugin",
            ].map { Parameter($0, "its name; several times: any of them") },
        answers: [
            Answer(status: .ok, about: "a stream", content: [("text/event-stream", Schema.text)]),
            badParameter,
            .problem(.serviceUnavailable, "there are too many readers; Retry-After says when to come again"),
        ]
    )

    static let cleanUp = Operation(
        id: "cleanUp",
        group: "Keeping",
        about: "deletes what was received before a time; where isDone is false the same call again goes on",
        body: [
            (
                "application/json",
                [
                    "anyOf": [
                        Schema.input(
                            ["olderThan": duration, "signals?": cleaned, "dryRun?": Schema.flag],
                            isClosed: false
                        ),
                        Schema.input(
                            ["before": Schema.writtenTime, "signals?": cleaned, "dryRun?": Schema.flag],
                            isClosed: false
                        ),
                    ]
                ]
            )
        ],
        answers: [
            .json(
                Schema.object([
                    "deleted": Schema.object([
                        "traces": Schema.count, "logs": Schema.count, "metrics": Schema.count,
                        "scores": Schema.count,
                        "feedback": Schema.count,
                    ]), "returnedBytes": Schema.count, "freeBytes": Schema.count, "isDone": Schema.flag,
                ])
            ), .problem(.notFound, "the server stores nothing"),
        ] + .refusals
    )

    private static let cleaned = Schema.list(Schema.one(of: ["traces", "logs", "metrics", "scores"]))

    static let export = Operation(
        id: "export",
        group: "Keeping",
        about: "traces with everything that belongs to them, as JSON lines that an import takes",
        parameters: [Parameter("trace", "its id; several times: each", Schema.writtenTraceID)]
            + listTraces.parameters.filter { !["q", "sort", "limit", "cursor"].contains($0.name) },
        answers: [Answer(status: .ok, about: "the lines", content: [("application/x-ndjson", Schema.any)])]
            + .readFaults
    )

    static let take = Operation(
        id: "import",
        group: "Keeping",
        about: "lines of an export, at most 10,000 a request; what is there already is not taken again",
        body: [("application/x-ndjson", Schema.any), ("text/plain", Schema.text)],
        needsBody: false,
        answers: [
            .json(
                Schema.object([
                    "taken": ["type": "object", "additionalProperties": Schema.count], "known": Schema.count,
                    "refused": Schema.count, "passedOver": Schema.count,
                ])
            ), .problem(.notFound, "the server stores nothing"),
        ] + .refusals
    )
}
