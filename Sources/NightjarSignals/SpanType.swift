/// What a span is about. An unknown type is kept as its text and treated like ``generic``.
public enum SpanType: UInt8, Sendable, CaseIterable {
    /// Anything without a meaning of its own here.
    case generic
    /// One run of an agent.
    case agentRun
    /// One request to a model.
    case modelGeneration
    /// One provider call within a generation that takes several.
    case modelStep
    /// One chunk of a streamed answer.
    case modelChunk
    /// One call of a tool.
    case toolCall
    /// One call of a tool through the Model Context Protocol.
    case mcpToolCall
    /// One run of an input or output processor.
    case processorRun
    /// One run of a workflow.
    case workflowRun
    /// One step of a workflow.
    case workflowStep
    /// A conditional of a workflow.
    case workflowConditional
    /// The evaluation of one condition.
    case workflowConditionalEval
    /// A parallel section of a workflow.
    case workflowParallel
    /// A loop of a workflow.
    case workflowLoop
    /// A pause of a workflow.
    case workflowSleep
    /// A workflow waiting for an event.
    case workflowWaitEvent

    /// The name in JSON, Lua and the store.
    public var name: String { Self.names[Int(rawValue)].description }

    /// The type of a name; nil for one that is not known.
    public init?(name: some StringProtocol) {
        guard let type = Self.byName[String(name)] else { return nil }
        self = type
    }

    /// Whether the span is a tool call, by whatever protocol.
    public var isTool: Bool { self == .toolCall || self == .mcpToolCall }

    /// The names, in the order of the raw values; the bytes live as long as the process.
    package static let names: [StaticString] = [
        "generic", "agent_run", "model_generation", "model_step", "model_chunk", "tool_call", "mcp_tool_call",
        "processor_run", "workflow_run", "workflow_step", "workflow_conditional", "workflow_conditional_eval",
        "workflow_parallel", "workflow_loop", "workflow_sleep", "workflow_wait_event",
    ]

    private static let byName = Dictionary(uniqueKeysWithValues: allCases.map { ($0.name, $0) })
}

/// The status of a span or trace.
public enum SpanStatus: UInt8, Sendable {
    /// It has not ended.
    case running
    /// It ended without an error.
    case ok
    /// It failed.
    case error

    /// The name in JSON, Lua and labels.
    public var name: String {
        switch self {
        case .running: "running"
        case .ok: "ok"
        case .error: "error"
        }
    }
}

/// On which side of a call a span stands, as OpenTelemetry defines it.
public enum SpanKind: UInt8, Sendable {
    /// Within one process; also what OTLP calls unspecified.
    case `internal` = 1
    /// The answering side of a remote call.
    case server
    /// The asking side of a remote call.
    case client
    /// The sender of a message.
    case producer
    /// The receiver of a message.
    case consumer

    /// The name in JSON and Lua.
    public var name: String {
        switch self {
        case .internal: "internal"
        case .server: "server"
        case .client: "client"
        case .producer: "producer"
        case .consumer: "consumer"
        }
    }
}

extension SpanType {
    /// What kind of thing runs in a span of this type; nil where that is not told by the type.
    public var entityType: String? {
        switch self {
        case .agentRun: "agent"
        case .toolCall, .mcpToolCall: "tool"
        case .workflowRun: "workflow_run"
        case .workflowStep: "workflow_step"
        default: nil
        }
    }
}
