import NightjarSignals

/// What callers send. Each name of several words may also be written in snake_case.
extension Schema {
    static let inputs: Value.Object = [
        "ScoreInput": scoreInput, "FeedbackInput": feedbackInput, "Event": event,
        "StoredScore": storedScore,
    ]

    /// At most 256 bytes.
    private static let id: Value = ["type": "string", "minLength": 1, "maxLength": 256]

    private static let scoreInput = verdict(
        input([
            "id?": id, "traceId?": writtenTraceID, "spanId?": writtenSpanID, "sessionId?": text,
            "scorerName": name, "scorerVersion?": text, "score?": number, "label?": text, "reason?": text,
            "error?": text, "experiment?": text, "annotatorKind?": one(of: ["human", "llm", "code", "api"]),
            "metadata?": members,
        ])
    )

    /// A score needs something that it says.
    private static func verdict(_ schema: Value) -> Value {
        guard case .object(var object) = schema else { return schema }
        object["anyOf"] = [
            given(["score": number]), given(["label": text]), given(["error": text]),
        ]
        return .object(object)
    }

    private static let feedbackInput = input([
        "id?": id, "traceId?": writtenTraceID, "spanId?": writtenSpanID, "sessionId?": text, "source": name,
        "feedbackType": name, "value": ["type": ["string", "number"]], "comment?": text, "userId?": text,
        "experiment?": text, "metadata?": members,
    ])

    /// An input that says itself what it is about: a trace, a span of one, or a session.
    static func targeted(_ input: Value) -> Value {
        let isNull: Value = ["type": "null"]
        return [
            "allOf": [input],
            "oneOf": [
                given(["traceId": writtenTraceID], ["sessionId": isNull]),
                given(["sessionId": text], ["traceId": isNull, "spanId": isNull]),
            ],
        ]
    }

    /// Members that must be there, and others that must not.
    private static func given(_ members: Value.Object, _ others: Value.Object = [:]) -> Value {
        [
            "required": .array(members.entries.map { .string($0.key) }),
            "properties": .object(members.merging(others)),
        ]
    }

    private static let storedScore = verdict(
        input(
            [
                "id": id, "timestamp": writtenInstant, "traceId": writtenTraceID, "spanId?": writtenSpanID,
                "scorerName": name, "scorerVersion?": text, "score?": number, "label?": text, "reason?": text,
                "error?": text, "experiment?": text, "metadata?": members,
            ],
            isClosed: false
        )
    )

    private static let writtenSpan = input(
        [
            "id": writtenSpanID, "traceId": writtenTraceID, "parentSpanId?": writtenSpanID, "name?": text,
            "kind?": text,
            "type?": text, "startTime": writtenInstant, "endTime?": writtenInstant, "isEvent?": flag,
            "attributes?": members, "metadata?": members, "tags?": texts, "input?": any, "output?": any,
            "resource?": members, "scope?": members, "status?": status,
        ],
        isClosed: false
    )

    private static let event: Value = [
        "oneOf": [
            event(["span_started", "span_updated", "span_ended"], "exportedSpan", writtenSpan),
            event(
                ["log"],
                "log",
                input(
                    [
                        "timestamp?": writtenInstant, "level?": level, "message?": text, "data?": members,
                        "traceId?": writtenTraceID, "spanId?": writtenSpanID, "tags?": texts,
                        "metadata?": members,
                    ],
                    isClosed: false
                )
            ),
            event(
                ["metric"],
                "metric",
                input(
                    [
                        "timestamp?": writtenInstant,
                        "name": ["type": "string", "pattern": "^[a-z_]{3,20}$"],
                        "metricType": one(of: ["counter", "gauge", "histogram"]), "value": number,
                        "labels?": [
                            "type": "object",
                            "additionalProperties": ["type": ["string", "number", "boolean", "null"]],
                        ],
                    ],
                    isClosed: false
                )
            ), event(["score"], "score", passing(scoreInput)),
            event(["feedback"], "feedback", passing(feedbackInput)),
        ]
    ]

    /// An event of these types, with its signal under a name; what else it has is passed over.
    private static func event(_ types: [String], _ name: String, _ signal: Value) -> Value {
        var properties: Value.Object = ["type": one(of: types)]
        properties[name] = signal
        return [
            "type": "object", "required": ["type", .string(name)],
            "properties": .object(properties),
        ]
    }

    /// The same with whatever other members.
    private static func passing(_ schema: Value) -> Value {
        guard case .object(var object) = schema else { return schema }
        object["additionalProperties"] = nil
        return .object(object)
    }
}
