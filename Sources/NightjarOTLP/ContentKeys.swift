/// Where each convention puts what went into a span and what came out: `otlp-mapping.md` section 14 as a table.
/// A convention's own keys come first, then everybody's.
struct ContentKeys: Sendable {
    /// The keys of input, by precedence.
    static let input = ContentKeys(
        own: [
            .openInference: ["input.value"],
            .traceloop: ["traceloop.entity.input"],
            .vercel: ["ai.toolCall.args", "ai.prompt.messages", "ai.prompt"],
            .langfuse: ["langfuse.observation.input"],
            .langsmith: ["gen_ai.prompt"],
            .mlflow: ["mlflow.spanInputs"],
            .claudeCode: ["user_prompt", "tool_input", "tool_parameters"],
            .pydanticAI: ["tool_arguments"],
        ],
        common: [
            "gen_ai.tool.call.arguments", "gen_ai.input.messages", "input.value", "traceloop.entity.input",
            "ai.toolCall.args", "ai.prompt.messages", "ai.prompt", "tool_arguments",
            "langfuse.observation.input", "gen_ai.prompt", "mlflow.spanInputs",
            "gcp.vertex.agent.tool_call_args", "gcp.vertex.agent.llm_request",
        ]
    )

    /// The keys of output, by precedence.
    static let output = ContentKeys(
        own: [
            .openInference: ["output.value"],
            .traceloop: ["traceloop.entity.output"],
            .vercel: [
                "ai.response.text", "ai.response.object", "ai.response.toolCalls", "ai.toolCall.result",
            ],
            .langfuse: ["langfuse.observation.output"],
            .langsmith: ["gen_ai.completion"],
            .mlflow: ["mlflow.spanOutputs"],
            .claudeCode: ["tool_result", "response"],
            .pydanticAI: ["tool_response", "final_result"],
        ],
        common: [
            "gen_ai.tool.call.result", "gen_ai.output.messages", "output.value", "traceloop.entity.output",
            "ai.toolCall.result", "ai.response.text", "ai.response.object", "ai.response.toolCalls",
            "tool_response", "final_result", "langfuse.observation.output", "gen_ai.completion",
            "mlflow.spanOutputs", "gcp.vertex.agent.tool_response", "gcp.vertex.agent.llm_response",
        ]
    )

    /// Whole conversations of pydantic-ai: input up to the last request, output the message after it.
    static let conversations = [symbol("pydantic_ai.all_messages"), symbol("all_messages_events")]
    /// The same of its first instrumentation, on requests.
    static let conversationEvents = [symbol("events")]
    /// What went into a trace, on its root.
    static let traceInput = [symbol("langfuse.trace.input")]
    /// What came out of a trace, on its root.
    static let traceOutput = [symbol("langfuse.trace.output")]
    /// A span's type in Mastra's own word, which is part of its keys.
    static let mastraType = [symbol("mastra.span.type")]
    /// Instructions that stand beside the messages.
    static let instructions = [symbol("gen_ai.system_instructions")]
    /// Old Mastra exporters' copies.
    static let mastraInput = [symbol("input")]
    /// Old Mastra exporters' copies.
    static let mastraOutput = [symbol("output")]
    /// OpenInference's form of the input.
    static let inputForm = [symbol("input.mime_type")]
    /// OpenInference's form of the output.
    static let outputForm = [symbol("output.mime_type")]
    /// Lists of tags, each convention's.
    static let tags = [
        symbol("tag.tags"), symbol("langfuse.trace.tags"), symbol("mastra.tags"),
        symbol("langsmith.span.tags"), symbol("ai.telemetry.metadata.tags"),
    ]
    /// The agent's id, not its name.
    static let agentID = [symbol("gen_ai.agent.id"), symbol("agent.id")]
    /// The workflow's id, not its name.
    static let workflowID = [symbol("workflow.id")]
    /// What a step is called, where not its span.
    static let stepName = [
        symbol("traceloop.entity.name"), symbol("langsmith.metadata.langgraph_node"),
        symbol("graph.node.name"), symbol("graph.node.id"),
    ]

    private let byConvention: [[Int32]]

    private init(own: [Convention: [StaticString]], common: [StaticString]) {
        byConvention = Convention.allCases.map { convention in
            ((own[convention] ?? []) + common).map { symbol($0) }
        }
    }

    /// The keys to look at in a span of a convention, as symbols.
    func keys(_ convention: Convention) -> [Int32] { byConvention[Int(convention.rawValue)] }
}
