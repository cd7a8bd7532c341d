import GRDB
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

struct TraceListTests {
    /// All pages of a query, as the numbers of their traces.
    private func pages(_ store: SQLiteStore, _ query: TraceQuery, between: (Int) throws -> Void = { _ in })
        throws -> [[UInt64]]
    {
        var query = query
        var pages: [[UInt64]] = []
        repeat {
            let page = try store.traces(query)
            pages.append(page.traces.map(\.id.low))
            // Through its text, as a link would carry it.
            query.cursor = page.next.flatMap { TraceCursor($0.description) }
            try between(pages.count)
        } while query.cursor != nil && pages.count < 100
        return pages
    }

    @Test(arguments: [TraceOrder.start, .lastReceived])
    func `the newest come first, page by page`(order: TraceOrder) throws {
        let fixture = try Fixture()
        try fixture.commit { effects in
            effects.traces = (1...7).map { record($0, receivedAt: Int64(100 * $0), start: Int64(10 * $0)) }
        }
        var query = TraceQuery()
        query.order = order
        query.limit = 3
        #expect(try pages(fixture.store, query) == [[7, 6, 5], [4, 3, 2], [1]])
        query.limit = 7
        #expect(try pages(fixture.store, query) == [[7, 6, 5, 4, 3, 2, 1]])
    }

    @Test func `pages stay stable while traces come`() throws {
        let fixture = try Fixture()
        // All of one time, which the order of their rows decides.
        try fixture.commit { effects in effects.traces = (1...6).map { record($0, start: 10) } }
        var query = TraceQuery()
        query.limit = 2
        let pages = try pages(fixture.store, query) { page in
            try fixture.commit { $0.traces = [record(UInt64(100 + page), start: 10 + Int64(page % 2))] }
        }
        #expect(pages == [[6, 5], [4, 3], [2, 1]])
    }

    @Test func `a trace without a start is listed by its receipt`() throws {
        let fixture = try Fixture()
        try fixture.submit(chunks: [chunk(1)], at: 50)
        try fixture.commit { $0.traces = [record(2, start: 40), record(3, start: 60)] }
        #expect(try pages(fixture.store, TraceQuery()) == [[3, 1, 2]])
    }

    @Test func `every condition holds`() throws {
        let fixture = try Fixture()
        var special = record(1, start: 100)
        special.end = Timestamp(unixNano: 150)
        special.status = .error
        special.hasErrors = true
        special.isOpen = false
        special.name = "n"
        special.type = "agent_run"
        special.service = "checkout"
        special.environment = "prod"
        special.agent = "planner"
        special.workflow = "order"
        special.user = "u"
        special.session = "s"
        let plain = record(2, start: 200)
        try fixture.commit { $0.traces = [special, plain] }
        let conditions: [(inout TraceQuery) -> Void] = [
            { $0.to = Timestamp(unixNano: 200) }, { $0.status = .error }, { $0.hasErrors = true },
            { $0.isOpen = false }, { $0.name = "n" }, { $0.type = "agent_run" }, { $0.service = "checkout" },
            { $0.environment = "prod" }, { $0.agent = "planner" }, { $0.workflow = "order" },
            { $0.user = "u" }, { $0.session = "s" }, { $0.minimumDuration = .nanoseconds(50) },
            { $0.maximumDuration = .nanoseconds(50) },
        ]
        var all = TraceQuery()
        for condition in conditions {
            var query = TraceQuery()
            condition(&query)
            condition(&all)
            #expect(try pages(fixture.store, query) == [[1]], "\(query)")
        }
        #expect(try pages(fixture.store, all) == [[1]])
        all.from = Timestamp(unixNano: 101)
        #expect(try pages(fixture.store, all) == [[]])
        var later = TraceQuery()
        later.from = Timestamp(unixNano: 200)
        #expect(try pages(fixture.store, later) == [[2]])
    }

    @Test func `a lookup that takes too long ends`() throws {
        let fixture = try Fixture { $0.queryPatience = .zero }
        try fixture.commit { effects in effects.traces = (1...2_000).map { record($0) } }
        var query = TraceQuery()
        query.service = "none"
        let error = #expect(throws: StoreError.self) { try fixture.store.traces(query) }
        #expect(error?.code == .timeout)
    }

    @Test func `a lookup for somebody who waits ends by their watch, or when they leave`() throws {
        let fixture = try Fixture()
        try fixture.commit { effects in effects.traces = (1...2_000).map { record($0) } }
        var query = TraceQuery()
        query.service = "none"
        let late = ReadWatch.$current.withValue(ReadWatch(patience: .zero)) {
            #expect(throws: StoreError.self) { try fixture.store.traces(query) }
        }
        #expect(late?.code == .timeout)
        let isAbandoned: @Sendable () -> Bool = { true }
        let watch = ReadWatch.$isAbandoned.withValue(isAbandoned) { ReadWatch(patience: .seconds(3600)) }
        let left = ReadWatch.$current.withValue(watch) {
            #expect(throws: StoreError.self) { try fixture.store.traces(query) }
        }
        #expect(left?.code == .abandoned)
        #expect(try fixture.store.traces(query).traces.isEmpty)
    }

    @Test func `a page holds at most 500 and at least one`() throws {
        let fixture = try Fixture()
        try fixture.commit { effects in effects.traces = (1...502).map { record($0) } }
        var query = TraceQuery()
        query.limit = 10_000
        #expect(try fixture.store.traces(query).traces.count == 500)
        query.limit = -1
        #expect(try fixture.store.traces(query).traces.count == 1)
    }

    @Test(arguments: ["", "1", "1.", "1.2.3", "a.b", "1.2 "])
    func `a cursor that was not given out is none`(text: String) {
        #expect(TraceCursor(text) == nil)
    }

    @Test func `every lookup uses an index and no list is sorted`() throws {
        let fixture = try Fixture()
        func plan(_ sql: String) throws -> String {
            let arguments = StatementArguments(sql.filter { $0 == "?" }.map { _ in 1 })
            return try fixture.other().read { db in
                try Row.fetchAll(db, sql: "EXPLAIN QUERY PLAN " + sql, arguments: arguments)
                    .map { $0["detail"] as String }.joined(separator: "; ")
            }
        }
        #expect(try plan(Queries.trace).contains("SEARCH traces USING INDEX"))
        #expect(try plan(Queries.chunks) == "SEARCH journal USING INDEX journal_by_trace (trace_id=?)")
        #expect(try plan(Queries.scores) == "SEARCH scores USING INDEX scores_by_trace (trace_id=?)")
        #expect(try plan(Queries.feedback) == "SEARCH feedback USING INDEX feedback_by_trace (trace_id=?)")
        #expect(try plan(Queries.logs).contains("USING INDEX logs_by_trace (trace_id=?)"))
        var query = TraceQuery()
        #expect(try plan(TraceConditions(query).sql) == "SCAN traces USING INDEX traces_by_start")
        query.service = "checkout"
        query.cursor = TraceCursor("1.1")
        #expect(
            try plan(TraceConditions(query).sql).hasPrefix(
                "SEARCH traces USING INDEX traces_by_start (sort_time<"
            )
        )
        query.order = .lastReceived
        query.from = Timestamp(unixNano: 1)
        #expect(
            try plan(TraceConditions(query).sql).hasPrefix(
                "SEARCH traces USING INDEX traces_by_receipt (last_received>"
            )
        )
        query = TraceQuery()
        query.session = "s"
        #expect(
            try plan(TraceConditions(query).sql)
                == "SEARCH traces USING INDEX traces_by_session (session_id=?)"
        )
    }
}
