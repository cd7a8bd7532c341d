import NightjarTesting
import Synchronization

/// A real server under exporters that send as fast as it answers: three rules, everything stored, each 200 after its fsync.
enum ServeBenchmark {
    private static let connections = 8
    /// How long before a request that was refused is sent again.
    private static let retryMicroseconds = 50_000

    static func run(_ options: BenchOptions) async throws -> [BenchRow] {
        var load = Load(spans: options.scaled(120_000))
        return try await measured(&load, stores: true, options) + measured(&load, stores: false, options)
    }

    private struct Run {
        let spent: Double
        let rate: Double
        let latencies: [Int64]
        let refused: Int
        let generator: Double
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
        var runs: [Run] = []
        for run in 0...options.runs {
            load.renew()
            let outcome: Run
            do {
                outcome = try await send(load, to: server)
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

    private static func rows(_ name: String, _ runs: [Run], _ load: Load, _ peak: Int) -> [BenchRow] {
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

    private static func send(_ load: Load, to server: MeasuredServer) async throws -> Run {
        try await server.rest()
        let (cpu, own, wall) = (try server.nanoseconds(), processNanoseconds(), wallNanoseconds())
        let next = Counter()
        let refused = Counter()
        let latencies = try await withThrowingTaskGroup(of: [Int64].self) { group in
            for _ in 0..<connections {
                group.addTask {
                    try await onLargeThread { try sendShare(load.bodies, next, refused, server) }
                }
            }
            var all: [Int64] = []
            for try await part in group { all += part }
            return all
        }
        let seconds = Double(wallNanoseconds() - wall) / 1_000_000_000
        let generator = Double(processNanoseconds() - own) / 1000
        // Longer than a trace has to be quiet to end.
        try await Task.sleep(for: .milliseconds(500))
        try await server.rest()
        let count = Double(load.spanCount)
        return Run(
            spent: Double(try server.nanoseconds() - cpu) / 1000 / count,
            rate: count / seconds,
            latencies: latencies,
            refused: refused.value,
            generator: generator / count
        )
    }

    /// One connection's part: whatever body is next, until none is left. Returns how long each answer took.
    static func sendShare(
        _ bodies: [LoadBody],
        _ next: Counter,
        _ refused: Counter,
        _ server: MeasuredServer
    ) throws -> [Int64] {
        let connection = try server.connection()
        var latencies: [Int64] = []
        while true {
            let index = next.advance()
            guard index < bodies.count else { return latencies }
            while true {
                let start = wallNanoseconds()
                let status = try connection.post(bodies[index].bytes)
                if status == 200 {
                    latencies.append(wallNanoseconds() - start)
                    break
                }
                guard status == 429 || status == 503 else {
                    throw BenchFailure(description: "serve: a request was answered with \(status)")
                }
                _ = refused.advance()
                pause(microseconds: retryMicroseconds)
            }
        }
    }
}

/// A number that several threads count up.
final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    var value: Int { count.load(ordering: .relaxed) }

    /// The number before it was counted up.
    func advance() -> Int { count.wrappingAdd(1, ordering: .relaxed).oldValue }
}
