import Nightjar
import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

/// One span told as a native event and by OTLP: one span, counted once.
@Suite struct MixedSourceTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let id = "00f067aa0ba902b7"

    private static var started: Value {
        EventTests.span(
            "span_started",
            id: id,
            type: "agent_run",
            name: "early",
            ["metadata": ["userId": "u1", "tier": "gold"], "input": "hello", "tags": ["a"]]
        )
    }

    private static let ended = IngestTests.body(
        attributes: [
            ("gen_ai.operation.name", "invoke_agent"), ("gen_ai.agent.name", "helper"), ("session.id", "s1"),
        ]
    )

    private func post(_ event: Value, to server: TestServer) async throws {
        let answer = try await server.client.send(
            "POST",
            "/api/events",
            headers: [("Content-Type", "application/x-ndjson")],
            body: EventTests.lines([event])
        )
        #expect(answer.status == 200)
        #expect(await server.engine.flush())
    }

    private func postEnd(to server: TestServer) async throws {
        #expect(try await server.post(Self.ended, type: "application/json").status == 200)
        #expect(await server.engine.flush())
    }

    private func span(_ server: TestServer) async throws -> Value? {
        let spans = try await server.client.get("/api/traces/\(Self.trace)").json()["spans"]?.array ?? []
        #expect(spans.count == 1)
        return spans.first
    }

    @Test func `a start of ours and an end by OTLP are one span, which has what either said`() async throws {
        try await TestServer.run { server in
            try await post(Self.started, to: server)
            #expect(try await span(server)?["status"] == "running")
            for _ in 0..<2 { try await postEnd(to: server) }
            let span = try await span(server)
            #expect(span?["status"] == "ok")
            #expect(span?["durationMs"] == 250)
            // What both say, the later holds of; what one says stays.
            #expect(span?["name"] == "invoke_agent helper")
            #expect(span?["agent"] == "helper")
            #expect(span?["input"] == "hello")
            #expect(span?["tags"] == ["a"])
            #expect(span?["service"] == "shop")
            let metadata: [String: Value] = ["userId": "u1", "tier": "gold", "sessionId": "s1"]
            for (key, value) in metadata { #expect(span?["metadata"]?[key] == value, "\(key)") }
            let metrics = try await server.metrics()
            #expect(metrics.filter { $0.key.hasPrefix("mastra_agent_runs_started") }.values.reduce(0, +) == 1)
            #expect(metrics.filter { $0.key.hasPrefix("mastra_agent_runs_ended") }.values.reduce(0, +) == 1)
            #expect(metrics["nightjar_late_changes_total", default: 0] == 0)
        }
    }

    @Test func `a start of ours behind an end by OTLP opens nothing and changes nothing`() async throws {
        try await TestServer.run { server in
            try await postEnd(to: server)
            try await post(Self.started, to: server)
            let span = try await span(server)
            #expect(span?["status"] == "ok")
            #expect(span?["input"] == nil)
            let metrics = try await server.metrics()
            #expect(metrics.filter { $0.key.hasPrefix("mastra_agent_runs_started") }.values.reduce(0, +) == 1)
        }
    }

    @Test func `a rule sees the whole span when its end comes by OTLP`() async throws {
        let plugin = """
            local seen = nightjar.counter("seen_total", { labels = { "tier", "session", "input" } })
            nightjar.on("span_ended", { type = "agent_run" }, function(span)
                seen:add(1, { tier = span.metadata.tier, session = span.metadata.sessionId, input = span.input })
            end)
            """
        try await TestServer.run(plugins: ["seen.lua": plugin]) { server in
            try await post(Self.started, to: server)
            try await postEnd(to: server)
            #expect(try await server.metrics()[#"seen_total{input="hello",session="s1",tier="gold"}"#] == 1)
        }
    }

    @Test func `the end counts once after a restart between start and end, and the span stays whole`()
        async throws
    {
        let runs = try PluginRuns([:])
        try await runs.run { engine in
            let event = try SignalEvent(json: Self.started, now: engine.now, path: "")
            _ = try await engine.ingest([event])
            #expect(await engine.flush())
        }
        for _ in 0..<2 {
            try await runs.run { engine in
                _ = try await engine.ingest(Payload(Self.ended), encoding: .json)
                #expect(await engine.flush())
                #expect(engine.counts("mastra_agent_runs_started").values.reduce(0, +) == 1)
                #expect(engine.counts("mastra_agent_runs_ended").values.reduce(0, +) == 1)
                let trace = try await engine.trace(#require(TraceID(Self.trace)))
                #expect(trace?.rootSpan.span.input == "hello")
                #expect(trace?.rootSpan.span.metadata["sessionId"] == "s1")
            }
        }
    }
}
