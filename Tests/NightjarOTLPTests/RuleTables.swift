/// The rules by sender, after the mapping of conventions.
enum RuleTables {
    static let all =
        genAI + openInference + mastra + others + frameworks + tokens + names + providers
        + frameworksAsProviders + providersOfKits + blobs + settling

    private static let genAI: [Rule] = [
        Rule(
            "GenAI",
            "chat m",
            [("gen_ai.operation.name", "chat"), ("gen_ai.system", "openai")],
            "type=model_generation provider=openai"
        ),
        Rule(
            "GenAI 1.26",
            "openai.chat",
            [
                ("gen_ai.system", "OpenAI"), ("gen_ai.request.model", "gpt-4"),
                ("gen_ai.usage.prompt_tokens", 7),
                ("gen_ai.usage.completion_tokens", 3),
            ],
            "type=model_generation model=gpt-4 provider=openai in=7 out=3"
        ),
        Rule("GenAI", "x", [("gen_ai.operation.name", "generate_content")], "type=model_generation"),
        Rule("GenAI", "x", [("gen_ai.operation.name", "text_completion")], "type=model_generation"),
        Rule("GenAI", "x", [("gen_ai.operation.name", "embeddings")], "type=generic"),
        Rule(
            "GenAI",
            "create_agent a",
            [("gen_ai.operation.name", "create_agent"), ("gen_ai.agent.name", "a")],
            "type=generic agent=a"
        ),
        Rule(
            "GenAI without names",
            "invoke_agent planner",
            [("gen_ai.operation.name", "invoke_agent")],
            "type=agent_run agent=planner"
        ),
        Rule(
            "GenAI without names",
            "execute_tool look",
            [("gen_ai.operation.name", "execute_tool")],
            "type=tool_call tool=look"
        ),
        Rule(
            "GenAI without names",
            "execute_tool",
            [("gen_ai.operation.name", "execute_tool")],
            "type=tool_call"
        ),
        Rule(
            "GenAI without names",
            "invoke_workflow day",
            [("gen_ai.operation.name", "invoke_workflow")],
            "type=workflow_run workflow=day"
        ),
        Rule(
            "GenAI",
            "run",
            [
                ("gen_ai.operation.name", "execute_tool"), ("gen_ai.tool.name", "t"),
                ("gen_ai.tool.status", "error"),
            ],
            "type=tool_call tool=t error="
        ),
        Rule("MCP", "tools/call add", [("mcp.method.name", "tools/call")], "type=mcp_tool_call tool=add"),
        Rule(
            "MCP",
            "MCP send tools/call add",
            [("mcp.method.name", "tools/call")],
            "type=mcp_tool_call tool=add"
        ),
        Rule("MCP", "tools/list", [("mcp.method.name", "tools/list")], "type=generic"),
        Rule(
            "MCP over GenAI",
            "x",
            [
                ("gen_ai.operation.name", "execute_tool"), ("mcp.method.name", "tools/call"),
                ("gen_ai.tool.name", "t"),
            ],
            "type=mcp_tool_call tool=t"
        ),
        Rule(
            "providers",
            "x",
            [("gen_ai.operation.name", "chat"), ("gen_ai.system", "az.ai.openai")],
            "type=model_generation provider=azure.ai.openai"
        ),
        Rule(
            "providers",
            "x",
            [("gen_ai.operation.name", "chat"), ("gen_ai.system", "vertex_ai")],
            "type=model_generation provider=gcp.vertex_ai"
        ),
        Rule(
            "providers",
            "x",
            [
                ("gen_ai.operation.name", "chat"), ("gen_ai.provider.name", "_OTHER"),
                ("gen_ai.system", "mistralai"),
            ],
            "type=model_generation provider=mistral_ai"
        ),
        Rule(
            "run context",
            "x",
            [
                ("session.id", "s"), ("gen_ai.conversation.id", "c"), ("enduser.id", 42),
                ("gen_ai.user", "no"),
            ],
            "type=generic session=c user=42"
        ),
        Rule(
            "finish and time",
            "x",
            [
                ("gen_ai.operation.name", "chat"), ("gen_ai.response.finish_reasons", ["stop", "length"]),
                ("gen_ai.response.time_to_first_chunk", 0.25),
            ],
            "type=model_generation finish=stop ttft=250"
        ),
        Rule(
            "Logfire",
            "half way",
            [("logfire.span_type", "log"), ("gen_ai.operation.name", "chat")],
            "type=generic"
        ),
    ]

