import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

struct SamplingTests {
    /// A trace that was sampled out and is over.
    private func over(_ trace: UInt64, _ change: (inout TraceRecord) -> Void = { _ in }) -> TraceRecord {
        var record = record(trace)
        record.isOpen = false
        record.isSampledOut = true
        change(&record)
        return record
    }

    private func log(_ trace: UInt64) -> Log {
        var log = Log(timestamp: Timestamp(unixNano: 1), level: .info, message: "x")
        log.traceID = traceID(trace)
        return log
    }

    /// How many chunks, logs, scores and feedback of a trace there are.
    private func contents(_ fixture: Fixture, _ trace: UInt64) throws -> [Int] {
        let (store, id) = (fixture.store, traceID(trace))
        return try [
            store.chunks(of: id).count, store.logs(of: id).count, store.scores(of: id).count,
            store.feedback(of: id).count,
        ]
    }

    @Test func `a trace that was sampled out is known but not listed`() throws {
        let fixture = try Fixture()
        try fixture.commit { $0.traces = [over(1), over(2) { $0.isOpen = true }, record(3)] }
        #expect(try fixture.store.traces(TraceQuery()).traces.map(\.id) == [traceID(3)])
        #expect(try fixture.store.trace(traceID(1)) == over(1))
        #expect(try fixture.store.recover().openTraces.map(\.id) == [traceID(2), traceID(3)])
    }

    @Test func `its contents go when it is over and nothing of it waits, others' stay`() throws {
        let fixture = try Fixture()
        let series = try fixture.series("scores_total")
        try fixture.submit(
            chunks: [chunk(1), chunk(2)],
            scores: [score("a"), score("a")],
            feedback: [feedback("b")]
        )
        try fixture.commit {
            $0.progress = [0: 2]
            $0.traces = [over(1) { $0.isOpen = true }]
            $0.logs = [log(1), log(2)]
            $0.counts = [
                .init(kind: .score, id: "a", first: fixture.delta(series), again: nil),
                .init(kind: .feedback, id: "b", first: fixture.delta(series), again: nil),
            ]
        }
        try fixture.commit { $0.traces = [over(1) { $0.pending = [SpanID(value: 0)] }] }
        #expect(try contents(fixture, 1) == [1, 1, 1, 1])
        try fixture.commit { $0.traces = [over(1)] }
        #expect(try contents(fixture, 1) == [0, 0, 0, 0])
        #expect(try fixture.numbers("SELECT count(*) FROM scores_history") == [0])
        #expect(try contents(fixture, 2) == [1, 1, 0, 0])
        #expect(fixture.ledger.snapshot().map(\.total.sum) == [2])
    }

    @Test func `what has come since stays until it is processed`() throws {
        let fixture = try Fixture()
        try fixture.submit(chunks: [chunk(1), chunk(1)])
        try fixture.commit {
            $0.progress = [0: 1]
            $0.traces = [over(1)]
        }
        #expect(try fixture.store.chunks(of: traceID(1)).map(\.sequence) == [2])
        try fixture.store.close()
        let next = try Fixture(fixture.folder)
        #expect(try next.replayed().map(\.sequence) == [2])
        try next.commit {
            $0.progress = [0: 2]
            $0.traces = [over(1) { $0.revision = 2 }]
        }
        #expect(try next.store.chunks(of: traceID(1)).isEmpty)
    }

    @Test func `what is processed after its end goes too`() throws {
        let fixture = try Fixture()
        try fixture.commit { $0.traces = [over(1)] }
        try fixture.submit(scores: [score("late")])
        #expect(try contents(fixture, 1) == [0, 0, 1, 0])
        let series = try fixture.series("scores_total")
        func count(_ id: String) -> Effects.AnnotationCount {
            .init(kind: .score, id: id, first: fixture.delta(series), again: nil)
        }
        try fixture.commit { $0.counts = [count("late")] }
        #expect(try contents(fixture, 1) == [0, 0, 0, 0])
        try fixture.commit { $0.logs = [log(1)] }
        #expect(try contents(fixture, 1) == [0, 0, 0, 0])
        try fixture.commit {
            $0.scores = [score("rule's")]
            $0.counts = [count("rule's")]
        }
        #expect(try contents(fixture, 1) == [0, 0, 0, 0])
        #expect(fixture.ledger.snapshot().map(\.total.sum) == [2])
    }

    @Test func `one that is kept after all is listed again`() throws {
        let fixture = try Fixture()
        try fixture.commit { $0.traces = [over(1)] }
        try fixture.submit(chunks: [chunk(1)])
        try fixture.commit { $0.traces = [over(1) { $0.isSampledOut = false }] }
        #expect(try fixture.store.traces(TraceQuery()).traces.map(\.id) == [traceID(1)])
        #expect(try fixture.store.chunks(of: traceID(1)).count == 1)
    }
}
