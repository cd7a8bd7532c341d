import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

struct MemoryBoundTests {
    private func fixture(inMemory: Bool = true) throws -> Fixture {
        try Fixture(inMemory: inMemory) { $0.memoryBytes = 2 << 20 }
    }

    /// Adds processed traces of 20 kB each, with a log each, that are over.
    private func add(
        _ fixture: Fixture,
        _ traces: ClosedRange<UInt64>,
        _ change: (inout TraceRecord) -> Void = { _ in }
    )
        throws
    {
        let payload = [UInt8](repeating: 7, count: 20_000)
        for trace in traces {
            let receipt = try fixture.submit(chunks: [chunk(trace, payload)], at: Int64(trace))
            var record = record(trace, receivedAt: Int64(trace))
            record.isOpen = false
            change(&record)
            var log = Log(timestamp: Timestamp(unixNano: 1), level: .info, message: "x")
            log.traceID = traceID(trace)
            try fixture.commit { [record, log] in
                $0.progress = [0: receipt.sequences[0]]
                $0.traces = [record]
                $0.logs = [log]
            }
        }
    }

    private func listed(_ fixture: Fixture) throws -> [UInt64] {
        var query = TraceQuery()
        query.limit = 500
        return try fixture.store.traces(query).traces.map(\.id.low).sorted()
    }

    @Test func `the oldest traces go with all that belongs to them, totals stay`() throws {
        let fixture = try fixture()
        let series = try fixture.series("runs_total")
        try fixture.commit { $0.deltas = [fixture.delta(series, 3)] }
        try add(fixture, 1...300)
        let left = try listed(fixture)
        #expect(left.count < 105)
        #expect(left == Array(UInt64(301 - left.count)...300))
        #expect(fixture.store.status.evictedTraces == 300 - left.count)
        for trace in 1...300 as ClosedRange<UInt64> {
            let isLeft = left.contains(trace)
            #expect(try fixture.store.chunks(of: traceID(trace)).isEmpty != isLeft)
            #expect(try fixture.store.logs(of: traceID(trace)).isEmpty != isLeft)
        }
        #expect(try fixture.store.recover().series.map(\.total.sum) == [3])
        #expect(try fixture.submit(chunks: [chunk(900)]).sequences == [301])
    }

    @Test func `what is open, waits or is not processed stays`() throws {
        let fixture = try fixture()
        try fixture.submit(chunks: [chunk(1), chunk(2, partition: 1)])
        try fixture.commit {
            var closed = record(2)
            closed.isOpen = false
            $0.traces = [closed]
        }
        try add(fixture, 3...3) { $0.pending = [SpanID(value: 1)] }
        try fixture.commit { $0.progress = [0: 3] }
        try add(fixture, 10...300)
        #expect(try listed(fixture).prefix(3) == [1, 2, 3])
        #expect(try fixture.replayed().first?.sequence == 2)
    }

    @Test func `logs without a trace go too, the oldest first`() throws {
        let fixture = try fixture()
        let words = String(repeating: "w", count: 5_000)
        for number in 1...1_000 as ClosedRange<Int64> {
            var effects = Effects()
            effects.logs = [Log(timestamp: Timestamp(unixNano: number), level: .info, message: words)]
            fixture.store.commit(effects) {}
            if number % 20 == 0 { try fixture.store.flush() }
        }
        #expect(fixture.store.status.evictedLogs > 400)
        #expect(try fixture.store.logs(LogQuery()).records.first?.log.timestamp.unixNano == 1_000)
    }

    @Test func `what was counted goes where there is nothing else`() throws {
        let fixture = try fixture()
        let series = try fixture.series("scores_total")
        for number in 1...1_000 {
            var long = score("\(number)")
            long.reason = String(repeating: "w", count: 5_000)
            try fixture.submit(scores: [long])
            if number < 900 {
                try fixture.commit {
                    $0.counts = [.init(kind: .score, id: long.id, first: fixture.delta(series), again: nil)]
                }
            }
        }
        #expect(fixture.store.status.evictedAnnotations > 400)
        #expect(try fixture.store.recover().scores.count == 101)
    }

    @Test func `a file is not held to it`() throws {
        let fixture = try fixture(inMemory: false)
        try add(fixture, 1...120)
        #expect(try listed(fixture).count == 120)
        #expect(fixture.store.status.evictedTraces == 0)
    }
}
