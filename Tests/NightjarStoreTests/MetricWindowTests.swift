import GRDB
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Synchronization
import Testing

/// Metrics over time, as the store keeps them.
struct MetricWindowTests {
    /// A store with an aggregator before it and a clock that a test sets.
    private final class Bench {
        let fixture: Fixture
        private let aggregator: MetricAggregator
        private let clock: ManualNow

        final class ManualNow: Sendable {
            private let nano: Atomic<Int64>
            init(_ time: Timestamp) { nano = Atomic(time.unixNano) }
            var now: Timestamp { Timestamp(unixNano: nano.load(ordering: .relaxed)) }
            func advance(seconds: Int) { nano.add(Int64(seconds) * 1_000_000_000, ordering: .relaxed) }
        }

        init(_ folder: TemporaryFolder? = nil) throws {
            let clock = ManualNow(MetricModel.noon)
            self.clock = clock
            fixture = try Fixture(folder) { $0.now = { clock.now } }
            let recovery = try fixture.store.recover()
            try fixture.table.restore(recovery.series, registry: fixture.registry)
            fixture.table.reserve(below: recovery.firstFreeSeries)
            fixture.ledger.restore(recovery.series)
            aggregator = try MetricAggregator(
                registry: fixture.registry,
                table: fixture.table,
                configuration: CardinalityConfiguration(),
                report: CardinalityReport { _ in }
            )
        }

        func commit(_ observations: some Sequence<MetricModel.Observation>, after seconds: Int = 0) throws {
            clock.advance(seconds: seconds)
            for one in observations { try aggregator.record(one.event, receivedAt: clock.now) }
            let deltas = aggregator.take()
            try fixture.commit { $0.deltas = deltas }
        }

        func answer(_ query: MetricQuery) throws -> MetricAnswer {
            let instrument = try #require(fixture.registry.descriptor(named: query.name))
            return try fixture.store.metric(
                MetricPlan(query, instrument, now: MetricModel.noon),
                now: MetricModel.noon
            )
        }

        func total(_ name: String, _ aggregation: MetricAggregation = .sum) throws -> Double? {
            var query = MetricQuery(name: name, aggregation: aggregation)
            query.from = MetricModel.noon.advanced(by: .seconds(-86_400))
            return try answer(query).total
        }
    }

    private func counts(_ value: Double = 1, secondsAgo: Int64 = 5, _ labels: [String: String] = [:])
        -> MetricModel.Observation
    {
        MetricModel.Observation(
            metric: "orders_total",
            type: .counter,
            labels: labels,
            value: value,
            time: Timestamp(unixNano: MetricModel.noon.unixNano - secondsAgo * 1_000_000_000)
        )
    }

    private func queries(_ generator: inout SeededGenerator) -> [MetricQuery] {
        MetricModel.metrics.flatMap { metric in
            MetricAggregation.all(of: metric.type).map { aggregation in
                var query = MetricQuery(name: metric.name, aggregation: aggregation)
                query.groupBy = [[], ["kind"], ["kind", "region"]][Int(generator.next() % 3)]
                if generator.next() % 2 == 0 { query.filters["region"] = ["north", "east"] }
                if generator.next() % 4 == 0 { query.filters["kind"] = ["", "kind-1"] }
                query.to = MetricModel.noon.advanced(by: .seconds(-Int(generator.next() % 7200)))
                query.from = query.to?.advanced(by: .seconds(-600 - Int(generator.next() % 20_000)))
                query.stepSeconds = [30, 300, 900, 3600][Int(generator.next() % 4)]
                return query
            }
        }
    }

    private func isClose(_ found: Double?, _ expected: Double?, _ aggregation: MetricAggregation) -> Bool {
        guard let found, let expected else { return found == expected || expected == nil && found == 0 }
        if aggregation.quantile != nil { return abs(found - expected) <= abs(expected) * 0.01 + 1e-9 }
        switch aggregation {
        case .avg, .rate: return abs(found - expected) <= abs(expected) * 1e-12
        default: return found == expected
        }
    }

