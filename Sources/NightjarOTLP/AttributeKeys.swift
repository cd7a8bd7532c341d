/// Which attribute says what, by precedence: `otlp-mapping.md` section 1 as a table. Of several keys of one field that a
/// span has, the one that stands first here holds; they are never added.
enum AttributeKeys {
    static let byField: [(field: Field, keys: [StaticString])] =
        discriminators + values + counts + details + blobs + NativeKeys.byField

    private static let discriminators: [(field: Field, keys: [StaticString])] = [
        (.mastraType, ["mastra.span.type"]),
        (.openInferenceKind, ["openinference.span.kind"]),
        (.langfuseType, ["langfuse.observation.type"]),
        (.langsmithKind, ["langsmith.span.kind"]),
        (.mlflowType, ["mlflow.spanType"]),
        (.traceloopKind, ["traceloop.span.kind"]),
        (.claudeType, ["span.type"]),
        (.vercelOperation, ["ai.operationId"]),
        (.operation, ["gen_ai.operation.name"]),
        (.mcpMethod, ["mcp.method.name"]),
        (.llmRequestType, ["llm.request.type"]),
        (.logfireType, ["logfire.span_type"]),
        (.requestModel, ["gen_ai.request.model"]),
        (.system, ["gen_ai.provider.name", "gen_ai.system"]),
    ]

    private static let values: [(field: Field, keys: [StaticString])] = [
        (
            .provider,
            ["gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider"]
        ),
        (
            .model,
            [
                "gen_ai.request.model", "llm.request.model_name", "llm.model_name", "ai.model.id",
                "langfuse.observation.model.name",
            ]
        ),
        (
            .responseModel,
            [
                "gen_ai.response.model", "llm.response.model_name", "llm.model_name", "ai.response.model",
                "mlflow.llm.model",
            ]
        ),
        (.agent, ["gen_ai.agent.name", "agent.name"]),
        (.tool, ["gen_ai.tool.name", "tool.name"]),
        (.workflow, ["gen_ai.workflow.name", "traceloop.workflow.name", "workflow.name"]),
        (
            .session,
            [
                "gen_ai.conversation.id", "session.id", "langfuse.session.id",
                "traceloop.association.properties.session_id", "traceloop.association.properties.chat_id",
                "traceloop.association.properties.thread_id", "mlflow.trace.session",
                "langsmith.metadata.session_id", "langsmith.metadata.thread_id",
                "gcp.vertex.agent.session_id", "ai.telemetry.metadata.sessionId",
                "mastra.metadata.sessionId", "mastra.metadata.threadId",
            ]
        ),
        (
            .user,
            [
                "user.id", "enduser.id", "langfuse.user.id", "gen_ai.user", "llm.user",
                "traceloop.association.properties.user_id", "mlflow.trace.user", "langsmith.metadata.user_id",
                "ai.telemetry.metadata.userId", "mastra.metadata.userId",
            ]
        ),
        (.environment, ["langfuse.environment"]),
        (.errorType, ["error.type"]),
        (.errorMessage, ["error.message", "langfuse.observation.status_message"]),
        (
            .finishReason,
            [
                "gen_ai.response.finish_reasons", "gen_ai.response.finish_reason", "llm.finish_reason",
                "ai.response.finishReason",
            ]
        ),
    ]

