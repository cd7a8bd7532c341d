import GRDB
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

struct SignalListTests {
    private func log(_ message: String, at time: Int64, _ level: LogLevel = .info, trace: UInt64? = nil)
        -> Log
    {
        var log = Log(timestamp: Timestamp(unixNano: time), level: level, message: message)
        log.traceID = trace.map(traceID)
        return log
    }

    private func messages(_ fixture: Fixture, _ make: (inout LogQuery) -> Void) throws -> [String] {
        var query = LogQuery()
        make(&query)
        return try fixture.store.logs(query).records.map(\.log.message)
    }

    @Test func `the newest come first, page by page, stable while more come`() throws {
        let fixture = try Fixture()
        try fixture.commit { effects in
            effects.logs = (1...5).map { log("\($0)", at: Int64(10 * (($0 + 1) / 2))) }
        }
        var query = LogQuery()
        query.limit = 2
        var pages: [[String]] = []
        repeat {
            let page = try fixture.store.logs(query)
            pages.append(page.records.map(\.log.message))
            // Through its text, as a link would carry it.
            query.cursor = page.next.flatMap { PageCursor($0.description) }
            try fixture.commit { $0.logs = [log("new", at: 1_000)] }
        } while query.cursor != nil && pages.count < 10
        #expect(pages == [["5", "4"], ["3", "2"], ["1"]])
        query.cursor = nil
        query.limit = 10_000
        #expect(try fixture.store.logs(query).records.count == 8)
    }

    @Test func `a record of a list is the whole record`() throws {
        let fixture = try Fixture()
        try fixture.submit(scores: [score("a")], feedback: [feedback("a")], at: 99)
        try fixture.commit { $0.logs = [log("x", at: 1), log("y", at: 2, trace: 1)] }
        #expect(try fixture.store.scores(ScoreQuery()).records == fixture.store.scores(of: traceID(1)))
        #expect(try fixture.store.feedback(FeedbackQuery()).records == fixture.store.feedback(of: traceID(1)))
        let logs = try fixture.store.logs(LogQuery()).records
        #expect(logs.map(\.id) == [2, 1])
        #expect(logs.first == (try fixture.store.logs(of: traceID(1)).first))
    }

    @Test func `logs are filtered by time, level, trace and span`() throws {
        let fixture = try Fixture()
        var inSpan = log("in span", at: 30, .error, trace: 1)
        inSpan.spanID = SpanID(value: 4)
        try fixture.commit { [inSpan] in
            $0.logs = [log("100% Off_", at: 10), log("100 off", at: 20, .fatal, trace: 1), inSpan]
        }
        #expect(try messages(fixture) { $0.from = Timestamp(unixNano: 20) } == ["in span", "100 off"])
        #expect(try messages(fixture) { $0.to = Timestamp(unixNano: 20) } == ["100% Off_"])
        #expect(try messages(fixture) { $0.level = .error } == ["in span", "100 off"])
        #expect(try messages(fixture) { $0.traceID = traceID(1) } == ["in span", "100 off"])
        #expect(try messages(fixture) { $0.spanID = SpanID(value: 4) } == ["in span"])
    }

    @Test(arguments: Correlation.texts.map(\.name))
    func `every list is filtered by every fact`(name: String) throws {
        let fixture = try Fixture()
        let path = try #require(Correlation.texts.first { $0.name == name }?.path)
        var (match, other) = (Correlation(), everything())
        match[dynamicMember: path] = "yes"
        other[dynamicMember: path] = "no"
        var (scores, words) = ([score("a"), score("b")], [feedback("a"), feedback("b")])
        var logs = [log("a", at: 1), log("b", at: 2)]
        for (place, correlation) in [match, other].enumerated() {
            scores[place].correlation = correlation
            words[place].correlation = correlation
            logs[place].correlation = correlation
        }
        try fixture.submit(scores: scores, feedback: words)
        try fixture.commit { [logs] in $0.logs = logs }
        var scope = SignalScope()
        scope.correlation[dynamicMember: path] = "yes"
        var (ofLogs, ofScores, ofFeedback) = (LogQuery(), ScoreQuery(), FeedbackQuery())
        (ofLogs.scope, ofScores.scope, ofFeedback.scope) = (scope, scope, scope)
        #expect(try fixture.store.logs(ofLogs).records.map(\.log.message) == ["a"])
        #expect(try fixture.store.scores(ofScores).records.map(\.score.id) == ["a"])
        #expect(try fixture.store.feedback(ofFeedback).records.map(\.feedback.id) == ["a"])
    }

    @Test func `a session or experiment is found as target and as what the target belongs to`() throws {
        let fixture = try Fixture()
        var (target, belongs) = (score("target", trace: nil), score("belongs"))
        (target.sessionID, target.experiment) = ("s", "e")
        (belongs.correlation.sessionID, belongs.correlation.experiment) = ("s", "e")
        try fixture.submit(scores: [target, belongs, score("neither")])
        var query = ScoreQuery()
        query.session = "s"
        #expect(try fixture.store.scores(query).records.map(\.score.id) == ["belongs", "target"])
        query = ScoreQuery()
        query.experiment = "e"
        #expect(try fixture.store.scores(query).records.map(\.score.id) == ["belongs", "target"])
    }

    @Test func `tags are found in the log and in what it belongs to, all that are asked for`() throws {
        let fixture = try Fixture()
        var (own, context) = (log("own", at: 1), log("context", at: 2))
        own.tags = ["a", "b"]
        context.correlation.tags = ["b"]
        try fixture.commit { [own, context] in $0.logs = [own, context, log("none", at: 3)] }
        #expect(try messages(fixture) { $0.correlation.tags = ["b"] } == ["context", "own"])
        #expect(try messages(fixture) { $0.correlation.tags = ["b", "a"] } == ["own"])
    }

    @Test func `scores are found by scorer, feedback by its source and type`() throws {
        let fixture = try Fixture()
        var (judged, words) = (score("b"), feedback("b"))
        judged.scorerName = "strict"
        (words.source, words.feedbackType) = ("system", "thumbs")
        words.correlation.source = "user"
        try fixture.submit(scores: [score("a"), judged], feedback: [feedback("a"), words])
        var query = ScoreQuery()
        query.scorer = "strict"
        #expect(try fixture.store.scores(query).records.map(\.score) == [judged])
        query.minimumScore = 0.6
        #expect(try fixture.store.scores(query).records.isEmpty)
        query = ScoreQuery()
        (query.minimumScore, query.maximumScore) = (0.5, 0.5)
        #expect(try fixture.store.scores(query).records.count == 2)
        query.version = "2"
        #expect(try fixture.store.scores(query).records.isEmpty)
        query = ScoreQuery()
        query.label = "good"
        #expect(try fixture.store.scores(query).records.isEmpty)
        var bySource = FeedbackQuery()
        bySource.source = "system"
        #expect(try fixture.store.feedback(bySource).records.map(\.feedback) == [words])
        bySource.source = "user"
        #expect(try fixture.store.feedback(bySource).records.map(\.feedback.id) == ["a"])
        var byType = FeedbackQuery()
        byType.feedbackType = "thumbs"
        #expect(try fixture.store.feedback(byType).records.map(\.feedback) == [words])
    }
}
