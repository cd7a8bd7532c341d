import Foundation
import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Testing

/// Plugin contract section 7: what outlives a version of a plugin.
@Suite struct StateTests {
    private static func counting(_ more: String = "", version: String = "1") -> String {
        """
        nightjar.plugin { scope = "global", version = "\(version)" }
        local state = nightjar.state
        nightjar.on("span_ended", function()
          state.count = (state.count or 0) + 1
          print(state.count)
        end)
        \(more)
        """
    }

    @Test func `state goes on over a reload, also where the script holds the table`() throws {
        let fixture = try PluginFolderFixture(["a.lua": Self.counting()], watches: false)
        fixture.host.loadAll()
        #expect(fixture.printed(2) == ["1", "2"])
        try fixture.write("a.lua", Self.counting("-- changed"))
        fixture.host.loadAll()
        #expect(fixture.printed(2) == ["3", "4"])
    }

    @Test func `migrate makes the new state of the old one and knows its version`() throws {
        let fixture = try PluginFolderFixture(["a.lua": Self.counting(version: "7")], watches: false)
        fixture.host.loadAll()
        #expect(fixture.printed(3) == ["1", "2", "3"])
        let migrating = Self.counting(
            "function nightjar.migrate(old, version) return { count = old.count * 10 + tonumber(version) } end"
        )
        try fixture.write("a.lua", migrating)
        fixture.host.loadAll()
        #expect(fixture.printed(1) == ["38"])
    }

    @Test func `a version that cannot take the state over does not replace the running one`() throws {
        let fixture = try PluginFolderFixture(["a.lua": Self.counting()], watches: false)
        fixture.host.loadAll()
        #expect(fixture.printed(1) == ["1"])
        try fixture.write("a.lua", Self.counting("function nightjar.migrate() error('cannot') end"))
        fixture.host.loadAll()
        #expect(fixture.host.status.first?.loadFault?.detail.contains("cannot take over the state") == true)
        #expect(fixture.host.status.first?.condition == .stale)
        #expect(fixture.printed(1) == ["2"])
    }

    @Test func `state and switches outlive the host`() throws {
        let archive = InMemoryPluginArchive()
        let files = [
            "a.lua": Self.counting(), "b.lua": "nightjar.on('span_ended', function() print('b') end)",
        ]
        let first = try PluginFolderFixture(files, watches: false, archive: archive)
        first.host.loadAll()
        #expect(first.printed(1) == ["1", "b"])
        try first.host.disable("b")
        #expect(first.printed(1) == ["2"])
        first.host.saveStates()
        let second = try PluginFolderFixture(files, watches: false, archive: archive)
        second.host.loadAll()
        #expect(second.printed(1) == ["3"])
        #expect(second.host.status.map(\.condition) == [.running, .disabled])
        try second.host.enable("b")
        #expect(second.printed(1) == ["4", "b"])
    }

    @Test func `plain data comes back as it was`() throws {
        let values = """
            local function sample()
              return { 1, 2.5, "\\0\\255\\n", true, { [0] = "zero", [-5] = false, [2.5] = "x", nested = { { {} } } },
                math.mininteger, math.maxinteger, 1/0, "" }
            end
            local function same(a, b)
              if math.type(a) ~= math.type(b) or type(a) ~= type(b) then return false end
              if type(a) ~= "table" then return a == b end
              for k, v in pairs(a) do if not same(v, b[k]) then return false end end
              for k in pairs(b) do if a[k] == nil then return false end end
              return true
            end

            """
        let archive = InMemoryPluginArchive()
        let writes =
            values + """
                nightjar.plugin { scope = "global" }
                nightjar.state.kept = nightjar.state.kept or sample()
                nightjar.on("span_ended", function() print(same(nightjar.state.kept, sample())) nightjar.state.mark = 1 end)
                """
        let first = try PluginFolderFixture(["a.lua": writes], watches: false, archive: archive)
        first.host.loadAll()
        #expect(first.printed(1) == ["true"])
        first.host.saveStates()
        let reads = writes.replacingOccurrences(of: "nightjar.state.kept or sample()", with: "nil")
        let second = try PluginFolderFixture(["a.lua": reads], watches: false, archive: archive)
        second.host.loadAll()
        #expect(second.printed(1) == ["true"])
    }

