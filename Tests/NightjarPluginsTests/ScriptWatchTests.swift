import Foundation
import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Synchronization
import Testing

@Suite struct ScriptWatchTests {
    private final class Changes: Sendable {
        private let count = Mutex(0)
        func add() { count.withLock { $0 += 1 } }
        var all: Int { count.withLock { $0 } }
    }

    @Test func `a save of a script or of a data file that it read is told, anything else is not`()
        async throws
    {
        let folder = try TemporaryFolder()
        try folder.write("{\"a\": 1}", to: "prices.json")
        let script = try folder.write("local prices = nightjar.data(\"prices.json\")", to: "cost.lua")
        let watch = ScriptWatch([script])
        let changes = Changes()
        let set = try PluginHost.load(
            files: [try PluginFolder.read(file: script)],
            registry: MetricRegistry(),
            now: { moment }
        )
        watch.follow([set])
        watch.start { changes.add() }
        defer { watch.stop() }
        try folder.write("-- not watched", to: "other.lua")
        try folder.write("local prices = nightjar.data(\"prices.json\") -- changed", to: "cost.lua")
        try await wait(for: "the save of the script") { changes.all == 1 }
        try folder.write("{\"a\": 2}", to: "prices.json")
        try await wait(for: "the save of the data file") { changes.all == 2 }
        // The same content again is no change; the next one is.
        try folder.write("local prices = nightjar.data(\"prices.json\") -- changed", to: "cost.lua")
        try folder.write("local last = 1", to: "cost.lua")
        try await wait(for: "the last save") { changes.all == 3 }
    }
}

@Suite struct TraceFilterTests {
    @Test func `a condition is written as JSON or as a table of Lua`() throws {
        let builder = SpanBuilder(service: "shop", environment: "prod")
        let root = builder.span("run", type: .agentRun, id: 1)
        let trace = TraceView(id: TraceID(high: 1, low: 2), spans: [root], revision: 1)
        for (text, holds) in [
            ("{ root = { type = \"agent_run\" }, service = nightjar.none_of(\"mail\") }", true),
            ("{ service = nightjar.none_of(\"shop\") }", false),
            ("{ { service = \"mail\" }, { environment = { prefix = \"pr\" } } }", true),
            ("{\"root\": {\"type\": \"agent_run\"}}", true), ("{\"has_errors\": true}", false), ("{}", true),
        ] {
            let filter = try TraceFilter(text, reader: SpanContentReader())
            #expect(filter.holds(for: trace) == holds, "\(text)")
        }
    }

    @Test(arguments: [
        ("{ root = { typ = 1 } }", "did you mean 'type'"), ("{\"rot\": {}}", "did you mean 'root'"),
        ("{ root = ", "match:"), ("{}, function() end) nightjar.on(\"trace_ended\", {}", "one table"),
    ])
    func `a condition that is none is refused with what is wrong`(text: String, reason: String) {
        #expect {
            try TraceFilter(text, reader: SpanContentReader())
        } throws: { error in
            (error as? PluginFault)?.detail.contains(reason) == true
        }
    }
}

@Suite struct ScorersOnlyTests {
    @Test func `a session of scorers calls nothing else, and leaves no scorer out for failing`() throws {
        let registry = MetricRegistry()
        let receiver = RecordingReceiver(registry)
        let script = """
            nightjar.on("span_ended", nil, function() nightjar.counter("seen_total"):add(1) end)
            nightjar.process("span", nil, function() return false end)
            local calls = 0
            nightjar.scorer("late", { on = "span_ended" }, function(span, trace)
              calls = calls + 1
              if calls < 200 then error("not yet") end
              span.addScore { score = 1 }
            end)
            """
        let sets = try PluginHost.load(
            files: [PluginSource(name: "rule", file: "rule.lua", text: Array(script.utf8))],
            registry: registry,
            now: { moment }
        )
        let session = PluginSession(sets, worker: 0, reader: SpanContentReader(), onlyScorers: true)
        session.adopt()
        #expect(session.wants == [.ended])
        let builder = SpanBuilder()
        for number in 1...200 {
            session.spanEnded(builder.span(id: UInt64(number)), trace: nil, now: moment, into: receiver)
        }
        #expect(receiver.scores.map(\.scorerName) == ["late"])
        #expect(receiver.total("seen_total") == 0)
        let scorers = sets.current.scorers
        #expect(scorers.map(\.name) == ["late"])
        #expect(receiver.scores.first?.metadata["plugin"]?.string == scorers.first?.signature)
    }
}
