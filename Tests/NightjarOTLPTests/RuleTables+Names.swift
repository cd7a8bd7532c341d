/// The rules of names, providers, run context and further counts.
extension RuleTables {
    static let names: [Rule] = [
        Rule(
            "Mastra, agent without a name",
            "chat m",
            [("mastra.span.type", "model_generation"), ("gen_ai.agent.id", "weather")],
            "type=model_generation agent=weather"
        ),
        Rule(
            "Mastra, bare metadata",
            "agent.weather",
            [("mastra.span.type", "agent_run"), ("sessionId", "s"), ("userId", 7)],
            "type=agent_run agent=weather session=s user=7"
        ),
        Rule(
            "bare metadata of others",
            "x",
            [("gen_ai.operation.name", "plan"), ("sessionId", "s"), ("userId", 7)],
            "type=generic"
        ),
        Rule(
            "Mastra, tool without a name",
            "execute_tool look-up",
            [("mastra.span.type", "mcp_tool_call")],
            "type=mcp_tool_call tool=look-up"
        ),
        Rule(
            "Mastra, workflow without a name",
            "invoke_workflow day-trip",
            [("mastra.span.type", "workflow_run")],
            "type=workflow_run workflow=day-trip"
        ),
        Rule(
            "Mastra 2025, workflow without a name",
            "workflow.day-trip",
            [("mastra.span.type", "workflow_run")],
            "type=workflow_run workflow=day-trip"
        ),
        Rule(
            "AI SDK 7, agent without a name",
            "invoke_agent gpt-4",
            scope: "gen_ai",
            [("gen_ai.operation.name", "invoke_agent"), ("gen_ai.request.model", "gpt-4")],
            "type=agent_run model=gpt-4"
        ),
        Rule(
            "AI SDK, function by resource",
            "ai.generateText",
            [("ai.operationId", "ai.generateText"), ("resource.name", "planner")],
            "type=agent_run agent=planner"
        ),
        Rule(
            "AI SDK, no function",
            "ai.streamObject",
            [("ai.operationId", "ai.streamObject")],
            "type=agent_run"
        ),
        Rule(
            "tool by the span's name",
            "look up",
            [("gen_ai.operation.name", "execute_tool")],
            "type=tool_call tool=look up"
        ),
        Rule(
            "workflow by the span's name",
            "workflow.trip",
            [("gen_ai.operation.name", "invoke_workflow")],
            "type=workflow_run workflow=trip"
        ),
        Rule(
            "Strands",
            "invoke_graph",
            [("gen_ai.operation.name", "invoke_graph"), ("gen_ai.agent.name", "graph")],
            "type=workflow_run agent=graph"
        ),
        Rule(
            "Semantic Kernel",
            "chat m",
            [
                ("gen_ai.operation.name", "chat"), ("gen_ai.response.finish_reason", "stop"),
                ("gen_ai.response.finish_reasons", []),
            ],
            "type=model_generation finish=stop"
        ),
        Rule(
            "Agent Development Kit 1",
            "agent_run [planner]",
            scope: "gcp.vertex.agent",
            [],
            "type=agent_run agent=planner"
        ),
        Rule(
            "Agent Development Kit, prefix by another name of the provider",
            "generate_content gemini/pro",
            scope: "gcp.vertex.agent",
            [
                ("gen_ai.operation.name", "generate_content"), ("gen_ai.provider.name", "gcp.gemini"),
                ("gen_ai.request.model", "gemini/pro"), ("gen_ai.response.model", "gemini/pro-1"),
            ],
            "type=model_generation model=pro response=pro-1 provider=gcp.gemini"
        ),
        Rule(
            "another kit's slash",
            "chat",
            [
                ("gen_ai.operation.name", "chat"), ("gen_ai.provider.name", "openai"),
                ("gen_ai.request.model", "openai/gpt"),
            ],
            "type=model_generation model=openai/gpt provider=openai"
        ),
        Rule(
            "Claude Code, MCP tool of another's naming",
            "claude_code.tool",
            [("span.type", "tool"), ("tool_name", "mcp__srv")],
            "type=mcp_tool_call tool=mcp__srv"
        ),
        Rule("MCP without a tool", "tools/call", [("mcp.method.name", "tools/call")], "type=mcp_tool_call"),
        Rule(
            "LangSmith, metadata of LangGraph",
            "planner",
            scope: "langsmith",
            [
                ("langsmith.span.kind", "chain"), ("langsmith.metadata.lc_agent_name", "planner"),
                ("langsmith.metadata.thread_id", "t"),
            ],
            "type=agent_run agent=planner session=t"
        ),
        Rule(
            "LangSmith, node of a graph",
            "collect",
            scope: "langsmith",
            [("langsmith.span.kind", "chain"), ("langsmith.metadata.langgraph_node", "collect")],
            "type=workflow_step"
        ),
    ]

    static let providers: [Rule] = [
        ("openai.chat", "openai"), ("openai.responses", "openai"), ("OpenAI", "openai"),
        ("az.ai.openai", "azure.ai.openai"), ("az.ai.inference", "azure.ai.inference"), ("xai", "x_ai"),
        ("vertex_ai", "gcp.vertex_ai"), ("gemini", "gcp.gemini"), ("mistralai", "mistral_ai"),
        ("Anthropic", "anthropic"), ("my-gateway.eu", "my-gateway.eu"),
    ].map { written, name in
        Rule(
            "provider \(written)",
            "x",
            [("gen_ai.operation.name", "chat"), ("gen_ai.system", .text(written))],
            "type=model_generation provider=\(name)"
        )
    }

    static let frameworksAsProviders: [Rule] = [
        "langchain", "autogen", "strands-agents", "crewai", "mcp", "_OTHER", "microsoft.agent_framework",
    ].map { name in
        Rule(
            "framework \(name)",
            "x",
            [
                ("gen_ai.operation.name", "chat"), ("gen_ai.provider.name", .text(name)),
                ("llm.provider", "openai"),
            ],
            "type=model_generation provider=openai"
        )
    }

    static let providersOfKits: [Rule] = [
        ("anthropic.messages", "anthropic"), ("azure.ai.openai", "azure.ai.openai"),
        ("google.generative-ai", "google"), ("mistral.chat", "mistral"), ("xai.chat", "x_ai"),
    ].flatMap { written, name in
        [
            Rule(
                "AI SDK provider \(written)",
                "x",
                [("ai.operationId", "ai.generateText.doGenerate"), ("gen_ai.system", .text(written))],
                "type=model_generation provider=\(name)"
            ),
            Rule(
                "AI SDK provider \(written) beside OpenInference",
                "x",
                [("openinference.span.kind", "LLM"), ("ai.model.provider", .text(written))],
                "type=model_generation provider=\(name)"
            ),
        ]
    }
}
