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
            return Self.instructed(value, by: attributes.first(ContentKeys.instructions))
        }
        if let value = mastra("input", old: ContentKeys.mastraInput) { return value }
        if let value = ofTrace(ContentKeys.traceInput) { return value }
        if let messages = conversation, let last = messages.lastIndex(where: { !isAnswer($0) }) {
            return .array(Array(messages[...last]))
        }
        return flat(["llm.input_messages.", "gen_ai.prompt."]) ?? EventContent(span).input
    }

    /// What came out; nil where the span says nothing.
    var output: Value? {
        if convention == .native { return carried(NativeKeys.output, NativeKeys.outputMessages) }
        if let value = stated(ContentKeys.output, form: ContentKeys.outputForm) { return value }
        if let value = mastra("output", old: ContentKeys.mastraOutput) { return value }
        if let value = ofTrace(ContentKeys.traceOutput) { return value }
        if let answer = conversation?.last, isAnswer(answer) { return .array([answer]) }
        return flat(["llm.output_messages.", "gen_ai.completion."]) ?? EventContent(span).output
    }

    /// What a span of our own carries under the first of two keys that is there.
    private func carried(_ key: Int32, _ messages: Int32) -> Value? {
        (attributes.carried(key) ?? attributes.carried(messages)).map(AttributeValues.parsed)
    }

    /// Messages with the instructions that stand apart in front, as the message that they are.
    static func instructed(_ messages: Value, by instructions: Value?) -> Value {
        guard let instructions = instructions.map(AttributeValues.decoded), let list = messages.array else {
            return messages
        }
        let parts: [Value] = instructions.array ?? [.object(["type": "text", "content": instructions])]
        return .array([.object(["role": "system", "parts": .array(parts)])] + list)
    }

    private func isAnswer(_ message: Value) -> Bool {
        if let role = message["role"]?.string { return role == "assistant" }
        let event = message["event.name"]?.string
        return event == "gen_ai.choice" || event == "gen_ai.assistant.message"
    }

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
        guard let source = indexed(["llm.input_messages.", "gen_ai.prompt."]) ?? input else { return nil }
        let messages = Messages(source, role: "user")
        return messages.list.isEmpty ? nil : messages
    }

    /// The messages that came out.
    var outputMessages: Messages? {
        if convention == .vercel, isGeneration { return vercelAnswer }
        guard let source = indexed(["llm.output_messages.", "gen_ai.completion."]) ?? output else {
            return nil
        }
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
        let type = attributes.first(ContentKeys.mastraType)?.string ?? ""
        let value = attributes.value(named: "mastra.\(type).\(direction)") ?? attributes.first(old)
        return value.map(AttributeValues.decoded)
    }

    /// Langfuse puts what its traces are about on their roots.
    private func ofTrace(_ keys: [Int32]) -> Value? {
        span.row.pointee.isRoot ? attributes.first(keys).map(AttributeValues.decoded) : nil
    }

    /// A whole conversation on one span.
    private var conversation: [Value]? {
        if let whole = attributes.first(ContentKeys.conversations) {
            return AttributeValues.decoded(whole).array
        }
        let events = attributes.first(ContentKeys.conversationEvents).map(AttributeValues.decoded)?.array
        return events?.first?["event.name"]?.string?.hasPrefix("gen_ai.") == true ? events : nil
    }

    /// Of a generation its messages, which say more than the value beside them.
    private func indexed(_ prefixes: [StaticString]) -> Value? { isGeneration ? flat(prefixes) : nil }

    private func flat(_ prefixes: [StaticString]) -> Value? {
        guard convention != .native else { return nil }
        for prefix in prefixes {
            if let value = FlatKeys.value(under: prefix, of: attributes) { return value }
        }
        return nil
    }
}
