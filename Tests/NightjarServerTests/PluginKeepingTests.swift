import Foundation
import Logging
import Nightjar
import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// Plugin contract section 7: what plugins keep over a restart, in a database file.
@Suite(.serialized) struct PluginKeepingTests {
    /// Counts spans in its state, and tells of each count.
    private static func counting(_ more: String = "") -> String {
        """
        nightjar.plugin { scope = "global" }
        local seen = nightjar.counter("seen_total", { labels = { "count" } })
        nightjar.on("span_ended", function()
          nightjar.state.count = (nightjar.state.count or 0) + 1
          seen:add(1, { count = tostring(nightjar.state.count) })
        end)
        \(more)
        """
    }

    /// Counts spans under a word.
    private static func telling(_ word: String, _ more: String = "") -> String {
        """
        \(more)
        local told = nightjar.counter("told_total", { labels = { "word" } })
        nightjar.on("span_ended", function() told:add(1, { word = \(word) }) end)
        """
    }

    @Test func `state goes on after a restart`() async throws {
        let runs = try PluginRuns(["a.lua": Self.counting()])
        try await runs.run { engine in
            try await engine.post(1)
            try await engine.post(2)
        }
        try await runs.run { engine in
            try await engine.post(3)
            #expect(engine.counts("seen_total") == ["1": 1, "2": 1, "3": 1])
        }
    }

    @Test func `a content that changed while nothing ran migrates what an earlier run kept`() async throws {
        let runs = try PluginRuns(["a.lua": Self.counting()])
        try await runs.run { try await $0.post(1) }
        let migrating = "function nightjar.migrate(old) return { count = old.count + 40 } end"
        try runs.write(Self.counting(migrating), to: "a.lua")
        try await runs.run { engine in
            try await engine.post(2)
            #expect(engine.counts("seen_total") == ["1": 1, "42": 1])
        }
        try await runs.run { engine in
            try await engine.post(3)
            #expect(engine.counts("seen_total")["43"] == 1, "not migrated again")
        }
    }

    @Test func `a plugin that was switched off stays so, and goes on with its state when it is switched on`()
        async throws
    {
        let runs = try PluginRuns(["a.lua": Self.counting()])
        try await runs.run { engine in
            try await engine.post(1)
            try engine.plugins?.disable("a")
            try await engine.post(2)
        }
        try await runs.run { engine in
            #expect(engine.plugins?.status.map(\.condition) == [.disabled])
            try await engine.post(3)
            #expect(engine.counts("seen_total") == ["1": 1])
        }
        try await runs.run { engine in
            try engine.plugins?.enable("a")
            try await engine.post(4)
            #expect(engine.counts("seen_total") == ["1": 1, "2": 1])
        }
        try await runs.run { engine in
            #expect(engine.plugins?.status.map(\.condition) == [.running])
            try await engine.post(5)
            #expect(engine.counts("seen_total")["3"] == 1)
        }
    }

    @Test func `a plugin that was switched off and edited goes on with its state`() async throws {
        let runs = try PluginRuns(["a.lua": Self.counting()])
        try await runs.run { engine in
            try await engine.post(1)
            try engine.plugins?.disable("a")
        }
        try await runs.run { engine in
            for version in 1...3 {
                try runs.write(Self.counting("-- \(version)"), to: "a.lua")
                engine.plugins?.loadAll()
            }
            try engine.plugins?.enable("a")
            try await engine.post(2)
            #expect(engine.counts("seen_total") == ["1": 1, "2": 1])
        }
    }

