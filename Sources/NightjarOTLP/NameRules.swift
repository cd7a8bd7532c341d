import CNightjarSignals
import NightjarSignals

/// What a span's agent, tool and workflow are called: the attribute, else by the convention's rule about span names
/// (`otlp-mapping.md` section 1, second table, and sections 3 to 10).
enum NameRules {
    private static let agentPrefixes: [StaticString] = ["invoke_agent ", "agent_run "]
    private static let toolPrefixes: [StaticString] = ["execute_tool ", "running tool: ", "tool.execute "]
    private static let workflowPrefixes: [StaticString] = ["invoke_workflow ", "workflow."]

    /// Operations as the names of spans: they say what was done, and not with what.
    private static let operations: [StaticString] = [
        "execute_tool", "running tool", "tool.execute", "tools/call", "invoke_workflow", "invoke_graph",
        "invoke_swarm",
    ]

    /// The agent that a span names: its own on a run, the one it belongs to on others.
    static func agent(_ span: SpanWords, type: SpanType) -> nj_text {
        let stated = span.word(.agent)
        if stated.hasBytes { return stated }
        if span.scope.equals("pydantic-ai"), span.facts.has(.pydanticAgent) {
            return span.word(.pydanticAgent)
        }
        if span.convention == .mastra, span.facts.has(.agentID) { return span.word(.agentID) }
        switch type {
        case .agentRun: return agentOfRun(span)
        case .modelGeneration, .toolCall, .mcpToolCall: return span.langChain.agent
        default: return .absent
        }
    }

    private static func agentOfRun(_ span: SpanWords) -> nj_text {
        switch span.convention {
        case .mastra: span.name(without: ["invoke_agent ", "agent."])
        case .openInference: span.first(span.word(.graphNode), span.langChain.agent, span.name)
        case .langfuse, .langsmith, .mlflow: span.name
        case .traceloop: span.first(span.word(.entityName), withoutSuffix(span.name, ".agent"))
        case .claudeCode: nj_text("claude_code")
        case .vercel: span.word(.functionID)
        case .genAI where span.isVercel7: .absent
        default: withoutBrackets(span.name(without: agentPrefixes))
        }
    }

    /// The tool that a call names.
    static func tool(_ span: SpanWords) -> nj_text {
        let stated = span.first(span.word(.tool), span.word(.entityName), span.word(.vercelTool))
        if stated.hasBytes { return stated }
        switch span.convention {
        case .traceloop: return withoutSuffix(span.name, ".tool")
        case .vercel: return .absent
        case .claudeCode: return withoutServer(span.facts.text(.bareTool))
        case .openInference, .langfuse, .langsmith, .mlflow: return span.name
        default: return span.first(span.name(without: toolPrefixes), afterMethod(span.name), ownName(span))
        }
    }

    /// The workflow that a span names: its own on a run, the one it belongs to on others.
    static func workflow(_ span: SpanWords, type: SpanType) -> nj_text {
        let stated = span.word(.workflow)
        if stated.hasBytes { return stated }
        if span.convention == .mastra || span.convention == .agentFramework, span.facts.has(.workflowID) {
            return span.scalar(.workflowID)
        }
        guard type == .workflowRun else { return .absent }
        switch span.convention {
        case .traceloop: return span.first(span.word(.entityName), withoutSuffix(span.name, ".workflow"))
        case .openInference, .langfuse, .langsmith, .mlflow: return span.name
        case .agentFramework: return .absent
        default: return span.first(span.name(without: workflowPrefixes), ownName(span))
        }
    }

    /// The span's name where it is more than an operation.
    private static func ownName(_ span: SpanWords) -> nj_text {
        for operation in operations where span.name.hasPrefix(operation) {
            let rest = span.name.buffer.dropFirst(operation.utf8CodeUnitCount)
            if rest.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: ":") }) { return .absent }
        }
        return span.name
    }

    private static func withoutSuffix(_ name: nj_text, _ suffix: StaticString) -> nj_text {
        name.hasSuffix(suffix) ? name.dropLast(suffix.utf8CodeUnitCount) : name
    }

    /// `agent_run [A]` of early Agent Development Kits names A.
    private static func withoutBrackets(_ name: nj_text) -> nj_text {
        name.hasPrefix("[") && name.hasSuffix("]") ? name.dropFirst(1).dropLast(1) : name
    }

    /// `mcp__server__tool` of Claude Code names the tool.
    private static func withoutServer(_ name: nj_text) -> nj_text {
        guard name.hasPrefix("mcp__") else { return name }
        let rest = name.dropFirst(5)
        guard let end = rest.buffer.firstRange(of: "__".utf8)?.upperBound, end < rest.buffer.count else {
            return name
        }
        return rest.dropFirst(end)
    }

    /// The tool of an MCP call stands after the method, with whatever in front of it (`MCP send tools/call X`).
    private static func afterMethod(_ name: nj_text) -> nj_text {
        guard let end = name.buffer.firstRange(of: "tools/call ".utf8)?.upperBound, end < name.buffer.count
        else {
            return .absent
        }
        return name.dropFirst(end)
    }
}
