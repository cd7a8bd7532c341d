import NightjarSignals

/// A span that a crash test sends.
struct CrashSpan: Sendable {
    enum Kind: Sendable {
        case agent
        case chat(model: String, input: Int, output: Int)
        case tool(String)
    }

    let trace: String
    let id: String
    let parent: String?
    /// The agent whose run it is, or belongs to.
    let agent: String
    var kind = Kind.agent
    var isError = false
    /// Whole, so that sums do not depend on their order.
    var milliseconds = 1

    init(trace: String, id: String, parent: String?, agent: String) {
        (self.trace, self.id, self.parent, self.agent) = (trace, id, parent, agent)
    }

    /// Spans as OTLP JSON.
    static func body(_ spans: [CrashSpan]) -> [UInt8] {
        let scope: Value = ["scope": ["name": "test"], "spans": .array(spans.map(\.json))]
        let resource: Value = ["attributes": [attribute("service.name", "shop")]]
        let request: Value = ["resourceSpans": [["resource": resource, "scopeSpans": [scope]]]]
        return Array(request.json.utf8)
    }

    private var json: Value {
        let start = 1_790_000_000_000
        var object: Value.Object = [
            "traceId": .string(trace), "spanId": .string(id), "name": .string(name), "kind": 1,
            "startTimeUnixNano": .string("\(start)000000"),
            "endTimeUnixNano": .string("\(start + milliseconds)000000"),
            "attributes": .array(attributes),
        ]
        object["parentSpanId"] = parent.map(Value.string)
        if isError { object["status"] = ["code": 2] }
        return .object(object)
    }

    private var name: String {
        switch kind {
        case .agent: "invoke_agent \(agent)"
        case .chat(let model, _, _): "chat \(model)"
        case .tool(let tool): "execute_tool \(tool)"
        }
    }

    private var attributes: [Value] {
        switch kind {
        case .agent:
            [
                Self.attribute("gen_ai.operation.name", "invoke_agent"),
                Self.attribute("gen_ai.agent.name", agent),
            ]
        case .chat(let model, let input, let output):
            [
                Self.attribute("gen_ai.operation.name", "chat"),
                Self.attribute("gen_ai.request.model", model),
                Self.attribute("gen_ai.provider.name", "openai"),
                ["key": "gen_ai.usage.input_tokens", "value": ["intValue": .string("\(input)")]],
                ["key": "gen_ai.usage.output_tokens", "value": ["intValue": .string("\(output)")]],
            ]
        case .tool(let tool):
            [
                Self.attribute("gen_ai.operation.name", "execute_tool"),
                Self.attribute("gen_ai.tool.name", tool),
            ]
        }
    }

    private static func attribute(_ key: String, _ value: String) -> Value {
        ["key": .string(key), "value": ["stringValue": .string(value)]]
    }
}
