import Nightjar
import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

/// What spans take over from the spans above them when they come by OTLP, and content that comes apart from its span.
@Suite struct InheritanceTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let root = IngestTests.body(
        attributes: [
            ("gen_ai.operation.name", "invoke_agent"), ("gen_ai.agent.name", "helper"),
            ("gen_ai.conversation.id", "c-1"), ("user.id", "u-1"),
            ("metadata", #"{"tier":"gold","plan":"a"}"#),
        ]
    )
    private static let child = IngestTests.body(
        span: "00f067aa0ba902b8",
        parent: "00f067aa0ba902b7",
        name: "chat m",
        attributes: [
            ("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "m"), ("metadata", #"{"plan":"b"}"#),
        ]
    )

    private func post(_ body: [UInt8], to server: TestServer) async throws {
        #expect(try await server.post(body, type: "application/json").status == 200)
        #expect(await server.engine.flush())
    }

    private func postLogs(_ records: [Value], to server: TestServer) async throws {
        let body: Value = ["resourceLogs": [["scopeLogs": [["logRecords": .array(records)]]]]]
        let answer = try await server.client.send(
            "POST",
            "/v1/logs",
            headers: [("Content-Type", "application/json")],
            body: Array(body.json.utf8)
        )
        #expect(answer.status == 200)
        #expect(await server.engine.flush())
    }

    @Test(arguments: [true, false])
    func `a span has its parent's metadata but for the keys that it sets, whichever came first`(
        childFirst: Bool
    ) async throws {
        let plugin = """
            local seen = nightjar.counter("seen_total", { labels = { "tier", "plan", "user" } })
            nightjar.on("span_ended", { type = "model_generation", ["metadata.tier"] = "gold" }, function(span)
                seen:add(1, { tier = span.metadata.tier, plan = span.metadata.plan, user = span.metadata.userId })
                span:addScore { scorer_name = "tone", score = 1 }
            end)
            """
        try await TestServer.run(plugins: ["seen.lua": plugin]) { server in
            for body in childFirst ? [Self.child, Self.root] : [Self.root, Self.child] {
                try await post(body, to: server)
            }
            #expect(try await server.metrics()[#"seen_total{plan="b",tier="gold",user="u-1"}"#] == 1)
            let trace = try await server.client.get("/api/traces/\(Self.trace)").json()
            let span = trace["spans"]?.array?.first { $0["type"] == "model_generation" }
            let score = trace["scores"]?.array?.first
            for metadata in [span?["metadata"], score?["metadata"]] {
                #expect(metadata?["tier"] == "gold")
                #expect(metadata?["plan"] == "b")
                #expect(metadata?["sessionId"] == "c-1")
            }
            #expect(score?["correlation"]?["sessionId"] == "c-1")
            #expect(score?["correlation"]?["userId"] == "u-1")
            #expect(score?["correlation"]?["rootEntityName"] == "helper")
        }
    }

    @Test func `a span that comes after its trace has ended has the metadata of a parent that was let go`()
        async throws
    {
        let plugin = """
            local seen = nightjar.counter("seen_total", { labels = { "tier" } })
            nightjar.on("span_ended", { type = "model_generation" }, function(span)
                seen:add(1, { tier = span.metadata.tier })
            end)
            """
        try await TestServer.run(plugins: ["seen.lua": plugin]) { server in
            try await post(Self.root, to: server)
            #expect(await server.engine.finish())
            try await post(Self.child, to: server)
            #expect(try await server.metrics()[#"seen_total{tier="gold"}"#] == 1)
        }
    }

    private static func message(_ event: String, _ text: String, asAttribute: Bool) -> Value {
        var record: Value.Object = [
            "timeUnixNano": "1790000000100000000", "traceId": .string(trace), "spanId": "00f067aa0ba902b8",
            "body": [
                "kvlistValue": ["values": [["key": "content", "value": ["stringValue": .string(text)]]]]
            ],
        ]
        if asAttribute {
            record["attributes"] = [["key": "event.name", "value": ["stringValue": .string(event)]]]
        } else {
            record["eventName"] = .string(event)
        }
        return .object(record)
    }

    private static let scorer = """
        nightjar.scorer("texts", { on = "trace_ended" }, function(trace)
            trace.addScore { score = 1, reason = trace.root.input_text .. " > " .. trace.root.output_text }
        end)
        """

    @Test(arguments: [true, false], [true, false])
    func `messages in log records are their span's, and its run's, whichever came first`(
        logsFirst: Bool,
        asAttribute: Bool
    ) async throws {
        let records = [
            Self.message("gen_ai.system.message", "Be short.", asAttribute: asAttribute),
            Self.message("gen_ai.user.message", "Say hi", asAttribute: asAttribute),
            Self.message("gen_ai.choice", "Hi!", asAttribute: asAttribute),
        ]
        try await TestServer.run(plugins: ["texts.lua": Self.scorer]) { server in
            if logsFirst { try await postLogs(records, to: server) }
            for body in [Self.child, Self.root] { try await post(body, to: server) }
            if !logsFirst { try await postLogs(records + records, to: server) }
            #expect(await server.engine.finish())
            let trace = try await server.client.get("/api/traces/\(Self.trace)").json()
            let spans = trace["spans"]?.array ?? []
            let generation = spans.first { $0["type"] == "model_generation" }
            #expect(generation?["input"]?.array?.map { $0["content"] } == ["Be short.", "Say hi"])
            #expect(generation?["output"]?.array?.map { $0["content"] } == ["Hi!"])
            let run = spans.first { $0["type"] == "agent_run" }
            #expect(run?["input"] == "Say hi")
            #expect(run?["output"] == "Hi!")
            #expect(run?["derivedFrom"] == "00f067aa0ba902b8")
            #expect(trace["scores"]?.array?.first?["reason"] == "Say hi > Hi!")
            // Each line belongs where its span does, also one that came before it.
            for log in trace["logs"]?.array ?? [] {
                #expect(log["correlation"]?["sessionId"] == "c-1")
                #expect(log["correlation"]?["rootEntityName"] == "helper")
            }
        }
    }

    @Test func `a record with all of a request's messages gives its span both, and its usage counts nothing`()
        async throws
    {
        func attribute(_ key: String, _ text: String) -> Value {
            ["key": .string(key), "value": ["stringValue": .string(text)]]
        }
        let record: Value = [
            "timeUnixNano": "1790000000100000000", "traceId": .string(Self.trace),
            "spanId": "00f067aa0ba902b8", "eventName": "gen_ai.client.inference.operation.details",
            "attributes": [
                attribute(
                    "gen_ai.input.messages",
                    #"[{"role":"user","parts":[{"type":"text","content":"Say hi"}]}]"#
                ),
                attribute(
                    "gen_ai.output.messages",
                    #"[{"role":"assistant","parts":[{"type":"text","content":"Hi!"}]}]"#
                ),
                ["key": "gen_ai.usage.input_tokens", "value": ["intValue": "7"]],
            ],
        ]
        try await TestServer.run { server in
            try await postLogs([record], to: server)
            for body in [Self.child, Self.root] { try await post(body, to: server) }
            #expect(await server.engine.finish())
            let spans =
                try await server.client.get("/api/traces/\(Self.trace)").json()["spans"]?.array ?? []
            let run = spans.first { $0["type"] == "agent_run" }
            #expect(run?["input"] == "Say hi")
            #expect(run?["output"] == "Hi!")
            #expect(try await !server.metrics().keys.contains { $0.hasPrefix("mastra_model_input_tokens") })
        }
    }

    @Test(arguments: ["otel-openai-v2", "semantic-kernel"])
    func `every request of a recording whose messages came as log records has them`(client: String)
        async throws
    {
        let capture = try Captures.named(client)
        try await TestServer.run { server in
            for request in try CaptureOrder.recorded.requests(of: capture) {
                #expect(try await server.post(request).status == 200)
            }
            #expect(await server.engine.finish())
            for span in capture.expectedSpans where span["kind"]?.string == "model_generation" {
                let trace = try await server.client.get("/api/traces/\(span["trace_id"]?.string ?? "")")
                    .json()
                let found = trace["spans"]?.array?.first { $0["id"] == span["span_id"] }
                #expect(found?["input"] != nil, "\(span["span_id"]?.string ?? "")")
                if span["status"]?.string == "ok" {
                    #expect(found?["output"] != nil, "\(span["span_id"]?.string ?? "")")
                }
            }
        }
    }
}