    @Test(arguments: [
        ("nightjar.state.f = print", "holds a function"),
        ("nightjar.state.me = nightjar.state", "one that holds itself"),
        (
            "nightjar.state.big = {} for i = 1, 3 do nightjar.state.big[i] = ('x'):rep(400000) end",
            "over 1 MiB"
        ),
        ("nightjar.state.s = coroutine.create(print)", "holds a coroutine"),
    ])
    func `what cannot be kept is told, and the plugin goes on`(_ body: String, _ expected: String) throws {
        let script = "nightjar.plugin{scope='global'} nightjar.on('span_ended', function() \(body) end)"
        let fixture = try PluginFolderFixture(["a.lua": script], watches: false)
        fixture.host.loadAll()
        _ = fixture.printed(1)
        fixture.host.saveStates()
        #expect(fixture.lines.all.contains { $0.contains(expected) }, "\(fixture.lines.all)")
        #expect(fixture.host.status.first?.condition == .running)
    }

    @Test func `rollback runs the content before, until the file changes, also after a restart`() throws {
        func telling(_ word: String) -> String {
            "nightjar.on('span_ended', function() print('\(word)') end)"
        }
        let archive = InMemoryPluginArchive()
        let fixture = try PluginFolderFixture(["a.lua": telling("v1")], watches: false, archive: archive)
        fixture.host.loadAll()
        #expect(throws: PluginControlError.self) { try fixture.host.rollBack("a") }
        try fixture.write("a.lua", telling("v2"))
        fixture.host.loadAll()
        #expect(fixture.printed(1) == ["v2"])
        try fixture.host.rollBack("a")
        #expect(fixture.printed(1) == ["v1"])
        #expect(fixture.host.status.first?.isPinned == true)
        fixture.host.loadAll()
        #expect(fixture.printed(1) == ["v1"])
        let restarted = try PluginFolderFixture(["a.lua": telling("v2")], watches: false, archive: archive)
        restarted.host.loadAll()
        #expect(restarted.printed(1) == ["v1"])
        try restarted.write("a.lua", telling("v3"))
        restarted.host.loadAll()
        #expect(restarted.printed(1) == ["v3"])
        #expect(restarted.host.status.first?.isPinned == false)
    }

    @Test func `a data file that changes reloads its plugin`() throws {
        let script = "local d = nightjar.data('d.json') nightjar.on('span_ended', function() print(d.v) end)"
        let fixture = try PluginFolderFixture(["a.lua": script, "d.json": #"{"v":1}"#], watches: false)
        fixture.host.loadAll()
        #expect(fixture.printed(1) == ["1"])
        try fixture.write("d.json", #"{"v":22}"#)
        fixture.host.loadAll()
        #expect(fixture.printed(1) == ["22"])
        let generation = fixture.host.status.first?.generation
        fixture.host.loadAll()
        #expect(fixture.host.status.first?.generation == generation)
    }

    @Test func `a version whose own tests fail does not go live`() throws {
        let fixture = try PluginFolderFixture(["a.lua": "-- v1"], watches: false) { source in
            source.text.contains(UInt8(ascii: "2")) ? ["a is counted: expected 1, found 2"] : []
        }
        fixture.host.loadAll()
        try fixture.write("a.lua", "-- v2")
        fixture.host.loadAll()
        #expect(fixture.host.status.first?.loadFault?.detail.contains("its tests fail: a is counted") == true)
        #expect(fixture.host.status.first?.condition == .stale)
    }
}
