import CNightjarSignals
import NightjarSignals

/// Which type a span has, by the words of its convention: `otlp-mapping.md` sections 3 to 10. Words that are not here are
/// `generic`.
enum KindRules {
    /// `gen_ai.operation.name`, section 3; `invoke_graph` and `invoke_swarm` are Strands', section 9.
    private static let operations: [(word: StaticString, type: SpanType)] = [
        ("chat", .modelGeneration),
        ("execute_tool", .toolCall),
        ("invoke_agent", .agentRun),
        ("invoke_workflow", .workflowRun),
        ("generate_content", .modelGeneration),
        ("text_completion", .modelGeneration),
        ("completion", .modelGeneration),
        ("response", .modelGeneration),
        ("message", .modelGeneration),
        ("messages.create", .modelGeneration),
        ("invoke_graph", .workflowRun),
        ("invoke_swarm", .workflowRun),
    ]

    /// `mastra.span.type`, section 6: beside our own names those of its early exporter and its kinds of tool calls.
    private static let mastra: [(word: StaticString, type: SpanType)] = [
        ("llm_generation", .modelGeneration),
        ("llm_step", .modelStep),
        ("llm_chunk", .modelChunk),
        ("provider_tool_call", .toolCall),
        ("client_tool_call", .toolCall),
    ]

    /// `openinference.span.kind`, section 4; CHAIN has rules of its own.
    private static let openInference: [(word: StaticString, type: SpanType)] = [
        ("LLM", .modelGeneration), ("TOOL", .toolCall), ("AGENT", .agentRun),
    ]

    /// `traceloop.span.kind`, section 5.
    private static let traceloop: [(word: StaticString, type: SpanType)] = [
        ("workflow", .workflowRun), ("task", .workflowStep), ("agent", .agentRun), ("tool", .toolCall),
    ]

    /// `ai.operationId` without its ending, section 7.
    private static let vercel: [(word: StaticString, type: SpanType)] = [
        ("ai.generateText", .agentRun), ("ai.streamText", .agentRun), ("ai.generateObject", .agentRun),
        ("ai.streamObject", .agentRun), ("ai.toolCall", .toolCall),
    ]

    /// `mlflow.spanType`, section 8; CHAIN and WORKFLOW are runs at the root.
    private static let mlflow: [(word: StaticString, type: SpanType)] = [
        ("AGENT", .agentRun), ("CHAT_MODEL", .modelGeneration), ("LLM", .modelGeneration),
        ("TOOL", .toolCall),
    ]

    /// `langfuse.observation.type`, section 8; `chain` is a run at the root and a step below it.
    private static let langfuse: [(word: StaticString, type: SpanType)] = [
        ("generation", .modelGeneration), ("agent", .agentRun), ("tool", .toolCall),
    ]

    /// `span.type` of Claude Code, section 10.
    private static let claudeCode: [(word: StaticString, type: SpanType)] = [
        ("interaction", .agentRun), ("llm_request", .modelGeneration), ("tool", .toolCall),
    ]

    /// The type of a word in one of the tables.
    @inline(__always)
    private static func type(_ word: nj_text, _ table: [(word: StaticString, type: SpanType)]) -> SpanType {
        for entry in table where word.equals(entry.word) { return entry.type }
        return .generic
    }

    /// The type of a span of a convention.
    static func type(_ span: SpanWords) -> SpanType {
        switch span.convention {
        case .none: .generic
        case .native: nativeType(span.facts.text(.nativeType))
        case .mastra: mastraType(span.word(.mastraType))
        case .openInference: openInferenceType(span)
        case .langfuse:
            span.word(.langfuseType).equals("chain")
                ? (span.isRoot ? .workflowRun : .workflowStep) : type(span.word(.langfuseType), langfuse)
        case .langsmith: langsmithType(span)
        case .mlflow: mlflowType(span)
        case .traceloop: type(span.word(.traceloopKind), traceloop)
        case .claudeCode: claudeCodeType(span)
        case .vercel: vercelType(span.word(.vercelOperation))
        case .mcp: span.word(.mcpMethod).equals("tools/call") ? .mcpToolCall : .generic
        // A span of the Agent Development Kit that sums up parallel calls and is none itself.
        case .genAI where span.isAgentDevelopmentKit && span.name.equals("execute_tool (merged)"): .generic
        case .genAI: type(span.word(.operation), operations)
        case .legacyGenAI: legacyType(span.word(.llmRequestType))
        case .pydanticAI: pydanticType(span.name)
        case .agentFramework:
            span.name.equals("workflow.run")
                ? .workflowRun : span.name.hasPrefix("executor.process") ? .workflowStep : .generic
        case .agentDevelopmentKit: .agentRun
        }
    }

    private static func mastraType(_ word: nj_text) -> SpanType {
        let own = nativeType(word)
        return own == .generic ? type(word, mastra) : own
    }

    private static func nativeType(_ word: nj_text) -> SpanType {
        for (index, name) in SpanType.names.enumerated() where word.equals(name) {
            return SpanType(rawValue: UInt8(index)) ?? .generic
        }
        return .generic
    }

    private static func openInferenceType(_ span: SpanWords) -> SpanType {
        let word = span.word(.openInferenceKind)
        if word.equals("CHAIN") { return chainType(span) }
        // openai-agents writes AGENT for the trace around the agents too, and TOOL for a hand-over to another agent.
        if span.isOpenAIAgents {
            if word.equals("AGENT"), span.isRoot, !span.facts.has(.agent) { return .workflowRun }
            if word.equals("TOOL"), !span.facts.has(.tool), span.name.hasPrefix("handoff to ") {
                return .generic
            }
        }
        return type(word, openInference)
    }

    private static func langsmithType(_ span: SpanWords) -> SpanType {
        let word = span.word(.langsmithKind)
        if word.equals("llm") { return .modelGeneration }
        if word.equals("tool") { return .toolCall }
        return word.equals("chain") ? chainType(span) : .generic
    }

    /// LangChain's rules for chains, section 4: every span below an agent carries the agent's name.
    private static func chainType(_ span: SpanWords) -> SpanType {
        let chain = span.langChain
        if chain.agent.hasBytes, span.name.equals(chain.agent) { return .agentRun }
        if span.isRoot { return .workflowRun }
        return chain.node.hasBytes && !chain.agent.hasBytes && span.name.equals(chain.node)
            ? .workflowStep : .generic
    }

    private static func mlflowType(_ span: SpanWords) -> SpanType {
        let word = span.word(.mlflowType)
        if word.equals("CHAIN") || word.equals("WORKFLOW") { return span.isRoot ? .workflowRun : .generic }
        return type(word, mlflow)
    }

    private static func claudeCodeType(_ span: SpanWords) -> SpanType {
        let type = type(span.word(.claudeType), claudeCode)
        return type == .toolCall && span.facts.text(.bareTool).hasPrefix("mcp__") ? .mcpToolCall : type
    }

    private static func vercelType(_ word: nj_text) -> SpanType {
        if word.hasSuffix(".doGenerate") || word.hasSuffix(".doStream") { return .modelGeneration }
        return type(word, vercel)
    }

    private static func legacyType(_ word: nj_text) -> SpanType {
        !word.isPresent || word.equals("chat") || word.equals("completion") ? .modelGeneration : .generic
    }

    private static func pydanticType(_ name: nj_text) -> SpanType {
        if name.equals("agent run") { return .agentRun }
        if name.hasPrefix("chat ") { return .modelGeneration }
        return name.equals("running tool") || name.hasPrefix("running tool: ") ? .toolCall : .generic
    }
}