    @Test(arguments: UInt64(0)..<6)
    func `every answer is what the observations come to, whatever is in blocks by then`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var model = MetricModel()
        var bench = try Bench()
        for round in 0..<6 {
            let some = MetricModel.random(250, &generator)
            model.observations += some
            // Blocks are written once a minute; what comes in between stays in rows.
            try bench.commit(some, after: Int(generator.next() % 50))
            if round == 3 {
                try bench.fixture.store.close()
                bench = try Bench(bench.fixture.folder)
            }
        }
        for query in queries(&generator) {
            let answer = try bench.answer(query)
            let aggregation = query.aggregation
            for group in answer.groups {
                let labels = Dictionary(group.labels.map { ($0.name, $0.value) }) { $1 }
                let expected = model.values(answer.plan, labels)
                #expect(isClose(group.total, expected.total, aggregation), "\(query) \(labels)")
                for (bucket, point) in group.points.enumerated() {
                    let start = answer.plan.start(ofBucket: bucket)
                    #expect(start.unixNano % (Int64(answer.plan.stepSeconds) * 1_000_000_000) == 0)
                    if aggregation == .rate, bucket == 0 || bucket == group.points.count - 1 { continue }
                    #expect(
                        isClose(point, expected.points[start], aggregation),
                        "\(query) \(labels) \(start)"
                    )
                }
            }
            var ungrouped = query
            ungrouped.groupBy = []
            let all = model.values(try bench.answer(ungrouped).plan, [:])
            #expect(isClose(answer.total, all.total, aggregation), "\(query)")
            #expect(!answer.groups.isEmpty || all.total == nil)
        }
        try bench.fixture.store.close()
    }

    @Test func `the period before is as long and ends where the range begins`() throws {
        let bench = try Bench()
        try bench.commit([
            counts(4, secondsAgo: 60), counts(10, secondsAgo: 3700), counts(99, secondsAgo: 7300),
        ])
        let answer = try bench.answer(MetricQuery(name: "orders_total", aggregation: .sum))
        #expect(answer.total == 4)
        #expect(answer.before == 10)
        let change = try #require(answer.json["previous"]?["change"]?.number)
        #expect(change == -0.6)
        let text = answer.json["previous"]
        #expect(text?["to"]?.string == answer.plan.from.description)
        var alone = MetricQuery(name: "orders_total", aggregation: .sum)
        alone.compares = false
        #expect(try bench.answer(alone).json["previous"] == nil)
    }

    @Test func `what is committed survives a crash at any time, and counts once`() throws {
        let bench = try Bench()
        for round in 0..<8 {
            try bench.commit([counts(Double(1 << round))], after: 25)
            let copy = try TemporaryFolder()
            try bench.fixture.folder.copy(to: copy)
            let next = try Bench(copy)
            let expected = Double(1 << (round + 1) - 1)
            #expect(try next.total("orders_total") == expected)
            #expect(next.fixture.ledger.snapshot().map(\.total.sum) == [expected])
            try next.commit([counts(1000)], after: 70)
            #expect(try next.total("orders_total") == expected + 1000)
            try next.fixture.store.close()
        }
    }

    @Test(arguments: ["series_recent", "windows_recent", "windows_fine", "windows_coarse"])
    func `a commit that fails adds nothing, and once when it is done again`(table: String) async throws {
        let bench = try Bench()
        try bench.commit([counts(1)])
        try bench.fixture.breakTable(table)
        var effects = Effects()
        let series = try #require(bench.fixture.ledger.snapshot().first).id
        // Another block, so that one has to be inserted; long after the last, so that blocks are written.
        effects.deltas = [
            SeriesDelta(
                series: series,
                sum: 5,
                count: 1,
                time: MetricModel.noon.advanced(by: .seconds(-20_000))
            )
        ]
        let isOfBlocks = !table.hasSuffix("recent")
        if isOfBlocks { try bench.commit([], after: 120) }
        bench.fixture.store.commit(effects) {}
        let store = bench.fixture.store
        try await wait(for: "the commit to fail") { store.status.failures > 0 }
        // Blocks can wait: what they do not take stays in rows.
        if !isOfBlocks { #expect(try bench.total("orders_total") == 1) }
        try bench.fixture.mend(table)
        try bench.fixture.store.flush()
        #expect(try bench.total("orders_total") == 6)
        #expect(bench.fixture.ledger.snapshot().map(\.total.sum) == [6])
        try bench.fixture.store.close()
    }

    @Test
    func `what a histogram had before its bounds changed is still found, and its number is not given again`()
        throws
    {
        let bench = try Bench()
        let wait = { (value: Double) in
            MetricModel.Observation(
                metric: "wait_ms",
                type: .histogram,
                labels: ["kind": "a"],
                value: value,
                time: MetricModel.noon.advanced(by: .seconds(-5))
            )
        }
        try bench.commit([wait(7)])
        try bench.fixture.registry.setBuckets(BucketConfiguration(["wait_ms": [1, 2]]))
        try bench.commit([wait(9)])
        try bench.commit([wait(11)])
        var query = MetricQuery(name: "wait_ms", aggregation: .count)
        query.groupBy = ["kind"]
        #expect(try bench.answer(query).groups.map(\.total) == [3])
        #expect(bench.fixture.ledger.snapshot().count == 1)
        // Its number is the highest of all once the new one has gone too.
        let last = try #require(bench.fixture.ledger.snapshot().first).id
        try bench.fixture.commit { $0.seriesRemovals = [last] }
        try bench.fixture.store.close()
        let next = try Bench(bench.fixture.folder)
        #expect(try next.fixture.series("fresh").index == last.index + 1)
        try next.fixture.store.close()
    }

    @Test func `late observations add to their own window, and old ones are found at 5 min`() throws {
        let bench = try Bench()
        try bench.commit([counts(1, secondsAgo: 40 * 86_400)], after: 11)
        try bench.commit([counts(2, secondsAgo: 40 * 86_400)], after: 11)
        var query = MetricQuery(name: "orders_total", aggregation: .sum)
        query.from = MetricModel.noon.advanced(by: .seconds(-41 * 86_400))
        query.to = MetricModel.noon.advanced(by: .seconds(-39 * 86_400))
        query.stepSeconds = 3610
        let answer = try bench.answer(query)
        #expect(answer.total == 3)
        #expect(answer.plan.resolution == .coarse)
        #expect(answer.plan.stepSeconds == 3900)
        #expect(answer.groups.first?.points.compactMap(\.self).filter { $0 > 0 } == [3])
    }

    @Test func `what is old goes by a range of keys`() throws {
        let bench = try Bench()
        try bench.commit([counts(1, secondsAgo: 12 * 86_400), counts(2)], after: 11)
        let key = WindowResolution.fine.keys(before: MetricModel.noon.advanced(by: .seconds(-10 * 86_400)))
        try bench.fixture.other().write { db in
            try db.execute(sql: "DELETE FROM windows_fine WHERE id < ?", arguments: [key])
            #expect(db.changesCount == 1)
        }
        #expect(try bench.fixture.numbers("SELECT count(*) FROM windows_fine") == [1])
        #expect(try bench.fixture.numbers("SELECT count(*) FROM windows_coarse") == [2])
    }

    @Test func `an answer says until when it is complete`() throws {
        let bench = try Bench()
        try bench.commit([counts()])
        let query = MetricQuery(name: "orders_total", aggregation: .sum)
        #expect(try bench.answer(query).completeUntil == MetricModel.noon)
        let start = MetricModel.noon.unixNano - 7_000_000_000
        var waiting = record(1, receivedAt: start + 1000, start: start)
        waiting.pending = [SpanID(value: 1)]
        try bench.fixture.commit { $0.traces = [waiting, record(2, start: 5)] }
        #expect(try bench.answer(query).completeUntil.unixNano == start)
        let received = MetricModel.noon.unixNano - 9_000_000_000
        try bench.fixture.submit(chunks: [chunk(1, partition: 3)], at: received)
        #expect(try bench.answer(query).completeUntil.unixNano == received)
        waiting.pending = []
        try bench.fixture.commit {
            $0.traces = [waiting]
            $0.progress = [3: 1]
        }
        #expect(try bench.answer(query).completeUntil == MetricModel.noon)
        try bench.fixture.submit(scores: [score("s")])
        #expect(try bench.answer(query).completeUntil.unixNano == 10)
    }

    @Test func `queries look things up by keys and indexes`() throws {
        let fixture = try Fixture()
        func plan(_ sql: String) throws -> String {
            let arguments = StatementArguments(sql.contains("?") ? [1] : [])
            return try fixture.other().read { db in
                try Row.fetchAll(db, sql: "EXPLAIN QUERY PLAN " + sql, arguments: arguments)
                    .map { $0["detail"] as String }.joined(separator: "; ")
            }
        }
        for resolution in WindowResolution.allCases {
            let table = resolution == .fine ? "windows_fine" : "windows_coarse"
            #expect(
                try plan(Queries.windows(resolution))
                    == "SEARCH \(table) USING INTEGER PRIMARY KEY (rowid=?)"
            )
            let ends = try plan(Queries.windowEnds(resolution))
            #expect(ends.ranges(of: "SEARCH \(table)").count == 2, "\(ends)")
        }
        let series = try plan(Queries.seriesOfMetric)
        #expect(series.contains("SEARCH series USING INDEX series_by_metric (metric=?)"))
        #expect(series.contains("SEARCH series_past USING INDEX series_past_by_metric (metric=?)"))
        let pending = try plan(Queries.firstPending)
        #expect(pending.contains("SCAN traces USING INDEX traces_open"), "\(pending)")
        #expect(!pending.contains("TEMP B-TREE"), "\(pending)")
        let unprocessed = try plan(Queries.firstUnprocessed)
        #expect(unprocessed.contains("SEARCH journal USING INTEGER PRIMARY KEY (rowid>?)"), "\(unprocessed)")
        #expect(unprocessed.contains("SEARCH events USING INTEGER PRIMARY KEY (rowid>?)"), "\(unprocessed)")
        let uncounted = try plan(Queries.firstUncounted)
        #expect(uncounted.contains("scores_uncounted") && uncounted.contains("feedback_uncounted"))
    }
}
