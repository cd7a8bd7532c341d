import CNightjarSignals
import NightjarOTLP
import NightjarSignals
import Synchronization
import Testing

/// Which of several conventions, and which of several spellings, holds where a span has more than one: the two tables of
/// the mapping's section 1.
struct PrecedenceTests {
    /// A convention as a span may show it: as a request to a model where it can, else as what it always is.
    struct Shown: Sendable, CustomTestStringConvertible {
        let name: String
        var scope = "test"
        let attributes: [(String, TestValue)]
        let type: SpanType
        var testDescription: String { name }
    }

    /// The conventions of the first table, each as it is shown when it must win.
    private static let winning = [
        Shown(name: "Mastra", attributes: [("mastra.span.type", "model_generation")], type: .modelGeneration),
        Shown(
            name: "OpenInference",
            attributes: [("openinference.span.kind", "LLM")],
            type: .modelGeneration
        ),
        Shown(
            name: "Langfuse",
            attributes: [("langfuse.observation.type", "generation")],
            type: .modelGeneration
        ),
        Shown(name: "LangSmith", attributes: [("langsmith.span.kind", "llm")], type: .modelGeneration),
        Shown(name: "MLflow", attributes: [("mlflow.spanType", "\"CHAT_MODEL\"")], type: .modelGeneration),
        Shown(name: "Traceloop", attributes: [("traceloop.span.kind", "task")], type: .workflowStep),
        Shown(
            name: "Claude Code",
            scope: "com.anthropic.claude_code.tracing",
            attributes: [("span.type", "llm_request")],
            type: .modelGeneration
        ),
        Shown(
            name: "AI SDK",
            attributes: [("ai.operationId", "ai.generateText.doGenerate")],
            type: .modelGeneration
        ),
        Shown(name: "MCP", attributes: [("mcp.method.name", "tools/call")], type: .mcpToolCall),
        Shown(name: "GenAI", attributes: [("gen_ai.operation.name", "chat")], type: .modelGeneration),
        Shown(
            name: "OpenLLMetry",
            attributes: [("llm.request.type", "chat"), ("gen_ai.system", "openai")],
            type: .modelGeneration
        ),
    ]

    /// The same, each as it is shown when it must lose: as something that no winner is.
    private static let losing: [String: [(String, TestValue)]] = [
        "OpenInference": [("openinference.span.kind", "TOOL")],
        "Langfuse": [("langfuse.observation.type", "tool")],
        "LangSmith": [("langsmith.span.kind", "tool")],
        "MLflow": [("mlflow.spanType", "\"TOOL\"")],
        "Traceloop": [("traceloop.span.kind", "tool")],
        "Claude Code": [("span.type", "tool")],
        "AI SDK": [("ai.operationId", "ai.toolCall")],
        "MCP": [("mcp.method.name", "tools/list")],
        "GenAI": [("gen_ai.operation.name", "execute_tool")],
        "OpenLLMetry": [("llm.request.type", "embedding")],
    ]

    static let pairs: [(Shown, String)] = winning.enumerated().flatMap { place, winner in
        winning[(place + 1)...].map { (winner, $0.name) }
    }

    static func row(_ span: TestSpan, scope: String = "test") throws -> nj_span {
        let request = try TraceRequest.decode(
            body([span], scope: scope),
            encoding: .protobuf,
            receivedAt: Timestamp(unixNano: 1),
            workers: 1
        )
        kept.withLock { $0.append(request) }
        return try #require(request.references.first).row.pointee
    }

    /// What rows that were handed out point into.
    private static let kept = Mutex<[TraceRequest]>([])

    @Test(arguments: pairs)
    func `of two conventions on one span the first decides`(_ winner: Shown, _ loser: String) throws {
        let lost = try #require(Self.losing[loser])
        for attributes in [winner.attributes + lost, lost + winner.attributes] {
            let span = TestSpan(parent: [9], attributes: attributes)
            #expect(try Self.row(span, scope: winner.scope).spanType == winner.type)
        }
    }

    /// A value of the second table: the fact that it fills, and the keys that state it, first one first.
    struct Order: Sendable, CustomTestStringConvertible {
        let fact: String
        let keys: [String]
        /// What else the span has, so that the keys are read.
        var beside: [(String, TestValue)] = [("gen_ai.operation.name", "chat")]
        var scope = "test"
        var testDescription: String { fact }
    }

