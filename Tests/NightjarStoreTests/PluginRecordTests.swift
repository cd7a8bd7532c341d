import GRDB
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// Plugin contract section 7: what is kept of plugins.
struct PluginRecordTests {
    private func content(_ number: Int, of plugin: String = "tone") -> PluginContentRecord {
        PluginContentRecord(
            name: plugin,
            hash: "h\(number)",
            loadedAt: Timestamp(unixNano: Int64(number)),
            packed: [0, UInt8(number), 255]
        )
    }

    @Test(arguments: [false, true])
    func `what is kept of a plugin reads the same, also by a later run`(inMemory: Bool) throws {
        let fixture = try Fixture(inMemory: inMemory)
        var whole = PluginRecord(name: "tone")
        whole.isDisabled = true
        (whole.pinHash, whole.pinMark) = ("aa", "bb")
        (whole.state, whole.stateVersion, whole.stateHash) = ([0, 1, 255], "1.2", "cc")
        var empty = PluginRecord(name: "empty")
        empty.state = []
        try fixture.keep(.keep(whole), .keep(empty))
        #expect(try fixture.store.plugins() == [empty, whole])
        guard !inMemory else { return }
        try fixture.store.close()
        #expect(try Fixture(fixture.folder).store.plugins() == [empty, whole])
    }

    @Test func `what is kept last replaces what was there, and what is forgotten is gone`() throws {
        let fixture = try Fixture()
        var first = PluginRecord(name: "tone")
        (first.isDisabled, first.state, first.stateHash) = (true, [1], "cc")
        let second = PluginRecord(name: "tone")
        try fixture.keep(.keep(first), .keep(second), .content(content(1)))
        #expect(try fixture.store.plugins() == [second])
        try fixture.keep(.forget("tone"), .forget("never"))
        #expect(try fixture.store.plugins().isEmpty)
        #expect(try fixture.store.contents(ofPlugin: "tone") == [content(1)])
    }

    @Test func `the last ten contents of each plugin stay, the newest first`() throws {
        let fixture = try Fixture()
        try fixture.keep(.content(content(1, of: "other")))
        for number in 1...12 { try fixture.keep(.content(content(number))) }
        let numbers = try fixture.store.contents(ofPlugin: "tone").map(\.loadedAt.unixNano)
        #expect(numbers == (3...12).reversed().map(Int64.init))
        #expect(try fixture.store.contents(ofPlugin: "other") == [content(1, of: "other")])
        #expect(try fixture.store.contents(ofPlugin: "none").isEmpty)
    }

    @Test func `a content that comes again is the newest, and one that is the newest stays as it is`() throws
    {
        let fixture = try Fixture()
        try fixture.keep(.content(content(1)), .content(content(2)))
        var again = PluginContentRecord(
            name: "tone",
            hash: "h2",
            loadedAt: Timestamp(unixNano: 9),
            packed: []
        )
        try fixture.keep(.content(again))
        #expect(try fixture.store.contents(ofPlugin: "tone") == [content(2), content(1)])
        again = PluginContentRecord(name: "tone", hash: "h1", loadedAt: Timestamp(unixNano: 9), packed: [7])
        try fixture.keep(.content(again))
        #expect(try fixture.store.contents(ofPlugin: "tone") == [again, content(2)])
    }

    @Test func `what plugins keep counts towards what may wait for the disk`() throws {
        let fixture = try Fixture { $0.queueBytes = 10_000 }
        var record = PluginRecord(name: "tone")
        record.state = [UInt8](repeating: 1, count: 9_000)
        let outcome = Outcome()
        let submission = Submission(
            plugins: [.keep(record)],
            receivedAt: Timestamp(unixNano: 1),
            completion: outcome.add
        )
        // While another holds the database nothing leaves the queue.
        try fixture.other().inDatabase { db in
            try db.execute(sql: "BEGIN IMMEDIATE")
            try fixture.store.submit(submission)
            #expect(throws: StoreError.self) { try fixture.store.submit(submission) }
            try db.execute(sql: "COMMIT")
        }
        try fixture.store.flush()
        #expect(outcome.errors.isEmpty)
        #expect(try fixture.store.plugins() == [record])
    }
}
