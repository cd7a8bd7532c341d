import NightjarSignals

/// A model's messages out of whatever shape a provider, framework or convention writes them in, as one shape:
/// `{role, parts: [part]}` with the parts `{type: "text", text}`, `{type: "tool_call", id, name, arguments}`,
/// `{type: "tool_result", id, name, result}` and `{type: "other", value}`. What is not known is null or left out.
struct Messages {
    /// The messages in order.
    private(set) var list: [Message] = []

    /// Content nested deeper than this is left as it is.
    private static let maximumDepth = 12

    /// One message.
    struct Message {
        var role: String
        var parts: [MessagePart] = []

        /// Whether it is the model's own.
        var isAnswer: Bool { role == "assistant" }
    }

    /// The messages of a value; none where it is no message in any known shape.
    /// A message that does not say whose it is has `role`.
    init(_ value: Value, role: String) {
        collect(value, role: role, depth: 0)
    }

    /// The text of all parts that are text, one line break between them; nil where none is.
    var text: String? {
        let texts = list.flatMap(\.parts).compactMap(\.text)
        return texts.isEmpty ? nil : texts.joined(separator: "\n")
    }

    /// The messages as a value.
    var value: Value {
        .array(list.map { .object(["role": .string($0.role), "parts": .array($0.parts.map(\.value))]) })
    }

    /// The tool calls in them: `{id, name, arguments}`.
    var toolCalls: [Value] { list.flatMap(\.parts).compactMap(\.toolCall) }

    /// What a conversation came to: its last message. Frameworks give their whole state as output.
    var conclusion: Messages {
        var copy = self
        if list.contains(where: { !$0.isAnswer }) { copy.list = Array(list.suffix(1)) }
        return copy
    }

    /// Puts instructions that stand apart in front.
    mutating func prepend(system value: Value) {
        let system = Messages(value, role: "system")
        if system.list.isEmpty {
            let parts = MessagePart.parts(of: value)
            if !parts.isEmpty { list.insert(Message(role: "system", parts: parts), at: 0) }
        } else {
            list.insert(Message(role: "system", parts: system.list.flatMap(\.parts)), at: 0)
        }
    }

    private mutating func collect(_ value: Value, role: String, depth: Int) {
        guard depth < Self.maximumDepth else { return }
        switch value {
        case .string(let text):
            guard !text.isEmpty else { return }
            list.append(Message(role: role, parts: [.text(text)]))
        case .array(let values): collect(values, role: role, depth: depth)
        case .object(let object): collect(object, role: role, depth: depth)
        default: return
        }
    }

    private mutating func collect(_ values: [Value], role: String, depth: Int) {
        // LangChain writes a message as a pair, too: ["user", "Hello"].
        if values.count == 2, let name = values[0].string, let text = values[1].string,
            let known = Self.role(name)
        {
            list.append(Message(role: known, parts: [.text(text)]))
            return
        }
        // A list of parts without messages around them is one message.
        if values.allSatisfy(MessagePart.isBare), !values.isEmpty {
            list.append(Message(role: role, parts: values.flatMap(MessagePart.parts)))
            return
        }
        for value in values { collect(value, role: role, depth: depth + 1) }
    }

    private mutating func collect(_ object: Value.Object, role: String, depth: Int) {
        if let wrapped = Self.wrapped(object) { return collect(wrapped, role: role, depth: depth + 1) }
        if isMessage(object) {
            let own = Self.role(of: object) ?? role
            list.append(Message(role: own, parts: MessagePart.parts(ofMessage: object, role: own)))
            return
        }
        if let system = Self.instructions(of: object),
            ["messages", "prompt", "contents", "input"].contains(where: { object[$0] != nil })
        {
            var inner = Messages(.array([]), role: "system")
            inner.prepend(system: system)
            list += inner.list
        }
        for key in ["messages", "prompt", "contents", "input"] {
            if let inner = object[key] { return collect(inner, role: role, depth: depth + 1) }
        }
        for key in ["generations", "choices", "candidates", "output"] {
            if let inner = object[key] { return collect(inner, role: "assistant", depth: depth + 1) }
        }
        // Gemini's answer is one message in an envelope.
        if let content = object["content"], content.object != nil {
            return collect(content, role: role, depth: depth + 1)
        }
        if MessagePart.isBare(.object(object)) {
            list.append(Message(role: role, parts: MessagePart.parts(of: .object(object))))
        }
    }

    /// Instructions beside the messages of a request.
    private static func instructions(of object: Value.Object) -> Value? {
        object["system"] ?? object["instructions"] ?? object["systemInstruction"]
            ?? object["system_instruction"] ?? object["config"]?["system_instruction"]
    }

    /// What stands inside an envelope: LangChain's constructors, generations, choices, OpenInference's indexed keys.
    private static func wrapped(_ object: Value.Object) -> Value? {
        if object["lc"] != nil, let arguments = object["kwargs"]?.object {
            return withType(arguments, from: object["id"]?.array?.last?.string)
        }
        if let data = object["data"]?.object, let type = object["type"]?.string, role(type) != nil {
            return withType(data, from: type)
        }
        if case .object(var message)? = object["message"].map(AttributeValues.decoded) {
            if message["role"] == nil, message["type"] == nil { message["role"] = object["role"] }
            return .object(message)
        }
        if let update = object["update"]?.object { return .object(update) }
        return nil
    }

    /// A message of LangChain with the type that its envelope names.
    private static func withType(_ object: Value.Object, from name: String?) -> Value {
        var copy = object
        if copy["type"]?.string == nil, let name { copy["type"] = .string(name) }
        return .object(copy)
    }

    private func isMessage(_ object: Value.Object) -> Bool {
        if object["parts"] != nil || object["tool_calls"] != nil { return true }
        guard object["content"] != nil || object["contents"] != nil else { return false }
        // Content alone is a message where whose it is goes without saying; with a type of its own it is a part.
        return Self.role(of: object) != nil || (object["content"]?.string != nil && object["type"] == nil)
    }

    /// Whose a message is: its role, or LangChain's type, or an event's name.
    private static func role(of object: Value.Object) -> String? {
        if let name = object["role"]?.string { return role(name) ?? name }
        if let name = object["type"]?.string, let known = role(name) { return known }
        return object["event.name"]?.string.flatMap { name in
            ["system", "user", "assistant", "tool"].first { name == "gen_ai.\($0).message" }
        }
    }

    /// The role behind a framework's name for it; nil where it is none.
    private static func role(_ name: String) -> String? {
        switch name {
        case "system", "SystemMessage", "SystemMessageChunk", "developer": "system"
        case "user", "human", "HumanMessage", "HumanMessageChunk": "user"
        case "assistant", "ai", "AIMessage", "AIMessageChunk", "model": "assistant"
        case "tool", "function", "ToolMessage", "FunctionMessage": "tool"
        default: nil
        }
    }
}
