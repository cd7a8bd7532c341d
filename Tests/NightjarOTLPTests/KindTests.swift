import CNightjarSignals
import NightjarOTLP
import NightjarSignals
import Testing

/// Every word that a convention has for what a span is: the tables of the mapping's sections 3 to 10.
struct KindTests {
    struct Words: Sendable, CustomTestStringConvertible {
        let key: String
        var scope = "test"
        var isRoot = false
        let types: [(words: [String], type: String)]
        var testDescription: String { "\(key)\(isRoot ? " at the root" : "")" }
    }

    private static let genAI = Words(
        key: "gen_ai.operation.name",
        types: [
            (
                [
                    "chat", "generate_content", "text_completion", "completion", "response", "message",
                    "messages.create",
                ], "model_generation"
            ),
            (["invoke_agent"], "agent_run"), (["execute_tool"], "tool_call"),
            (["invoke_workflow", "invoke_graph", "invoke_swarm"], "workflow_run"),
            (
                [
                    "create_agent", "plan", "agent_step", "execute_event_loop_cycle", "embeddings",
                    "retrieval", "search_memory", "create_memory", "chain", "anything",
                ], "generic"
            ),
        ]
    )

    private static let openInference = Words(
        key: "openinference.span.kind",
        types: [
            (["LLM"], "model_generation"), (["TOOL"], "tool_call"), (["AGENT"], "agent_run"),
            (
                ["CHAIN", "EMBEDDING", "RETRIEVER", "RERANKER", "GUARDRAIL", "PROMPT", "EVALUATOR"],
                "generic"
            ),
        ]
    )

    private static let mastra = Words(key: "mastra.span.type", types: mastraTypes + mastraOthers)

    private static let mastraTypes: [(words: [String], type: String)] = [
        (["agent_run"], "agent_run"), (["model_generation", "llm_generation"], "model_generation"),
        (["model_step", "llm_step"], "model_step"), (["model_chunk", "llm_chunk"], "model_chunk"),
        (["tool_call", "provider_tool_call", "client_tool_call"], "tool_call"),
        (["mcp_tool_call"], "mcp_tool_call"), (["workflow_run"], "workflow_run"),
        (["workflow_step"], "workflow_step"), (["processor_run"], "processor_run"),
    ]

    /// Types that are kept as they came.
    private static let mastraOthers: [(words: [String], type: String)] = [
        "workflow_conditional", "workflow_conditional_eval", "workflow_parallel", "workflow_loop",
        "workflow_sleep", "workflow_wait_event", "generic", "model_inference", "rag_embedding", "scorer_run",
        "scorer_step", "memory_operation", "workspace_action", "rag_ingestion", "graph_action", "mapping",
        "skill_run", "agent_signal",
    ].map { (words: [$0], type: $0) }

