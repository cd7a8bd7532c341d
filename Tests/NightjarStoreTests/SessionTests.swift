import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

struct SessionTests {
    private func trace(_ number: UInt64, _ session: String?, start: Int64) -> TraceRecord {
        var trace = record(number, start: start)
        trace.session = session
        trace.status = .ok
        return trace
    }

    private func pages(_ store: SQLiteStore, _ query: SessionQuery, between: () throws -> Void = {}) throws
        -> [[String]]
    {
        var query = query
        var pages: [[String]] = []
        repeat {
            let page = try store.sessions(query)
            pages.append(page.sessions.map(\.id))
            query.cursor = page.next.flatMap { SessionCursor($0.description) }
            try between()
        } while query.cursor != nil && pages.count < 20
        return pages
    }

    @Test func `a session comes once, at the place of its newest trace`() throws {
        let fixture = try Fixture()
        try fixture.commit {
            $0.traces = [
                trace(1, "a", start: 10), trace(2, "b", start: 20), trace(3, nil, start: 25),
                trace(4, "a", start: 30), trace(5, "c", start: 5), trace(6, "b", start: 20),
            ]
        }
        #expect(try pages(fixture.store, SessionQuery()) == [["a", "b", "c"]])
        var query = SessionQuery()
        query.limit = 1
        #expect(try pages(fixture.store, query) == [["a"], ["b"], ["c"]])
        query = SessionQuery()
        query.to = Timestamp(unixNano: 30)
        #expect(try pages(fixture.store, query) == [["b", "c"]])
    }

    @Test func `pages stay stable while sessions go on and others come`() throws {
        let fixture = try Fixture()
        try fixture.commit { effects in
            effects.traces = (1...6).map { trace($0, "s\($0)", start: Int64($0)) }
        }
        var query = SessionQuery()
        query.limit = 2
        var next: UInt64 = 100
        let pages = try pages(fixture.store, query) {
            // The session of the last page goes on: without more it would leave its place, and be missed.
            try fixture.commit {
                $0.traces = [trace(next, "s1", start: 90), trace(next + 1, "new", start: 3)]
            }
            next += 2
        }
        #expect(pages == [["s6", "s5"], ["s4", "s3"], ["s2", "s1"]])
        #expect(try fixture.store.sessions(query).sessions.map(\.id) == ["s1", "s6"])
    }

    @Test func `sums are those of its traces, sampled ones left out`() throws {
        let fixture = try Fixture()
        var (one, two, left) = (
            trace(1, "a", start: 10), trace(2, "a", start: 40), trace(3, "a", start: 1)
        )
        (one.spanCount, one.hasErrors, one.inputTokens, one.cost) = (3, true, 10, 0.5)
        (two.spanCount, two.inputTokens, two.outputTokens, two.user) = (2, 5, 7, "u")
        (two.end, two.status, left.isSampledOut) = (Timestamp(unixNano: 55), .running, true)
        try fixture.commit { [one, two, left] in $0.traces = [one, two, left] }
        let session = try #require(try fixture.store.sessions(SessionQuery()).sessions.first)
        #expect(session.traces == 2 && session.spans == 5 && session.errors == 1 && session.running == 1)
        #expect(session.first == Timestamp(unixNano: 10) && session.last == Timestamp(unixNano: 55))
        #expect(session.inputTokens == 15 && session.outputTokens == 7 && session.cost == 0.5)
        #expect(session.user == "u" && !session.isCut)
    }

    @Test func `a session has its traces in order, page by page, and what was said of it`() throws {
        let fixture = try Fixture()
        try fixture.commit { effects in
            effects.traces = [3, 1, 2].map { trace($0, "a", start: Int64($0)) } + [trace(9, "b", start: 9)]
        }
        var (judged, said) = (score("s", trace: nil), feedback("f", trace: nil))
        (judged.sessionID, said.sessionID) = ("a", "a")
        try fixture.submit(scores: [judged, score("t")], feedback: [said])
        let first = try #require(try fixture.store.session("a", limit: 2))
        #expect(first.traces.map(\.id.low) == [1, 2])
        #expect(first.scores.map(\.score) == [judged] && first.feedback.map(\.feedback) == [said])
        let second = try #require(try fixture.store.session("a", after: first.next, limit: 2))
        #expect(second.traces.map(\.id.low) == [3] && second.next == nil)
        #expect(second.record.traces == 3)
        #expect(try fixture.store.session("none") == nil)
    }

    @Test func `a session of which only a score is known has no traces`() throws {
        let fixture = try Fixture()
        var judged = score("s", trace: nil)
        judged.sessionID = "early"
        try fixture.submit(scores: [judged])
        let session = try #require(try fixture.store.session("early"))
        #expect(session.record.traces == 0 && session.traces.isEmpty)
        #expect(session.scores.map(\.score) == [judged])
    }

    @Test(arguments: ["", "1.2", "1.2.", "a.b.c", "1.2.3.4"])
    func `a cursor that was not given out is none`(text: String) {
        #expect(SessionCursor(text) == nil)
    }
}
