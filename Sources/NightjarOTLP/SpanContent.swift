import CNightjarSignals
import NightjarSignals

/// What went into one span and what came out, found where its convention puts them.
struct SpanContent {
    private let span: SpanReference
    private let attributes: SpanAttributes
    private let convention: Convention

    init(_ span: SpanReference) {
        self.span = span
        attributes = SpanAttributes(span)
        convention = Convention(rawValue: span.row.pointee.convention) ?? .none
    }

    /// Whether the span is a request to a model.
    var isGeneration: Bool { span.row.pointee.spanType == .modelGeneration }

    /// Whether the span is a tool call, whose input and output are values and no messages.
    var isTool: Bool { span.row.pointee.spanType.isTool }

    /// What went in; nil where the span says nothing.
    var input: Value? {
        if convention == .native { return carried(NativeKeys.input, NativeKeys.inputMessages) }
        if let value = stated(ContentKeys.input, form: ContentKeys.inputForm) {
            guard let instructions = attributes.first(ContentKeys.instructions), let messages = value.array
            else {
                return value
            }
            return .array([system(AttributeValues.decoded(instructions))] + messages)
        }
        if let value = mastra("input", old: ContentKeys.mastraInput) { return value }
        if let messages = conversation, let last = messages.lastIndex(where: { !isAnswer($0) }) {
            return .array(Array(messages[...last]))
        }
        return flat(["llm.input_messages.", "gen_ai.prompt."]) ?? events(of: Self.inputEvents)
    }

    /// What came out; nil where the span says nothing.
    var output: Value? {
        if convention == .native { return carried(NativeKeys.output, NativeKeys.outputMessages) }
        if let value = stated(ContentKeys.output, form: ContentKeys.outputForm) { return value }
        if let value = mastra("output", old: ContentKeys.mastraOutput) { return value }
        if let answer = conversation?.last, isAnswer(answer) { return .array([answer]) }
        return flat(["llm.output_messages.", "gen_ai.completion."]) ?? events(of: Self.outputEvents)
    }

    /// What a span of our own carries under the first of two keys that is there.
    private func carried(_ key: Int32, _ messages: Int32) -> Value? {
        (attributes.carried(key) ?? attributes.carried(messages)).map(AttributeValues.parsed)
    }

    /// Instructions as the message that they are.
    private func system(_ instructions: Value) -> Value {
        let parts: [Value] = instructions.array ?? [.object(["type": "text", "content": instructions])]
        return .object(["role": "system", "parts": .array(parts)])
    }

    private func isAnswer(_ message: Value) -> Bool { message["role"]?.string == "assistant" }

    /// The result of a tool where the output is the message that takes it to the model.
    var toolResult: Value? {
        guard isTool, let output, output.object != nil else { return nil }
        let messages = Messages(output, role: "assistant")
        guard messages.list.count == 1, case .toolResult(_, _, let result)? = messages.list[0].parts.first
        else {
            return nil
        }
        return result
    }

    /// The messages that went in; nil where the input is none.
    var inputMessages: Messages? {
        let source = flat(["llm.input_messages.", "gen_ai.prompt."]) ?? input
        guard let source else { return nil }
        let messages = Messages(source, role: "user")
        return messages.list.isEmpty ? nil : messages
    }

    /// The messages that came out.
    var outputMessages: Messages? {
        if convention == .vercel, isGeneration { return vercelAnswer }
        guard let source = flat(["llm.output_messages.", "gen_ai.completion."]) ?? output else { return nil }
        let messages = Messages(source, role: "assistant").conclusion
        return messages.list.isEmpty ? nil : messages
    }

    /// The AI SDK puts the text and the tool calls of one answer into two attributes.
    private var vercelAnswer: Messages? {
        var parts: [Value] = []
        if let text = attributes.first([Self.vercelText]) {
            parts.append(.object(["type": "text", "text": text]))
        }
        if let object = attributes.first([Self.vercelObject]), parts.isEmpty {
            parts.append(.object(["type": "text", "text": object]))
        }
        if let calls = attributes.first([Self.vercelCalls]).map(AttributeValues.decoded)?.array {
            parts += calls.map { call in
                var call = call.object ?? [:]
                call["type"] = "tool-call"
                return .object(call)
            }
        }
        guard !parts.isEmpty else { return nil }
        return Messages(.array([.object(["role": "assistant", "parts": .array(parts)])]), role: "assistant")
    }

    private static let vercelText = symbol("ai.response.text")
    private static let vercelObject = symbol("ai.response.object")
    private static let vercelCalls = symbol("ai.response.toolCalls")

    /// The value under the convention's keys. OpenInference says of its values which are JSON.
    private func stated(_ keys: ContentKeys, form: [Int32]) -> Value? {
        guard let value = attributes.first(keys.keys(convention)) else { return nil }
        if convention == .openInference, let form = attributes.first(form)?.string, form != "application/json"
        {
            return value
        }
        return AttributeValues.decoded(value)
    }

    /// Mastra's keys carry the span's type: `mastra.agent_run.input`.
    private func mastra(_ direction: String, old: [Int32]) -> Value? {
        guard convention == .mastra else { return nil }
        let type = span.row.pointee.type_text.string ?? ""
        let value = attributes.value(named: "mastra.\(type).\(direction)") ?? attributes.first(old)
        return value.map(AttributeValues.decoded)
    }

    /// A whole conversation on one span.
    private var conversation: [Value]? {
        attributes.first(ContentKeys.conversations).map(AttributeValues.decoded)?.array
    }

    private func flat(_ prefixes: [StaticString]) -> Value? {
        guard convention != .native else { return nil }
        for prefix in prefixes {
            if let value = FlatKeys.value(under: prefix, of: attributes) { return value }
        }
        return nil
    }

    private static let inputEvents: Set<String> = [
        "gen_ai.system.message", "gen_ai.user.message", "gen_ai.assistant.message", "gen_ai.tool.message",
        "gen_ai.content.prompt",
    ]
    private static let outputEvents: Set<String> = ["gen_ai.choice", "gen_ai.content.completion"]

    /// The messages that span events carry, before GenAI 1.37; nil where there is none.
    private func events(of names: Set<String>) -> Value? {
        let events = SpanEvents.events(span.row.pointee.encoded).filter { names.contains($0.name) }
        guard !events.isEmpty else { return nil }
        let values = events.map { event -> Value in
            if let content = event.attributes["gen_ai.prompt"] ?? event.attributes["gen_ai.completion"] {
                return AttributeValues.decoded(content)
            }
            var message = event.attributes
            message["event.name"] = .string(event.name)
            for key in ["message", "tool_calls", "content"] {
                message[key] = message[key].map(AttributeValues.decoded)
            }
            if event.name == "gen_ai.choice", message["role"] == nil { message["role"] = "assistant" }
            return .object(message)
        }
        return .array(values)
    }
}
