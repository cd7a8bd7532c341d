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
        (special.models, special.tools) = (FacetSet(["m1", "m2"]), FacetSet(["search"]))
        (special.agents, special.tags) = (FacetSet(["planner", "helper"]), FacetSet(["a", "b"]))
        let plain = record(2, start: 200)
        try fixture.commit { $0.traces = [special, plain] }
        let conditions: [(inout TraceQuery) -> Void] = [
            { $0.to = Timestamp(unixNano: 200) }, { $0.status = .error }, { $0.hasErrors = true },
            { $0.isOpen = false }, { $0.name = "n" }, { $0.type = "agent_run" }, { $0.service = "checkout" },
            { $0.environment = "prod" }, { $0.agent = "planner" }, { $0.workflow = "order" },
            { $0.agent = "helper" }, { $0.model = "m2" }, { $0.tool = "search" }, { $0.tags = ["b", "a"] },
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
        for miss: (inout TraceQuery) -> Void in [
            { $0.model = "m" }, { $0.tool = "sear" }, { $0.tags = ["a", "c"] }, { $0.agent = "plan" },
        ] {
            var query = TraceQuery()
            miss(&query)
            #expect(try pages(fixture.store, query) == [[]], "\(query)")
        }
    }

    @Test func `traces are found by what scorers and people said of them`() throws {
        let fixture = try Fixture()
        try fixture.commit { effects in effects.traces = (1...4).map { record($0, start: Int64($0)) } }
        var strict = score("d", trace: 3, 0.2)
        strict.scorerName = "strict"
        var (rated, colon) = (feedback("a", trace: 2, 5), feedback("b", trace: 3, "up"))
        (rated.feedbackType, colon.feedbackType) = ("rating", "a:b")
        try fixture.submit(
            scores: [
                score("a", trace: 1, 0.1), score("b", trace: 2, 0.5), score("c", trace: 3, 0.9), strict,
            ],
            feedback: [rated, colon]
        )
        let conditions: [([UInt64], (inout TraceQuery) -> Void)] = [
            ([3, 2, 1], { $0.scorer = "helpful" }),
            ([3, 2], { ($0.scorer, $0.minimumScore) = ("helpful", 0.5) }),
            ([2], { ($0.scorer, $0.minimumScore, $0.maximumScore) = ("helpful", 0.3, 0.8) }),
            ([3, 1], { $0.maximumScore = 0.2 }),
            ([3, 2], { $0.feedback = "*" }), ([2], { $0.feedback = "rating" }),
            ([2], { $0.feedback = "rating:5" }), ([], { $0.feedback = "rating:4" }),
            ([3], { $0.feedback = "a:b" }), ([3], { $0.feedback = "a:b:up" }), ([], { $0.feedback = "a" }),
        ]
        for (traces, condition) in conditions {
            var query = TraceQuery()
            condition(&query)
            #expect(try pages(fixture.store, query) == [traces], "\(query)")
        }
    }

    @Test func `a search that finds little ends within its bounds, says how far it got and can go on`() throws
    {
        let fixture = try Fixture { $0.walkedRows = 10 }
        try fixture.commit { effects in
            effects.traces = (1...35).map { number in
                var trace = record(UInt64(number), start: Int64(number))
                trace.service = number % 16 == 1 ? "rare" : "usual"
                return trace
            }
        }
        var query = TraceQuery()
        query.service = "rare"
        let first = try fixture.store.traces(query)
        #expect(first.traces.map(\.id.low) == [33])
        #expect(first.scannedUntil == Timestamp(unixNano: 26))
        query.cursor = first.next
        let second = try fixture.store.traces(query)
        #expect(second.traces.map(\.id.low) == [17])
        #expect(second.scannedUntil == Timestamp(unixNano: 16))
        query.cursor = second.next
        #expect(try pages(fixture.store, query) == [[], [1]])
        query.cursor = nil
        query.from = Timestamp(unixNano: 30)
        #expect(try fixture.store.traces(query).next == nil)
        #expect(try fixture.store.traces(query).scannedUntil == nil)
    }

    @Test func `pages that are read while others write hold each trace of the first page's time once`()
        async throws
    {
        let fixture = try Fixture()
        try fixture.commit { effects in
            // Many of one time, so that pages end among equals.
            effects.traces = (1...300).map { record($0, start: Int64($0 / 50)) }
        }
        let store = fixture.store
        let seen = try await withThrowingTaskGroup(of: [UInt64].self) { group in
            group.addTask {
                for number in UInt64(1_000)..<1_200 {
                    var effects = Effects()
                    effects.traces = [record(number, start: Int64(number % 7))]
                    store.commit(effects) {}
                    if number % 10 == 0 { try store.flush() }
                }
                return []
            }
            group.addTask {
                var query = TraceQuery()
                query.limit = 7
                var seen: [UInt64] = []
                repeat {
                    let page = try store.traces(query)
                    seen += page.traces.map(\.id.low)
                    query.cursor = page.next
                } while query.cursor != nil
                return seen
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(Set(seen).count == seen.count)
        #expect(Set(seen).isSuperset(of: 1...300))
        let first = seen.filter { $0 <= 300 }
        #expect(first == Array((1...300).reversed()))
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
        struct Gone: ReadClient {
            var isAbandoned: Bool { true }
        }
        let watch = ReadWatch.$client.withValue(Gone()) { ReadWatch(patience: .seconds(3600)) }
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
}
