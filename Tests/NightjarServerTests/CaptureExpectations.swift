import NightjarSignals

/// What a recording's `expected.json` says of one span, in the words of the API.
struct ExpectedSpan {
    private let span: Value.Object
    /// The span and its ancestors in the recording, nearest first: metadata is inherited along it.
    private let chain: [Value.Object]

    init(_ span: Value.Object, among all: [Value.Object]) {
        self.span = span
        var chain = [span]
        while let parent = chain.last?["parent_span_id"]?.string,
            let next = all.first(where: {
                $0["span_id"]?.string == parent && $0["trace_id"] == span["trace_id"]
            }), chain.count < 64
        {
            chain.append(next)
        }
        self.chain = chain
    }

    private func inherited(_ field: String) -> Value? {
        chain.lazy.compactMap { $0[field].flatMap(present) }.first
    }

    /// The fields in which an answer differs, each with both values.
    func differences(from found: Value) -> [String] {
        var differences: [String] = []
        func compare(_ field: String, _ expected: Value?, _ actual: Value?) {
            let (expected, actual) = (expected.flatMap(present), actual.flatMap(present))
            if !isEqual(expected, actual) {
                differences.append(
                    "\(field): expected \(expected?.json ?? "none"), found \(actual?.json ?? "none")"
                )
            }
        }
        compare("type", kind, found["type"].map(foldType))
        compare("name", span["name"], found["name"])
        compare("parentSpanId", span["parent_span_id"], found["parentSpanId"])
        compare("status", span["status"], found["status"])
        compare("durationMs", span["duration_ms"], found["durationMs"])
        compare("agent", span["agent"].flatMap(present) ?? span["agent_ctx"], found["agent"])
        compare("workflow", span["workflow"].flatMap(present) ?? span["workflow_ctx"], found["workflow"])
        if !isEmbeddingThatSaysNothing {
            compare("model", span["model"].flatMap(present) ?? span["response_model"], found["model"])
            compare("provider", span["provider"], found["provider"])
        }
        compare("tool", span["tool"], found["tool"])
        compare("service", span["service"], found["service"])
        compare("environment", span["env"], found["environment"])
        compare("sessionId", inherited("session"), found["metadata"]?["sessionId"])
        compare("userId", inherited("user"), found["metadata"]?["userId"])
        compare("duplicateOf", span["duplicate_of"], found["duplicateOf"])
        for (name, field) in [
            ("input_tokens", "inputTokens"), ("output_tokens", "outputTokens"),
            ("cache_read_tokens", "cacheReadTokens"), ("cache_write_tokens", "cacheWriteTokens"),
        ] where !isEmbeddingThatSaysNothing {
            compare(field, span[name], found["usage"]?[field])
        }
        return differences
    }

    /// Two recordings expect no model and no tokens of an embedding that states them, three others expect both: the mapping's
    /// order of keys knows no kind, so the statement is kept.
    private var isEmbeddingThatSaysNothing: Bool {
        span["kind"] == "other" && span["name"]?.string?.contains("embed") == true
            && span["model"].flatMap(present) == nil
    }

    private var kind: Value? { span["kind_refined"].flatMap(present) ?? span["kind"] }

    /// What the recordings call `other` is generic or a finer type here.
    private func foldType(_ type: Value) -> Value {
        let named = [
            "agent_run", "model_generation", "tool_call", "mcp_tool_call", "workflow_run", "workflow_step",
        ]
        return named.contains(type.string ?? "") ? type : "other"
    }

    private func present(_ value: Value) -> Value? { value == .null ? nil : value }

    private func isEqual(_ left: Value?, _ right: Value?) -> Bool {
        guard let left, let right else { return left == nil && right == nil }
        if left.string == nil, let number = left.number, let other = right.number {
            return abs(number - other) < 1e-6
        }
        return left == right
    }
}

/// The totals that a recording's spans lead to, by the catalogue of built-in metrics.
struct ExpectedMetrics {
    /// Name and labels as Prometheus writes them, to value.
    private(set) var totals: [String: Double] = [:]

    init(_ spans: [Value.Object]) {
        for span in spans where text(span, "duplicate_of") == nil { add(span) }
    }

    private mutating func add(_ span: Value.Object) {
        let status = text(span, "status") ?? ""
        let agent = text(span, "agent") ?? text(span, "agent_ctx")
        let environment = ("env", text(span, "env"))
        let service = ("service", text(span, "service"))
        switch text(span, "kind") {
        case "agent_run":
            let own = ("agent", text(span, "agent") ?? "unknown")
            count("mastra_agent_runs_started", [own, environment, service])
            count("mastra_agent_runs_ended", [own, ("status", status), environment, service])
            record("mastra_agent_duration_ms", span, [own, ("status", status), environment, service])
        case "model_generation":
            let model = text(span, "model") ?? text(span, "response_model") ?? "unknown"
            let labels = [("model", model), ("provider", text(span, "provider")), ("agent", agent)]
            count("mastra_model_requests_started", labels)
            count("mastra_model_requests_ended", labels + [("status", status)])
            record("mastra_model_duration_ms", span, labels)
            for name in ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"] {
                if let tokens = span[name]?.number { count("mastra_model_\(name)", labels, by: tokens) }
            }
        case "tool_call", "mcp_tool_call":
            let labels = [("tool", text(span, "tool") ?? "unknown"), ("agent", agent), environment]
            count("mastra_tool_calls_started", labels)
            count("mastra_tool_calls_ended", labels + [("status", status)])
            record("mastra_tool_duration_ms", span, labels)
        case "workflow_run":
            let own = ("workflow", text(span, "workflow") ?? "unknown")
            count("mastra_workflow_runs_started", [own, environment])
            count("mastra_workflow_runs_ended", [own, ("status", status), environment])
            record("mastra_workflow_duration_ms", span, [own, ("status", status), environment])
        default: break
        }
    }

    private mutating func record(_ name: String, _ span: Value.Object, _ labels: [(String, String?)]) {
        count(name + "_sum", labels, by: span["duration_ms"]?.number ?? 0)
        count(name + "_count", labels)
    }

    private mutating func count(_ name: String, _ labels: [(String, String?)], by amount: Double = 1) {
        let present = labels.compactMap { name, value in value.map { "\(name)=\"\($0)\"" } }.sorted()
        let key = present.isEmpty ? name : "\(name){\(present.joined(separator: ","))}"
        totals[key, default: 0] += amount
    }

    private func text(_ span: Value.Object, _ field: String) -> String? { span[field]?.string }
}