    @Test func `a rollback holds after a restart, goes further back, and ends when the file changes`()
        async throws
    {
        let reads = #"local d = nightjar.data("d.json")"#
        let runs = try PluginRuns(["a.lua": Self.telling("d.word", reads), "d.json": #"{"word":"v1"}"#])
        try await runs.run { engine in
            for version in ["v2", "v3"] {
                try runs.write(Self.telling("\"\(version)\""), to: "a.lua")
                engine.plugins?.loadAll()
            }
            try engine.plugins?.rollBack("a")
            try await engine.post(1)
            #expect(engine.counts("told_total") == ["v2": 1])
        }
        try await runs.run { engine in
            #expect(engine.plugins?.status.first?.isPinned == true)
            try await engine.post(2)
            #expect(engine.counts("told_total") == ["v2": 2])
            // This one has a data file beside it.
            try engine.plugins?.rollBack("a")
            try await engine.post(3)
            #expect(engine.counts("told_total") == ["v2": 2, "v1": 1])
        }
        try runs.write(Self.telling("\"v4\""), to: "a.lua")
        try await runs.run { engine in
            #expect(engine.plugins?.status.first?.isPinned == false)
            try await engine.post(4)
            #expect(engine.counts("told_total") == ["v2": 2, "v1": 1, "v4": 1])
            try engine.plugins?.rollBack("a")
            try await engine.post(5)
            #expect(engine.counts("told_total")["v3"] == 1, "the content before is that of the file before")
        }
    }

    @Test func `one state of a global plugin counts the events of both workers`() async throws {
        let runs = try PluginRuns(["a.lua": Self.counting()])
        try await runs.run { configuration in
            configuration.workers = 2
        } _: { engine in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for sender in 0..<4 {
                    group.addTask { for trace in 1...25 { try await engine.post(sender * 100 + trace) } }
                }
                try await group.waitForAll()
            }
            let counts = engine.counts("seen_total")
            #expect(counts.count == 100)
            #expect(counts.values.allSatisfy { $0 == 1 }, "\(counts)")
        }
    }

    @Test func `settings, limits and plugins that are switched off are those of the configuration`()
        async throws
    {
        let settings = #"nightjar.plugin { settings = { word = "none" } }"#
        let runs = try PluginRuns([
            "set.lua": Self.telling("nightjar.settings.word", settings),
            "off.lua": Self.telling("'off'"),
            "many.lua": Self.telling("'many'", "nightjar.on('span_ended', function() print(1) print(2) end)"),
        ])
        try await runs.run { configuration in
            configuration.plugins?.settings = ["set": ["word": "some"]]
            configuration.plugins?.disabled = ["off"]
            configuration.plugins?.limits.emissions = 1
        } _: { engine in
            try await engine.post(1)
            #expect(engine.counts("told_total") == ["some": 1])
            let many = engine.plugins?.status.first { $0.name == "many" }
            #expect(many?.failures.first?.isLimit == true)
            #expect(throws: PluginControlError.self) { try engine.plugins?.enable("off") }
        }
    }

    @Test func `metrics of a deleted plugin leave the view, stay in the store, and go on when it returns`()
        async throws
    {
        let runs = try PluginRuns(["a.lua": Self.telling("'a'"), "b.lua": Self.telling("'b'")])
        try runs.write(Self.telling("'d'").replacing("told_total", with: "own_total"), to: "c.lua")
        try await runs.run { configuration in
            configuration.plugins?.departure = .zero
        } _: { engine in
            try await engine.post(1)
            #expect(engine.counts("own_total") == ["d": 1])
            try runs.folder.remove("plugins/c.lua")
            try runs.folder.remove("plugins/b.lua")
            engine.plugins?.loadAll()
            #expect(engine.counts("own_total").isEmpty)
            #expect(engine.counts("told_total") == ["a": 1, "b": 1], "another plugin has it too")
            #expect(engine.ledger.snapshot().contains { $0.instrument.name == "own_total" })
            try runs.write(Self.telling("'d'").replacing("told_total", with: "own_total"), to: "c.lua")
            engine.plugins?.loadAll()
            try await engine.post(2)
            #expect(engine.counts("own_total") == ["d": 2])
        }
    }

    @Test func `a version whose tests fail does not go live where tests are asked for`() async throws {
        let runs = try PluginRuns(["a.lua": Self.telling("'v1'")])
        try await runs.run { configuration in
            configuration.pluginTests = { source in
                String(decoding: source.text, as: UTF8.self).contains("v2") ? ["counts: no"] : []
            }
        } _: { engine in
            try runs.write(Self.telling("'v2'"), to: "a.lua")
            engine.plugins?.loadAll()
            #expect(engine.plugins?.status.first?.loadFault?.detail == "its tests fail: counts: no")
            try await engine.post(1)
            #expect(engine.counts("told_total") == ["v1": 1])
        }
    }

    @Test func `what the store refuses is kept, and written with what comes next`() throws {
        let folder = try Fixture()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        func open() throws -> SQLiteStore {
            var settings = StoreSettings()
            settings.queueBytes = 100_000
            let ledger = SeriesLedger(table: SeriesTable())
            return try SQLiteStore(.file(folder.path("n.db")), ledger: ledger, settings: settings)
        }
        func archive(_ store: SQLiteStore) throws -> StorePluginArchive {
            let now = { @Sendable in Timestamp(unixNano: 5) }
            return try StorePluginArchive(store, folder: "plugins", now: now, logger: logger)
        }
        let store = try open()
        let first = try archive(store)
        // A completion that waits holds the writer, and what is queued behind it fills the queue.
        let gate = Gate()
        let waits = Submission(receivedAt: Timestamp(unixNano: 1)) { _ in gate.wait() }
        try store.submit(waits)
        let filler = JournalChunk(eventsOf: nil, count: 1, payload: [UInt8](repeating: 1, count: 95_000))
        try store.submit(Submission(chunks: [filler], receivedAt: Timestamp(unixNano: 1)) { _ in })
        var memory = PluginMemory()
        memory.state = [UInt8](repeating: 7, count: 9_000)
        memory.pin = PluginMemory.Pin(hash: "aa", mark: "bb")
        first.keep(memory, of: "tone")
        let source = PluginSource(
            name: "tone",
            file: "tone/init.lua",
            text: [UInt8](repeating: 45, count: 9_000),
            modules: ["tone.sub": [1, 2]]
        )
        let content = PluginContent(source: source, loadedAt: Timestamp(unixNano: 3))
        first.keep(content)
        let isKnown = first.memories() == ["tone": memory] && first.contents(of: "tone") == [content]
        #expect(isKnown)
        #expect(store.status.refusedSubmissions == 2)
        gate.open()
        try store.flush()
        #expect(try store.plugins().isEmpty)
        var other = PluginMemory()
        other.isDisabled = true
        first.keep(other, of: "other")
        try store.close()
        let second = try archive(open())
        let memories = second.memories()
        #expect(Set(memories.keys) == ["tone", "other"])
        // Not compared by the macro, which would print the state.
        let isWhole = memories["tone"] == memory && memories["other"] == other
        #expect(isWhole)
        let found = second.contents(of: "tone")
        #expect(found.map(\.source.hash) == [source.hash])
        #expect(found.map(\.source.modules) == [source.modules])
        #expect(found.map(\.source.folder) == ["plugins/tone"])
        #expect(found.map(\.loadedAt) == [content.loadedAt])
    }
}

/// Holds a thread until it is opened.
private final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    func wait() { _ = semaphore.wait(timeout: .now() + 30) }

    func open() { semaphore.signal() }
}