    private static let openInference: [Rule] = [
        Rule(
            "OpenInference",
            "m",
            [
                ("openinference.span.kind", "LLM"), ("llm.model_name", "gpt-4"), ("llm.system", "openai"),
                ("llm.token_count.prompt", 10), ("llm.token_count.completion", 4),
                ("llm.token_count.prompt_details.cache_read", 2),
                ("llm.token_count.completion_details.reasoning", 1), ("llm.cost.total", 0.5),
            ],
            "type=model_generation model=gpt-4 response=gpt-4 provider=openai in=10 out=4 read=2 reasoning=1 cost=0.5"
        ),
        Rule(
            "OpenInference beside GenAI",
            "m",
            [("openinference.span.kind", "TOOL"), ("gen_ai.operation.name", "chat")],
            "type=tool_call tool=m"
        ),
        Rule(
            "OpenInference",
            "planner",
            root: true,
            [("openinference.span.kind", "AGENT")],
            "type=agent_run agent=planner"
        ),
        Rule(
            "OpenInference",
            "x",
            [("openinference.span.kind", "AGENT"), ("graph.node.id", "node")],
            "type=agent_run agent=node"
        ),
        Rule(
            "OpenInference",
            "chain",
            root: true,
            [("openinference.span.kind", "CHAIN")],
            "type=workflow_run workflow=chain"
        ),
        Rule("OpenInference", "chain", [("openinference.span.kind", "CHAIN")], "type=generic"),
        Rule("OpenInference", "r", root: true, [("openinference.span.kind", "RETRIEVER")], "type=generic"),
        Rule(
            "openai-agents",
            "Workflow",
            scope: "openinference.instrumentation.openai_agents",
            root: true,
            [("openinference.span.kind", "AGENT")],
            "type=workflow_run workflow=Workflow"
        ),
        Rule(
            "openai-agents",
            "handoff to B",
            scope: "openinference.instrumentation.openai_agents",
            [("openinference.span.kind", "TOOL")],
            "type=generic"
        ),
        Rule(
            "LangGraph",
            "a",
            root: true,
            [
                ("openinference.span.kind", "CHAIN"),
                ("metadata", #"{"lc_agent_name": "a", "thread_id": "t"}"#),
            ],
            "type=agent_run agent=a session=t"
        ),
        Rule(
            "LangGraph",
            "model",
            [
                ("openinference.span.kind", "CHAIN"),
                ("metadata", #"{"lc_agent_name":"a","langgraph_node":"model"}"#),
            ],
            "type=generic"
        ),
        Rule(
            "LangGraph",
            "plan",
            [
                ("openinference.span.kind", "CHAIN"),
                ("metadata", #"{"langgraph_node":"plan","session_id":"s\u0031"}"#),
            ],
            "type=workflow_step session=s1"
        ),
        Rule(
            "LangGraph",
            "ChatX",
            [("openinference.span.kind", "LLM"), ("metadata", #"{"lc_agent_name":"a","user_id":"u"}"#)],
            "type=model_generation agent=a user=u"
        ),
        Rule(
            "LangGraph, broken metadata",
            "c",
            [("openinference.span.kind", "CHAIN"), ("metadata", #"{"lc_agent_name":"#)],
            "type=generic"
        ),
    ]

    private static let mastra: [Rule] = [
        Rule(
            "Mastra 2025",
            "agent.weather",
            [
                ("mastra.span.type", "agent_run"), ("gen_ai.operation.name", "agent.run"),
                ("agent.id", "weather"),
            ],
            "type=agent_run agent=weather"
        ),
        Rule(
            "Mastra 2025",
            "agent.weather",
            [("mastra.span.type", "agent_run")],
            "type=agent_run agent=weather"
        ),
        Rule(
            "Mastra 2025",
            "tool.execute look",
            [("mastra.span.type", "tool_call"), ("gen_ai.operation.name", "tool.execute"), ("error", true)],
            "type=tool_call tool=look error="
        ),
        Rule(
            "Mastra 2025",
            "chat gpt",
            [
                ("mastra.span.type", "llm_generation"), ("gen_ai.operation.name", "tool_selection"),
                ("gen_ai.usage.input_tokens", 9), ("gen_ai.usage.cached_input_tokens", 3),
            ],
            "type=model_generation in=9 read=3"
        ),
        Rule(
            "Mastra 2025",
            "workflow.trip",
            [("mastra.span.type", "workflow_run"), ("workflow.id", "trip-id")],
            "type=workflow_run workflow=trip-id"
        ),
        Rule(
            "Mastra",
            "execute_tool x",
            [("mastra.span.type", "provider_tool_call")],
            "type=tool_call tool=x"
        ),
        Rule("Mastra", "s", [("mastra.span.type", "workflow_loop")], "type=workflow_loop"),
        Rule("Mastra", "s", [("mastra.span.type", "scorer_run")], "type=scorer_run"),
        Rule(
            "Mastra",
            "chat m",
            [("mastra.span.type", "model_generation"), ("gen_ai.response.finish_reasons", "[\"stop\"]")],
            "type=model_generation finish=stop"
        ),
    ]
}
