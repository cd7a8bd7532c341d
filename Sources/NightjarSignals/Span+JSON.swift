extension Span {
    /// The span as the API and the JSON exporter give it: camelCase, absent and empty fields left out.
    public var json: Value {
        var object = Value.Object()
        object["id"] = .string(id.description)
        object["traceId"] = .string(traceID.description)
        object["parentSpanId"] = parentSpanID.map { .string($0.description) }
        object["name"] = .string(name)
        object["kind"] = .string(kind.name)
        object["type"] = .string(type == .generic ? typeName : type.name)
        object["entityType"] = entityType.map(Value.string)
        object["entityId"] = entityID.map(Value.string)
        object["entityName"] = entityName.map(Value.string)
        object["startTime"] = .string(startTime.description)
        object["endTime"] = endTime.map { .string($0.description) }
        object["isEvent"] = .bool(isEvent)
        object["status"] = .string(status.name)
        object["durationMs"] = durationMilliseconds.map(Value.double)
        writeNames(to: &object)
        object["attributes"] = attributes.ifAny
        object["events"] = events.isEmpty ? nil : .array(events.map(\.json))
        object["links"] = links.isEmpty ? nil : .array(links.map(\.json))
        object["resource"] = resource.ifAny
        object["scope"] = scope.ifAny
        object["metadata"] = metadata.ifAny
        object["tags"] = tags.isEmpty ? nil : .array(tags.map(Value.string))
        object["input"] = input
        object["output"] = output
        object["errorInfo"] = errorInfo?.json
        return .object(object)
    }

    private func writeNames(to object: inout Value.Object) {
        object["agent"] = agent.map(Value.string)
        object["model"] = model.map(Value.string)
        object["responseModel"] = responseModel.map(Value.string)
        object["provider"] = provider.map(Value.string)
        object["tool"] = tool.map(Value.string)
        object["workflow"] = workflow.map(Value.string)
        object["service"] = service.map(Value.string)
        object["environment"] = environment.map(Value.string)
        object["usage"] = usage.flatMap(\.json.object?.ifAny)
        object["timeToFirstTokenMs"] = .finite(timeToFirstTokenMilliseconds)
        object["finishReason"] = finishReason.map(Value.string)
        object["duplicateOf"] = duplicateOf.map { .string($0.description) }
        object["derivedFrom"] = derivedFrom.map { .string($0.description) }
    }

    /// Reads what `json` wrote. Fields that are not known are passed over: a newer sender may have more.
    /// Without a status it follows from `errorInfo` and `endTime`.
    /// - Throws: ``InputErrors`` with the place of everything that is missing or of the wrong kind.
    public init(json: Value, path: String = "") throws(InputErrors) {
        var reader = ObjectReader(json, path: path)
        let id = reader.requiredSpanID("id", aliases: ["spanId"])
        let traceID = reader.requiredTraceID("traceId")
        self.init(
            id: id,
            traceID: traceID,
            name: reader.text("name") ?? "",
            startTime: reader.requiredInstant("startTime")
        )
        parentSpanID = reader.spanID("parentSpanId")
        endTime = reader.instant("endTime")
        isEvent = reader.flag("isEvent") ?? false
        kind = reader.text("kind").flatMap { SpanKind(name: $0) } ?? .internal
        typeName = reader.text("type") ?? SpanType.generic.name
        type = SpanType(name: typeName) ?? .generic
        attributes = reader.members("attributes")
        events = reader.list("events") { value, path throws(InputErrors) in
            try Event(json: value, path: path)
        }
        links = reader.list("links") { value, path throws(InputErrors) in
            try Link(json: value, path: path)
        }
        resource = reader.members("resource")
        scope = reader.members("scope")
        metadata = reader.members("metadata")
        tags = reader.texts("tags")
        input = reader.value("input")
        output = reader.value("output")
        errorInfo = ErrorInfo(json: reader.members("errorInfo"))
        readNames(from: &reader)
        readStatus(from: &reader)
        try reader.finish()
    }

    private mutating func readNames(from reader: inout ObjectReader) {
        entityType = reader.text("entityType")
        entityID = reader.text("entityId")
        entityName = reader.text("entityName")
        agent = reader.text("agent")
        model = reader.text("model")
        responseModel = reader.text("responseModel")
        provider = reader.text("provider")
        tool = reader.text("tool")
        workflow = reader.text("workflow")
        service = reader.text("service")
        environment = reader.text("environment")
        usage = Usage(json: reader.members("usage"))
        timeToFirstTokenMilliseconds = reader.number("timeToFirstTokenMs")
        finishReason = reader.text("finishReason")
        duplicateOf = reader.spanID("duplicateOf")
        derivedFrom = reader.spanID("derivedFrom")
    }

    private mutating func readStatus(from reader: inout ObjectReader) {
        status = errorInfo != nil ? .error : endTime == nil && !isEvent ? .running : .ok
        guard let name = reader.text("status") else { return }
        guard let stated = SpanStatus(name: name) else {
            return reader.refuse("status", "must be running, ok or error")
        }
        // Error information says more than a status that was written before it.
        if errorInfo == nil { status = stated }
    }
}

