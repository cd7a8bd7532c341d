import Foundation
import Glibc
import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Testing

/// Ways in which editors and tools save, while events run.
@Suite(.serialized) struct ReloadScenarioTests {
    private static let first = "a: loaded, generation 1"
    private static let second = "a: loaded, generation 2"
    private static let gone = "a: unloaded: its file is gone"
    /// How long a file may be empty, less what the host may need to see it.
    private static let emptyNanoseconds: UInt64 = 450_000_000
    /// How long a writer may pause.
    private static let pauseNanoseconds: UInt64 = 190_000_000

    /// Which counter it has is said at its end: each of its beginnings is a plugin too, and counts something else.
    private static let slow = """
        local c = { nightjar.counter("reload_part"), nightjar.counter("reload_v2") }
        local n = 1
        nightjar.on("span_ended", function() c[n]:add(1) end)
        n = 2

        """

    @Test func `a file renamed over another takes its place without a gap`() async throws {
        let stream = try await ReloadStream(["a.lua": version(1)])
        try await stream.counts("reload_v1")
        try stream.replace("a.lua", with: version(2))
        try await stream.counts("reload_v2")
        stream.end(events: [["reload_v1"], ["reload_v2"]], lines: [Self.first, Self.second])
    }

    @Test func `a file that is empty for a moment keeps the old version`() async throws {
        let stream = try await ReloadStream(["a.lua": version(1)])
        try await stream.counts("reload_v1")
        let start = DispatchTime.now().uptimeNanoseconds
        try stream.write("", to: "a.lua")
        try await stream.isLookedAt()
        try stream.write(version(2), to: "a.lua")
        let spent = DispatchTime.now().uptimeNanoseconds - start
        try await stream.counts("reload_v2")
        // On a machine that stood still meanwhile, the file was empty for so long that it counts.
        guard spent < Self.emptyNanoseconds else { return }
        stream.end(events: [["reload_v1"], ["reload_v2"]], lines: [Self.first, Self.second])
    }

    @Test func `a file that is written byte by byte for seconds runs when it is whole`() async throws {
        let stream = try await ReloadStream(["a.lua": version(1)])
        try await stream.counts("reload_v1")
        let longest = try await stream.writeSlowly(
            Self.slow.map { String($0) },
            to: "a.lua",
            pauseMilliseconds: 15
        )
        try await stream.counts("reload_v2")
        // On a machine that stood still meanwhile, the writer paused for so long that a part counts.
        guard longest < Self.pauseNanoseconds else { return }
        stream.end(events: [["reload_v1"], ["reload_v2"]], lines: [Self.first, Self.second])
    }

    @Test func `a file that is written slowly does not hold up another`() async throws {
        let stream = try await ReloadStream(["a.lua": version(1)])
        try await stream.counts("reload_v1")
        async let longest = stream.writeSlowly(
            Self.slow.map { String($0) },
            to: "a.lua",
            pauseMilliseconds: 15
        )
        try stream.write(version(3), to: "b.lua")
        try await stream.counts("reload_v1", "reload_v3")
        let pause = try await longest
        try await stream.counts("reload_v2", "reload_v3")
        guard pause < Self.pauseNanoseconds else { return }
        stream.end(
            events: [["reload_v1"], ["reload_v1", "reload_v3"], ["reload_v2", "reload_v3"]],
            lines: [Self.first, "b: loaded, generation 1", Self.second]
        )
    }

    @Test func `a file moved in from another file system, half of it visible, runs when it is whole`()
        async throws
    {
        let stream = try await ReloadStream()
        try await stream.counts()
        let half = Self.slow.split(separator: "n = 2").map { String($0) }
        let pieces = [half[0], "n = 2\n"]
        let longest = try await stream.writeSlowly(pieces, to: "a.lua", pauseMilliseconds: 90)
        try await stream.counts("reload_v2")
        guard longest < Self.pauseNanoseconds else { return }
        stream.end(events: [[], ["reload_v2"]], lines: [Self.first])
    }

    @Test func `a deleted file is unloaded once, and its counter stays declared`() async throws {
        let stream = try await ReloadStream(["a.lua": version(1)])
        try await stream.counts("reload_v1")
        try stream.remove("a.lua")
        try await stream.counts()
        #expect(stream.host.status.isEmpty)
        let other = InstrumentDescriptor(name: "reload_v1", type: .gauge)
        #expect(stream.registry.conflict(other, source: "b") != nil)
        stream.end(events: [["reload_v1"], []], lines: [Self.first, Self.gone])
    }

