/// The words in which one instrumentation writes spans of agents and models.
struct Vocabulary: Sendable {
    /// The instrumentation scope.
    var scope = "nightjar.bench.agents"
    /// The attribute that says what kind a span is.
    var kindKey = "gen_ai.operation.name"
    /// The word for each kind; a kind without one is not marked.
    var kinds: [PlannedSpan.Role: String] = [
        .agent: "invoke_agent", .chat: "chat", .tool: "execute_tool", .workflow: "invoke_workflow",
        .libraryCall: "chat",
    ]
    /// Another attribute that marks chats.
    var chatMark: (key: String, word: String)?
    var agentKey = "gen_ai.agent.name"
    var toolKey = "gen_ai.tool.name"
    var workflowKey = "gen_ai.workflow.name"
    var stepKey = "app.step"
    var modelKey = "gen_ai.request.model"
    var responseModelKey = "gen_ai.response.model"
    var providerKey = "gen_ai.provider.name"
    var sessionKey = "gen_ai.conversation.id"
    var inputTokens = "gen_ai.usage.input_tokens"
    var outputTokens = "gen_ai.usage.output_tokens"
    var cacheRead = "gen_ai.usage.cache_read.input_tokens"
    var cacheWrite = "gen_ai.usage.cache_creation.input_tokens"
    /// What an agent run says of the tokens of its chats; not to be counted.
    var aggregateInput: String?
    var input = "gen_ai.input.messages"
    var output = "gen_ai.output.messages"
    var arguments = "gen_ai.tool.call.arguments"
    var result = "gen_ai.tool.call.result"
    /// Whether span names begin with the operation.
    var namesOperations = true

    /// The words of a service: the fleet mixes instrumentations as real ones do.
    static func of(service: Int) -> Vocabulary { mixed[service % mixed.count] }

    private static let mixed = [genAI, genAI, genAI, oldGenAI, openInference, traceloop, pydanticAI, mastra]

    /// OpenTelemetry's GenAI conventions from 1.37.
    static let genAI = Vocabulary()

    /// The same before tokens and providers got their present names.
    static let oldGenAI: Vocabulary = {
        var words = Vocabulary()
        words.providerKey = "gen_ai.system"
        words.inputTokens = "gen_ai.usage.prompt_tokens"
        words.outputTokens = "gen_ai.usage.completion_tokens"
        words.cacheRead = "gen_ai.usage.cache_read_input_tokens"
        words.cacheWrite = "gen_ai.usage.cache_creation_input_tokens"
        words.input = "gen_ai.prompt"
        words.output = "gen_ai.completion"
        return words
    }()

    private static let openInference: Vocabulary = {
        var words = Vocabulary()
        words.scope = "openinference.instrumentation.langchain"
        words.kindKey = "openinference.span.kind"
        words.kinds = [.agent: "AGENT", .chat: "LLM", .tool: "TOOL", .workflow: "CHAIN", .step: "CHAIN"]
        words.agentKey = "agent.name"
        words.toolKey = "tool.name"
        words.workflowKey = "app.workflow"
        words.modelKey = "llm.model_name"
        words.responseModelKey = "llm.response.model_name"
        words.providerKey = "llm.provider"
        words.sessionKey = "session.id"
        words.inputTokens = "llm.token_count.prompt"
        words.outputTokens = "llm.token_count.completion"
        words.cacheRead = "llm.token_count.prompt_details.cache_read"
        words.cacheWrite = "llm.token_count.prompt_details.cache_write"
        (words.input, words.output) = ("input.value", "output.value")
        (words.arguments, words.result) = ("input.value", "output.value")
        words.namesOperations = false
        return words
    }()

    private static let traceloop: Vocabulary = {
        var words = oldGenAI
        words.scope = "opentelemetry.instrumentation.langchain"
        words.kindKey = "traceloop.span.kind"
        words.kinds = [.agent: "agent", .tool: "tool", .workflow: "workflow", .step: "task"]
        words.chatMark = ("llm.request.type", "chat")
        (words.agentKey, words.toolKey) = ("traceloop.entity.name", "traceloop.entity.name")
        (words.workflowKey, words.stepKey) = ("traceloop.entity.name", "traceloop.entity.name")
        words.sessionKey = "traceloop.association.properties.session_id"
        (words.arguments, words.result) = ("traceloop.entity.input", "traceloop.entity.output")
        words.namesOperations = false
        return words
    }()

    private static let pydanticAI: Vocabulary = {
        var words = Vocabulary()
        words.scope = "pydantic-ai"
        words.aggregateInput = "gen_ai.aggregated_usage.input_tokens"
        return words
    }()

    private static let mastra: Vocabulary = {
        var words = Vocabulary()
        words.scope = "@mastra/otel-exporter"
        words.kindKey = "mastra.span.type"
        words.kinds = [
            .agent: "agent_run", .chat: "model_generation", .tool: "tool_call", .workflow: "workflow_run",
            .step: "workflow_step",
        ]
        return words
    }()
}
