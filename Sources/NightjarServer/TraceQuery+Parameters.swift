import HTTPTypes
import NightjarBus
import NightjarSignals
import NightjarStore

extension TraceQuery {
    /// The parameters of `GET /api/traces`.
    static let parameters = [
        "from", "to", "status", "service", "environment", "agent", "model", "tool", "workflow", "type",
        "name",
        "user", "session", "tag", "minDuration", "maxDuration", "scorer", "minScore", "maxScore", "feedback",
        "q", "sort", "limit", "cursor",
    ]

    /// The list that the parameters ask for, but for `q`.
    init(_ parameters: QueryParameters) throws(Problem) {
        self.init()
        from = try parameters.instant("from")
        to = try parameters.instant("to")
        status = try parameters.choice("status", ["running": .running, "ok": .ok, "error": .error])
        service = parameters.text("service")
        environment = parameters.text("environment")
        agent = parameters.text("agent")
        model = parameters.text("model")
        tool = parameters.text("tool")
        workflow = parameters.text("workflow")
        type = parameters.text("type")
        name = parameters.text("name")
        user = parameters.text("user")
        session = parameters.text("session")
        tags = parameters.texts("tag")
        minimumDuration = try parameters.duration("minDuration")
        maximumDuration = try parameters.duration("maxDuration")
        scorer = parameters.text("scorer")
        minimumScore = try parameters.number("minScore")
        maximumScore = try parameters.number("maxScore")
        feedback = parameters.text("feedback")
        order = try parameters.choice("sort", ["start": .start, "received": .lastReceived]) ?? order
        limit = try parameters.whole("limit", 1...Self.largestLimit) ?? limit
        cursor = try parameters.cursor(TraceCursor.self)
    }
}

extension TraceRecord {
    /// One line of a list.
    var json: Value {
        var object: Value.Object = [
            "traceId": .string(id.description), "name": .string(name), "type": .string(type),
            "status": .string(status.name), "hasErrors": .bool(hasErrors),
            "spanCount": .int(Int64(spanCount)),
            "isPartial": .bool(isPartial),
        ]
        object["startTime"] = start.map { .string($0.description) }
        object["endTime"] = end.map { .string($0.description) }
        if let start, let end {
            object["durationMs"] = .double(max(0, Double(end.unixNano - start.unixNano) / 1_000_000))
        }
        for (key, value) in [
            ("service", service), ("environment", environment), ("agent", agent), ("workflow", workflow),
            ("userId", user), ("sessionId", session),
        ] {
            object[key] = value.map { .string($0) }
        }
        for (key, names) in [("models", models), ("tools", tools), ("agents", agents), ("tags", tags)]
        where !names.isEmpty {
            object[key] = .array(names.names.map(Value.string))
        }
        var usage: Value.Object = [:]
        usage["inputTokens"] = inputTokens.map { .double($0) }
        usage["outputTokens"] = outputTokens.map { .double($0) }
        usage["cost"] = cost.map { .double($0) }
        if !usage.isEmpty { object["usage"] = .object(usage) }
        object["receivedAt"] = .string(firstReceived.description)
        object["lastReceivedAt"] = .string(lastReceived.description)
        object["isOpen"] = .bool(isOpen)
        return .object(object)
    }
}

extension Timestamp {
    /// The instant that a parameter names.
    /// - Throws: ``Problem`` 400 where it names none.
    init(parameter key: String, _ value: String) throws {
        let number = Double(value).flatMap { Timestamp(unixMilliseconds: $0) }
        guard let instant = Timestamp(iso8601: value) ?? number else {
            throw Problem(.badRequest, "\(key) must be ISO 8601 or milliseconds since 1970")
        }
        self = instant
    }
}
