import NightjarTesting

/// Queries over many stored spans, spread over a day, asked of a real server one after the other: traces picked at random and
/// pages of lists. And what storing a span costs when many are there already, in time and on disk.
enum StoredBenchmark {
    private static let connections = 4
    private static let batch = 100_000
    private static let questions = 300
    private static let dayNano: UInt64 = 86_400_000_000_000

    static func run(_ options: BenchOptions) async throws -> [BenchRow] {
        let server = try await started()
        var random = SeededGenerator(seed: 11)
        let (spent, stored, known) = try await fill(server, options, &random)
        var rows = rows(spent, stored: stored, server)
        rows += try await TraceFetch.rows(server, traces(known, &random))
        rows += try await queries(server)
        try await server.stop()
        return rows
    }

    /// Only what fetching a trace takes.
    static func fetch(_ options: BenchOptions) async throws -> [BenchRow] {
        let server = try await started()
        var random = SeededGenerator(seed: 11)
        let (_, _, known) = try await fill(server, options, &random)
        let rows = try await TraceFetch.rows(server, traces(known, &random))
        try await server.stop()
        return rows
    }

    private static func started() async throws -> MeasuredServer {
        try await MeasuredServer(
            stores: true,
            plugins: BenchRules.files,
            environment: ["NIGHTJAR_TRACE_IDLEPERIOD": "2s"]
        )
    }

    private static func traces(_ known: [String], _ random: inout SeededGenerator) -> [String] {
        (0..<questions).map { _ in known[random.below(known.count)] }
    }

    /// Stores spans, spread over a day; what each round took for a span, how many there are, and some of the traces.
    private static func fill(
        _ server: MeasuredServer,
        _ options: BenchOptions,
        _ random: inout SeededGenerator
    ) async throws -> (spent: [Double], stored: Int, known: [String]) {
        let rounds = max(1, options.scaled(options.storedSpans) / batch)
        var load = Load(spans: batch)
        var known: [String] = []
        var spent: [Double] = []
        for round in 0..<rounds {
            load.renew(later: round == 0 ? 0 : dayNano / UInt64(rounds))
            let cpu = try server.nanoseconds()
            try await send(load, to: server)
            spent.append(Double(try server.nanoseconds() - cpu) / 1000 / Double(load.spanCount))
            for _ in 0..<max(4, 2000 / rounds) {
                let body = load.bodies[random.below(load.bodies.count)]
                known.append(body.traceID(random.below(body.spanCount)))
            }
        }
        try await server.rest(limit: .seconds(120))
        let wrong = try await server.totals().differences(from: load.totals, times: rounds)
        guard wrong.isEmpty else {
            throw BenchFailure(description: "wrong counts:\n\(wrong.joined(separator: "\n"))")
        }
        return (spent, rounds * load.spanCount, known)
    }

    private static func rows(_ spent: [Double], stored: Int, _ server: MeasuredServer) -> [BenchRow] {
        let tenth = max(1, spent.count / 10)
        let step = (spent.count + 9) / 10
        let tenths = stride(from: 0, to: spent.count, by: step).map { start in
            let part = spent[start..<min(start + step, spent.count)]
            return String(Double(Int(part.reduce(0, +) / Double(part.count) * 10)) / 10)
        }
        return [
            BenchRow(
                name: "store, the first tenth",
                unit: "µs/span",
                spread: Spread(Array(spent.prefix(tenth))),
                note: "processor time of the server, 3 rules; \(stored) spans in all"
            ),
            BenchRow(
                name: "store, the last tenth",
                unit: "µs/span",
                spread: Spread(Array(spent.suffix(tenth))),
                note: "tenth by tenth \(tenths.joined(separator: " ")); peak \(server.peakMebibytes) MiB"
            ),
            BenchRow(
                name: "disk",
                unit: "B/span",
                spread: Spread([Double(server.databaseBytes) / Double(stored)]),
                note: "\(server.databaseBytes >> 20) MiB"
            ),
        ]
    }

    private static func queries(_ server: MeasuredServer) async throws -> [BenchRow] {
        var rows: [BenchRow] = []
        let lists = [
            ("a page of traces", ""), ("  of an agent", "agent=agent_7"),
            ("  of a service that failed", "service=svc_3&status=error"),
            ("  of a model", "model=gpt-4o-mini"), ("  slow ones", "minDuration=30000"),
            ("  with a text", "q=weather"),
        ]
        for (name, filter) in lists {
            let asked = try await pages(filter, server)
            rows.append(try await ask(name, asked, server))
        }
        let from = Load.start * 1000
        let range = "from=\(from)&to=\(from + 86_400_000)"
        let metrics = [
            (
                "a metric over 24 h, rate by agent",
                "name=mastra_agent_runs_ended&agg=rate&groupBy=agent&step=5m"
            ),
            ("  p95 by model", "name=mastra_model_duration_ms&agg=p95&groupBy=model&step=15m"),
            ("  sum", "name=mastra_model_input_tokens&agg=sum&step=1h"),
        ]
        for (name, query) in metrics {
            let paths = Array(repeating: "/api/metrics/query?\(query)&\(range)", count: 60)
            rows.append(try await ask(name, paths, server))
        }
        return rows
    }

    /// Pages to ask for: the first, and those that follow, at most 60.
    private static func pages(_ filter: String, _ server: MeasuredServer) async throws -> [String] {
        try await onLargeThread {
            let connection = try server.connection()
            var paths: [String] = []
            var cursor = ""
            while paths.count < 60 {
                let path = "/api/traces?limit=50&\(filter)\(cursor)"
                let answer = try connection.get(path)
                guard answer.status == 200 else { throw failure(path, answer) }
                paths.append(path)
                let text = String(decoding: answer.body, as: UTF8.self)
                guard let next = text.firstMatch(of: /"nextCursor":"([^"]+)"/) else { break }
                cursor = "&cursor=\(next.output.1)"
            }
            return paths
        }
    }

    private static func ask(_ name: String, _ paths: [String], _ server: MeasuredServer) async throws
        -> BenchRow
    {
        let cpu = try server.nanoseconds()
        let (times, bytes) = try await onLargeThread {
            let connection = try server.connection()
            var times: [Double] = []
            var bytes = 0
            for path in paths {
                let start = wallNanoseconds()
                let answer = try connection.get(path)
                times.append(Double(wallNanoseconds() - start) / 1_000_000)
                guard answer.status == 200 else { throw failure(path, answer) }
                bytes += answer.body.count
            }
            return (times, bytes)
        }
        let spent = Double(try server.nanoseconds() - cpu) / 1_000_000 / Double(paths.count)
        return .answers(
            name,
            times,
            spent: spent,
            note: "\(times.count) asked, \(bytes / times.count) B each"
        )
    }

    private static func failure(_ path: String, _ answer: (status: Int, body: [UInt8])) -> BenchFailure {
        BenchFailure(
            description:
                "\(path): \(answer.status) \(String(decoding: answer.body.prefix(300), as: UTF8.self))"
        )
    }

    private static func send(_ load: Load, to server: MeasuredServer) async throws {
        let next = Counter()
        let refused = Counter()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<connections {
                group.addTask {
                    try await onLargeThread {
                        _ = try ServeBenchmark.sendShare(load.bodies, next, refused, server)
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
