import HTTPTypes
import NightjarBus
import NightjarSignals

/// What takes data.
extension Operation {
    /// OTLP of a signal.
    static func export(_ signal: String, alias: String = "") -> Operation {
        let status: (HTTPResponse.Status, String) -> Answer = { code, about in
            Answer(
                status: code,
                about: about,
                content: [
                    ("application/json", Schema.named("RpcStatus")), ("application/x-protobuf", Schema.any),
                ]
            )
        }
        return Operation(
            id: "export\(signal)\(alias)",
            group: "Ingest",
            about: "OTLP/HTTP: an Export\(signal)ServiceRequest; a 200 means that it is on disk",
            body: [("application/json", Schema.members), ("application/x-protobuf", Schema.any)],
            answers: [
                Answer(
                    status: .ok,
                    about: "taken; partial_success says how many items were rejected, and why",
                    content: [
                        ("application/json", Schema.named("ExportResponse")),
                        ("application/x-protobuf", Schema.any),
                    ]
                ),
                status(.badRequest, "not a message of OTLP"), status(.contentTooLarge, "larger than a limit"),
                status(.unsupportedMediaType, "Content-Type or Content-Encoding is not known"),
                status(.tooManyRequests, "a queue is full; Retry-After says when to send again"),
                status(
                    .serviceUnavailable,
                    "the store cannot take it now; Retry-After says when to send again"
                ),
            ],
            takesAnyParameter: true
        )
    }

    static let takeEvents = Operation(
        id: "takeEvents",
        group: "Ingest",
        about:
            "events as the JSON exporter writes them: JSON lines, or an array of at most 10,000; all or nothing",
        body: [
            ("application/json", Schema.list(Schema.named("Event"), atMost: 10_000)),
            ("application/x-ndjson", Schema.any),
        ],
        needsBody: false,
        answers: [
            .json(taken), .json(taken, .accepted, "taken; a score or feedback waits for its trace"),
            .problem(.conflict, "the trace is sampled out"),
        ] + .refusals
    )

    private static let taken = Schema.object([
        "accepted": Schema.count, "ignored": Schema.count,
        "scores?": Schema.list(receipt), "feedback?": Schema.list(receipt),
    ])

    private static let receipt = Schema.object([
        "id": Schema.text, "replaced?": Schema.flag, "pending?": Schema.flag,
    ])

    /// Scores or feedback; `place` is what the path names as target, `Trace`, `Span`, `Session` or nothing.
    static func annotate(_ kind: String, of place: String) -> Operation {
        let named = Schema.named("\(kind)Input")
        let input = place.isEmpty ? Schema.targeted(named) : named
        let inputs: Value = ["anyOf": [input, Schema.list(input, atMost: 1000)]]
        let receipts: Value = ["anyOf": [Schema.named("Receipts"), Schema.named("PartialReceipts")]]
        let partial: Answer = Answer(
            status: .badRequest,
            about: "nothing was taken; `errors` names each place, with partial=true those of each item",
            content: [
                ("application/problem+json", Schema.named("Problem")),
                ("application/json", Schema.named("PartialReceipts")),
            ]
        )
        var parameters = [
            Parameter(
                "partial",
                "true: each item is taken or refused by itself",
                Schema.one(of: ["true", "false"])
            )
        ]
        if kind == "Score", place.isEmpty {
            parameters.append(
                Parameter(
                    "backfill",
                    "true: scores with id, timestamp and target, stored as they are and not counted",
                    Schema.one(of: ["true", "false"])
                )
            )
        }
        return Operation(
            id: "add\(kind)\(kind == "Score" ? "s" : "")\(place)",
            group: "Annotate",
            about: place.isEmpty
                ? "one object or a list of at most 1,000; an id that is known is replaced"
                : "as without the ids; what the path names is the target",
            parameters: parameters,
            body: [("application/json", inputs)],
            answers: [
                .json(receipts, .created, "all are new"),
                .json(receipts, .ok, "at least one replaced an earlier one"),
                .json(receipts, .accepted, "at least one waits for its trace"), partial,
                .problem(.notFound, "the server stores nothing"),
                .problem(.conflict, "the trace is sampled out"),
            ] + [Answer].refusals.filter { $0.status != .badRequest }
        )
    }

    static let undoScores = Operation(
        id: "undoScores",
        group: "Annotate",
        about: "takes back what a version of a plugin wrote; what it replaced holds again",
        body: [
            (
                "application/json",
                Schema.input(
                    [
                        "scorers": ["type": "array", "items": Schema.name, "minItems": 1],
                        "plugin": Schema.name,
                        "hash?": [
                            "type": "string", "pattern": .string("^(.{\(ScoreVersion.shortestHash),})?$"),
                        ],
                    ],
                    isClosed: false
                )
            )
        ],
        answers: [
            .json(
                Schema.object(["deleted": Schema.count, "restored": Schema.count, "forgotten": Schema.count])
            ),
            .problem(.notFound, "the server stores nothing"),
        ] + .refusals
    )

    /// Deletes something by its id.
    static func delete(_ what: String) -> Operation {
        Operation(
            id: "delete\(what)",
            group: "Annotate",
            about: "deletes it for good, with its history; deleting again changes nothing",
            answers: [.empty("it is gone, or was not there")] + .readFaults
        )
    }
}
