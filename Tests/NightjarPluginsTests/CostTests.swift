import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Testing

/// What is counted of each rule, and what it costs.
@Suite struct CostTests {
    private func counting(_ more: String = "") -> String {
        """
        local hits = nightjar.counter("hits")
        nightjar.on("span_ended", nil, function() hits:add(1) end)
        nightjar.on("span_ended", { status = "ok" }, function() error("no") end)
        \(more)
        """
    }

    @Test func `rules that are called in turns are both timed, from the first call on`() throws {
        let fixture = try PluginFolderFixture(["a.lua": counting()], watches: false)
        #expect(fixture.host.status.first?.rules.map(\.meanMicroseconds) == [nil, nil])
        _ = fixture.metrics()
        let first = try #require(fixture.host.status.first?.rules)
        for rule in first {
            #expect(rule.meanMicroseconds ?? 0 > 0 && rule.p99Microseconds ?? 0 > 0)
            #expect(rule.callSeconds > 0 && rule.share ?? 0 > 0)
        }
        for _ in 1...20 { _ = fixture.metrics() }
        let then = try #require(fixture.host.status.first?.rules)
        for (early, late) in zip(first, then) { #expect(late.callSeconds > early.callSeconds) }
        #expect(then.map(\.matches) == [21, 21])
    }

    @Test func `rules of one name have labels of their own`() throws {
        let script = """
            nightjar.on("span_ended", nil, function() end)
            nightjar.scorer("span_ended#2", { on = "span_ended" }, function() end)
            nightjar.on("span_ended", nil, function() end)
            nightjar.on("span_ended", nil, function() end)
            """
        let fixture = try PluginFolderFixture(["a.lua": script], watches: false)
        #expect(
            fixture.host.status.first?.rules.map(\.label) == [
                "span_ended", "span_ended#2", "span_ended#3", "span_ended#4",
            ]
        )
    }

    @Test func `totals go on over a reload, with what the old version counts until it goes`() throws {
        let fixture = try PluginFolderFixture(["a.lua": counting()], watches: false)
        func totals() -> [String: PluginStatus.Totals] { fixture.host.status.first?.totals ?? [:] }
        for _ in 1...3 { _ = fixture.metrics() }
        let before = totals()
        #expect(before["span_ended"]?.calls == 3 && before["span_ended#2"]?.errors == 3)
        try fixture.write("a.lua", counting("-- changed"))
        fixture.host.loadAll()
        // No worker has taken the new version up yet.
        _ = fixture.metrics()
        #expect(fixture.host.status.first?.rules.first?.calls == 0)
        #expect(totals()["span_ended"]?.calls == 4)
        fixture.session.adopt()
        for _ in 1...2 { _ = fixture.metrics() }
        #expect(fixture.host.status.first?.rules.first?.calls == 2)
        let after = totals()
        #expect(after["span_ended"]?.calls == 6 && after["span_ended"]?.matches == 6)
        #expect(after["span_ended#2"]?.errors == 6)
        #expect(after["span_ended"]?.nanoseconds ?? 0 > before["span_ended"]?.nanoseconds ?? 0)
        try fixture.write("a.lua", "nightjar.on('log', nil, function() end)")
        for text in ["-- 1", "-- 2"] {
            try fixture.write("a.lua", "nightjar.on('log', nil, function() end) \(text)")
            fixture.host.loadAll()
            fixture.session.adopt()
        }
        #expect(Set(totals().keys) == ["log"], "rules that are gone are forgotten")
    }

    @Test func `loads are counted by what came of them`() throws {
        let fixture = try PluginFolderFixture(["a.lua": counting()], watches: false)
        try fixture.write("a.lua", "local x = = 1")
        fixture.host.loadAll()
        fixture.host.loadAll()
        let loads = try #require(fixture.host.status.first?.loads)
        #expect(loads.succeeded == 1 && loads.failed == 1)
    }

    @Test func `memory is that of the states of all workers, until they go`() throws {
        let folder = try PluginFolderFixture(["a.lua": counting()], watches: false)
        let host = PluginHost(
            PluginConfiguration(folder: folder.path),
            registry: MetricRegistry(),
            workers: 2,
            now: { moment }
        )
        host.loadAll()
        let sessions = (0..<2).map { host.session(worker: $0, reader: SpanContentReader()) }
        sessions[0].adopt()
        let one = try #require(host.status.first?.memoryBytes)
        sessions[1].adopt()
        let both = try #require(host.status.first?.memoryBytes)
        #expect(one > 0)
        #expect(both > one + one / 2)
        try host.disable("a")
        for session in sessions { session.adopt() }
        #expect(host.status.first?.memoryBytes == 0)
    }
}
