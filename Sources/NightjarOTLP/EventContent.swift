import CNightjarSignals
import NightjarSignals

/// What a span's events say of content: one event a message before GenAI 1.37, one for the whole request since.
struct EventContent {
    private static let details = "gen_ai.client.inference.operation.details"
    private static let inputs: Set<String> = [
        "gen_ai.system.message", "gen_ai.user.message", "gen_ai.assistant.message", "gen_ai.tool.message",
        "gen_ai.content.prompt",
    ]
    private static let outputs: Set<String> = ["gen_ai.choice", "gen_ai.content.completion"]

    private let events: [Span.Event]
    private let isTool: Bool

    init(_ span: SpanReference) {
        isTool = span.row.pointee.spanType.isTool
        events = SpanEvents.events(span.row.pointee.encoded).filter { $0.name.hasPrefix("gen_ai.") }
    }

    /// What went in; nil where no event says so.
    var input: Value? {
        if let value = detail("gen_ai.input.messages") ?? detail("gen_ai.tool.call.arguments") {
            return SpanContent.instructed(value, by: detail("gen_ai.system_instructions"))
        }
        return argument(Self.inputs, "content") ?? messages(of: Self.inputs)
    }

    /// What came out; nil where no event says so.
    var output: Value? {
        detail("gen_ai.output.messages") ?? detail("gen_ai.tool.call.result")
            ?? argument(Self.outputs, "message") ?? messages(of: Self.outputs)
    }

    /// An attribute of the event that carries the whole request.
    private func detail(_ key: String) -> Value? {
        events.last { $0.name == Self.details && $0.attributes[key] != nil }?.attributes[key]
            .map(AttributeValues.decoded)
    }

    /// What a tool was called with or answered is a value and no message.
    private func argument(_ names: Set<String>, _ key: String) -> Value? {
        guard isTool else { return nil }
        return events.last { names.contains($0.name) }?.attributes[key].map(AttributeValues.decoded)
    }

    private func messages(of names: Set<String>) -> Value? {
        let values = events.filter { names.contains($0.name) }.map(message)
        return values.isEmpty ? nil : .array(values)
    }

    private func message(_ event: Span.Event) -> Value {
        if let content = event.attributes["gen_ai.prompt"] ?? event.attributes["gen_ai.completion"] {
            return AttributeValues.decoded(content)
        }
        var message = event.attributes
        message["event.name"] = .string(event.name)
        for key in ["message", "tool_calls", "content"] {
            message[key] = message[key].map(AttributeValues.decoded)
        }
        // Some senders put the content itself where the message should be.
        if let content = message["message"], content.object == nil {
            message["message"] = nil
            message["content"] = content
        }
        if event.name == "gen_ai.choice", message["role"] == nil { message["role"] = "assistant" }
        return .object(message)
    }
}
