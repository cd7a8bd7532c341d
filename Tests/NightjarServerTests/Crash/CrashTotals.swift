/// What must come of a load, known by whoever made it.
struct CrashTotals: Sendable {
    /// A metric and some of its labels: all series that have those are added up.
    struct Place: Hashable, Sendable, CustomStringConvertible {
        let name: String
        let labels: [String: String]

        init(_ name: String, _ labels: [String: String] = [:]) { (self.name, self.labels) = (name, labels) }

        var description: String { "\(name)\(labels.sorted { $0.key < $1.key })" }

        /// The sum of what `/metrics` has there.
        func value(in metrics: [String: Double]) -> Double {
            metrics.reduce(0) { sum, line in
                guard line.key == name || line.key.hasPrefix(name + "{") else { return sum }
                let fits = labels.allSatisfy { line.key.contains("\($0.key)=\"\($0.value)\"") }
                return fits ? sum + line.value : sum
            }
        }
    }

    private(set) var metrics: [Place: Double] = [:]
    /// How many spans each trace has.
    private(set) var spans: [String: Int] = [:]
    /// The last value of each score and feedback by id.
    var annotations: [String: Double] = [:]
    /// The totals of metrics that were received.
    var received: [String: Double] = [:]
    /// Log lines and observations, which have no id.
    var unnamed: [String] = []

    mutating func count(_ name: String, _ labels: [String: String] = [:], by value: Double = 1) {
        metrics[Place(name, labels), default: 0] += value
    }

    mutating func add(_ root: CrashSpan, _ children: [CrashSpan]) {
        spans[root.trace] = children.count + 1
        addRun(root.agent, duration: root.milliseconds)
        count("crash_traces_ended_total", ["agent": root.agent])
        count("mastra_scores_total", ["scorer": "crash_size"])
        for child in children { add(child) }
    }

    /// A run that came as an event.
    mutating func addNativeRun(_ trace: String, duration: Int) {
        spans[trace] = 1
        addRun("native", duration: duration)
        count("crash_traces_ended_total", ["agent": "native"])
        count("mastra_scores_total", ["scorer": "crash_size"])
    }

    /// A run whose trace is deleted.
    mutating func addDoomed(_ root: CrashSpan) { addRun(root.agent, duration: root.milliseconds) }

    private mutating func addRun(_ agent: String, duration: Int) {
        count("mastra_agent_runs_started", ["agent": agent])
        count("mastra_agent_runs_ended", ["agent": agent, "status": "ok"])
        count("mastra_agent_duration_ms_count", ["agent": agent])
        count("mastra_agent_duration_ms_sum", ["agent": agent], by: Double(duration))
        count("crash_spans_total", ["type": "agent_run", "status": "ok"])
        count("crash_state_runs_total")
    }

    private mutating func add(_ span: CrashSpan) {
        let status = span.isError ? "error" : "ok"
        switch span.kind {
        case .agent: break
        case .chat(let model, let input, let output):
            let labels = ["agent": span.agent, "model": model]
            count("mastra_model_requests_started", labels)
            count("mastra_model_requests_ended", labels.merging(["status": status]) { $1 })
            count("mastra_model_duration_ms_sum", labels, by: Double(span.milliseconds))
            count("mastra_model_input_tokens", labels, by: Double(input))
            count("mastra_model_output_tokens", labels, by: Double(output))
            count("crash_tokens_sum", ["agent": span.agent], by: Double(input))
            count("crash_tokens_count", ["agent": span.agent])
            count("crash_spans_total", ["type": "model_generation", "status": status])
        case .tool(let tool):
            let labels = ["agent": span.agent, "tool": tool]
            count("mastra_tool_calls_started", labels)
            count("mastra_tool_calls_ended", labels.merging(["status": status]) { $1 })
            count("mastra_tool_duration_ms_count", labels)
            count("crash_spans_total", ["type": "tool_call", "status": status])
        }
    }

    /// The metrics that are not what they must be, with what they are.
    func wrong(in found: [String: Double]) -> [String] {
        metrics.compactMap { place, wanted in
            let value = place.value(in: found)
            return value == wanted ? nil : "\(place) is \(value), not \(wanted)"
        }.sorted()
    }
}