extension ObjectReader {
    fileprivate mutating func requiredSpanID(_ name: String, aliases: [String]) -> SpanID {
        let text = requiredText(name, aliases: aliases)
        guard let id = SpanID(text) else {
            if !text.isEmpty { refuse(name, "must be a span id: 1 to 16 hex digits, not all zero") }
            return SpanID(value: 0)
        }
        return id
    }

    fileprivate mutating func requiredTraceID(_ name: String) -> TraceID {
        let text = requiredText(name)
        guard let id = TraceID(text) else {
            if !text.isEmpty { refuse(name, "must be a trace id: 1 to 32 hex digits, not all zero") }
            return TraceID(high: 0, low: 0)
        }
        return id
    }

    mutating func texts(_ name: String) -> [String] {
        list(name) { value, path throws(InputErrors) in
            guard let text = value.string else {
                throw InputErrors([InputError(path: path, message: "must be text")])
            }
            return text
        }
    }
}

extension Span.Event {
    /// The event as the API gives it.
    public var json: Value {
        var object: Value.Object = ["name": .string(name), "time": .string(timestamp.description)]
        object["attributes"] = attributes.ifAny
        return .object(object)
    }

    init(json: Value, path: String) throws(InputErrors) {
        var reader = ObjectReader(json, path: path)
        name = reader.text("name") ?? ""
        timestamp = reader.requiredInstant("time", aliases: ["timestamp"])
        attributes = reader.members("attributes")
        try reader.finish()
    }
}

extension Span.Link {
    /// The link as the API gives it.
    public var json: Value {
        var object: Value.Object = [
            "traceId": .string(traceID.description), "spanId": .string(spanID.description),
        ]
        object["attributes"] = attributes.ifAny
        return .object(object)
    }

    init(json: Value, path: String) throws(InputErrors) {
        var reader = ObjectReader(json, path: path)
        traceID = reader.requiredTraceID("traceId")
        spanID = reader.requiredSpanID("spanId", aliases: [])
        attributes = reader.members("attributes")
        try reader.finish()
    }
}

extension Span.ErrorInfo {
    /// The error information as the API gives it.
    public var json: Value {
        var object: Value.Object = ["message": .string(message)]
        object["id"] = id.map(Value.string)
        object["domain"] = domain.map(Value.string)
        object["category"] = category.map(Value.string)
        object["details"] = details.ifAny
        object["stack"] = stack.map(Value.string)
        return .object(object)
    }

    /// Reads what `json` wrote; nil for an empty object: there is no error.
    package init?(json object: Value.Object) {
        guard !object.isEmpty else { return nil }
        self.init(
            message: object["message"]?.string ?? "",
            id: object["id"]?.string,
            stack: object["stack"]?.string
        )
        domain = object["domain"]?.string
        category = object["category"]?.string
        details = object["details"]?.object ?? [:]
    }
}

extension Span.Usage {
    /// The counts as the API gives them.
    public var json: Value {
        var object = Value.Object()
        for (key, field) in Self.fields { object[key] = .finite(self[keyPath: field]) }
        return .object(object)
    }

    /// Nil for an empty object: nothing was stated.
    fileprivate init?(json object: Value.Object) {
        guard !object.isEmpty else { return nil }
        self.init()
        for (key, field) in Self.fields { self[keyPath: field] = object[key]?.number }
    }

    private static var fields: [(String, WritableKeyPath<Span.Usage, Double?>)] {
        [
            ("inputTokens", \.inputTokens), ("outputTokens", \.outputTokens),
            ("cacheReadTokens", \.cacheReadTokens), ("cacheWriteTokens", \.cacheWriteTokens),
            ("reasoningTokens", \.reasoningTokens), ("cost", \.cost),
        ]
    }
}

extension SpanKind {
    /// The kind of a name; nil for one that is not known.
    public init?(name: some StringProtocol) {
        let kinds: [SpanKind] = [.internal, .server, .client, .producer, .consumer]
        guard let kind = kinds.first(where: { $0.name == name }) else { return nil }
        self = kind
    }
}

extension SpanStatus {
    /// The status of a name; nil for one that is not known.
    public init?(name: some StringProtocol) {
        let statuses: [SpanStatus] = [.running, .ok, .error]
        guard let status = statuses.first(where: { $0.name == name }) else { return nil }
        self = status
    }
}
