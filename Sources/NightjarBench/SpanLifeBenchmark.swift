import Foundation
import Nightjar
import NightjarBus
import NightjarSignals

/// What a span costs the program that makes it: start and end with attributes, correlation and a metric, through
/// `Observability`, on the thread that does it; and what it costs altogether until it is counted. Beside it a span that is
/// nothing but dictionaries in a list.
enum SpanLifeBenchmark {
    /// How much of a span is used.
    private enum Use { case bare, attributes, metrics }

    /// A run of an agent with so many calls in it.
    private static let spansInTrace = 10

    static func run(_ options: BenchOptions) async throws -> [BenchRow] {
        let traces = options.scaled(24_000) / spansInTrace
        let full = try await measured(options, traces, .metrics)
        let some = try await measured(options, traces, .attributes)
        let bare = try await measured(options, traces, .bare)
        let plain = measure(runs: options.runs, count: traces * spansInTrace) { PlainSpan.makeTraces(traces) }
        return [
            row("span life: attributes and a metric", full.caller, "on the thread that makes it"),
            row("  until it is counted", full.whole, "all threads, nothing stored"),
            row("  attributes, no metric", some.caller, ""),
            row("  neither", bare.caller, ""),
            row("  dictionaries in a list", plain, "no events, ids or metrics"),
        ]
    }

    private static func measured(
        _ options: BenchOptions,
        _ traces: Int,
        _ use: Use
    ) async throws -> (caller: Spread, whole: Spread) {
        var configuration = Observability.Configuration(
            serviceName: "shop",
            environment: "bench",
            database: .none
        )
        configuration.queue = .init(bytes: 2 << 30, whenFull: .block)
        let observability = try Observability(configuration)
        let count = Double(traces * spansInTrace)
        var (caller, whole): ([Double], [Double]) = ([], [])
        for run in 0...options.runs {
            let (own, all) = (threadNanoseconds(), processNanoseconds())
            makeTraces(traces, use, observability)
            let spent = threadNanoseconds() - own
            await observability.flush()
            guard run > 0 else { continue }
            caller.append(Double(spent) / count)
            whole.append(Double(processNanoseconds() - all) / count)
        }
        try check(observability, traces: traces * (options.runs + 1), use)
        await observability.shutdown()
        return (Spread(caller), Spread(whole))
    }

    private static func makeTraces(_ traces: Int, _ use: Use, _ observability: Observability) {
        for _ in 0..<traces {
            let options =
                use == .bare
                ? SpanOptions()
                : SpanOptions(
                    input: "Where is my order?",
                    metadata: ["userId": "user-17", "sessionId": "session-3"],
                    tags: ["web"]
                )
            let run = observability.startSpan("support", type: .agentRun, with: options, parent: .none)
            for call in 1..<spansInTrace {
                if call.isMultiple(of: 2) { callTool(run, use) } else { callModel(run, use) }
            }
            run.end(output: use == .bare ? nil : "On its way.")
        }
    }

    private static func callModel(_ run: LiveSpan, _ use: Use) {
        guard use != .bare else { return run.startSpan("chat", type: .modelGeneration).end() }
        let span = run.startSpan(
            "chat",
            type: .modelGeneration,
            with: SpanOptions(
                attributes: [
                    "model": "vendor/model-large", "provider": "vendor", "temperature": 0.5,
                    "maxTokens": 1000,
                    "stream": true,
                ]
            )
        )
        if use == .metrics { span.metrics.counter("bench_calls_total").add(1, ["kind": "chat"]) }
        span.end(
            output: "It left the shop this morning.",
            attributes: ["inputTokens": 1200, "outputTokens": 150, "finishReason": "stop"]
        )
    }

    private static func callTool(_ run: LiveSpan, _ use: Use) {
        guard use != .bare else { return run.startSpan("find_order", type: .toolCall).end() }
        let span = run.startSpan(
            "find_order",
            type: .toolCall,
            with: SpanOptions(
                input: "{}",
                attributes: ["toolType": "function", "retries": 0, "cached": false]
            )
        )
        if use == .metrics { span.metrics.counter("bench_calls_total").add(1, ["kind": "tool"]) }
        span.end(output: "sent", attributes: ["success": true])
    }

    private static func check(_ observability: Observability, traces: Int, _ use: Use) throws {
        let series = observability.engine.series
        func total(_ name: String) -> Double {
            series.filter { $0.instrument.name == name }.reduce(0) { $0 + $1.total.sum }
        }
        let found = [
            total("mastra_agent_runs_ended"), total("mastra_model_requests_started"),
            total("mastra_model_requests_ended"), total("mastra_tool_calls_ended"),
            total("bench_calls_total"),
        ]
        let models = spansInTrace / 2
        let tools = spansInTrace - 1 - models
        let calls = use == .metrics ? models + tools : 0
        let expected = [1, models, models, tools, calls].map { Double($0 * traces) }
        guard found == expected else { throw BenchFailure(description: "counted \(found), not \(expected)") }
    }

    private static func row(_ name: String, _ spread: Spread, _ note: String) -> BenchRow {
        BenchRow(name: name, unit: "\u{b5}s/span", spread: spread.scaled(0.001), note: note)
    }
}

/// A span as a program would make one for itself.
private final class PlainSpan {
    private static let lock = NSLock()
    // Unsafe: read and written under `lock` only.
    nonisolated(unsafe) private static var ended: [(attributes: [String: Any], metadata: [String: Any])] = []

    private var attributes: [String: Any]
    private let metadata: [String: Any]

    private init(_ attributes: [String: Any], _ metadata: [String: Any]) {
        self.attributes = attributes
        self.metadata = metadata
        self.attributes["start"] = clockNanoseconds(CLOCK_REALTIME)
    }

    private func end(_ attributes: [String: Any]) {
        self.attributes.merge(attributes) { $1 }
        self.attributes["end"] = clockNanoseconds(CLOCK_REALTIME)
        Self.lock.withLock { Self.ended.append((self.attributes, metadata)) }
    }

    static func makeTraces(_ traces: Int) {
        for _ in 0..<traces {
            let metadata: [String: Any] = ["userId": "user-17", "sessionId": "session-3"]
            for call in 0..<10 {
                let span = PlainSpan(
                    [
                        "name": call.isMultiple(of: 2) ? "chat" : "find_order", "model": "vendor/model-large",
                        "provider": "vendor", "temperature": 0.5, "maxTokens": 1000, "stream": true,
                    ],
                    metadata
                )
                span.end(["inputTokens": 1200, "outputTokens": 150, "finishReason": "stop"])
            }
        }
        lock.withLock { ended = [] }
    }
}
