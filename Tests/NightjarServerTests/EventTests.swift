import Nightjar
import NightjarBus
import NightjarExporters
import NightjarSignals
import NightjarTesting
import Testing

/// `POST /api/events`: native events of every kind on the server's event path.
@Suite struct EventTests {
    static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    /// A native span event.
    static func span(
        _ event: String,
        id: String,
        parent: String? = nil,
        type: String,
        name: String,
        _ more: Value.Object = [:]
    ) -> Value {
        var span: Value.Object = [
            "id": .string(id), "traceId": .string(trace), "name": .string(name), "type": .string(type),
            "startTime": "2026-09-21T13:33:20Z", "entityName": .string(name),
        ]
        span["parentSpanId"] = parent.map(Value.string)
        if event == "span_ended" { span["endTime"] = "2026-09-21T13:33:21.5Z" }
        return ["type": .string(event), "exportedSpan": .object(span.merging(more))]
    }

    static func lines(_ events: [Value]) -> [UInt8] {
        Array(events.map { $0.json + "\n" }.joined().utf8)
    }

    private func post(_ events: [Value], to server: TestServer) async throws -> HTTPResponse {
        try await server.client.send(
            "POST",
            "/api/events",
            headers: [("Content-Type", "application/x-ndjson")],
            body: Self.lines(events)
        )
    }

    @Test func `events of every kind are taken together, and come back with their trace`() async throws {
        try await TestServer.run { server in
            let answer = try await post(
                [
                    Self.span("span_started", id: "a1", type: "agent_run", name: "support"),
                    Self.span(
                        "span_started",
                        id: "b2",
                        parent: "a1",
                        type: "model_generation",
                        name: "chat",
                        ["attributes": ["model": "gpt-4o", "provider": "openai"]]
                    ),
                    [
                        "type": "log",
                        "log": [
                            "level": "warn", "message": "slow", "traceId": .string(Self.trace),
                            "spanId": "b2",
                        ],
                    ],
                    [
                        "type": "metric",
                        "metric": [
                            "name": "shop_orders_total", "metricType": "counter", "value": 2,
                            "labels": ["kind": "book", "user_id": "u1"],
                        ],
                    ],
                    Self.span(
                        "span_ended",
                        id: "b2",
                        parent: "a1",
                        type: "model_generation",
                        name: "chat",
                        [
                            "attributes": [
                                "model": "gpt-4o", "provider": "openai",
                                "usage": [
                                    "inputTokens": 120, "outputTokens": "30",
                                    "inputDetails": ["cacheRead": 64],
                                ],
                            ]
                        ]
                    ),
                    Self.span(
                        "span_ended",
                        id: "a1",
                        type: "agent_run",
                        name: "support",
                        ["metadata": ["userId": "u1"]]
                    ),
                    [
                        "type": "score",
                        "score": ["traceId": .string(Self.trace), "scorerName": "tone", "score": 0.5],
                    ],
                    [
                        "type": "feedback",
                        "feedback": [
                            "traceId": .string(Self.trace), "source": "user", "feedbackType": "thumbs",
                            "value": 1,
                        ],
                    ],
                ],
                to: server
            )
            #expect(answer.status == 200)
            #expect(try answer.json()["accepted"] == 8)
            #expect(await server.engine.flush())

            let metrics = try await server.metrics()
            #expect(metrics[#"mastra_agent_runs_started{agent="support"}"#] == 1)
            #expect(metrics[#"mastra_agent_duration_ms_sum{agent="support",status="ok"}"#] == 1500)
            let model = #"{agent="support",model="gpt-4o",provider="openai"}"#
            #expect(metrics["mastra_model_requests_started" + model] == 1)
            #expect(metrics["mastra_model_input_tokens" + model] == 120)
            #expect(metrics["mastra_model_output_tokens" + model] == 30)
            #expect(metrics["mastra_model_cache_read_tokens" + model] == 64)
            #expect(metrics[#"shop_orders_total{kind="book"}"#] == 2)
            #expect(metrics[#"mastra_scores_total{entity_type="agent",scorer="tone"}"#] == 1)

            let trace = try await server.client.get("/api/traces/\(Self.trace)").json()
            #expect(trace["spans"]?.array?.count == 2)
            #expect(trace["logs"]?.array?.first?["message"] == "slow")
            #expect(trace["scores"]?.array?.first?["correlation"]?["userId"] == "u1")
            #expect(trace["feedback"]?.array?.count == 1)
            let generation = trace["spans"]?.array?.first { $0["type"] == "model_generation" }
            #expect(generation?["model"] == "gpt-4o")
            #expect(generation?["agent"] == "support")
        }
    }

