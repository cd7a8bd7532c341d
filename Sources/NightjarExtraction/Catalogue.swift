package import NightjarBus
import NightjarSignals

/// The built-in metrics: exactly the names, types and labels of the signals contract, section 7, in its order.
package struct Catalogue: Sendable {
    /// One built-in metric.
    struct Metric: Sendable {
        let name: String
        let type: MetricType
        let help: String
        let labels: [LabelName]
    }

    /// Where a label's value comes from.
    enum LabelName: String, Sendable {
        case agent, model, provider, tool, workflow, status, env, service
        case scorer, experiment, source
        case entityType = "entity_type"
        case feedbackType = "feedback_type"
    }

    /// The metrics that are kept, by their place in `metrics`; a disabled one is nil.
    let instruments: [InstrumentID?]

    /// Declares the metrics, with a prefix before every name, leaving out the names listed (without prefix).
    package init(
        _ registry: MetricRegistry,
        prefix: String = "",
        disabled: Set<String> = []
    ) throws(MetricError) {
        var instruments: [InstrumentID?] = []
        for metric in Self.metrics {
            if disabled.contains(metric.name) {
                instruments.append(nil)
            } else {
                instruments.append(
                    try registry.instrument(
                        InstrumentDescriptor(name: prefix + metric.name, type: metric.type, help: metric.help)
                    )
                )
            }
        }
        self.instruments = instruments
    }

    /// The names of all metrics of the catalogue.
    package static var names: [String] { metrics.map(\.name) }

    // Places in `metrics`.
    static let agentStarted = 0
    static let agentEnded = 1
    static let agentDuration = 2
    static let modelStarted = 3
    static let modelEnded = 4
    static let modelDuration = 5
    static let modelInput = 6
    static let modelOutput = 7
    static let modelCacheRead = 8
    static let modelCacheWrite = 9
    static let toolStarted = 10
    static let toolEnded = 11
    static let toolDuration = 12
    static let workflowStarted = 13
    static let workflowEnded = 14
    static let workflowDuration = 15
    static let scores = 16
    static let feedback = 17

    static let metrics: [Metric] = [
        Metric(
            name: "mastra_agent_runs_started",
            type: .counter,
            help: "Agent runs that began",
            labels: [.agent, .env, .service]
        ),
        Metric(
            name: "mastra_agent_runs_ended",
            type: .counter,
            help: "Agent runs that ended",
            labels: [.agent, .status, .env, .service]
        ),
        Metric(
            name: "mastra_agent_duration_ms",
            type: .histogram,
            help: "Duration of agent runs in milliseconds",
            labels: [.agent, .status, .env, .service]
        ),
        Metric(
            name: "mastra_model_requests_started",
            type: .counter,
            help: "Model requests that began",
            labels: [.model, .provider, .agent]
        ),
        Metric(
            name: "mastra_model_requests_ended",
            type: .counter,
            help: "Model requests that ended",
            labels: [.model, .provider, .agent, .status]
        ),
        Metric(
            name: "mastra_model_duration_ms",
            type: .histogram,
            help: "Duration of model requests in milliseconds",
            labels: [.model, .provider, .agent]
        ),
        Metric(
            name: "mastra_model_input_tokens",
            type: .counter,
            help: "Tokens sent to models, cached ones included",
            labels: [.model, .provider, .agent]
        ),
        Metric(
            name: "mastra_model_output_tokens",
            type: .counter,
            help: "Tokens that models answered",
            labels: [.model, .provider, .agent]
        ),
        Metric(
            name: "mastra_model_cache_read_tokens",
            type: .counter,
            help: "Input tokens read from a cache",
            labels: [.model, .provider, .agent]
        ),
        Metric(
            name: "mastra_model_cache_write_tokens",
            type: .counter,
            help: "Input tokens written to a cache",
            labels: [.model, .provider, .agent]
        ),
        Metric(
            name: "mastra_tool_calls_started",
            type: .counter,
            help: "Tool calls that began",
            labels: [.tool, .agent, .env]
        ),
        Metric(
            name: "mastra_tool_calls_ended",
            type: .counter,
            help: "Tool calls that ended",
            labels: [.tool, .agent, .status, .env]
        ),
        Metric(
            name: "mastra_tool_duration_ms",
            type: .histogram,
            help: "Duration of tool calls in milliseconds",
            labels: [.tool, .agent, .env]
        ),
        Metric(
            name: "mastra_workflow_runs_started",
            type: .counter,
            help: "Workflow runs that began",
            labels: [.workflow, .env]
        ),
        Metric(
            name: "mastra_workflow_runs_ended",
            type: .counter,
            help: "Workflow runs that ended",
            labels: [.workflow, .status, .env]
        ),
        Metric(
            name: "mastra_workflow_duration_ms",
            type: .histogram,
            help: "Duration of workflow runs in milliseconds",
            labels: [.workflow, .status, .env]
        ),
        Metric(
            name: "mastra_scores_total",
            type: .counter,
            help: "Scores given",
            labels: [.scorer, .entityType, .experiment]
        ),
        Metric(
            name: "mastra_feedback_total",
            type: .counter,
            help: "Feedback given",
            labels: [.feedbackType, .source, .entityType, .experiment]
        ),
    ]
}
