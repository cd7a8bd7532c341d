import Nightjar
import NightjarBus
import NightjarExporters
import NightjarSignals
import Testing

/// The code of the articles on signals: what stands between `// doc` and `// end` stands in an article, word for word.
@Suite struct DocumentedSignals {
    /// What the articles' programs do beside observing.
    private struct Shop {
        func ask(_ question: String) async throws -> String { "look up order 12 for: \(question)" }
        func findOrder(_ plan: String) async throws -> String { "On its way." }
        func pay() throws { throw Failure() }
    }

    private let shop = Shop()

    @Test func `a run with a generation and a tool call becomes a trace and its metrics`() async throws {
        try await Program.run { program in
            let observability = program.observability
            // doc
            let answer = try await observability.withSpan(
                "support",
                type: .agentRun,
                with: .init(input: "Where is my order?", metadata: ["userId": "u-17", "sessionId": "s-4"])
            ) { run in
                let plan = try await observability.withSpan(
                    "chat",
                    type: .modelGeneration,
                    with: .init(attributes: ["model": "gpt-4o-mini", "provider": "openai"])
                ) { generation in
                    let reply = try await shop.ask("Where is my order?")
                    generation.update(attributes: ["usage": ["inputTokens": 120, "outputTokens": 30]])
                    return reply
                }
                let order = try await observability.withSpan("find_order", type: .toolCall) { _ in
                    try await shop.findOrder(plan)
                }
                run.end(output: .string(order))
                return order
            }
            // end
            #expect(answer == "On its way.")
            #expect(await observability.flush())
            let model = ["model": "gpt-4o-mini", "provider": "openai", "agent": "support"]
            #expect(program.totals("mastra_model_input_tokens") == [model: 120])
            let tool = ["tool": "find_order", "agent": "support", "env": "test", "status": "ok"]
            #expect(program.totals("mastra_tool_calls_ended") == [tool: 1])
            let root = try #require(program.exported.spans(named: "support").first)
            #expect(root.output == "On its way.")
            try await readBack(root.traceID, observability)
        }
    }

    private func readBack(_ traceID: TraceID, _ observability: Observability) async throws {
        // doc
        await observability.flush()
        if let trace = try await observability.getTrace(traceID) {
            for span in trace.spans {
                print(span.span.name, "in", span.parent?.span.name ?? "nothing")
            }
        }
        // end
        let trace = try #require(try await observability.getTrace(traceID))
        #expect(trace.spans.map(\.span.name) == ["support", "chat", "find_order"])
        #expect(trace.spans.map { $0.parent?.span.name } == [nil, "support", "support"])
    }

