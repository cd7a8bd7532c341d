import Foundation
import Nightjar
import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

/// The integration tests that the founding document lists, under its own names, as far as the server has them.
@Suite struct SeedTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    private static let chat: [UInt8] = IngestTests.body(
        span: "00f067aa0ba902b8",
        parent: "00f067aa0ba902b7",
        name: "chat gpt-4o-mini",
        attributes: [
            ("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "gpt-4o-mini"),
            ("gen_ai.provider.name", "openai"), ("gen_ai.usage.input_tokens", 120),
            ("gen_ai.usage.output_tokens", 30), ("gen_ai.usage.cache_read.input_tokens", 64),
        ]
    )

    private static func sendRun(_ server: TestServer) async throws {
        for body in [chat, IngestTests.body()] {
            #expect(try await server.post(body, type: "application/json").status == 200)
        }
        #expect(await server.engine.flush())
    }

    @Test func `E2E test: Auto-extracted metrics appear when agent runs`() async throws {
        try await TestServer.run { server in
            try await Self.sendRun(server)
            let metrics = try await server.metrics()
            #expect(metrics[#"mastra_agent_runs_started{agent="helper",service="shop"}"#] == 1)
            #expect(metrics[#"mastra_agent_runs_ended{agent="helper",service="shop",status="ok"}"#] == 1)
            #expect(
                metrics[#"mastra_agent_duration_ms_sum{agent="helper",service="shop",status="ok"}"#] == 250
            )
        }
    }

    @Test func `E2E test: Token usage metrics extracted from LLM calls`() async throws {
        try await TestServer.run { server in
            try await Self.sendRun(server)
            let metrics = try await server.metrics()
            let labels = #"{agent="helper",model="gpt-4o-mini",provider="openai"}"#
            #expect(metrics["mastra_model_input_tokens" + labels] == 120)
            #expect(metrics["mastra_model_output_tokens" + labels] == 30)
            #expect(metrics["mastra_model_cache_read_tokens" + labels] == 64)
            #expect(metrics["mastra_model_cache_write_tokens" + labels] == nil)
        }
    }

    @Test func `E2E test: Cardinality filter blocks high-cardinality labels`() async throws {
        let plugin = """
            local seen = nightjar.counter("seen_total")
            nightjar.on("span_ended", nil, function(span)
              seen:add(1, { user_id = "u-" .. span.id, job = "550e8400-e29b-41d4-a716-446655440000", kind = span.type })
            end)
            """
        try await TestServer.run(plugins: ["seen.lua": plugin]) { server in
            try await Self.sendRun(server)
            let seen = try await server.metrics().filter { $0.key.hasPrefix("seen_total") }
            #expect(
                seen == [#"seen_total{kind="agent_run"}"#: 1, #"seen_total{kind="model_generation"}"#: 1]
            )
        }
    }

    @Test func `E2E test: Add score to active span`() async throws {
        let plugin = """
            nightjar.scorer("short", { on = "span_ended", match = { type = "model_generation" } }, function(span, trace)
              trace.addScore { span = span, score = span.usage.output_tokens < 100 and 1 or 0 }
            end)
            """
        try await TestServer.run(plugins: ["short.lua": plugin]) { server in
            try await Self.sendRun(server)
            let scores = try await server.client.get("/api/traces/\(Self.trace)").json()["scores"]?.array
            #expect(scores?.map { $0["spanId"] } == ["00f067aa0ba902b8"])
            #expect(scores?.map { $0["score"] } == [1])
        }
    }

    @Test func `E2E test: Add score to trace (no span)`() async throws {
        try await TestServer.run { server in
            try await Self.sendRun(server)
            let score: Value = ["traceId": .string(Self.trace), "scorerName": "overall", "score": 0.5]
            #expect(try await server.client.post("/api/scores", json: score).status == 201)
            let scores = try await server.client.get("/api/traces/\(Self.trace)").json()["scores"]?.array
            #expect(scores?.count == 1)
            #expect(scores?.first?["spanId"] == nil)
        }
    }

    @Test func `E2E test: Retrieve trace and add post-hoc score`() async throws {
        try await TestServer.run { server in
            try await Self.sendRun(server)
            let id = try #require(TraceID(Self.trace))
            let trace = try #require(try await server.engine.trace(id))
            try await trace.addScore(ScoreInput(scorerName: "later", score: 0.25, reason: "looked at again"))
            let scores = try await server.client.get("/api/traces/\(Self.trace)").json()["scores"]?.array
            #expect(scores?.map { $0["reason"] } == ["looked at again"])
            #expect(await server.engine.flush())
            #expect(
                try await server.metrics()[#"mastra_scores_total{entity_type="agent",scorer="later"}"#] == 1
            )
        }
    }

    @Test func `E2E test: Retrieve trace and add post-hoc feedback`() async throws {
        try await TestServer.run { server in
            try await Self.sendRun(server)
            let id = try #require(TraceID(Self.trace))
            let trace = try #require(try await server.engine.trace(id))
            let span = try #require(trace.getSpan("00f067aa0ba902b8"))
            try await span.addFeedback(FeedbackInput(source: "user", feedbackType: "thumbs", value: "up"))
            let feedback = try await server.client.get("/api/traces/\(Self.trace)").json()["feedback"]?.array
            #expect(feedback?.map { $0["spanId"] } == ["00f067aa0ba902b8"])
            #expect(await server.engine.flush())
            let key = #"mastra_feedback_total{entity_type="agent",feedback_type="thumbs",source="user"}"#
            #expect(try await server.metrics()[key] == 1)
        }
    }
}