    private static let counts: [(field: Field, keys: [StaticString])] = [
        (
            .inputTokens,
            [
                "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt",
                "llm.usage.prompt_tokens", "ai.usage.inputTokens", "ai.usage.promptTokens",
                "gen_ai.aggregated_usage.input_tokens",
            ]
        ),
        (
            .outputTokens,
            [
                "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
                "llm.usage.completion_tokens", "ai.usage.outputTokens", "ai.usage.completionTokens",
                "gen_ai.aggregated_usage.output_tokens",
            ]
        ),
        (
            .cacheReadTokens,
            [
                "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
                "gen_ai.usage.cached_input_tokens", "llm.token_count.prompt_details.cache_read",
                "ai.usage.inputTokenDetails.cacheReadTokens", "ai.usage.cachedInputTokens",
                "gen_ai.usage.details.cache_read_tokens", "gen_ai.usage.details.cached_tokens",
                "gen_ai.aggregated_usage.cache_read.input_tokens",
            ]
        ),
        (
            .cacheWriteTokens,
            [
                "gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens",
                "gen_ai.usage.cache_creation_input_tokens", "gen_ai.usage.cache_write_input_tokens",
                "gen_ai.usage.cache_write_tokens",
                "llm.token_count.prompt_details.cache_write", "ai.usage.inputTokenDetails.cacheWriteTokens",
                "gen_ai.aggregated_usage.cache_write.input_tokens",
                "gen_ai.aggregated_usage.cache_creation.input_tokens",
            ]
        ),
        (
            .reasoningTokens,
            [
                "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens",
                "llm.token_count.completion_details.reasoning", "ai.usage.outputTokenDetails.reasoningTokens",
                "ai.usage.reasoningTokens", "gen_ai.usage.details.reasoning_tokens",
                "gen_ai.aggregated_usage.details.reasoning_tokens",
            ]
        ),
        (.cost, ["operation.cost", "llm.cost.total", "gen_ai.usage.cost"]),
        (.bareCost, ["cost_usd"]),
        (
            .secondsToFirstToken,
            ["gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token"]
        ),
        (
            .firstTokenInstant,
            ["langfuse.observation.completion_start_time", "mastra.completion_start_time"]
        ),
        (.millisecondsToFirstToken, ["ai.response.msToFirstChunk", "ttft_ms"]),
        (.latencyToFirstToken, ["llm.latency.time_to_first_token"]),
    ]

    private static let details: [(field: Field, keys: [StaticString])] = [
        (.agentID, ["gen_ai.agent.id", "agent.id"]),
        (.graphNode, ["graph.node.name", "graph.node.id"]),
        (.entityName, ["traceloop.entity.name"]),
        (.functionID, ["ai.telemetry.functionId", "resource.name"]),
        (.vercelTool, ["ai.toolCall.name"]),
        (.workflowID, ["workflow.id"]),
        (.pydanticAgent, ["agent_name"]),
        (.pydanticModel, ["model_name"]),
        (.bareSession, ["sessionId", "threadId"]),
        (.bareUser, ["userId"]),
        (.bareModel, ["model"]),
        (.bareTool, ["tool_name"]),
        (.bareInputTokens, ["input_tokens"]),
        (.bareOutputTokens, ["output_tokens"]),
        (.bareCacheReadTokens, ["cache_read_tokens"]),
        (.bareCacheWriteTokens, ["cache_creation_tokens"]),
        (.success, ["success"]),
        (.bareError, ["error"]),
        (.toolStatus, ["gen_ai.tool.status"]),
        (.langfuseLevel, ["langfuse.observation.level"]),
        (.stopReason, ["stop_reason"]),
        (
            .verdict,
            [
                // A list of OpenInference's begins at 0, and each of its items has a name.
                "evaluations.0.evaluation.name", "annotations.0.annotation.name",
                "trace.evaluations.0.evaluation.name", "trace.annotations.0.annotation.name",
                "session.evaluations.0.evaluation.name", "session.annotations.0.annotation.name",
            ]
        ),
        (.langChainAgent, ["langsmith.metadata.lc_agent_name"]),
        (.langGraphNode, ["langsmith.metadata.langgraph_node"]),
    ]

    private static let blobs: [(field: Field, keys: [StaticString])] = [
        (.langfuseUsage, ["langfuse.observation.usage_details"]),
        (.langfuseCost, ["langfuse.observation.cost_details"]),
        (.mlflowUsage, ["mlflow.chat.tokenUsage"]),
        (.langsmithUsage, ["langsmith.metadata.usage_metadata"]),
        (.inputDetails, ["gen_ai.usage.input_token_details"]),
        (.outputDetails, ["gen_ai.usage.output_token_details"]),
        (.metadata, ["metadata"]),
    ]
}