    @Test func `a file deleted and created again at once ends as the new version with a state of its own`()
        async throws
    {
        let stream = try await ReloadStream(["a.lua": "mark = true\n" + version(1)])
        try await stream.counts("reload_v1")
        try stream.remove("a.lua")
        try stream.write("if rawget(_G, 'mark') then error('old') end\n" + version(2), to: "a.lua")
        try await stream.counts("reload_v2")
        // The host may have looked between the two.
        let wasGone = stream.lines.contains(Self.gone)
        stream.end(
            events: wasGone ? [["reload_v1"], [], ["reload_v2"]] : [["reload_v1"], ["reload_v2"]],
            lines: wasGone ? [Self.first, Self.gone, Self.second] : [Self.first, Self.second]
        )
    }

    @Test func `a file of the same size with a time of long ago is seen`() async throws {
        let stream = try await ReloadStream(["a.lua": version(1)])
        try await stream.counts("reload_v1")
        try stream.write(version(2), to: ".copy")
        try stream.setTimes(of: ".copy", 978_307_200)
        try stream.rename(".copy", "a.lua")
        try await stream.counts("reload_v2")
        stream.end(events: [["reload_v1"], ["reload_v2"]], lines: [Self.first, Self.second])
    }

    @Test func `a change in place whose time was put back is seen`() async throws {
        let stream = try await ReloadStream(["a.lua": version(1)])
        try stream.setTimes(of: "a.lua", 1_600_000_000)
        try await stream.counts("reload_v1")
        try stream.write(version(2), to: "a.lua")
        try stream.setTimes(of: "a.lua", 1_600_000_000)
        try await stream.counts("reload_v2")
        stream.end(events: [["reload_v1"], ["reload_v2"]], lines: [Self.first, Self.second])
    }

    @Test func `a change after a time in the future is seen`() async throws {
        let stream = try await ReloadStream(["a.lua": version(1)])
        try await stream.counts("reload_v1")
        try stream.setTimes(of: "a.lua", Int(Date().timeIntervalSince1970) + 3600)
        try await stream.isLookedAt()
        try stream.replace("a.lua", with: version(2))
        try await stream.counts("reload_v2")
        stream.end(events: [["reload_v1"], ["reload_v2"]], lines: [Self.first, Self.second])
    }

    @Test func `what vim does to save a file loads the new version and nothing else`() async throws {
        let stream = try await ReloadStream(["a.lua": version(1)])
        try await stream.counts("reload_v1")
        try stream.write("", to: "4913")
        try stream.remove("4913")
        try stream.write(version(1), to: ".a.lua.swp")
        try stream.rename("a.lua", "a.lua~")
        try stream.write(version(2), to: "a.lua")
        try stream.remove("a.lua~")
        try stream.remove(".a.lua.swp")
        try await stream.counts("reload_v2")
        // The host may have looked while the file had its other name.
        let wasGone = stream.lines.contains(Self.gone)
        stream.end(
            events: wasGone ? [["reload_v1"], [], ["reload_v2"]] : [["reload_v1"], ["reload_v2"]],
            lines: wasGone ? [Self.first, Self.gone, Self.second] : [Self.first, Self.second]
        )
    }

    @Test func `a broken file leaves the last good version running, as stale, until a good one comes`()
        async throws
    {
        let stream = try await ReloadStream(["a.lua": version(1)])
        try await stream.counts("reload_v1")
        try stream.replace("a.lua", with: "this is not lua")
        try await stream.says("a: does not load: a.lua:1:")
        #expect(stream.condition(of: "a") == .stale)
        try await stream.moreEvents()
        try stream.replace("a.lua", with: version(2))
        try await stream.counts("reload_v2")
        #expect(stream.condition(of: "a") == .running)
        #expect(stream.lines.count == 3 && stream.lines.last == Self.second)
        stream.end(events: [["reload_v1"], ["reload_v2"]])
    }

    @Test func `a broken file that is put back as it was loads nothing anew`() async throws {
        let stream = try await ReloadStream(["a.lua": version(1)])
        try await stream.counts("reload_v1")
        try stream.replace("a.lua", with: "this is not lua")
        try await stream.says("a: does not load: a.lua:1:")
        try stream.replace("a.lua", with: version(1))
        try await stream.says("a: its file holds what runs again")
        #expect(stream.condition(of: "a") == .running)
        #expect(stream.host.status.first?.generation == 1)
        stream.end(events: [["reload_v1"]])
    }

