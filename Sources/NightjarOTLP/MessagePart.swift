import NightjarSignals

/// One part of a message, in one shape for all senders.
enum MessagePart {
    case text(String)
    case toolCall(id: Value, name: Value, arguments: Value)
    case toolResult(id: Value, name: Value, result: Value)
    case other(Value)

    /// The text of a text part.
    var text: String? {
        if case .text(let text) = self { text } else { nil }
    }

    /// The call of a tool-call part, without its type.
    var toolCall: Value? {
        guard case .toolCall(let id, let name, let arguments) = self else { return nil }
        return .object(["id": id, "name": name, "arguments": arguments])
    }

    /// The part as a value.
    var value: Value {
        switch self {
        case .text(let text): .object(["type": "text", "text": .string(text)])
        case .toolCall(let id, let name, let arguments):
            .object(["type": "tool_call", "id": id, "name": name, "arguments": arguments])
        case .toolResult(let id, let name, let result):
            .object(["type": "tool_result", "id": id, "name": name, "result": result])
        case .other(let value): .object(["type": "other", "value": value])
        }
    }

    /// Whether a value is a part by itself, without a message around it.
    static func isBare(_ value: Value) -> Bool {
        guard let object = value.object, object["role"] == nil, object["lc"] == nil, object["message"] == nil
        else {
            return false
        }
        if let type = object["type"]?.string { return types.contains(type) && object["data"] == nil }
        return object["functionCall"] != nil || object["function_call"] != nil
            || object["text"]?.string != nil
            || object["functionResponse"] != nil || object["function_response"] != nil
            || object["toolName"] != nil || object["toolUse"] != nil || object["toolResult"] != nil
    }

    private static let types: Set<String> = [
        "text", "input_text", "output_text", "tool_call", "tool-call", "tool_use", "function",
        "function_call",
        "tool_call_response", "tool_result", "tool-result", "function_call_output", "reasoning", "thinking",
        "image", "image_url", "input_image", "file", "blob", "uri", "refusal", "Generation",
    ]

    /// The parts of a message: its content or parts, then the tool calls that stand beside them.
    static func parts(ofMessage message: Value.Object, role: String) -> [MessagePart] {
        let content = message["parts"] ?? message["contents"] ?? message["content"] ?? .null
        if role == "tool", !content.isPartList {
            let id = message["tool_call_id"] ?? message["id"] ?? .null
            return [.toolResult(id: id, name: message["name"] ?? .null, result: content)]
        }
        var parts = parts(of: content)
        let calls = message["tool_calls"].map(AttributeValues.decoded) ?? .null
        // LangChain and OpenInference repeat in the content what they list as tool calls.
        if calls.array?.isEmpty == false {
            parts.removeAll { $0.toolCall != nil }
            parts += (calls.array ?? []).flatMap(parts(of:))
        }
        return parts
    }

    /// The parts of a message's content.
    static func parts(of content: Value) -> [MessagePart] {
        switch content {
        case .null: []
        case .string(let text): text.isEmpty ? [] : [.text(text)]
        case .array(let values): values.flatMap(parts(of:))
        case .object(let object): [part(object)]
        default: [.other(content)]
        }
    }

    private static func part(_ object: Value.Object) -> MessagePart {
        // OpenInference's indexed keys put the kind of part into the key.
        if let inner = object["message_content"]?.object ?? object["tool_call"]?.object { return part(inner) }
        if let call = object["functionCall"]?.object ?? object["function_call"]?.object {
            return self.call(call, id: call["id"])
        }
        if let answer = object["functionResponse"]?.object ?? object["function_response"]?.object {
            return .toolResult(
                id: answer["id"] ?? .null,
                name: answer["name"] ?? .null,
                result: answer["response"] ?? .null
            )
        }
        if let call = object["toolUse"]?.object { return self.call(call, id: call["toolUseId"]) }
        if let answer = object["toolResult"]?.object {
            return .toolResult(
                id: answer["toolUseId"] ?? .null,
                name: .null,
                result: answer["content"] ?? .null
            )
        }
        if let function = object["function"]?.object { return call(function, id: object["id"]) }
        switch object["type"]?.string ?? "" {
        case "tool_call", "tool-call", "tool_use", "function_call", "function":
            return call(object, id: object["call_id"] ?? object["id"] ?? object["toolCallId"])
        case "tool_call_response", "tool_result", "tool-result", "function_call_output":
            return result(object)
        case "text", "input_text", "output_text", "Generation", "":
            if let text = object["text"]?.string ?? object["content"]?.string { return .text(text) }
            return object["name"] != nil && hasArguments(object)
                ? call(object, id: object["id"])
                : object["toolName"] != nil
                    ? call(object, id: object["toolCallId"]) : .other(.object(object))
        default: return .other(.object(object))
        }
    }

    private static func hasArguments(_ object: Value.Object) -> Bool {
        object["args"] != nil || object["arguments"] != nil || object["input"] != nil
    }

    private static func call(_ object: Value.Object, id: Value?) -> MessagePart {
        let arguments = object["arguments"] ?? object["args"] ?? object["input"] ?? .null
        return .toolCall(
            id: id ?? .null,
            name: object["name"] ?? object["toolName"] ?? .null,
            arguments: AttributeValues.decoded(arguments)
        )
    }

    private static func result(_ object: Value.Object) -> MessagePart {
        .toolResult(
            id: object["id"] ?? object["tool_use_id"] ?? object["toolCallId"] ?? object["call_id"] ?? .null,
            name: object["name"] ?? object["toolName"] ?? .null,
            result: object["result"] ?? object["response"] ?? object["output"] ?? object["content"] ?? .null
        )
    }
}

extension Value {
    /// Whether it is a list of parts rather than plain content.
    fileprivate var isPartList: Bool { array?.first?.object != nil }
}
