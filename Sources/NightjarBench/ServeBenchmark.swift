import NightjarTesting

/// A real server under exporters that send as fast as it answers: three rules, everything stored, each 200 after its fsync.
enum ServeBenchmark {
    private static let connections = 8

    static func run(_ options: BenchOptions) async throws -> [BenchRow] {
        var load = Load(spans: options.scaled(120_000))
        return try await measured(&load, stores: true, options) + measured(&load, stores: false, options)
    }

    private static func measured(
        _ load: inout Load,
        stores: Bool,
        _ options: BenchOptions
    ) async throws -> [BenchRow] {
        let server = try await MeasuredServer(
            stores: stores,
            plugins: BenchRules.files,
            // Traces end within the run: their ends belong to what a span costs.
            environment: ["NIGHTJAR_TRACE_IDLEPERIOD": "100ms"]
        )
        var runs: [LoadSender.Run] = []
        for run in 0...options.runs {
            load.renew()
            let outcome: LoadSender.Run
            do {
                outcome = try await LoadSender(server, connections: connections)
                    .send(load.bodies.map(\.bytes), spans: load.spanCount)
            } catch {
                throw BenchFailure(description: "serve: \(error)\n\(await server.complaints())")
            }
            if run > 0 { runs.append(outcome) }
        }
        let differences = try await server.totals().differences(from: load.totals, times: options.runs + 1)
        let peak = server.peakMebibytes
        try await server.stop()
        let rows = rows(
            stores ? "serve, 3 rules, SQLite" : "serve, 3 rules, nothing stored",
            runs,
            load,
            peak
        )
        guard differences.isEmpty else {
            for row in rows { print("\(row.name) \(row.spread.median) \(row.unit) \(row.note)") }
            throw BenchFailure(
                description: "serve\(stores ? "" : " --db none"):\n\(differences.joined(separator: "\n"))"
            )
        }
        return rows
    }

    private static func rows(_ name: String, _ runs: [LoadSender.Run], _ load: Load, _ peak: Int)
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
                name: name,
                unit: "µs/span",
                spread: Spread(runs.map(\.spent)),
                note: "processor time of the server alone, peak \(peak) MiB"
            ),
            BenchRow(
                name: "  throughput",
                unit: "spans/s",
                spread: Spread(runs.map(\.rate)),
                note: "\(connections) connections, \(load.bodies.count) requests, \(refused) refused; "
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
