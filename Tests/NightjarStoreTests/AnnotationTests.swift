import GRDB
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

struct AnnotationTests {
    @Test func `a replacement that was not processed is found after a start until it is`() throws {
        let fixture = try Fixture()
        let first = try fixture.series("scores_total")
        func count(_ id: String) throws {
            try fixture.commit {
                $0.counts = [.init(kind: .score, id: id, first: fixture.delta(first), again: nil)]
            }
        }
        try fixture.submit(scores: [score("a", 0.1), score("b", 0.1)], feedback: [feedback("f")])
        #expect(try fixture.store.recover().replacedScores.isEmpty)
        try count("a")
        try fixture.commit { $0.counts = [.init(kind: .feedback, id: "f", first: nil, again: nil)] }
        for value in [0.2, 0.3] { try fixture.submit(scores: [score("a", value)]) }
        try fixture.submit(scores: [score("b", 0.2)], feedback: [feedback("f", "bad")])
        #expect(try fixture.store.recover().replacedScores == [score("a", 0.3)])
        #expect(try fixture.store.recover().scores == [score("b", 0.2)])
        #expect(try fixture.store.recover().replacedFeedback == [feedback("f", "bad")])
        try count("a")
        #expect(try fixture.store.recover().replacedScores == [score("a", 0.3)])
        try fixture.submit(scores: [score("a", 0.4)])
        try fixture.store.close()

        let next = try Fixture(fixture.folder)
        #expect(try next.store.recover().replacedScores == [score("a", 0.4)])
        try next.commit { $0.counts = [.init(kind: .score, id: "a", first: nil, again: nil)] }
        #expect(try next.store.recover().replacedScores.isEmpty)
    }

    @Test(arguments: [false, true])
    func `a score comes back whole`(inMemory: Bool) throws {
        let fixture = try Fixture(inMemory: inMemory)
        var whole = score("whole", 0.25)
        whole.spanID = SpanID(value: 3)
        whole.scorerVersion = "2"
        whole.label = "good"
        whole.reason = "because"
        whole.error = ""
        whole.experiment = "e"
        whole.annotatorKind = "llm"
        whole.metadata = ["userId": "u", "deep": [1, [true, .null]]]
        var bare = score("bare")
        bare.score = nil
        try fixture.submit(scores: [whole, bare], at: 99)
        let records = try fixture.store.scores(of: traceID(1))
        #expect(records.map(\.score) == [whole, bare])
        #expect(records.map(\.createdAt.unixNano) == [99, 99])
    }

    @Test(arguments: ["text", 5, 2.5, 3.0, -0.0, .bool(true), "12", ""] as [Value])
    func `feedback keeps the kind of its value`(value: Value) throws {
        let fixture = try Fixture()
        var whole = feedback("a", value)
        whole.spanID = SpanID(value: 3)
        whole.comment = "c"
        whole.experiment = "e"
        whole.metadata = ["k": 1]
        try fixture.submit(feedback: [whole])
        #expect(try fixture.store.feedback(of: traceID(1)).map(\.feedback) == [whole])
    }

    @Test func `metadata that cannot be read back does not hide the rest`() throws {
        let fixture = try Fixture()
        var deep = score("deep")
        deep.metadata = ["a": (0..<100).reduce(Value.null) { value, _ in .array([value]) }]
        try fixture.submit(scores: [deep, score("b")])
        let scores = try fixture.store.scores(of: traceID(1)).map(\.score)
        #expect(scores.map(\.id) == ["deep", "b"])
        #expect(scores.first?.metadata["unreadable"] == .string(Value.object(deep.metadata).json))
    }

    @Test func `a session's annotations need no trace`() throws {
        let fixture = try Fixture()
        var session = score("a", trace: nil)
        session.sessionID = "s"
        var words = feedback("b", trace: nil)
        words.sessionID = "s"
        let receipt = try fixture.submit(scores: [session], feedback: [words])
        #expect(receipt.scores == [AnnotationReceipt(id: "a", replaced: false, pending: false)])
        #expect(receipt.feedback == [AnnotationReceipt(id: "b", replaced: false, pending: false)])
        #expect(try fixture.store.recover().scores == [session])
        #expect(try fixture.store.recover().feedback == [words])
    }

