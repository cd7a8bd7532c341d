import GRDB
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// Records of traces that change again and again, and the indexes over them.
struct TraceRecordTests {
    /// Texts of every length that matters to how they are handed over, and none.
    private func text(_ random: inout SeededGenerator) -> String {
        let lengths = [0, 1, 16, 127, 128, 129, 700]
        return String(repeating: "ä", count: lengths[Int(random.next() % 7)] / 2)
            + (random.next() % 2 == 0 ? "" : "x")
    }

    private func changed(_ record: TraceRecord, _ random: inout SeededGenerator) -> TraceRecord {
        var record = record
        func time() -> Timestamp { Timestamp(unixNano: Int64(random.next() % 50)) }
        for _ in 0..<random.next() % 3 {
            switch random.next() % 8 {
            case 0: record.start = random.next() % 4 == 0 ? nil : time()
            case 1: record.lastReceived = time()
            case 2: record.isOpen.toggle()
            case 3: record.pending = (0..<random.next() % 3).map { SpanID(value: $0 + 1) }
            case 4: record.session = random.next() % 4 == 0 ? nil : "session-\(random.next() % 3)"
            case 5: record.name = text(&random)
            case 6: record.models = FacetSet([text(&random), text(&random)])
            default: record.inputTokens = Double(random.next() % 9)
            }
        }
        record.revision += 1
        return record
    }

    private func isAfter(_ left: TraceRecord, _ right: TraceRecord) -> Bool {
        (left.start ?? left.firstReceived) > (right.start ?? right.firstReceived)
    }

    @Test(arguments: UInt64(0)..<6)
    func `are what was written last, and every list finds them so`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let fixture = try Fixture()
        var expected: [TraceID: TraceRecord] = [:]
        for round in 0..<60 {
            let number = random.next() % 12 + 1
            let id = traceID(number)
            switch random.next() % 6 {
            case 0:
                let isNew = try fixture.submit(chunks: [chunk(number)], at: Int64(round)).isNewTrace
                #expect(isNew == [expected[id] == nil])
                if expected[id] == nil { expected[id] = record(number, receivedAt: Int64(round)) }
            case 1:
                #expect(try fixture.store.deleteTrace(id) == (expected[id] != nil))
                expected[id] = nil
            default:
                guard let old = expected[id] else { continue }
                // The last of a group holds.
                let versions = [changed(old, &random), changed(old, &random)]
                try fixture.commit { $0.traces = versions }
                expected[id] = versions[1]
            }
        }
        for (id, record) in expected { #expect(try fixture.store.trace(id) == record) }
        let listed = try fixture.store.traces(TraceQuery()).traces
        #expect(Set(listed.map(\.id)) == Set(expected.keys))
        #expect(zip(listed, listed.dropFirst()).allSatisfy { !isAfter($1, $0) })
        for session in 0..<3 {
            var query = TraceQuery()
            query.session = "session-\(session)"
            let found = try fixture.store.traces(query).traces
            #expect(
                Set(found.map(\.id)) == Set(expected.values.filter { $0.session == query.session }.map(\.id))
            )
        }
        let open = expected.values.filter { $0.isOpen || !$0.pending.isEmpty }
        #expect(Set(try fixture.store.recover().openTraces.map(\.id)) == Set(open.map(\.id)))
        #expect(try fixture.other().read { try String.fetchOne($0, sql: "PRAGMA integrity_check") } == "ok")
    }

    @Test func `a change that is rolled back is written in full when it is done again`() throws {
        let fixture = try Fixture { $0.shortestBackoff = .milliseconds(1) }
        try fixture.submit(chunks: [chunk(1)])
        var trace = record(1)
        (trace.start, trace.session, trace.isOpen) = (Timestamp(unixNano: 3), "s", false)
        try fixture.breakTable("streams")
        var effects = Effects()
        effects.traces = [trace]
        effects.streams = [StreamState(id: 1, state: [1], time: Timestamp(unixNano: 1))]
        fixture.store.commit(effects) {}
        while fixture.store.status.failures == 0 {}
        try fixture.mend("streams")
        try fixture.store.flush()
        #expect(try fixture.store.trace(traceID(1)) == trace)
        var query = TraceQuery()
        query.session = "s"
        #expect(try fixture.store.traces(query).traces == [trace])
        #expect(try fixture.store.recover().openTraces.isEmpty)
    }

    @Test func `the places of chunks go with the chunks, whoever deletes them`() throws {
        let fixture = try Fixture()
        try fixture.submit(chunks: [chunk(1), chunk(2), chunk(1), chunk(3)])
        let places = "SELECT count(*) FROM trace_chunks"
        #expect(try fixture.numbers(places) == [4])
        try fixture.commit { $0.rewrites = [ChunkRewrite(sequence: 3, payload: nil)] }
        #expect(try fixture.numbers(places) == [3])
        #expect(try fixture.store.deleteTrace(traceID(2)))
        try fixture.other().write { try $0.execute(sql: "DELETE FROM journal WHERE seq = 4") }
        #expect(try fixture.numbers("SELECT trace FROM trace_chunks") == [1])
        #expect(try fixture.store.chunks(of: traceID(1)).map(\.sequence) == [1])
    }

    @Test func `a trace that takes the row of a deleted one has none of its chunks`() throws {
        let fixture = try Fixture()
        try fixture.submit(chunks: [chunk(1), chunk(2, [7])])
        #expect(try fixture.store.deleteTrace(traceID(2)))
        try fixture.submit(chunks: [chunk(3, [9])])
        #expect(try fixture.numbers("SELECT row FROM traces ORDER BY row") == [1, 2])
        #expect(try fixture.store.chunks(of: traceID(3)).map(\.payload) == [[9]])
        // What was on its way for the first that had the row must not change the second.
        try fixture.commit { $0.traces = [record(2)] }
        #expect(try fixture.store.trace(traceID(3)) == record(3))
    }
}
