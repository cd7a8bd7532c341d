import Foundation
import Nightjar
import NightjarBus
import NightjarExporters
import NightjarSignals
import NightjarTesting
import Testing

/// What the founding document lists under Integration Testing and Definition of Done, under its own names, in process.
@Suite struct SeedTests {
    /// An agent run as programs make them: a model request, then a tool call that logs and counts.
    @discardableResult
    private static func run(_ observability: Observability) -> LiveSpan {
        let run = observability.startSpan(
            "support",
            type: .agentRun,
            with: .init(input: "Where is my order?")
        )
        let chat = run.startSpan(
            "chat",
            type: .modelGeneration,
            with: .init(attributes: ["model": "gpt-4o-mini", "provider": "openai"])
        )
        chat.end(
            attributes: [
                "usage": [
                    "inputTokens": 120, "outputTokens": 30,
                    "inputDetails": ["cacheRead": 64, "cacheWrite": 8],
                ]
            ]
        )
        let tool = run.startSpan("find_order", type: .toolCall)
        tool.logger.info("looked", ["orders": 1])
        tool.metrics.counter("orders_found_total").add(1, ["shop": "books", "user_id": "u1"])
        tool.end(output: ["state": "on its way"])
        run.end(output: "On its way.")
        return run
    }

    // MARK: Logging

    @Test func `E2E test: Log from tool, verify trace correlation`() async throws {
        try await Program.run { program in
            let run = Self.run(program.observability)
            #expect(await program.observability.flush())
            let log = try #require(program.exported.logs.first)
            #expect(log.traceID == run.traceID)
            #expect(log.spanID == program.exported.spans(named: "find_order").first?.id)
            #expect(log.correlation.entity == .init(type: "tool", name: "find_order"))
            #expect(log.correlation.rootEntity == .init(type: "agent", name: "support"))
        }
    }

    @Test func `E2E test: Log from workflow step, verify trace correlation`() async throws {
        try await Program.run { program in
            let flow = program.observability.startSpan("refund", type: .workflowRun)
            let step = flow.startSpan("check", type: .workflowStep)
            step.logger.warn("twice")
            step.end()
            flow.end()
            #expect(await program.observability.flush())
            let log = try #require(program.exported.logs.first)
            #expect(log.traceID == flow.traceID)
            #expect(log.spanID == step.id)
            #expect(log.correlation.entity == .init(type: "workflow_step", name: "check"))
            #expect(log.correlation.parentEntity == .init(type: "workflow_run", name: "refund"))
        }
    }

    @Test func `E2E test: Logs appear in JsonExporter output`() async throws {
        let folder = try Fixture()
        let path = folder.path("events.jsonl")
        try await Program.run {
            $0.exporters.append(JSONLinesExporter(path: path))
        } _: { program in
            Self.run(program.observability)
            #expect(await program.observability.flush())
            let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
            let logs = try lines.map { try Value(json: String($0)) }.filter { $0["type"] == "log" }
            #expect(logs.map { $0["log"]?["message"] } == ["looked"])
        }
    }

    @Test(arguments: [Signal.log, .metric, .score, .feedback])
    func
        `E2E test: LogEvents, MetricEvents, ScoreEvents and FeedbackEvents are routed through ObservabilityBus`(
            signal: Signal
        ) async throws
    {
        try await Program.run { program in
            let seen = Locked<[SignalEvent]>([])
            let subscription = program.observability.bus.subscribe("watcher", to: [signal]) { event in
                seen.update { $0.append(event) }
            }
            let run = Self.run(program.observability)
            try run.addScore(ScoreInput(scorerName: "tone", score: 1))
            try run.addFeedback(FeedbackInput(source: "user", feedbackType: "thumbs", value: 1))
            #expect(await program.observability.flush())
            let count = seen.current.count
            #expect(count > 0)
            #expect(seen.current.allSatisfy { $0.signal == signal })
            subscription.cancel()
            Self.run(program.observability)
            #expect(await program.observability.flush())
            #expect(seen.current.count == count)
        }
    }

    // MARK: Metrics

    @Test func `E2E test: Auto-extracted metrics appear when agent runs`() async throws {
        try await Program.run { program in
            Self.run(program.observability)
            #expect(await program.observability.flush())
            let facts = ["agent": "support", "env": "test", "service": "shop"]
            #expect(program.totals("mastra_agent_runs_started") == [facts: 1])
            #expect(program.totals("mastra_agent_runs_ended") == [facts.merging(["status": "ok"]) { $1 }: 1])
            #expect(program.totals("mastra_agent_duration_ms").values.allSatisfy { $0 > 0 })
            let tool = ["tool": "find_order", "agent": "support", "env": "test"]
            #expect(program.totals("mastra_tool_calls_started") == [tool: 1])
            #expect(program.totals("mastra_tool_calls_ended") == [tool.merging(["status": "ok"]) { $1 }: 1])
            let names = Set(program.exported.metrics.map(\.name))
            #expect(names.contains("mastra_agent_runs_started"))
            #expect(names.contains("mastra_tool_duration_ms"))
        }
    }

    @Test func `E2E test: Token usage metrics extracted from LLM calls`() async throws {
        try await Program.run { program in
            Self.run(program.observability)
            #expect(await program.observability.flush())
            let labels = ["model": "gpt-4o-mini", "provider": "openai", "agent": "support"]
            #expect(program.totals("mastra_model_input_tokens") == [labels: 120])
            #expect(program.totals("mastra_model_output_tokens") == [labels: 30])
            #expect(program.totals("mastra_model_cache_read_tokens") == [labels: 64])
            #expect(program.totals("mastra_model_cache_write_tokens") == [labels: 8])
        }
    }