    @Test func `spans by hand: errors, other processes, points in time`() async throws {
        try await Program.run { program in
            let observability = program.observability
            // doc
            let span = observability.startSpan("checkout", type: .workflowRun)
            let step = span.startSpan("pay", type: .workflowStep)
            do {
                try shop.pay()
                step.end()
            } catch {
                step.error(error)
            }
            span.recordEvent("handed over", output: ["to": "a person"])
            span.end()
            // end
            let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            // doc
            let incoming = TraceContext(traceparent: header)
            let handler = observability.startSpan(
                "POST /ask",
                parent: incoming.map(SpanParent.remote) ?? .none
            )
            let outgoing = handler.traceContext.traceparent
            handler.end()
            // end
            #expect(outgoing.hasPrefix("00-4bf92f3577b34da6a3ce929d0e0e4736-"))
            #expect(await observability.flush())
            #expect(program.exported.spans(named: "pay").map(\.status) == [.error])
            #expect(program.exported.spans(named: "handed over").map(\.isEvent) == [true])
            #expect(
                program.exported.spans(named: "POST /ask").first?.parentSpanID == SpanID("00f067aa0ba902b7")
            )
        }
    }

    @Test func `a log line belongs to its span, or to none`() async throws {
        try await Program.run { program in
            let observability = program.observability
            // doc
            observability.withSpan("find_order", type: .toolCall) { tool in
                tool.logger.warn("the shop answers slowly", ["ms": 1200])
                if tool.logger.isEnabled(.debug) {
                    tool.logger.debug("what it said", ["pages": 3])
                }
            }
            observability.logger.info("ready", ["port": 8080])
            // end
            #expect(await observability.flush())
            let tool = program.exported.spans(named: "find_order").first
            #expect(program.exported.logs.map(\.level) == [.warn, .debug, .info])
            #expect(program.exported.logs.map(\.spanID) == [tool?.id, tool?.id, nil])
        }
    }

    @Test func `metrics of a span have its entity, direct ones nothing`() async throws {
        try await Program.run { program in
            let observability = program.observability
            // doc
            observability.withSpan("find_order", type: .toolCall) { tool in
                tool.metrics.counter("orders_found_total").add(1, ["where": "warehouse"])
                tool.metrics.histogram("shop_wait_ms").record(840)
            }
            observability.metrics.gauge("queue_depth").set(17)
            // end
            #expect(await observability.flush())
            let labels = ["entity_type": "tool", "entity_name": "find_order", "where": "warehouse"]
            #expect(program.totals("orders_found_total") == [labels: 1])
            #expect(program.totals("queue_depth") == [[:]: 17])
        }
    }

    @Test func `labels and buckets are bounded by configuration`() async throws {
        // doc
        var configuration = Observability.Configuration(serviceName: "shop")
        configuration.cardinality.allowedLabels = ["thread_id"]
        configuration.cardinality.cardinalityLimit = 500
        var policy = LabelPolicy()
        policy.allow = ["where"]
        configuration.cardinality.perMetric["orders_found_total"] = policy
        configuration.buckets = BucketConfiguration([
            "_ms": [50, 200, 1000, 5000],
            "shop_wait_ms": [100, 300, 1000],
        ])
        let observability = try Observability(configuration)
        // end
        observability.metrics.counter("orders_found_total").add(1, ["where": "shelf", "who": "Ann"])
        observability.metrics.histogram("shop_wait_ms").record(840)
        observability.metrics.histogram("other_ms").record(1)
        #expect(await observability.flush())
        let series = observability.engine.ledger.snapshot()
        let found = series.first { $0.instrument.name == "orders_found_total" }
        #expect(found?.labels.map(\.name) == ["where"])
        let buckets = Dictionary(series.map { ($0.instrument.name, $0.instrument.buckets) }) { $1 }
        #expect(buckets["shop_wait_ms"] == [100, 300, 1000])
        #expect(buckets["other_ms"] == [50, 200, 1000, 5000])
        await observability.shutdown()
    }

    @Test func `scores on what runs, on what is stored, and by id`() async throws {
        try await Program.run { program in
            let observability = program.observability
            // doc
            let traceID = try observability.withSpan("support", type: .agentRun) { run in
                try run.addScore(ScoreInput(scorerName: "grounded", score: 0.8, reason: "cites the order"))
                try run.trace.addScore(ScoreInput(scorerName: "solved", label: "yes"))
                return run.traceID
            }
            await observability.flush()
            if let trace = try await observability.getTrace(traceID) {
                try await trace.addScore(ScoreInput(scorerName: "tone", score: 0.9))
                try await trace.rootSpan.addScore(ScoreInput(scorerName: "short", score: 1))
            }
            // end
            #expect(await observability.flush())
            #expect(program.exported.scores.map(\.scorerName) == ["grounded", "solved", "tone", "short"])
            #expect(program.exported.scores.map { $0.spanID == nil } == [false, true, true, false])
            try await batch([traceID], observability)
            #expect(await observability.flush())
            #expect(try await observability.getTrace(traceID)?.scores.map(\.score).contains(0.7) == true)
        }
    }

    private func batch(_ traces: [TraceID], _ observability: Observability) async throws {
        // doc
        let verdicts = traces.map { traceID in
            var score = ScoreInput(scorerName: "tone", score: 0.7)
            score.traceID = traceID
            score.id = "tone-v2-\(traceID)"
            return score
        }
        try await observability.addScores(verdicts)
        for result in await observability.addEachScore(verdicts) {
            if case .failure(let error) = result { print("left out: \(error)") }
        }
        // end
    }

    @Test func `feedback on what runs, on what is stored, and by id`() async throws {
        try await Program.run { program in
            let observability = program.observability
            let run = observability.startSpan("support", type: .agentRun)
            run.end()
            let traceID = run.traceID
            // doc
            await observability.flush()
            if let trace = try await observability.getTrace(traceID) {
                try await trace.addFeedback(
                    FeedbackInput(
                        source: "user",
                        feedbackType: "thumbs",
                        value: 1,
                        comment: "fast",
                        userID: "u-17"
                    )
                )
            }
            // end
            // doc
            var rating = FeedbackInput(source: "user", feedbackType: "rating", value: 4)
            rating.id = "rating-u-17-s-4"
            rating.sessionID = "s-4"
            try await observability.addFeedback([rating])
            // end
            #expect(await observability.flush())
            #expect(program.exported.feedback.map(\.feedbackType) == ["thumbs", "rating"])
            #expect(program.exported.feedback.first?.metadata["userId"] == "u-17")
        }
    }

    @available(*, deprecated, message: "calls what is deprecated")
    @Test func `the old call and what takes its place score alike`() async throws {
        try await Program.run { program in
            let observability = program.observability
            let run = observability.startSpan("support", type: .agentRun)
            run.end()
            let (traceID, spanID) = (run.traceID, run.id)
            // doc
            try await observability.addScoreToTrace(
                traceId: "\(traceID)",
                spanId: "\(spanID)",
                score: 0.8,
                reason: "cites the order",
                scorerName: "grounded"
            )
            // end
            #expect(await observability.flush())
            // doc
            if let trace = try await observability.getTrace(traceID) {
                try await trace.getSpan(spanID)?.addScore(
                    ScoreInput(scorerName: "grounded", score: 0.8, reason: "cites the order")
                )
            }
            // end
            // doc
            var score = ScoreInput(scorerName: "grounded", score: 0.8, reason: "cites the order")
            (score.traceID, score.spanID) = (traceID, spanID)
            try await observability.addScores([score])
            // end
            #expect(await observability.flush())
            let scores = try #require(try await observability.getTrace(traceID)).scores
            #expect(scores.map(\.score) == [0.8, 0.8, 0.8])
            #expect(scores.map(\.spanID) == [spanID, spanID, spanID])
        }
    }
}
