import GRDB
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// A correlation with every fact, each different.
func everything() -> Correlation {
    var fields = Correlation.Fields()
    for (number, text) in Correlation.texts.enumerated() { fields[keyPath: text.path] = "fact \(number)" }
    fields.tags = ["a", "b\"ü"]
    return Correlation(fields)
}

struct CorrelationTests {
    private func log(_ message: String, at time: Int64 = 10) -> Log {
        var log = Log(timestamp: Timestamp(unixNano: time), level: .info, message: message)
        log.traceID = traceID(1)
        return log
    }

    @Test(arguments: [false, true])
    func `what a signal belongs to comes back whole`(inMemory: Bool) throws {
        let fixture = try Fixture(inMemory: inMemory)
        var (score, words, log) = (score("a"), feedback("a"), log("a"))
        // What they have themselves of the same name is something else.
        (score.sessionID, score.experiment, words.sessionID, words.experiment) = (
            "own s", "own e", "own s", nil
        )
        log.tags = ["own"]
        score.correlation = everything()
        words.correlation = everything()
        log.correlation = everything()
        try fixture.submit(scores: [score], feedback: [words])
        try fixture.commit { $0.logs = [log] }
        #expect(try fixture.store.scores(of: traceID(1)).map(\.score) == [score])
        #expect(try fixture.store.feedback(of: traceID(1)).map(\.feedback) == [words])
        #expect(try fixture.store.logs(of: traceID(1)).map(\.log) == [log])
        #expect(try fixture.store.recover().scores == [score])
        #expect(try fixture.store.recover().feedback == [words])
    }

    @Test func `one that belongs to nothing leaves nothing of the one before`() throws {
        let fixture = try Fixture()
        var (first, second) = (log("a", at: 1), log("b", at: 2))
        first.correlation = everything()
        first.tags = ["t"]
        second.correlation.userID = ""
        try fixture.commit { $0.logs = [first, log("c", at: 3), second] }
        #expect(try fixture.store.logs(of: traceID(1)).map(\.log) == [first, second, log("c", at: 3)])
    }

    @Test func `each fact lies in the column of its name`() throws {
        let fixture = try Fixture()
        var log = log("a")
        log.correlation = everything()
        try fixture.commit { $0.logs = [log] }
        let row = try fixture.other().read { try Row.fetchOne($0, sql: "SELECT * FROM logs") }
        for (number, text) in Correlation.texts.enumerated() {
            let column = text.name.reduce("") { $0 + ($1.isUppercase ? "_\($1.lowercased())" : String($1)) }
            #expect(row?[column] as String? == "fact \(number)", "\(column)")
        }
        #expect(row?["context_tags"] as String? == #"["a","b\"ü"]"#)
        #expect(row?["tags"] as String? == nil)
    }

    @Test func `replacing one keeps what the earlier belonged to`() throws {
        let fixture = try Fixture()
        var (first, second) = (score("a", 0.1), score("a", 0.2))
        first.correlation = everything()
        second.correlation.runID = "r"
        try fixture.submit(scores: [first], at: 10)
        try fixture.submit(scores: [second], at: 20)
        #expect(try fixture.store.scores(of: traceID(1)).map(\.score) == [second])
        #expect(try fixture.store.history(ofScore: "a").map(\.score) == [first])
    }

    @Test func `what becomes known later is filled in where nothing was, without history`() throws {
        let fixture = try Fixture()
        var bare = score("a")
        bare.metadata = ["k": "own"]
        bare.correlation.userID = "own"
        try fixture.submit(scores: [bare, score("b")], feedback: [feedback("a")])
        try fixture.commit {
            $0.correlations = [
                AnnotationCorrelation(
                    kind: .score,
                    id: "a",
                    correlation: everything(),
                    metadata: ["k": "target's", "more": 1]
                ),
                AnnotationCorrelation(kind: .feedback, id: "a", correlation: everything()),
                AnnotationCorrelation(
                    kind: .score,
                    id: "none",
                    correlation: everything(),
                    metadata: ["k": 1]
                ),
            ]
        }
        var (expected, words) = (bare, feedback("a"))
        expected.correlation = everything()
        expected.correlation.userID = "own"
        expected.metadata = ["k": "own", "more": 1]
        words.correlation = everything()
        #expect(try fixture.store.scores(of: traceID(1)).map(\.score) == [expected, score("b")])
        #expect(try fixture.store.feedback(of: traceID(1)).map(\.feedback) == [words])
        #expect(try fixture.store.history(ofScore: "a").isEmpty)
        #expect(try fixture.numbers("SELECT count(*) FROM scores") == [2])
    }
}