    @Test func `E2E test: Direct metrics API works from tool context`() async throws {
        try await Program.run { program in
            Self.run(program.observability)
            #expect(await program.observability.flush())
            let metric = try #require(program.exported.metrics(named: "orders_found_total").first)
            #expect(metric.value == 1)
            #expect(metric.correlation.entity.name == "find_order")
            #expect(metric.metadata == ["environment": "test", "serviceName": "shop"])
        }
    }

    @Test func `E2E test: Cardinality filter blocks high-cardinality labels`() async throws {
        try await Program.run { program in
            Self.run(program.observability)
            #expect(await program.observability.flush())
            let labels = ["entity_type": "tool", "entity_name": "find_order", "shop": "books"]
            #expect(program.totals("orders_found_total") == [labels: 1])
            let drops = ["metric": "orders_found_total", "label": "user_id", "reason": "blocked"]
            #expect(program.totals("nightjar_labels_dropped_total")[drops] == 1)
        }
    }

    // MARK: Scores and feedback

    @Test func `E2E test: Add score to active span`() async throws {
        try await Program.run { program in
            let observability = program.observability
            try observability.withSpan("support", type: .agentRun) { _ in
                try LiveSpan.current?.addScore(ScoreInput(scorerName: "tone", score: 0.5))
            }
            #expect(await observability.flush())
            #expect(program.exported.scores.first?.spanID == program.exported.spans.first?.id)
        }
    }

    @Test func `E2E test: Add feedback to active span`() async throws {
        try await Program.run { program in
            let observability = program.observability
            try observability.withSpan("support", type: .agentRun) { _ in
                try LiveSpan.current?.addFeedback(
                    FeedbackInput(source: "user", feedbackType: "rating", value: 4)
                )
            }
            #expect(await observability.flush())
            #expect(program.exported.feedback.first?.spanID == program.exported.spans.first?.id)
        }
    }

    @Test func `E2E test: Add score to trace (no span)`() async throws {
        try await Program.run { program in
            let run = Self.run(program.observability)
            try run.trace.addScore(ScoreInput(scorerName: "tone", score: 0.5))
            #expect(await program.observability.flush())
            #expect(program.exported.scores.map(\.spanID) == [nil])
            #expect(program.exported.scores.map(\.traceID) == [run.traceID])
        }
    }

    @Test func `E2E test: Retrieve trace and add post-hoc score`() async throws {
        try await Program.run { program in
            let run = Self.run(program.observability)
            #expect(await program.observability.flush())
            let trace = try #require(try await program.observability.getTrace(run.traceID))
            #expect(trace.spans.map(\.span.name) == ["support", "chat", "find_order"])
            let score = try await trace.addScore(ScoreInput(scorerName: "tone", score: 0.5))
            let again = try #require(try await program.observability.getTrace(run.traceID))
            #expect(again.scores.map(\.id) == [score.id])
        }
    }

    @Test func `E2E test: Retrieve trace and add post-hoc feedback`() async throws {
        try await Program.run { program in
            let run = Self.run(program.observability)
            #expect(await program.observability.flush())
            let trace = try #require(try await program.observability.getTrace(run.traceID))
            let span = try #require(trace.getSpan(run.id))
            try await span.addFeedback(FeedbackInput(source: "user", feedbackType: "thumbs", value: 1))
            let again = try #require(try await program.observability.getTrace(run.traceID))
            #expect(again.feedback.map(\.spanID) == [run.id])
        }
    }

    // MARK: Definition of Done

    @Test func `Done: mastra.getTrace() returns Trace with spans`() async throws {
        try await Program.run { program in
            let run = Self.run(program.observability)
            #expect(await program.observability.flush())
            let trace = try #require(try await program.observability.getTrace(run.traceID.description))
            #expect(trace.rootSpan.children.map(\.span.name) == ["chat", "find_order"])
            #expect(trace.rootSpan.span.output == "On its way.")
            #expect(!trace.isPartial)
            let unknown = try await program.observability.getTrace("00000000000000000000000000000abc")
            #expect(unknown == nil)
        }
    }

    @Test func `Done: Auto-extracted metrics flowing from span events`() async throws {
        try await Program.run { program in
            let run = Self.run(program.observability)
            #expect(await program.observability.flush())
            // A metric that is born of an event comes after it, and carries what it belongs to.
            let events = program.exported.events
            let started = try #require(events.firstIndex { $0.name == "span_started" })
            let counted = try #require(
                events.firstIndex {
                    if case .metric(let metric) = $0 {
                        metric.name == "mastra_agent_runs_started"
                    } else {
                        false
                    }
                }
            )
            #expect(started < counted)
            let metric = try #require(program.exported.metrics(named: "mastra_agent_runs_started").first)
            #expect(metric.traceID == run.traceID)
            #expect(metric.correlation.entity.name == "support")
        }
    }

    @Test func `Done: what the JSON exporter writes, RecordedTrace reads back to the same trace`()
        async throws
    {
        let folder = try Fixture()
        let path = folder.path("events.jsonl")
        try await Program.run {
            $0.exporters.append(JSONLinesExporter(path: path))
        } _: { program in
            let run = Self.run(program.observability)
            try run.addScore(ScoreInput(scorerName: "tone", score: 0.5))
            #expect(await program.observability.flush())
            let text = try String(contentsOfFile: path, encoding: .utf8)
            let written = try #require(try RecordedTrace(lines: text, traceID: run.traceID))
            let stored = try #require(try await program.observability.getTrace(run.traceID))
            #expect(written.spans.map(\.id) == stored.spans.map(\.id))
            #expect(written.rootSpan.span.output == stored.rootSpan.span.output)
            #expect(written.scores == stored.scores)
            #expect(written.logs == stored.logs)
        }
    }
}
