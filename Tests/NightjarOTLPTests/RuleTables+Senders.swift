/// The rules of further senders, and of counts.
extension RuleTables {
    static let others: [Rule] = [
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

    static let frameworks: [Rule] = [
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

    static let tokens: [Rule] = [
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
