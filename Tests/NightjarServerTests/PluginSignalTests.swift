import Foundation
import Nightjar
import NightjarBus
import NightjarExporters
import NightjarPlugins
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// Plugin contract sections 3 and 6, signals contract sections 9 to 11: what plugins see, change and leave out on the event path.
@Suite(.serialized) struct PluginSignalTests {
    private static let json = [(name: "Content-Type", value: "application/json")]

    /// Counts what rules are told of, by event and by what it says of itself.
    private static let watcher = """
        local seen = nightjar.counter("seen_total", { labels = { "event", "what" } })
        local function watch(event, match, field)
          nightjar.on(event, match, function(e) seen:add(1, { event = event, what = e[field] }) end)
        end
        watch("log", {}, "message")
        watch("metric", { name = { prefix = "shop_" } }, "name")
        watch("metric", { name = { prefix = "mastra_scores" } }, "name")
        watch("score", {}, "scorer_name")
        watch("feedback", {}, "feedback_type")
        """

    @Test func `rules see each log, observation, score and feedback once, by whatever way it comes`()
        async throws
    {
        try await TestServer.run(plugins: ["watch.lua": Self.watcher]) { server in
            let trace = EventTests.trace
            let target: Value.Object = ["traceId": .string(trace)]
            let events = EventTests.lines([
                EventTests.span("span_ended", id: "a1", type: "agent_run", name: "support"),
                ["type": "log", "log": .object(target.merging(["message": "native"]))],
                ["type": "metric", "metric": ["name": "shop_orders", "metricType": "counter", "value": 2]],
                ["type": "metric", "metric": ["name": "other", "metricType": "counter", "value": 2]],
                [
                    "type": "score",
                    "score": .object(target.merging(["scorerName": "event", "score": 1])),
                ],
                [
                    "type": "feedback",
                    "feedback": .object(
                        target.merging(["source": "user", "feedbackType": "thumbs", "value": 1])
                    ),
                ],
            ])
            #expect(try await server.client.send("POST", "/api/events", body: events).status == 200)
            let logs = """
                {"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1790000000000000000",
                "severityNumber":9,"body":{"stringValue":"otlp"},"traceId":"\(trace)"}]}]}]}
                """
            let answer = try await server.client.send(
                "POST",
                "/v1/logs",
                headers: Self.json,
                body: Array(logs.utf8)
            )
            #expect(answer.status == 200)
            let scores: Value = [
                .object(target.merging(["scorerName": "posted", "score": 1])),
                ["traceId": "ab", "scorerName": "early", "score": 1],
                ["sessionId": "s1", "scorerName": "session", "score": 1],
            ]
            #expect(try await server.client.post("/api/scores", json: scores).status == 202)
            #expect(await server.engine.flush())
            // The trace that a score waits for: the score is counted now, and was told before.
            let late = IngestTests.body(trace: String(repeating: "0", count: 30) + "ab")
            #expect(try await server.post(late, type: "application/json").status == 200)
            #expect(await server.engine.finish())
            #expect(
                server.engine.counts("seen_total") == [
                    "log native": 1, "log otlp": 1, "metric shop_orders": 1, "score event": 1,
                    "score posted": 1, "score early": 1, "score session": 1, "feedback thumbs": 1,
                    "metric mastra_scores_total": 4,
                ]
            )
        }
    }

    @Test func `what plugins emit reaches the others, never its plugin, three deep`() async throws {
        /// Answers a word with the next, and counts everything that it hears.
        func answering(_ heard: String, _ said: String) -> String {
            """
            local heard = nightjar.counter("heard_total", { labels = { "plugin", "word" } })
            nightjar.on("log", function(l) heard:add(1, { plugin = nightjar.name, word = l.message }) end)
            nightjar.on("log", { message = "\(heard)" }, function() print("\(said)") end)
            """
        }
        let starting = #"nightjar.on("span_ended", function() print("a") end)"# + "\n" + answering("", "")
        let runs = try PluginRuns([
            "a.lua": starting, "b.lua": answering("a", "b"), "c.lua": answering("b", "c"),
            "d.lua": answering("c", "d"), "e.lua": answering("d", "e"),
        ])
        try await runs.run { engine in
            try await engine.post(1)
            let expected = [
                "b a", "c a", "d a", "e a",  // a said it
                "c b", "d b", "e b",  // a led to it
                "d c", "e c",
            ]
            let counts = engine.counts("heard_total")
            #expect(counts == Dictionary(uniqueKeysWithValues: expected.map { ($0, 1) }))
            let stored = try engine.store?.logs(LogQuery()).records.map(\.log.message)
            #expect(stored?.sorted() == ["a", "b", "c", "d"], "the last is stored, and nobody hears it")
        }
    }

    @Test func `scores and metrics that a plugin emits reach the rules of others`() async throws {
        let emitting = """
            local c = nightjar.counter("shop_emitted_total")
            nightjar.on("span_ended", function(span)
              c:add(1)
              span.addScore { scorer_name = "by_rule", score = 1 }
              span.addFeedback { source = "rule", feedback_type = "by_rule", value = 1 }
            end)
            """
        let runs = try PluginRuns(["a.lua": emitting + "\n" + Self.watcher, "b.lua": Self.watcher])
        try await runs.run { engine in
            try await engine.post(1)
            #expect(
                engine.counts("seen_total") == [
                    "metric shop_emitted_total": 1, "score by_rule": 1, "feedback by_rule": 1,
                    "metric mastra_scores_total": 1,
                ]
            )
        }
    }

    @Test func `a rule on drops is told of what an exporter loses`() async throws {
        let plugin = """
            local lost = nightjar.counter("lost_total", { labels = { "signal", "exporter" } })
            nightjar.on("drop", { signal = "log" }, function(d)
              lost:add(d.count, { signal = d.signal, exporter = d.exporter })
            end)
            """
        let runs = try PluginRuns(["a.lua": plugin])
        try await runs.run { engine in
            engine.bus.subscribe("broken", to: [.log]) { _ in
                throw ExportError(code: .rejected, detail: "no")
            }
            let log = Log(timestamp: engine.now, level: .info, message: "x")
            _ = try await engine.ingest([.log(log), .log(log)])
            #expect(await engine.flush())
            await engine.bus.flush()
            try await wait(for: "the drops") {
                _ = await engine.flush()
                return engine.counts("lost_total") == ["broken log": 2]
            }
        }
    }

    @Test func `a timer fires when its time has come, once for each time`() async throws {
        let plugin = """
            nightjar.plugin { scope = "global" }
            local ticks = nightjar.counter("ticks_total")
            nightjar.every(5, function() ticks:add(1) end)
            """
        let runs = try PluginRuns(["a.lua": plugin])
        try await runs.run { configuration in
            configuration.workers = 2
        } _: { engine in
            var counts: [Double] = []
            for seconds in [0, 4, 1, 4, 1, 60] {
                runs.clock.advance(by: .seconds(seconds))
                #expect(await engine.flush())
                counts.append(engine.counts("ticks_total").values.reduce(0, +))
            }
            #expect(counts == [0, 0, 1, 1, 2, 3])
        }
    }

    @Test func `a trace that a plugin's sampler leaves out is not stored, counts, and takes no score`()
        async throws
    {
        let sampler = #"nightjar.sampler(function(span) return span.agent ~= "secret" end)"#
        let runs = try PluginRuns(["a.lua": sampler, "watch.lua": Self.watcher])
        func score(_ engine: Engine, _ trace: UInt64) async -> EngineError.Code? {
            var score = Score(id: "s\(trace)", timestamp: engine.now, scorerName: "posted")
            (score.traceID, score.score) = (TraceID(high: 0, low: trace), 1)
            do throws(EngineError) {
                _ = try await engine.annotate(scores: [score], feedback: [])
                return nil
            } catch {
                return error.code
            }
        }
        try await runs.run { engine in
            let told = InMemoryExporter()
            engine.bus.register(told)
            try await engine.post(1, agent: "secret")
            try await engine.post(2, agent: "helper")
            #expect(await score(engine, 1) == .sampledOut, "before its record says so")
            #expect(await score(engine, 2) == nil)
            var log = Log(timestamp: engine.now, level: .info, message: "of the secret")
            log.traceID = TraceID(high: 0, low: 1)
            _ = try await engine.ingest([.log(log)])
            #expect(await engine.finish())
            #expect(try engine.store?.traces(TraceQuery()).traces.map(\.id.low) == [2])
            #expect(try engine.store?.logs(LogQuery()).records.isEmpty == true)
            let runs = engine.counts("mastra_agent_runs_ended")
            #expect(runs.values.reduce(0, +) == 2, "\(runs)")
            #expect(engine.counts("seen_total")["log of the secret"] == 1, "rules see everything")
            await engine.bus.flush()
            #expect(told.spans.map(\.traceID.low) == [2])
            #expect(told.logs.isEmpty)
        }
        try runs.folder.remove("plugins/a.lua")
        try await runs.run { engine in
            #expect(await score(engine, 1) == .sampledOut, "without its sampler and its memory")
            #expect(await score(engine, 2) == nil)
        }
    }

    @Test(arguments: [true, false])
    func `a score of a trace that a plugin's sampler left out is refused with 409`(_ stores: Bool)
        async throws
    {
        let plugin = "nightjar.sampler(function() return false end)"
        func change(_ configuration: inout EngineConfiguration) {
            if !stores { configuration.store = nil }
        }
        try await TestServer.run(plugins: ["a.lua": plugin], change: change) { server in
            #expect(try await server.post(IngestTests.body(), type: "application/json").status == 200)
            #expect(await server.engine.flush())
            let score: Value = ["traceId": .string(EventTests.trace), "scorerName": "tone", "score": 1]
            #expect(try await server.client.post("/api/scores", json: score).status == 409)
            #expect(try await server.client.get("/api/traces/\(EventTests.trace)").status == 404)
            let metrics = try await server.metrics()
            #expect(metrics.contains { $0.key.hasPrefix("mastra_agent_runs_ended{") && $0.value == 1 })
        }
    }

    @Test func `a trace that any sampler keeps is kept, and plugins alone decide where there is no other`()
        async throws
    {
        let sampler = #"nightjar.sampler(function(span) return span.agent == "kept" end)"#
        let runs = try PluginRuns(["a.lua": sampler])
        try await runs.run { configuration in
            configuration.sampling = [.never]
        } _: { engine in
            try await engine.post(1, agent: "kept")
            try await engine.post(2, agent: "left")
            try engine.refuseSampledOut(TraceID(high: 0, low: 1))
            #expect(throws: EngineError.self) { try engine.refuseSampledOut(TraceID(high: 0, low: 2)) }
            // What the plugin will say of it is not known.
            try engine.refuseSampledOut(TraceID(high: 0, low: 3))
            var log = Log(timestamp: engine.now, level: .info, message: "x")
            log.traceID = TraceID(high: 0, low: 1)
            _ = try await engine.ingest([.log(log)])
            #expect(await engine.finish())
            #expect(try engine.store?.traces(TraceQuery()).traces.map(\.id.low) == [1])
            #expect(try engine.store?.logs(LogQuery()).records.count == 1)
        }
    }

    @Test func `a processor changes what is stored and extracted, and what it drops still counts`()
        async throws
    {
        let plugin = """
            nightjar.process("span", { model = "before" }, function(span)
              span.name = "changed"
              span.attributes.model = "after"
              span.metadata = { team = "a" }
            end)
            nightjar.process("span", { agent = "renamed" }, function(span)
              span.attributes["gen_ai.agent.name"] = "helper"
            end)
            nightjar.process("span", { agent = "dropped" }, function() return false end)
            nightjar.process("log", function(l)
              if l.message == "noise" then return false end
              l.message = l.message:upper()
            end)
            nightjar.process("metric", function(m) m.labels.kind = "book" end)
            """
        let runs = try PluginRuns(["a.lua": plugin, "watch.lua": Self.watcher])
        func look(_ engine: Engine) throws {
            let spans = try engine.spans(of: try #require(TraceID(EventTests.trace)))
            #expect(spans?.map(\.name) == ["changed"])
            #expect(spans?.first?.metadata["team"] == "a")
            #expect(spans?.first?.attributes["model"] == "after")
            #expect(try engine.spans(of: TraceID(high: 0, low: 2))?.isEmpty != false)
            let logs = try engine.store?.logs(LogQuery()).records.map(\.log.message)
            #expect(logs == ["SAID"])
        }
        try await runs.run { engine in
            let span = EventTests.span(
                "span_ended",
                id: "a1",
                type: "model_generation",
                name: "chat",
                ["attributes": ["model": "before", "provider": "p"]]
            )
            let event = try SignalEvent(json: span, now: engine.now, path: "")
            _ = try await engine.ingest([event])
            try await engine.post(2, agent: "dropped")
            try await engine.post(3, agent: "renamed")
            let said = Log(timestamp: engine.now, level: .info, message: "said")
            var noise = said
            noise.message = "noise"
            let metric = Metric(
                timestamp: engine.now,
                name: "shop_sold",
                type: .counter,
                value: 3,
                labels: [:]
            )
            _ = try await engine.ingest([.log(said), .log(noise), .metric(metric)])
            #expect(await engine.finish())
            try look(engine)
            let models = engine.series.filter { $0.instrument.name == "mastra_model_requests_ended" }
            #expect(models.flatMap(\.labels).filter { $0.name == "model" }.map(\.value) == ["after"])
            let ended = engine.series.filter { $0.instrument.name == "mastra_agent_runs_ended" }
            let agents = ended.flatMap(\.labels).filter { $0.name == "agent" }.map(\.value)
            #expect(agents.sorted() == ["dropped", "helper"])
            #expect(try engine.spans(of: TraceID(high: 0, low: 3))?.map(\.agent) == ["helper"])
            #expect(engine.counts("shop_sold") == ["book": 3])
            #expect(engine.counts("seen_total") == ["log SAID": 1, "metric shop_sold": 1])
        }
        // What is on disk is what was made of it, without the plugin too.
        try runs.folder.remove("plugins/a.lua")
        try await runs.run { try look($0) }
    }
}
