import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting

/// Queries of metrics over a full database, the answer as JSON included. The counts are checked against what was written.
enum MetricQueryBenchmark {
    private static let day = 86_400

    private struct Case {
        let name: String
        let seconds: Int
        let query: MetricQuery
    }

    private static var cases: [Case] {
        func query(_ name: String, _ aggregation: MetricAggregation, _ groupBy: [String] = []) -> MetricQuery
        {
            var query = MetricQuery(name: name, aggregation: aggregation)
            query.groupBy = groupBy
            return query
        }
        var filtered = query("bench_duration_ms", .p99, ["agent"])
        filtered.filters = ["model": ["model-3"]]
        return [
            Case(name: "24 h, sum, one group", seconds: day, query: query("bench_requests_total", .sum)),
            Case(
                name: "24 h, rate by 2 labels",
                seconds: day,
                query: query("bench_requests_total", .rate, ["agent", "model"])
            ),
            Case(name: "24 h, p95, one group", seconds: day, query: query("bench_duration_ms", .p95)),
            Case(
                name: "24 h, p95 by model",
                seconds: day,
                query: query("bench_duration_ms", .p95, ["model"])
            ),
            Case(name: "24 h, p99 of one model", seconds: day, query: filtered),
            Case(name: "1 h of 10 s, p95", seconds: 3600, query: query("bench_duration_ms", .p95)),
            Case(
                name: "7 d, sum by model",
                seconds: 7 * day,
                query: query("bench_requests_total", .sum, ["model"])
            ),
        ]
    }

    static func run(_ options: BenchOptions) async throws -> [BenchRow] {
        try await onLargeThread {
            let stock = try MetricStock(options)
            let start = processNanoseconds()
            try stock.fill()
            let filled = Double(processNanoseconds() - start) / 1_000_000_000
            try check(stock)
            let rows = try cases.map { try measure($0, stock, count: options.isQuick ? 30 : 100) }
            try stock.store.close()
            print("metric-query: \(stock.days.all) days written with \(Int(filled)) s of processor time")
            return rows
        }
    }

    /// Every increment is in the 5 min windows.
    private static func check(_ stock: MetricStock) throws {
        var query = MetricQuery(name: "bench_requests_total", aggregation: .sum)
        query.from = MetricStock.end.advanced(by: .seconds(-stock.days.all * day))
        (query.to, query.stepSeconds, query.compares) = (MetricStock.end, day, false)
        let total = try answer(query, stock).total
        guard total == stock.counted else {
            throw BenchFailure(description: "\(stock.counted) were counted, the query says \(total ?? .nan)")
        }
    }

    private static func answer(_ query: MetricQuery, _ stock: MetricStock) throws -> MetricAnswer {
        guard let instrument = stock.registry.descriptor(named: query.name) else {
            throw BenchFailure(description: "there is no \(query.name)")
        }
        return try stock.store.metric(
            try MetricPlan(query, instrument, now: MetricStock.end),
            now: MetricStock.end
        )
    }

    private static func measure(_ one: Case, _ stock: MetricStock, count: Int) throws -> BenchRow {
        var random = SeededGenerator(seed: 7)
        var (walls, spent, bytes, groups) = ([Double](), Int64(0), 0, 0)
        for run in 0...count {
            // Ranges that end anywhere in the last hours: their ends are not those of blocks.
            let end = MetricStock.end.advanced(by: .seconds(-Int(random.next() % 7200)))
            var query = one.query
            (query.from, query.to) = (end.advanced(by: .seconds(-one.seconds)), end)
            let (wall, cpu) = (wallNanoseconds(), processNanoseconds())
            let answer = try answer(query, stock)
            bytes = answer.json.json.utf8.count
            groups = answer.groupCount
            guard run > 0 else { continue }
            walls.append(Double(wallNanoseconds() - wall) / 1_000_000)
            spent += processNanoseconds() - cpu
        }
        walls.sort()
        let cpu = Double(spent) / 1_000_000 / Double(count)
        return BenchRow(
            name: one.name,
            unit: "ms",
            spread: Spread(walls),
            note:
                "p95 \((walls[count * 95 / 100 - 1] * 10).rounded() / 10) ms, CPU \((cpu * 10).rounded() / 10) ms; "
                + "\(groups) groups, \(bytes >> 10) KiB of JSON, compared with the period before"
        )
    }
}
