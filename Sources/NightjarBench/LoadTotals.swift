import NightjarBus
import NightjarSignals

/// Sums of metrics over all their series, by `name` and by `name{status="…"}` and `name{model="…"}`.
struct LoadTotals: Sendable {
    private(set) var sums: [String: Double] = [:]
    /// Metrics of which some series went over the limit: their labels are not known.
    private(set) var overflowed: Set<String> = []

    /// Labels that are few enough to compare by.
    private static let labels = ["status", "model"]

    init() {}

    /// Adds one series.
    mutating func add(_ name: String, _ value: Double, labels: [String: String] = [:]) {
        sums[name, default: 0] += value
        for label in Self.labels {
            guard let text = labels[label] else { continue }
            sums["\(name){\(label)=\"\(text)\"}", default: 0] += value
        }
        if labels[SeriesTable.overflowLabel.name] != nil { overflowed.insert(name) }
    }

    /// Adds other sums to these.
    mutating func add(_ other: LoadTotals) {
        sums.merge(other.sums, uniquingKeysWith: +)
        overflowed.formUnion(other.overflowed)
    }

    /// Without the metrics of plugins, or of all but the named plugins.
    func leavingOutPlugins(but kept: Set<String> = []) -> LoadTotals {
        var rest = self
        rest.sums = sums.filter { key, _ in
            !key.hasPrefix("bench_") || kept.contains(String(key.prefix { $0 != "{" }))
        }
        return rest
    }

    /// Where the sums differ from what was expected, one line each.
    func differences(from expected: LoadTotals, times: Int) -> [String] {
        expected.sums.sorted { $0.key < $1.key }.compactMap { key, value in
            let name = key.prefix { $0 != "{" }
            if key.contains("{"), overflowed.contains(String(name)) { return nil }
            let wanted = value * Double(times)
            let found = sums[key] ?? 0
            // Sums of whole numbers are exact far beyond what a benchmark counts.
            return found == wanted ? nil : "\(key): \(found) instead of \(wanted)"
        }
    }
}

// MARK: - What is expected

extension LoadTotals {
    /// Adds what a trace has to be counted as.
    mutating func add(_ trace: PlannedSpan, spans: Int) {
        add("nightjar_spans_received_total", Double(spans))
        count(trace)
    }

    private mutating func count(_ span: PlannedSpan) {
        let status = span.hasFailed ? "error" : "ok"
        switch span.role {
        case .agent:
            counted("mastra_agent_runs", status)
            add("mastra_agent_duration_ms_count", 1, labels: ["status": status])
            add("bench_agent_runs_ms_count", 1)
        case .tool:
            counted("mastra_tool_calls", status)
            add("mastra_tool_duration_ms_count", 1)
            if span.hasFailed { add("bench_tool_failures_total", 1) }
        case .workflow:
            counted("mastra_workflow_runs", status)
            add("mastra_workflow_duration_ms_count", 1, labels: ["status": status])
        case .chat:
            counted("mastra_model_requests", status, ["model": span.name])
            add("mastra_model_duration_ms_count", 1, labels: ["model": span.name])
            if let usage = span.usage { count(usage, model: span.name) }
        // The inner ones are the same request or call again and count nothing; the rest is not of the catalogue.
        case .step, .wrapper, .protocolCall, .libraryCall, .request: break
        }
        for child in span.children { count(child) }
    }

    private mutating func counted(_ metric: String, _ status: String, _ labels: [String: String] = [:]) {
        add("\(metric)_started", 1, labels: labels)
        add("\(metric)_ended", 1, labels: labels.merging(["status": status]) { $1 })
    }

    private mutating func count(_ usage: PlannedSpan.Usage, model: String) {
        let labels = ["model": model]
        add("mastra_model_input_tokens", Double(usage.input), labels: labels)
        add("mastra_model_output_tokens", Double(usage.output), labels: labels)
        add("mastra_model_cache_read_tokens", Double(usage.cacheRead), labels: labels)
        add("mastra_model_cache_write_tokens", Double(usage.cacheWrite), labels: labels)
        add("bench_model_uses_total", 1, labels: labels)
    }
}

// MARK: - What was found

extension LoadTotals {
    /// What a ledger has counted.
    init(_ series: [StoredSeries]) {
        for one in series {
            let labels = Dictionary(one.labels.map { ($0.name, $0.value) }) { $1 }
            if one.instrument.type == .histogram {
                add(one.instrument.name + "_count", Double(one.total.count), labels: labels)
            } else {
                add(one.instrument.name, one.total.sum, labels: labels)
            }
        }
    }

    /// What a document in Prometheus' text format says; only of counters and of the counts of histograms.
    init(prometheus text: String) {
        for line in text.utf8.split(separator: UInt8(ascii: "\n")) where line.first != UInt8(ascii: "#") {
            guard let space = line.lastIndex(of: UInt8(ascii: " ")),
                let value = Double(String(decoding: line[line.index(after: space)...], as: UTF8.self))
            else { continue }
            let head = line[..<space]
            let name = String(decoding: head.prefix { $0 != UInt8(ascii: "{") }, as: UTF8.self)
            if name.hasSuffix("_bucket") || name.hasSuffix("_sum") { continue }
            add(
                name,
                value,
                labels: Self.labels(String(decoding: head.dropFirst(name.utf8.count), as: UTF8.self))
            )
        }
    }

    /// The labels of a line; no value that the load makes has quotes or commas.
    private static func labels(_ text: String) -> [String: String] {
        let pairs = text.dropFirst().dropLast().split(separator: ",").compactMap { pair in
            let parts = pair.split(separator: "=", maxSplits: 1)
            return parts.count == 2 ? (String(parts[0]), String(parts[1].dropFirst().dropLast())) : nil
        }
        return Dictionary(pairs) { $1 }
    }
}