    @Test func `one unfit event refuses all of them, and names the line and the field`() async throws {
        try await TestServer.run { server in
            let answer = try await post(
                [
                    Self.span("span_ended", id: "a1", type: "agent_run", name: "support"),
                    ["type": "span_endet", "exportedSpan": [:]],
                    ["type": "metric", "metric": ["name": "x", "metricType": "sum", "value": 1]],
                ],
                to: server
            )
            #expect(answer.status == 400)
            let errors = try answer.json()["errors"]?.array ?? []
            #expect(errors.map { $0["path"]?.string } == ["line 2.type", "line 3.metric.metricType"])
            #expect(errors.first?["message"]?.string?.contains("span_ended") == true)
            #expect(await server.engine.flush())
            #expect(try await !server.metrics().keys.contains { $0.hasPrefix("mastra_agent") })
        }
    }

    @Test func `an array is taken as well, and broken JSON is named by its line`() async throws {
        try await TestServer.run { server in
            let event = Self.span("span_ended", id: "a1", type: "tool_call", name: "search")
            let taken = try await server.client.post("/api/events", json: .array([event]))
            #expect(taken.status == 200)
            let broken = try await server.client.send("POST", "/api/events", body: Array("{}\n{\n".utf8))
            #expect(broken.status == 400)
            #expect(broken.text.contains("line 2"))
        }
    }

    @Test func `a start that comes after the end opens nothing`() async throws {
        try await TestServer.run { server in
            for event in ["span_ended", "span_started"] {
                let answer = try await post(
                    [Self.span(event, id: "a1", type: "agent_run", name: "support")],
                    to: server
                )
                #expect(answer.status == 200)
            }
            #expect(await server.engine.flush())
            let metrics = try await server.metrics()
            #expect(metrics[#"mastra_agent_runs_started{agent="support"}"#] == 1)
            #expect(metrics[#"mastra_agent_runs_ended{agent="support",status="ok"}"#] == 1)
            let trace = try await server.client.get("/api/traces/\(Self.trace)").json()
            #expect(trace["spans"]?.array?.map { $0["status"] } == ["ok"])
        }
    }

    @Test func `an end without an end time counts, and gives no duration`() async throws {
        try await TestServer.run { server in
            var event = Self.span("span_ended", id: "a1", type: "tool_call", name: "t").object ?? [:]
            var span = event["exportedSpan"]?.object ?? [:]
            span["endTime"] = nil
            event["exportedSpan"] = .object(span)
            #expect(try await post([.object(event)], to: server).status == 200)
            #expect(await server.engine.flush())
            let metrics = try await server.metrics()
            #expect(metrics[#"mastra_tool_calls_ended{status="ok",tool="t"}"#] == 1)
            #expect(!metrics.keys.contains { $0.hasPrefix("mastra_tool_duration_ms") })
        }
    }

    @Test func `what the exporter wrote of another instance is taken, and what is derived is derived anew`()
        async throws
    {
        try await TestServer.run { server in
            let answer = try await post(
                [
                    Self.span("span_ended", id: "a1", type: "agent_run", name: "support"),
                    [
                        "type": "metric",
                        "metric": [
                            "name": "mastra_agent_runs_ended", "metricType": "counter", "value": 1,
                            "labels": ["agent": "support", "status": "ok"],
                        ],
                    ],
                    [
                        "type": "trace_ended",
                        "trace": ["traceId": .string(Self.trace), "revision": 1, "isPartial": false],
                    ],
                    ["type": "drop", "drop": ["signal": "log", "reason": "queue_full", "count": 3]],
                ],
                to: server
            )
            #expect(answer.status == 200)
            #expect(try answer.json()["ignored"] == 3)
            #expect(await server.engine.flush())
            #expect(try await server.metrics()[#"mastra_agent_runs_ended{agent="support",status="ok"}"#] == 1)
        }
    }

