/// The rules by sender, after the mapping of conventions.
enum RuleTables {
    static let all = genAI + openInference + mastra + others + frameworks + tokens

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

    private static let others: [Rule] = [
        Rule("Traceloop", "trip.agent", [("traceloop.span.kind", "agent")], "type=agent_run agent=trip"),
        Rule(
            "Traceloop",
            "x.task",
            [("traceloop.span.kind", "task"), ("traceloop.workflow.name", "w")],
            "type=workflow_step workflow=w"
        ),
        Rule(
            "OpenLLMetry old",
            "openai.chat",
            [
                ("llm.request.type", "chat"), ("gen_ai.system", "OpenAI"), ("gen_ai.request.model", "gpt-4"),
                ("traceloop.association.properties.chat_id", "c"),
            ],
            "type=model_generation model=gpt-4 provider=openai session=c"
        ),
        Rule(
            "OpenLLMetry old",
            "x",
            [("llm.request.type", "embedding"), ("gen_ai.request.model", "e")],
            "type=generic model=e"
        ),
        Rule("Langfuse", "step", [("langfuse.observation.type", "chain")], "type=workflow_step"),
        Rule(
            "Langfuse",
            "g",
            [
                ("langfuse.observation.type", "generation"), ("langfuse.observation.model.name", "m"),
                (
                    "langfuse.observation.usage_details",
                    #"{"input":50,"output":9,"cache_read_input_tokens":20}"#
                ),
                ("langfuse.observation.cost_details", #"{"input":0.1,"total":0.3}"#),
                ("langfuse.observation.completion_start_time", "\"1970-01-01T00:00:01.500Z\""),
            ],
            "type=model_generation model=m in=70 out=9 read=20 cost=0.3 ttft=500"
        ),
        Rule(
            "Langfuse",
            "t",
            [("langfuse.observation.type", "tool"), ("langfuse.observation.level", "ERROR")],
            "type=tool_call tool=t error="
        ),
        Rule(
            "LangSmith",
            "llm",
            [
                ("langsmith.span.kind", "llm"), ("gen_ai.operation.name", "chain"),
                ("gen_ai.system", "langchain"),
                (
                    "langsmith.metadata.usage_metadata",
                    #"{"input_tokens":5,"output_tokens":2,"input_token_details":{"cache_read":1}}"#
                ),
                ("langsmith.metadata.lc_agent_name", "a"),
            ],
            "type=model_generation agent=a in=5 out=2 read=1"
        ),
        Rule("LangSmith", "p", root: true, [("langsmith.span.kind", "prompt")], "type=generic"),
        Rule(
            "MLflow",
            "predict",
            root: true,
            [("mlflow.spanType", "\"CHAIN\""), ("mlflow.trace.session", "\"s \\\"1\\\"\"")],
            "type=workflow_run workflow=predict session=s \"1\""
        ),
        Rule(
            "MLflow",
            "ChatOpenAI",
            [
                ("mlflow.spanType", "\"CHAT_MODEL\""), ("model", "\"gpt-4\""),
                ("mlflow.llm.model", "\"gpt-4-0613\""),
                ("mlflow.chat.tokenUsage", #"{"input_tokens":5,"output_tokens":2,"total_tokens":7}"#),
            ],
            "type=model_generation model=gpt-4 response=gpt-4-0613 in=5 out=2"
        ),
        Rule(
            "AI SDK",
            "ai.generateText",
            [
                ("ai.operationId", "ai.generateText"), ("ai.model.provider", "anthropic.messages"),
                ("ai.model.id", "c"),
                ("ai.usage.promptTokens", 4),
            ],
            "type=agent_run model=c provider=anthropic in=4"
        ),
        Rule(
            "AI SDK",
            "ai.streamObject.doStream",
            [
                ("ai.operationId", "ai.streamObject.doStream"), ("gen_ai.system", "openai.chat"),
                ("ai.response.msToFirstChunk", 12.5),
            ],
            "type=model_generation provider=openai ttft=12.5"
        ),
        Rule(
            "AI SDK 7",
            "invoke_agent gpt-4",
            scope: "gen_ai",
            [("gen_ai.operation.name", "invoke_agent"), ("gen_ai.agent.name", "planner")],
            "type=agent_run agent=planner"
        ),
        Rule(
            "AI SDK 7",
            "step 1",
            scope: "gen_ai",
            [("gen_ai.operation.name", "agent_step")],
            "type=generic"
        ),
        Rule(
            "Claude Code",
            "claude_code.llm_request",
            [
                ("span.type", "llm_request"), ("model", "claude"), ("input_tokens", "3"),
                ("output_tokens", 5),
                ("cache_read_tokens", 10), ("cache_creation_tokens", 2), ("success", "false"),
                ("stop_reason", "end"),
            ],
            "type=model_generation model=claude error= in=15 out=5 read=10 write=2 finish=end"
        ),
        Rule(
            "Claude Code",
            "claude_code.tool",
            [("span.type", "tool"), ("tool_name", "mcp__srv__do__it")],
            "type=mcp_tool_call tool=do__it"
        ),
        Rule("not Claude Code", "some span", [("span.type", "tool"), ("tool_name", "x")], "type=generic"),
    ]

    private static let frameworks: [Rule] = [
        Rule(
            "pydantic-ai 1",
            "agent run",
            scope: "pydantic-ai",
            [("agent_name", "a"), ("model_name", "m")],
            "type=agent_run agent=a model=m"
        ),
        Rule("pydantic-ai 1", "running tool: look", scope: "pydantic-ai", [], "type=tool_call tool=look"),
        Rule("pydantic-ai 1", "running tools", scope: "pydantic-ai", [], "type=generic"),
        Rule(
            "Strands",
            "chat",
            [
                ("gen_ai.operation.name", "chat"), ("gen_ai.system", "strands-agents"),
                ("gen_ai.usage.prompt_tokens", 5), ("gen_ai.usage.input_tokens", 5),
                ("gen_ai.usage.cache_write_input_tokens", 1),
            ],
            "type=model_generation in=5 write=1"
        ),
        Rule("Strands", "invoke_swarm", [("gen_ai.operation.name", "invoke_swarm")], "type=workflow_run"),
        Rule("Strands", "cycle", [("gen_ai.operation.name", "execute_event_loop_cycle")], "type=generic"),
        Rule(
            "Agent Framework",
            "invoke_agent A",
            [
                ("gen_ai.operation.name", "invoke_agent"),
                ("gen_ai.provider.name", "microsoft.agent_framework"),
                ("gen_ai.agent.name", "A"),
            ],
            "type=agent_run agent=A"
        ),
        Rule(
            "Agent Framework",
            "workflow.run",
            scope: "agent_framework",
            root: true,
            [("workflow.name", "w")],
            "type=workflow_run workflow=w"
        ),
        Rule("Agent Framework", "executor.process step", scope: "agent_framework", [], "type=workflow_step"),
        Rule("Agent Framework", "message.send", scope: "agent_framework", [], "type=generic"),
        Rule(
            "Agent Development Kit",
            "generate_content openai/gpt",
            scope: "gcp.vertex.agent",
            [
                ("gen_ai.operation.name", "generate_content"), ("gen_ai.system", "openai"),
                ("gen_ai.request.model", "openai/gpt"), ("gcp.vertex.agent.session_id", "s"),
            ],
            "type=model_generation model=gpt provider=openai session=s"
        ),
        Rule(
            "Agent Development Kit",
            "generate_content",
            scope: "gcp.vertex.agent",
            [
                ("gen_ai.operation.name", "generate_content"), ("gen_ai.system", "gcp.vertex.agent"),
                ("gen_ai.request.model", "models/gemini"),
            ],
            "type=model_generation model=models/gemini"
        ),
        Rule(
            "Agent Development Kit",
            "execute_tool (merged)",
            scope: "gcp.vertex.agent",
            [("gen_ai.operation.name", "execute_tool")],
            "type=generic"
        ),
        Rule(
            "Agent Development Kit 1",
            "call_llm",
            scope: "gcp.vertex.agent",
            [("gen_ai.system", "gcp.vertex.agent"), ("gen_ai.request.model", "gemini")],
            "type=model_generation model=gemini"
        ),
    ]

    private static let tokens: [Rule] = [
        Rule(
            "rule 2",
            "chat",
            [
                ("gen_ai.operation.name", "chat"), ("gen_ai.provider.name", "anthropic"),
                ("gen_ai.usage.input_tokens", 5), ("gen_ai.usage.cache_read_input_tokens", 100),
            ],
            "type=model_generation provider=anthropic in=105 read=100"
        ),
        Rule(
            "rule 2",
            "chat",
            [
                ("gen_ai.operation.name", "chat"), ("gen_ai.provider.name", "openai"),
                ("gen_ai.usage.input_tokens", 5), ("gen_ai.usage.cache_read_input_tokens", 100),
            ],
            "type=model_generation provider=openai in=5 read=100"
        ),
        Rule(
            "rule 6",
            "chat",
            [
                ("gen_ai.operation.name", "chat"), ("gen_ai.usage.input_tokens", "12"),
                ("gen_ai.usage.output_tokens", 3.0),
            ],
            "type=model_generation in=12 out=3"
        ),
        Rule(
            "rule 6",
            "chat",
            [
                ("gen_ai.operation.name", "chat"), ("gen_ai.usage.input_tokens", "many"),
                ("gen_ai.usage.prompt_tokens", 4), ("gen_ai.usage.output_tokens", -1),
            ],
            "type=model_generation in=4"
        ),
        Rule(
            "synonyms",
            "chat",
            [
                ("gen_ai.operation.name", "chat"), ("llm.token_count.prompt", 9),
                ("gen_ai.usage.prompt_tokens", 8),
                ("gen_ai.usage.input_tokens", 7),
            ],
            "type=model_generation in=7"
        ),
        Rule(
            "bare names of others",
            "chat",
            [("gen_ai.operation.name", "chat"), ("input_tokens", 7), ("model", "m")],
            "type=model_generation"
        ),
    ]
}
