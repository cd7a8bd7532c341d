import NightjarTesting

/// A real server under exporters that send as fast as it answers: three rules, everything stored, each 200 after its fsync; the
/// same over more connections; and with nothing stored, three rules and one.
enum ServeBenchmark {
    private struct Case {
        let name: String
        let stores: Bool
        var plugins = BenchRules.files
        /// The metrics of these; nil: all that the load says.
        var counts: Set<String>?
        var connections = ServeBenchmark.connections
    }

    private static let connections = 8
    private static let cases = [
        Case(name: "serve, 3 rules, SQLite", stores: true),
        Case(name: "  over 32 connections", stores: true, connections: 32),
        Case(name: "serve, 3 rules, nothing stored", stores: false),
        Case(
            name: "serve, 1 rule, nothing stored",
            stores: false,
            plugins: ["model_use.lua": BenchRules.modelUse],
            counts: ["bench_model_uses_total"]
        ),
    ]

    static func run(_ options: BenchOptions) async throws -> [BenchRow] {
        var load = Load(spans: options.scaled(120_000))
        var rows: [BenchRow] = []
        for one in cases { rows += try await measured(&load, one, options) }
        return rows
    }

    private static func measured(
        _ load: inout Load,
        _ one: Case,
        _ options: BenchOptions
    ) async throws -> [BenchRow] {
        let server = try await MeasuredServer(
            stores: one.stores,
            plugins: one.plugins,
            // Traces end within the run: their ends belong to what a span costs.
            environment: ["NIGHTJAR_TRACE_IDLEPERIOD": "100ms"]
        )
        var runs: [LoadSender.Run] = []
        for run in 0...options.runs {
            load.renew()
            let outcome: LoadSender.Run
            do {
                outcome = try await LoadSender(server, connections: one.connections)
                    .send(load.bodies.map(\.bytes), spans: load.spanCount)
            } catch {
                throw BenchFailure(description: "serve: \(error)\n\(await server.complaints())")
            }
            if run > 0 { runs.append(outcome) }
        }
        let expected = one.counts.map { load.totals.leavingOutPlugins(but: $0) } ?? load.totals
        let differences = try await server.totals().differences(from: expected, times: options.runs + 1)
        let peak = server.peakMebibytes
        try await server.stop()
        let rows = rows(one, runs, load, peak)
        guard differences.isEmpty else {
            for row in rows { print("\(row.name) \(row.spread.median) \(row.unit) \(row.note)") }
            throw BenchFailure(
                description: "\(one.name):\n\(differences.joined(separator: "\n"))"
            )
        }
        return rows
    }

    private static func rows(_ one: Case, _ runs: [LoadSender.Run], _ load: Load, _ peak: Int)
        -> [BenchRow]
    {
        let latencies = runs.flatMap(\.latencies).map { Double($0) / 1_000_000 }.sorted()
        func share(_ part: Double) -> Double {
            latencies.isEmpty ? .nan : latencies[Int(Double(latencies.count - 1) * part)]
        }
        let generator = Spread(runs.map(\.generator)).median
        let refused = runs.reduce(0) { $0 + $1.refused }
        return [
            BenchRow(
                name: one.name,
                unit: "µs/span",
                spread: Spread(runs.map(\.spent)),
                note: "processor time of the server alone, peak \(peak) MiB"
            ),
            BenchRow(
                name: "  throughput",
                unit: "spans/s",
                spread: Spread(runs.map(\.rate)),
                note: "\(one.connections) connections, \(load.bodies.count) requests, \(refused) refused; "
                    + String(load.byteCount / load.spanCount) + " B/span; the sender beside it took "
                    + "\(Int(generator * 1000)) ns/span"
            ),
            BenchRow(
                name: "  latency of a request",
                unit: "ms",
                spread: Spread(
                    runs.map { run in
                        Spread(run.latencies.map { Double($0) / 1_000_000 }).median
                    }
                ),
                note: "p50 \(Int(share(0.5))) ms, p99 \(Int(share(0.99))) ms"
            ),
        ]
    }

    /// Sends everything over several connections, and waits until the server rests.
    static func sendAll(_ load: Load, to server: MeasuredServer) async throws {
        _ = try await LoadSender(server, connections: connections)
            .send(load.bodies.map(\.bytes), spans: load.spanCount)
    }

    /// One connection's part: whatever body is next, until none is left. Returns how long each answer took.
    static func sendShare(
        _ bodies: [LoadBody],
        _ next: Counter,
        _ refused: Counter,
        _ server: MeasuredServer
    ) throws -> [Int64] {
        try LoadSender(server).sendShare(bodies.map(\.bytes), next, refused)
    }
}
