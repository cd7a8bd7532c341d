import NightjarSignals

/// What a span's attributes say in the words of OpenTelemetry's GenAI conventions.
struct GenAIFacts {
    private static let operations: [String: SpanType] = [
        "chat": .modelGeneration, "text_completion": .modelGeneration, "generate_content": .modelGeneration,
        "invoke_agent": .agentRun, "execute_tool": .toolCall, "invoke_workflow": .workflowRun,
    ]

    private let attributes: Value.Object

    init(_ attributes: Value.Object) { self.attributes = attributes }

    /// Writes them to a span; returns whether that gave it its type. A type that it has already stays.
    func describe(_ span: inout Span) -> Bool {
        guard let type = Self.operations[text("operation.name") ?? ""] else { return false }
        let isNew = span.type == .generic
        if isNew { (span.type, span.typeName, span.entityType) = (type, type.name, type.entityType) }
        span.agent = text("agent.name") ?? span.agent
        if let session = attributes["gen_ai.conversation.id"] { span.metadata["sessionId"] = session }
        switch span.type {
        case .agentRun: name(&span, "agent.name", without: "invoke_agent ")
        case .toolCall: name(&span, "tool.name", without: "execute_tool ")
        case .workflowRun: name(&span, "workflow.name", without: "invoke_workflow ")
        case .modelGeneration: describeModel(&span.attributes)
        default: break
        }
        if span.type == .agentRun { span.entityID = text("agent.id") ?? span.entityID }
        return isNew
    }

    private func text(_ key: String) -> String? { attributes["gen_ai." + key]?.string }

    /// The conventions name a span after its operation and what it is done with.
    private func name(_ span: inout Span, _ key: String, without prefix: String) {
        let rest = span.name.hasPrefix(prefix) ? String(span.name.dropFirst(prefix.count)) : span.name
        span.entityName = text(key) ?? rest
    }

    private func describeModel(_ facts: inout Value.Object) {
        for (name, keys) in [
            ("model", ["request.model"]), ("responseModel", ["response.model"]),
            ("provider", ["provider.name", "system"]),
        ] {
            if let value = keys.lazy.compactMap({ attributes["gen_ai." + $0] }).first { facts[name] = value }
        }
        if let reasons = attributes["gen_ai.response.finish_reasons"] {
            facts["finishReason"] = reasons.array?.first ?? reasons
        }
        var usage = facts["usage"]?.object ?? [:]
        usage.set("inputTokens", attributes["gen_ai.usage.input_tokens"])
        usage.set("outputTokens", attributes["gen_ai.usage.output_tokens"])
        var input = usage["inputDetails"]?.object ?? [:]
        input.set("cacheRead", attributes["gen_ai.usage.cache_read.input_tokens"])
        input.set("cacheWrite", attributes["gen_ai.usage.cache_creation.input_tokens"])
        var output = usage["outputDetails"]?.object ?? [:]
        output.set("reasoning", attributes["gen_ai.usage.reasoning.output_tokens"])
        if !input.isEmpty { usage["inputDetails"] = .object(input) }
        if !output.isEmpty { usage["outputDetails"] = .object(output) }
        if !usage.isEmpty { facts["usage"] = .object(usage) }
    }
}

extension Value.Object {
    fileprivate mutating func set(_ key: String, _ value: Value?) {
        if let value { self[key] = value }
    }
}