    static let texts = [
        Order(
            fact: "provider",
            keys: [
                "gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider",
            ]
        ),
        Order(
            fact: "model",
            keys: [
                "gen_ai.request.model", "llm.request.model_name", "llm.model_name", "ai.model.id",
                "langfuse.observation.model.name", "model",
            ],
            beside: [("mlflow.spanType", "LLM")]
        ),
        Order(
            fact: "model",
            keys: ["gen_ai.request.model", "llm.model_name", "model_name"],
            scope: "pydantic-ai"
        ),
        Order(
            fact: "response",
            keys: [
                "gen_ai.response.model", "llm.response.model_name", "llm.model_name", "ai.response.model",
                "mlflow.llm.model",
            ]
        ),
        Order(
            fact: "agent",
            keys: ["gen_ai.agent.name", "agent.name", "gen_ai.agent.id", "agent.id"],
            beside: [("mastra.span.type", "model_generation")]
        ),
        Order(
            fact: "agent",
            keys: ["gen_ai.agent.name", "agent.name", "agent_name"],
            scope: "pydantic-ai"
        ),
        Order(
            fact: "tool",
            keys: [
                "gen_ai.tool.name", "tool.name", "traceloop.entity.name", "ai.toolCall.name", "tool_name",
            ],
            beside: [("span.type", "tool")],
            scope: "com.anthropic.claude_code"
        ),
        Order(
            fact: "workflow",
            keys: ["gen_ai.workflow.name", "traceloop.workflow.name", "workflow.name", "workflow.id"],
            beside: [("mastra.span.type", "workflow_run")]
        ),
        Order(
            fact: "session",
            keys: [
                "gen_ai.conversation.id", "session.id", "langfuse.session.id",
                "traceloop.association.properties.session_id", "traceloop.association.properties.chat_id",
                "traceloop.association.properties.thread_id", "mlflow.trace.session",
                "langsmith.metadata.session_id", "langsmith.metadata.thread_id",
                "gcp.vertex.agent.session_id", "ai.telemetry.metadata.sessionId", "mastra.metadata.sessionId",
                "mastra.metadata.threadId", "sessionId",
            ],
            beside: [("mastra.span.type", "agent_run")]
        ),
        Order(
            fact: "user",
            keys: [
                "user.id", "enduser.id", "langfuse.user.id", "gen_ai.user", "llm.user",
                "traceloop.association.properties.user_id", "mlflow.trace.user", "langsmith.metadata.user_id",
                "ai.telemetry.metadata.userId", "mastra.metadata.userId", "userId",
            ],
            beside: [("mastra.span.type", "agent_run")]
        ),
        Order(
            fact: "finish",
            keys: [
                "gen_ai.response.finish_reasons", "gen_ai.response.finish_reason", "llm.finish_reason",
                "ai.response.finishReason",
            ]
        ),
    ]

    static let counts = [
        Order(
            fact: "in",
            keys: [
                "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt",
                "llm.usage.prompt_tokens", "ai.usage.inputTokens", "ai.usage.promptTokens", "input_tokens",
            ],
            beside: [("span.type", "llm_request")],
            scope: "com.anthropic.claude_code"
        ),
        Order(
            fact: "out",
            keys: [
                "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
                "llm.usage.completion_tokens", "ai.usage.outputTokens", "ai.usage.completionTokens",
                "output_tokens",
            ],
            beside: [("span.type", "llm_request")],
            scope: "com.anthropic.claude_code"
        ),
        Order(
            fact: "read",
            keys: [
                "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
                "gen_ai.usage.cached_input_tokens", "llm.token_count.prompt_details.cache_read",
                "ai.usage.inputTokenDetails.cacheReadTokens", "ai.usage.cachedInputTokens",
                "gen_ai.usage.details.cache_read_tokens", "gen_ai.usage.details.cached_tokens",
            ]
        ),
        Order(
            fact: "write",
            keys: [
                "gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens",
                "gen_ai.usage.cache_creation_input_tokens", "gen_ai.usage.cache_write_input_tokens",
                "llm.token_count.prompt_details.cache_write", "ai.usage.inputTokenDetails.cacheWriteTokens",
            ]
        ),
        Order(
            fact: "reasoning",
            keys: [
                "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens",
                "llm.token_count.completion_details.reasoning", "ai.usage.outputTokenDetails.reasoningTokens",
                "ai.usage.reasoningTokens", "gen_ai.usage.details.reasoning_tokens",
            ]
        ),
        Order(fact: "cost", keys: ["operation.cost", "llm.cost.total", "gen_ai.usage.cost", "cost_usd"]),
        Order(
            fact: "ttft",
            keys: [
                "gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token",
                "ai.response.msToFirstChunk", "llm.latency.time_to_first_token",
            ]
        ),
    ]

    private static func facts(_ order: Order, _ attributes: [(String, TestValue)]) throws -> [String] {
        let span = TestSpan(parent: [9], attributes: order.beside + attributes)
        return MappingTests.facts(try row(span, scope: order.scope)).split(separator: " ").map(String.init)
    }

    @Test(arguments: texts)
    func `of several texts that say one thing the first of the table holds`(_ order: Order) throws {
        for first in order.keys.indices {
            let present = order.keys.enumerated().dropFirst(first).map { ($1, TestValue.text("v\($0)")) }
            #expect(
                try Self.facts(order, present).contains("\(order.fact)=v\(first)"),
                "\(order.keys[first])"
            )
            #expect(try Self.facts(order, present.reversed()).contains("\(order.fact)=v\(first)"))
            // An empty text says nothing.
            let other = try Self.facts(order, [(order.keys[first], TestValue.text(""))] + present.dropFirst())
            #expect(!other.contains("\(order.fact)=") && !other.contains("\(order.fact)=v\(first)"))
        }
    }

    @Test(arguments: counts)
    func `of several numbers that say one thing the first of the table holds, whatever their form`(
        _ order: Order
    ) throws {
        for first in order.keys.indices {
            let scale = order.fact == "ttft" && !order.keys[first].contains("ms") ? 1000 : 1
            let wanted = "\(order.fact)=\((first + 1) * scale)"
            for form in [TestValue.int(Int64(first) + 1), .double(Double(first) + 1), .text("\(first + 1)")] {
                let others = order.keys.enumerated().dropFirst(first + 1).map {
                    ($1, TestValue.int(Int64($0) + 1))
                }
                let found = try Self.facts(order, others + [(order.keys[first], form)])
                #expect(found.contains(wanted), "\(order.keys[first]): \(found)")
            }
            // What is no count is as good as not sent: the next one holds.
            let others = order.keys.dropFirst(first + 1).map { ($0, TestValue.int(9)) }
            for form in [TestValue.int(-1), .double(.nan), .text("many"), .bool(true)] {
                let found = try Self.facts(order, others + [(order.keys[first], form)])
                #expect(found.contains { $0.hasPrefix("\(order.fact)=9") } == !others.isEmpty, "\(found)")
            }
        }
    }
}
