extension Log {
    /// The log line as the API and the JSON exporter give it: camelCase, absent fields left out.
    public var json: Value {
        var object: Value.Object = [
            "timestamp": .string(timestamp.description), "level": .string(level.name),
            "message": .string(message),
        ]
        object["data"] = data.ifAny
        object["traceId"] = traceID.map { .string($0.description) }
        object["spanId"] = spanID.map { .string($0.description) }
        object["tags"] = tags.isEmpty ? nil : .array(tags.map(Value.string))
        object["metadata"] = metadata.ifAny
        object["correlation"] = correlation.jsonIfAny
        return .object(object)
    }

    /// Reads what `json` wrote; fields that are not known are passed over.
    /// - Throws: ``InputErrors`` with the place of everything that is missing or of the wrong kind.
    public init(json: Value, path: String = "") throws(InputErrors) {
        var reader = ObjectReader(json, path: path)
        let name = reader.text("level") ?? LogLevel.info.name
        let level = LogLevel(name: name)
        if level == nil { reader.refuse("level", "must be debug, info, warn, error or fatal") }
        self.init(
            timestamp: reader.requiredInstant("timestamp"),
            level: level ?? .info,
            message: reader.text("message") ?? "",
            data: reader.members("data"),
            metadata: reader.members("metadata")
        )
        traceID = reader.traceID("traceId")
        spanID = reader.spanID("spanId")
        tags = reader.texts("tags")
        correlation = reader.correlation()
        try reader.finish()
    }
}