    @Test func `one of a trace that is not known yet is kept and pending`() throws {
        let fixture = try Fixture()
        #expect(try fixture.submit(scores: [score("a")]).scores.map(\.pending) == [true])
        #expect(try fixture.submit(chunks: [chunk(1)], scores: [score("b")]).scores.map(\.pending) == [false])
        #expect(
            try fixture.submit(feedback: [feedback("c"), feedback("d", trace: 7)]).feedback.map(\.pending)
                == [false, true]
        )
        #expect(try fixture.store.scores(of: traceID(1)).map(\.score.id) == ["a", "b"])
    }

    @Test func `the same id replaces, and what was replaced is kept`() throws {
        let fixture = try Fixture()
        try fixture.submit(scores: [score("a", 0.1)], feedback: [feedback("a", 1)], at: 10)
        let receipt = try fixture.submit(scores: [score("a", 0.2)], feedback: [feedback("a", 2)], at: 20)
        #expect(receipt.scores.map(\.replaced) == [true])
        #expect(receipt.feedback.map(\.replaced) == [true])
        #expect(
            try fixture.store.scores(of: traceID(1)) == [
                ScoreRecord(score: score("a", 0.2), createdAt: Timestamp(unixNano: 10))
            ]
        )
        #expect(try fixture.store.feedback(of: traceID(1)).map(\.feedback.value) == [2])
        #expect(try fixture.numbers("SELECT score FROM scores_history") == [0.1])
        #expect(try fixture.numbers("SELECT value FROM feedback_history") == [1])
        #expect(try fixture.numbers("SELECT replaced_at FROM scores_history") == [20])
    }

    @Test func `one is counted once, however often it is replaced`() throws {
        let fixture = try Fixture()
        let first = try fixture.series("scores_total")
        let again = try fixture.series("scores_replaced_total")
        try fixture.submit(scores: [score("a")], feedback: [feedback("a")])
        #expect(try fixture.store.recover().scores.map(\.id) == ["a"])
        #expect(try fixture.store.recover().feedback.map(\.id) == ["a"])
        func count(_ kind: AnnotationKind, again delta: SeriesDelta?) throws {
            try fixture.commit {
                $0.counts = [.init(kind: kind, id: "a", first: fixture.delta(first), again: delta)]
            }
        }
        try count(.score, again: fixture.delta(again))
        #expect(try fixture.store.recover().scores.isEmpty)
        #expect(try fixture.store.recover().feedback.map(\.id) == ["a"])
        try fixture.submit(scores: [score("a", 0.9)])
        try count(.score, again: fixture.delta(again))
        try count(.score, again: nil)
        try count(.feedback, again: nil)
        try count(.feedback, again: nil)
        #expect(fixture.ledger.snapshot().map(\.total.sum) == [2, 1])
    }

    @Test func `what a rule gives is stored with the effects and counted in them`() throws {
        let fixture = try Fixture()
        let series = try fixture.series("scores_total")
        for _ in 0..<2 {
            try fixture.commit {
                $0.scores = [score("a")]
                $0.feedback = [feedback("b")]
                $0.counts = [.init(kind: .score, id: "a", first: fixture.delta(series), again: nil)]
            }
        }
        #expect(try fixture.store.scores(of: traceID(1)).map(\.createdAt.unixNano) == [5_000])
        #expect(try fixture.store.feedback(of: traceID(1)).map(\.feedback.id) == ["b"])
        #expect(fixture.ledger.snapshot().map(\.total.sum) == [1])
    }

    @Test func `the versions that were replaced can be read, oldest first`() throws {
        let fixture = try Fixture()
        for (number, time) in [(0.1, 10), (0.2, 20), (0.3, 30)] as [(Double, Int64)] {
            try fixture.submit(
                scores: [score("a", number)],
                feedback: [feedback("a", .double(number))],
                at: time
            )
        }
        func at(_ time: Int64) -> Timestamp { Timestamp(unixNano: time) }
        #expect(
            try fixture.store.history(ofScore: "a") == [
                ScoreRecord(score: score("a", 0.1), createdAt: at(10), replacedAt: at(20)),
                ScoreRecord(score: score("a", 0.2), createdAt: at(10), replacedAt: at(30)),
            ]
        )
        #expect(try fixture.store.history(ofFeedback: "a").map(\.feedback.value) == [0.1, 0.2])
        #expect(try fixture.store.history(ofFeedback: "a").map(\.replacedAt) == [at(20), at(30)])
        #expect(try fixture.store.history(ofScore: "none").isEmpty)
    }
}
