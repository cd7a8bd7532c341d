import Logging
import Nightjar
import NightjarBus
import NightjarExporters
import NightjarSignals
import NightjarTesting
import Testing

/// A program that exports by OTLP to a server: what arrives there is what was made here.
@Suite struct OTLPExportTests {
    @Test func `a server reads back what a program exports by OTLP`() async throws {
        try await TestServer.run { server in
            let collector = try OTLPHTTPExporter(OTLPHTTPConfiguration(endpoint: server.address))
            let memory = InMemoryExporter()
            var logger = Logger(label: "test", factory: StreamLogHandler.standardError(label:))
            logger.logLevel = .critical
            var configuration = Observability.Configuration(
                serviceName: "shop",
                environment: "test",
                database: .none,
                exporters: [collector, memory],
                logger: logger
            )
            // A machine that is busy with other tests hands over slowly.
            (configuration.bus.callLimit, configuration.bus.flushLimit) = (.seconds(60), .seconds(120))
            let program = try Observability(configuration)
            let run = program.startSpan(
                "support",
                type: .agentRun,
                with: .init(input: "Where?", metadata: ["userId": "u1"], tags: ["prod"])
            )
            let chat = run.startSpan(
                "chat",
                type: .modelGeneration,
                with: .init(attributes: ["model": "gpt-4o", "provider": "openai"])
            )
            chat.end(attributes: ["usage": ["inputTokens": 12, "outputTokens": 3]])
            run.logger.warn("slow", ["ms": 1200])
            try run.addScore(ScoreInput(scorerName: "tone", score: 0.5, reason: "curt"))
            try run.addFeedback(FeedbackInput(source: "user", feedbackType: "thumbs", value: 1))
            run.metrics.counter("looks_total").add(2, ["where": "shelf"])
            run.end(output: "There.")
            #expect(await program.flush())
            #expect(await server.engine.flush())

            let trace = try #require(try await server.engine.trace(run.traceID))
            #expect(trace.rootSpan.span.output == "There.")
            #expect(trace.rootSpan.span.input == "Where?")
            #expect(trace.rootSpan.span.tags == ["prod"])
            #expect(trace.rootSpan.span.metadata["userId"] == "u1")
            #expect(trace.rootSpan.children.first?.span.usage?.inputTokens == 12)
            #expect(trace.logs.map(\.message) == ["slow"])
            #expect(trace.logs.first?.data["ms"] == 1200)
            #expect(trace.scores.map(\.id) == memory.scores.map(\.id))
            #expect(trace.scores.first?.reason == "curt")
            #expect(trace.feedback.map(\.id) == memory.feedback.map(\.id))
            let metrics = try await server.metrics()
            let labels = #"{agent="support",env="test",service="shop",status="ok"}"#
            #expect(metrics["mastra_agent_runs_ended" + labels] == 1)
            #expect(metrics.keys.filter { $0.hasPrefix("looks_total") }.isEmpty)
            let known = try await server.client.get("/api/metrics").json()["metrics"]?.array ?? []
            let received = known.first { $0["name"] == "looks_total" }
            #expect(received?["origin"] == "otlp")
            await program.shutdown()
        }
    }
}
