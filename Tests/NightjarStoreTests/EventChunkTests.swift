import GRDB
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

struct EventChunkTests {
    private func events(_ text: String, of trace: UInt64? = nil, partition: Int = 0) -> JournalChunk {
        var chunk = JournalChunk(eventsOf: trace.map(traceID), count: 1, payload: Array(text.utf8))
        chunk.partition = partition
        return chunk
    }

    @Test(arguments: [false, true])
    func `both kinds come again in the order of their numbers`(inMemory: Bool) throws {
        let fixture = try Fixture(inMemory: inMemory)
        let chunks = [events("a"), chunk(1, partition: 3), events("b", of: 1, partition: 3), chunk(2)]
        let receipt = try fixture.submit(chunks: chunks)
        #expect(receipt.sequences == [1, 2, 3, 4])
        #expect(receipt.isNewTrace == [false, true, false, true])
        let expected = zip(receipt.sequences, chunks).map {
            StoredChunk(sequence: $0, receivedAt: Timestamp(unixNano: 1_000), chunk: $1)
        }
        #expect(try fixture.replayed() == expected)
        #expect(try fixture.replayed().map(\.kind) == [.events, .spans, .events, .spans])
    }

    @Test func `events are no chunks of their trace and make none known`() throws {
        let fixture = try Fixture()
        try fixture.submit(chunks: [events("a", of: 1)])
        #expect(try fixture.store.chunks(of: traceID(1)).isEmpty)
        #expect(try fixture.store.trace(traceID(1)) == nil)
        try fixture.submit(chunks: [chunk(1)])
        #expect(try fixture.store.chunks(of: traceID(1)).map(\.sequence) == [2])
    }

    @Test func `events have the partition of their trace, or the first`() {
        #expect(
            JournalChunk(eventsOf: traceID(1), count: 1, payload: []).partition == Partition.of(traceID(1))
        )
        #expect(JournalChunk(eventsOf: nil, count: 1, payload: []).partition == 0)
    }

    @Test func `what was acknowledged but not processed survives a crash`() throws {
        let fixture = try Fixture()
        try fixture.submit(chunks: [events("a"), events("b", of: 7, partition: 5)])
        try fixture.commit { $0.progress = [0: 1] }
        let crashed = try TemporaryFolder()
        try fixture.folder.copy(to: crashed)
        let next = try Fixture(crashed)
        #expect(try next.replayed().map(\.payload) == [Array("b".utf8)])
        #expect(try next.replayed().map(\.traceID) == [traceID(7)])
        #expect(try next.submit(chunks: [events("c")]).sequences == [3])
        try next.commit { $0.progress = [5: 2, 0: 3] }
        #expect(try next.replayed().isEmpty)
        #expect(try next.numbers("SELECT count(*) FROM events") == [0])
    }

    @Test func `processed events go once nothing before them waits, spans stay`() throws {
        let fixture = try Fixture()
        try fixture.submit(chunks: [events("a", partition: 1), chunk(1), events("b"), events("c")])
        try fixture.commit { $0.progress = [0: 3] }
        #expect(try fixture.numbers("SELECT seq FROM events") == [1, 3, 4])
        #expect(try fixture.replayed().map(\.sequence) == [1, 4])
        try fixture.commit { $0.progress = [1: 1] }
        #expect(try fixture.numbers("SELECT seq FROM events") == [4])
        #expect(try fixture.numbers("SELECT seq FROM journal") == [2])
        try fixture.commit { $0.progress = [0: 4] }
        #expect(try fixture.numbers("SELECT count(*) FROM events") == [0])
    }

    @Test func `their numbers do not come again after a start`() throws {
        let fixture = try Fixture()
        try fixture.submit(chunks: [chunk(1), events("a"), events("b")])
        try fixture.commit { $0.progress = [0: 3] }
        try fixture.store.close()
        #expect(try Fixture(fixture.folder).submit(chunks: [chunk(2)]).sequences == [4])
    }

    @Test func `a commit clears a bounded number of them`() throws {
        let fixture = try Fixture()
        for _ in 0..<3 { try fixture.submit(chunks: (0..<5_000).map { _ in events("x") }) }
        try fixture.commit { $0.progress = [0: 15_000] }
        #expect(try fixture.numbers("SELECT count(*) FROM events") == [5_000])
        try fixture.commit { $0.progress = [0: 15_000] }
        #expect(try fixture.numbers("SELECT count(*) FROM events") == [0])
    }

    @Test func `a replay reads both tables in order without sorting them`() throws {
        let fixture = try Fixture()
        let plan = try fixture.other().read { db in
            try Row.fetchAll(db, sql: "EXPLAIN QUERY PLAN " + Queries.journal, arguments: [0, 9, 64])
                .map { $0["detail"] as String }.joined(separator: "; ")
        }
        #expect(plan.contains("SEARCH journal USING INTEGER PRIMARY KEY"))
        #expect(plan.contains("SEARCH events USING INTEGER PRIMARY KEY"))
        #expect(!plan.contains("TEMP B-TREE"))
    }
}
