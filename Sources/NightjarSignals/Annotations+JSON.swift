extension Score {
    /// The score as the API and the JSON exporter give it: camelCase, absent fields left out.
    public var json: Value {
        var object: Value.Object = ["id": .string(id), "timestamp": .string(timestamp.description)]
        object["traceId"] = traceID.map { .string($0.description) }
        object["spanId"] = spanID.map { .string($0.description) }
        object["sessionId"] = sessionID.map(Value.string)
        object["scorerName"] = .string(scorerName)
        object["scorerVersion"] = scorerVersion.map(Value.string)
        object["score"] = .finite(score)
        object["label"] = label.map(Value.string)
        object["reason"] = reason.map(Value.string)
        object["error"] = error.map(Value.string)
        object["experiment"] = experiment.map(Value.string)
        object["annotatorKind"] = annotatorKind.map(Value.string)
        object["metadata"] = metadata.ifAny
        object["correlation"] = correlation.jsonIfAny
        return .object(object)
    }

    /// Reads what `json` wrote.
    /// - Throws: ``InputErrors`` with the place of everything that is wrong.
    public init(json: Value, path: String = "") throws(InputErrors) {
        var reader = ObjectReader(json, path: path)
        let timestamp = reader.requiredInstant("timestamp")
        let input = ScoreInput(from: &reader)
        if input.id == nil { reader.refuse("id", "is required") }
        let correlation = reader.correlation()
        try reader.finish()
        self = input.score(id: input.id ?? "", timestamp: timestamp, targetMetadata: [:])
        self.correlation = correlation
    }
}

extension Feedback {
    /// The feedback as the API and the JSON exporter give it: camelCase, absent fields left out.
    public var json: Value {
        var object: Value.Object = ["id": .string(id), "timestamp": .string(timestamp.description)]
        object["traceId"] = traceID.map { .string($0.description) }
        object["spanId"] = spanID.map { .string($0.description) }
        object["sessionId"] = sessionID.map(Value.string)
        object["source"] = .string(source)
        object["feedbackType"] = .string(feedbackType)
        object["value"] = value
        object["comment"] = comment.map(Value.string)
        object["experiment"] = experiment.map(Value.string)
        object["metadata"] = metadata.ifAny
        object["correlation"] = correlation.jsonIfAny
        return .object(object)
    }

    /// Reads what `json` wrote.
    /// - Throws: ``InputErrors`` with the place of everything that is wrong.
    public init(json: Value, path: String = "") throws(InputErrors) {
        var reader = ObjectReader(json, path: path)
        let timestamp = reader.requiredInstant("timestamp")
        let input = FeedbackInput(from: &reader)
        if input.id == nil { reader.refuse("id", "is required") }
        let correlation = reader.correlation()
        try reader.finish()
        self = input.feedback(id: input.id ?? "", timestamp: timestamp, targetMetadata: [:])
        self.correlation = correlation
    }
}
