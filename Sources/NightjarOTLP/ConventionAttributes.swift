import NightjarSignals

/// What a span says in the words of OpenTelemetry's GenAI conventions (1.41), for receivers that know no other: written
/// beside the span, under keys that it has not itself.
struct ConventionAttributes {
    private let span: Span
    private var added = SpanEncoder.Additions()

    /// What to write beside a span.
    static func additions(_ span: Span) -> SpanEncoder.Additions {
        var attributes = ConventionAttributes(span: span)
        attributes.addNames()
        if span.type == .modelGeneration { attributes.addModel() }
        attributes.addContent()
        attributes.addOutcome()
        attributes.addResource()
        return attributes.added
    }

    private init(span: Span) { self.span = span }

    private mutating func add(_ key: String, _ value: Value?) {
        guard let value, span.attributes[key] == nil else { return }
        added.attributes[key] = value
    }

    private mutating func add(_ key: String, _ text: String?) {
        if let text, !text.isEmpty { add(key, .string(text)) }
    }

    private mutating func addNames() {
        let operation: String? =
            switch span.type {
            case .modelGeneration: "chat"
            case .agentRun: "invoke_agent"
            case .toolCall, .mcpToolCall: "execute_tool"
            case .workflowRun: "invoke_workflow"
            default: nil
            }
        add("gen_ai.operation.name", operation)
        let name = span.entityName
        add("gen_ai.agent.name", span.agent ?? (span.type == .agentRun ? name : nil))
        if span.type == .agentRun { add("gen_ai.agent.id", span.entityID) }
        if span.type.isTool { add("gen_ai.tool.name", span.tool ?? name) }
        if span.type == .workflowRun { add("gen_ai.workflow.name", span.workflow ?? name) }
        add("gen_ai.conversation.id", span.metadata["sessionId"]?.string ?? span.metadata["threadId"]?.string)
        add("user.id", span.metadata["userId"]?.string)
    }

    private mutating func addModel() {
        let own = span.attributes
        add("gen_ai.request.model", span.model ?? own["model"]?.string)
        add("gen_ai.response.model", span.responseModel ?? own["responseModel"]?.string)
        add("gen_ai.provider.name", span.provider ?? own["provider"]?.string)
        if let reason = span.finishReason ?? own["finishReason"]?.string {
            add("gen_ai.response.finish_reasons", .array([.string(reason)]))
        }
        add("gen_ai.request.temperature", own["parameters"]?["temperature"])
        add("gen_ai.request.top_p", own["parameters"]?["topP"])
        add("gen_ai.request.max_tokens", own["parameters"]?["maxOutputTokens"])
        if let time = span.timeToFirstTokenMilliseconds {
            add("gen_ai.response.time_to_first_chunk", .double(time / 1000))
        }
        let usage = own["usage"]
        let (read, write) = (usage?["inputDetails"]?["cacheRead"], usage?["inputDetails"]?["cacheWrite"])
        for (key, stated, attribute) in [
            ("input_tokens", span.usage?.inputTokens, usage?["inputTokens"]),
            ("output_tokens", span.usage?.outputTokens, usage?["outputTokens"]),
            ("cache_read.input_tokens", span.usage?.cacheReadTokens, read),
            ("cache_creation.input_tokens", span.usage?.cacheWriteTokens, write),
            ("reasoning.output_tokens", span.usage?.reasoningTokens, usage?["outputDetails"]?["reasoning"]),
        ] {
            add("gen_ai.usage.\(key)", count(stated ?? attribute?.number))
        }
    }

    /// A count as the whole number that receivers expect, where it is one.
    private func count(_ number: Double?) -> Value? {
        guard let number, number.isFinite, number >= 0 else { return nil }
        return Int64(exactly: number).map(Value.int) ?? .double(number)
    }

    private mutating func addContent() {
        if span.type.isTool {
            add("gen_ai.tool.call.arguments", span.input.map { $0.string ?? $0.json })
            add("gen_ai.tool.call.result", span.output.map { $0.string ?? $0.json })
        } else {
            added.carriesInput = addMessages("gen_ai.input.messages", span.input, role: "user")
            added.carriesOutput = addMessages("gen_ai.output.messages", span.output, role: "assistant")
        }
    }

    /// Writes messages in the conventions' shape; whether that is the value itself, which then need not be written twice.
    private mutating func addMessages(_ key: String, _ value: Value?, role: String) -> Bool {
        guard let value, value.string == nil else { return false }
        if value.isListOfMessages {
            add(key, .string(value.json))
            return added.attributes[key] != nil && value.isSameAsJSON
        }
        let messages = Messages(value, role: role).list
        if !messages.isEmpty { add(key, .string(Value.array(messages.map(\.conventional)).json)) }
        return false
    }

    private mutating func addOutcome() {
        // A span without an end is one that runs, for most receivers.
        if span.endTime == nil { added.endTime = span.startTime }
        guard span.status == .error || span.errorInfo != nil else { return }
        let error = span.errorInfo
        let type = error?.id ?? span.attributes["exception.type"]?.string
        add("error.type", type ?? "_OTHER")
        guard let error, !span.events.contains(where: { $0.name == "exception" }) else { return }
        var event = Span.Event(name: "exception", timestamp: span.endTime ?? span.startTime)
        event.attributes["exception.type"] = error.id.map(Value.string)
        event.attributes["exception.message"] = .string(error.message)
        event.attributes["exception.stacktrace"] = error.stack.map(Value.string)
        added.event = event
    }

    private mutating func addResource() {
        let resource = span.resource
        let metadata = span.metadata
        if resource["service.name"] == nil {
            let service = span.service ?? metadata["serviceName"]?.string
            added.resource["service.name"] = service.map(Value.string)
        }
        if resource["deployment.environment.name"] == nil, resource["deployment.environment"] == nil {
            let environment = span.environment ?? metadata["environment"]?.string
            added.resource["deployment.environment.name"] = environment.map(Value.string)
        }
    }
}

extension Value {
    /// Whether it is a list of messages as the conventions have them: a role and parts.
    fileprivate var isListOfMessages: Bool {
        guard let messages = array, !messages.isEmpty else { return false }
        return messages.allSatisfy { $0["role"]?.string != nil && $0["parts"]?.array != nil }
    }
}

extension Messages.Message {
    /// The message as the conventions write it.
    fileprivate var conventional: Value {
        let parts = parts.map { part -> Value in
            switch part {
            case .text(let text): .object(["type": "text", "content": .string(text)])
            case .toolCall(let id, let name, let arguments):
                .object(["type": "tool_call", "id": id, "name": name, "arguments": arguments])
            case .toolResult(let id, _, let result):
                .object(["type": "tool_call_response", "id": id, "response": result])
            case .other(let value): value
            }
        }
        return .object(["role": .string(role), "parts": .array(parts)])
    }
}