    @Test func `secrets are taken out before anything is written`() async throws {
        try await TestServer.run { server in
            let answer = try await post(
                [
                    Self.span(
                        "span_ended",
                        id: "a1",
                        type: "tool_call",
                        name: "pay",
                        ["attributes": ["apiKey": "k-1"], "input": #"{"card":{"token":"t-1"},"n":1}"#]
                    ),
                    [
                        "type": "log",
                        "log": ["message": "m", "traceId": .string(Self.trace), "data": ["password": "p-1"]],
                    ],
                ],
                to: server
            )
            #expect(answer.status == 200)
            #expect(await server.engine.flush())
            let text = try await server.client.get("/api/traces/\(Self.trace)").text
            for secret in ["k-1", "t-1", "p-1"] { #expect(!text.contains(secret), "\(secret)") }
            #expect(text.contains("[REDACTED]"))
        }
    }

    @Test func `a score on a trace whose root comes last is joined with the root`() async throws {
        try await TestServer.run { server in
            let child = EventTests.span(
                "span_ended",
                id: "b2",
                parent: "a1",
                type: "tool_call",
                name: "search"
            )
            #expect(try await post([child], to: server).status == 200)
            let score: Value = ["scorerName": "tone", "score": 1]
            let answer = try await server.client.post("/api/traces/\(Self.trace)/scores", json: score)
            #expect(answer.status == 201)
            #expect(await server.engine.flush())
            #expect(try await !server.metrics().keys.contains { $0.hasPrefix("mastra_scores_total") })
            let root = EventTests.span(
                "span_ended",
                id: "a1",
                type: "agent_run",
                name: "support",
                ["metadata": ["userId": "u1"]]
            )
            #expect(try await post([root], to: server).status == 200)
            #expect(await server.engine.flush())
            let trace = try await server.client.get("/api/traces/\(Self.trace)").json()
            let stored = trace["scores"]?.array?.first
            #expect(stored?["correlation"]?["entityName"] == "support")
            #expect(stored?["metadata"]?["userId"] == "u1")
            #expect(
                try await server.metrics()[#"mastra_scores_total{entity_type="agent",scorer="tone"}"#] == 1
            )
        }
    }

    @Test func `a verdict on a trace that is sampled out is refused, or counted where a rule gives it`()
        async throws
    {
        let plugin = """
            nightjar.scorer("always", { on = "trace_ended" }, function(trace) trace.addScore { score = 1 } end)
            """
        func never(_ configuration: inout EngineConfiguration) { configuration.sampling = [.never] }
        try await TestServer.run(plugins: ["always.lua": plugin], change: never) { server in
            let events = [EventTests.span("span_ended", id: "a1", type: "agent_run", name: "support")]
            #expect(try await post(events, to: server).status == 200)
            #expect(await server.engine.finish())
            let score: Value = ["traceId": .string(Self.trace), "scorerName": "tone", "score": 1]
            #expect(try await server.client.post("/api/scores", json: score).status == 409)
            let partial = try await server.client.post(
                "/api/scores?partial=true",
                json: [score, ["sessionId": "s-1", "scorerName": "tone", "score": 1]]
            )
            #expect(try partial.json()["results"]?.array?.map { $0["errors"] == nil } == [false, true])
            #expect(try await server.client.get("/api/traces/\(Self.trace)").status == 404)
            #expect(try await server.client.get("/api/traces").json()["traces"]?.array?.isEmpty == true)
            let metrics = try await server.metrics()
            #expect(metrics[#"mastra_agent_runs_ended{agent="support",status="ok"}"#] == 1)
            #expect(metrics[#"mastra_scores_total{entity_type="agent",scorer="always"}"#] == 1)
        }
    }

    @Test func `of two plugins with one scorer the one that runs stays`() async throws {
        let first =
            #"nightjar.scorer("tone", { on = "trace_ended" }, function(t) t.addScore { score = 1 } end)"#
        let second =
            #"nightjar.scorer("tone", { on = "trace_ended" }, function(t) t.addScore { score = 0 } end)"#
        try await TestServer.run(plugins: ["b.lua": second, "a.lua": first]) { server in
            let plugins = try await server.client.get("/api/plugins").json()["plugins"]?.array ?? []
            let fault = plugins.first { $0["name"] == "b" }?.json ?? ""
            #expect(fault.contains("the scorer tone is a's already"))
            let events = [EventTests.span("span_ended", id: "a1", type: "agent_run", name: "support")]
            #expect(try await post(events, to: server).status == 200)
            #expect(await server.engine.finish())
            let trace = try await server.client.get("/api/traces/\(Self.trace)").json()
            #expect(trace["scores"]?.array?.map { $0["score"] } == [1])
        }
    }
}