    static let tables = [
        genAI, openInference, mastra,
        Words(key: "openinference.span.kind", isRoot: true, types: [(["CHAIN"], "workflow_run")]),
        Words(
            key: "langfuse.observation.type",
            types: [
                (["generation"], "model_generation"), (["agent"], "agent_run"), (["tool"], "tool_call"),
                (["chain"], "workflow_step"),
                (["retriever", "embedding", "evaluator", "guardrail", "span", "event"], "generic"),
            ]
        ),
        Words(key: "langfuse.observation.type", isRoot: true, types: [(["chain"], "workflow_run")]),
        Words(
            key: "langsmith.span.kind",
            scope: "langsmith",
            types: [
                (["llm"], "model_generation"), (["tool"], "tool_call"),
                (["chain", "retriever", "embedding", "prompt", "parser"], "generic"),
            ]
        ),
        Words(key: "langsmith.span.kind", isRoot: true, types: [(["chain"], "workflow_run")]),
        Words(
            key: "mlflow.spanType",
            types: [
                (["\"AGENT\"", "AGENT"], "agent_run"),
                (["\"CHAT_MODEL\"", "\"LLM\"", "CHAT_MODEL"], "model_generation"),
                (["\"TOOL\""], "tool_call"),
                (
                    [
                        "\"CHAIN\"", "\"WORKFLOW\"", "\"RETRIEVER\"", "\"EMBEDDING\"", "\"PARSER\"",
                        "\"RERANKER\"", "\"MEMORY\"", "\"UNKNOWN\"", "\"TASK\"", "\"GUARDRAIL\"",
                        "\"EVALUATOR\"",
                    ], "generic"
                ),
            ]
        ),
        Words(
            key: "mlflow.spanType",
            isRoot: true,
            types: [(["\"CHAIN\"", "\"WORKFLOW\""], "workflow_run")]
        ),
        Words(
            key: "traceloop.span.kind",
            types: [
                (["workflow"], "workflow_run"), (["task"], "workflow_step"), (["agent"], "agent_run"),
                (["tool"], "tool_call"), (["unknown"], "generic"),
            ]
        ),
        Words(
            key: "llm.request.type",
            types: [
                (["chat", "completion"], "model_generation"),
                (["embedding", "rerank", "unknown"], "generic"),
            ]
        ),
        Words(
            key: "span.type",
            scope: "com.anthropic.claude_code.tracing",
            types: [
                (["interaction"], "agent_run"), (["llm_request"], "model_generation"),
                (["tool"], "tool_call"),
                (["tool.execution", "tool.blocked_on_user", "hook"], "generic"),
            ]
        ),
        Words(
            key: "ai.operationId",
            types: [
                (
                    ["ai.generateText", "ai.streamText", "ai.generateObject", "ai.streamObject"], "agent_run"
                ),
                (
                    [
                        "ai.generateText.doGenerate", "ai.streamText.doStream",
                        "ai.generateObject.doGenerate", "ai.streamObject.doStream",
                    ], "model_generation"
                ),
                (["ai.toolCall"], "tool_call"),
                (
                    ["ai.embed", "ai.embed.doEmbed", "ai.embedMany.doEmbed", "ai.rerank.doRerank"],
                    "generic"
                ),
            ]
        ),
        Words(
            key: "mcp.method.name",
            types: [
                (["tools/call"], "mcp_tool_call"),
                (
                    ["tools/list", "initialize", "server/discover", "resources/read", "prompts/get"],
                    "generic"
                ),
            ]
        ),
    ]

    @Test(arguments: tables)
    func `a convention's words are types`(_ table: Words) throws {
        for (words, type) in table.types {
            for word in words {
                let span = TestSpan(
                    parent: table.isRoot ? [] : [9],
                    attributes: [(table.key, .text(word))]
                )
                let row = try PrecedenceTests.row(span, scope: table.scope)
                #expect(row.type_text.string == type, "\(word)")
            }
        }
    }

    @Test(arguments: [
        ("pydantic-ai", "agent run", "agent_run"), ("pydantic-ai", "running tool", "tool_call"),
        ("pydantic-ai", "running tool: look", "tool_call"), ("pydantic-ai", "running tools", "generic"),
        ("pydantic-ai", "chat gpt-4o", "model_generation"), ("pydantic-ai", "preparing", "generic"),
        ("other", "agent run", "generic"), ("other", "running tool: look", "generic"),
        ("agent_framework", "workflow.run", "workflow_run"),
        ("agent_framework.workflows", "executor.process a", "workflow_step"),
        ("Microsoft.Agents.AI.Workflows", "executor.process a", "workflow_step"),
        ("agent_framework", "workflow.build", "generic"),
        ("agent_framework", "edge_group.process", "generic"), ("agent_framework", "message.send", "generic"),
        ("gcp.vertex.agent", "agent_run [A]", "agent_run"),
        ("gcp.vertex.agent", "invoke_agent A", "agent_run"),
        ("gcp.vertex.agent", "invocation", "generic"), ("other", "invoke_agent A", "generic"),
        ("semantic_kernel", "AutoFunctionInvocationLoop", "generic"),
        ("agent_runtime InProcessRuntime", "agent_runtime send x", "generic"),
        ("autogen-core", "autogen process x", "generic"), ("bedrock", "InvokeAgentRuntime", "generic"),
    ])
    func `where a convention has no word for it, the scope and the name tell`(
        _ scope: String,
        _ name: String,
        _ type: String
    ) throws {
        let row = try PrecedenceTests.row(TestSpan(parent: [9], name: name), scope: scope)
        #expect(row.type_text.string == type)
    }
}