    @Test func `a file that loops while it loads holds up no event`() async throws {
        let stream = try await ReloadStream(["a.lua": version(1)], loadTime: .milliseconds(200))
        try await stream.counts("reload_v1")
        try stream.replace("a.lua", with: "while true do end")
        try await stream.says("a: does not load: ")
        #expect(stream.condition(of: "a") == .stale)
        try await stream.moreEvents()
        try stream.replace("a.lua", with: version(2))
        try await stream.counts("reload_v2")
        #expect(stream.lines.count == 3 && stream.lines.last == Self.second)
        stream.end(events: [["reload_v1"], ["reload_v2"]])
    }

    @Test func `a version that is in the middle of an event ends it; what it kept of it is dead`()
        async throws
    {
        let long = """
            local c = nightjar.counter("reload_v1")
            local kept
            nightjar.on("span_ended", function(span) kept = span for i = 1, 300000 do end c:add(1) end)
            nightjar.on_unload(function() return kept.name end)
            """
        let stream = try await ReloadStream(["a.lua": long])
        try await stream.counts("reload_v1")
        try stream.replace("a.lua", with: version(2))
        try await stream.counts("reload_v2")
        #expect(stream.lines.contains { $0.hasPrefix("a: on_unload failed: a.lua:4: ") })
        #expect(stream.lines.count == 3)
        stream.end(events: [["reload_v1"], ["reload_v2"]])
    }

    @Test(
        arguments: [
            ("keep = setmetatable({}, { __gc = function() while true do end end })", false),
            ("local x <close> = setmetatable({}, { __close = function() while true do end end })", false),
            ("local m = {} keep = setmetatable({}, m) m.__gc = function() while true do end end", true),
        ]
    )
    func `a state that would run code when it is closed runs none`(_ trap: String, loads: Bool) async throws {
        let stream = try await ReloadStream(["a.lua": trap + "\n" + version(1)])
        let before = loads ? ["reload_v1"] : []
        if loads { try await stream.counts("reload_v1") } else { try await stream.says("a: does not load") }
        try await stream.moreEvents()
        #expect(stream.condition(of: "a") == (loads ? .running : .failed))
        try stream.replace("a.lua", with: version(2))
        try await stream.counts("reload_v2")
        stream.end(events: [before, ["reload_v2"]])
    }

    @Test func `a disk that is full, or else a file cut short, leaves the old version running`() async throws
    {
        let stream = try await ReloadStream(["a.lua": version(1)], onSmallDisk: true)
        try await stream.counts("reload_v1")
        if stream.isSmallDisk {
            #expect(throws: POSIXError.self) {
                try stream.write(String(repeating: "x", count: 1 << 16), to: ".filler")
            }
            let long = "local padding = '" + String(repeating: "x", count: 5000) + "'\n" + version(2)
            #expect(throws: POSIXError.self) { try stream.write(long, to: "a.lua") }
        } else {
            try stream.write(String(version(2).prefix(30)), to: "a.lua")
        }
        try await stream.says("a: does not load: a.lua:1:")
        #expect(stream.condition(of: "a") == .stale)
        try await stream.moreEvents()
        if stream.isSmallDisk { try stream.remove(".filler") }
        try stream.write(version(2), to: "a.lua")
        try await stream.counts("reload_v2")
        #expect(stream.lines.count == 3 && stream.lines.last == Self.second)
        stream.end(events: [["reload_v1"], ["reload_v2"]])
    }

    @Test func `a renamed file, its scorer too, goes on under its new name, in the order of names`()
        async throws
    {
        let scorer = "nightjar.scorer('brief', { on = 'span_ended' }, function() end)\n"
        let stream = try await ReloadStream(["a.lua": scorer + version(1), "m.lua": version(3)])
        try await stream.counts("reload_v1", "reload_v3")
        try stream.rename("a.lua", "z.lua")
        try await stream.counts("reload_v3", "reload_v1")
        stream.end(
            events: [["reload_v1", "reload_v3"], ["reload_v3", "reload_v1"]],
            lines: [Self.first, "m: loaded, generation 1", "z: loaded, generation 1", Self.gone]
        )
    }
}
