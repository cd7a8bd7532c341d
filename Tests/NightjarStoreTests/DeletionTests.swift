import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

struct DeletionTests {
    /// A store with chunks, a log, scores, feedback and history of trace 1, and some of trace 2.
    private func filled(inMemory: Bool = false) throws -> Fixture {
        let fixture = try Fixture(inMemory: inMemory)
        try fixture.submit(
            chunks: [chunk(1), chunk(2), chunk(1)],
            scores: [score("a"), score("a"), score("other", trace: 2)],
            feedback: [feedback("b"), feedback("b")]
        )
        var log = Log(timestamp: Timestamp(unixNano: 1), level: .info, message: "x")
        log.traceID = traceID(1)
        try fixture.commit { [log] in $0.logs = [log] }
        return fixture
    }

    @Test(arguments: [false, true])
    func `deleting a trace takes everything of it and nothing else`(inMemory: Bool) throws {
        let fixture = try filled(inMemory: inMemory)
        let store = fixture.store
        #expect(try store.deleteTrace(traceID(1)))
        #expect(try store.trace(traceID(1)) == nil)
        #expect(try store.chunks(of: traceID(1)).isEmpty)
        #expect(try store.logs(LogQuery()).records.isEmpty)
        #expect(try store.scores(ScoreQuery()).records.map(\.score.id) == ["other"])
        #expect(try store.feedback(FeedbackQuery()).records.isEmpty)
        #expect(try store.history(ofScore: "a").isEmpty)
        #expect(try store.history(ofFeedback: "b").isEmpty)
        #expect(try store.chunks(of: traceID(2)).count == 1)
        #expect(try store.deleteTrace(traceID(1)) == false)
        #expect(try store.deleteTrace(traceID(9)) == false)
    }

    @Test func `a version that was on the trace goes though its score has moved`() throws {
        let fixture = try Fixture()
        try fixture.submit(scores: [score("a", trace: 1)])
        try fixture.submit(scores: [score("a", trace: 2)])
        #expect(try fixture.store.deleteTrace(traceID(1)) == false)
        #expect(try fixture.store.history(ofScore: "a").isEmpty)
        #expect(try fixture.store.scores(of: traceID(2)).count == 1)
    }

    @Test func `deleting an annotation takes its history, and again is no error`() throws {
        let fixture = try filled()
        #expect(try fixture.store.deleteScore("a"))
        #expect(try fixture.store.deleteScore("a") == false)
        #expect(try fixture.store.history(ofScore: "a").isEmpty)
        #expect(try fixture.store.scores(ScoreQuery()).records.map(\.score.id) == ["other"])
        #expect(try fixture.store.deleteFeedback("b"))
        #expect(try fixture.store.deleteFeedback("b") == false)
        #expect(try fixture.store.history(ofFeedback: "b").isEmpty)
    }

    @Test func `it is on disk when the call returns`() throws {
        let fixture = try filled()
        _ = try fixture.store.deleteTrace(traceID(1))
        let crashed = try TemporaryFolder()
        try fixture.folder.copy(to: crashed)
        let next = try Fixture(crashed)
        #expect(try next.store.trace(traceID(1)) == nil)
        #expect(try next.replayed().map(\.sequence) == [2])
        // The last number was that of a chunk which is gone.
        #expect(try next.submit(chunks: [chunk(3)]).sequences == [4])
    }

    @Test func `deletions happen in the order of the submissions`() throws {
        let fixture = try Fixture()
        let outcome = Outcome()
        let time = Timestamp(unixNano: 1)
        func submit(_ chunks: [JournalChunk], _ deletions: [Deletion] = []) throws {
            try fixture.store.submit(
                Submission(chunks: chunks, deletions: deletions, receivedAt: time, completion: outcome.add)
            )
        }
        try submit([chunk(1)])
        try submit([], [.trace(traceID(1)), .score("none")])
        try submit([chunk(1)])
        try fixture.store.flush()
        #expect(try outcome.results.map { try $0.get().deleted } == [[], [true, false], []])
        #expect(try outcome.results.map { try $0.get().isNewTrace } == [[true], [], [true]])
        #expect(try fixture.store.chunks(of: traceID(1)).map(\.sequence) == [2])
    }

    @Test func `what was on its way does not bring a deleted trace back, later spans do`() throws {
        let fixture = try filled()
        let series = try fixture.series("scores_total")
        _ = try fixture.store.deleteTrace(traceID(1))
        var log = Log(timestamp: Timestamp(unixNano: 1), level: .info, message: "x")
        log.traceID = traceID(1)
        func arrive() throws {
            try fixture.commit { [log] in
                $0.progress = [0: 3]
                $0.traces = [record(1, start: 7), record(2)]
                $0.logs = [log]
                $0.scores = [score("rule's")]
                $0.feedback = [feedback("rule's")]
                $0.counts = [.init(kind: .score, id: "rule's", first: fixture.delta(series), again: nil)]
            }
        }
        try arrive()
        #expect(try fixture.store.trace(traceID(1)) == nil)
        #expect(try fixture.store.logs(LogQuery()).records.isEmpty)
        #expect(try fixture.store.scores(of: traceID(1)).isEmpty)
        #expect(try fixture.store.feedback(of: traceID(1)).isEmpty)
        #expect(fixture.ledger.snapshot().map(\.total.sum) == [1])
        try fixture.submit(chunks: [chunk(1)])
        try arrive()
        #expect(try fixture.store.trace(traceID(1)) == record(1, start: 7))
        #expect(try fixture.store.scores(of: traceID(1)).count == 1)
    }

    @Test func `one that was deleted before it was counted counts once`() throws {
        let fixture = try filled()
        let (first, again) = (try fixture.series("scores_total"), try fixture.series("scores_replaced_total"))
        _ = try fixture.store.deleteScore("a")
        try fixture.commit {
            $0.counts = [
                .init(kind: .score, id: "a", first: fixture.delta(first), again: fixture.delta(again))
            ]
        }
        #expect(fixture.ledger.snapshot().map(\.id) == [first])
    }

    @Test(arguments: [true, false])
    func `one that was counted and deleted is not counted again by what was on its way`(withTrace: Bool)
        throws
    {
        let fixture = try filled()
        let (first, again) = (try fixture.series("scores_total"), try fixture.series("scores_replaced_total"))
        func count() throws {
            try fixture.commit {
                $0.counts = [
                    .init(kind: .score, id: "a", first: fixture.delta(first), again: fixture.delta(again))
                ]
            }
        }
        try count()
        if withTrace {
            _ = try fixture.store.deleteTrace(traceID(1))
        } else {
            _ = try fixture.store.deleteScore("a")
        }
        for _ in 0..<2 { try count() }
        let totals = Dictionary(fixture.ledger.snapshot().map { ($0.id, $0.total.count) }) { $1 }
        #expect(totals == [first: 1, again: 2])
    }

    @Test func `a closed store refuses`() throws {
        let fixture = try filled()
        try fixture.store.close()
        let error = #expect(throws: StoreError.self) { try fixture.store.deleteScore("a") }
        #expect(error?.code == .closed)
    }
}
