/// Whether a span costs the same however it comes: over few connections or many, alone or with others, short or long,
/// compressed or not, in either encoding. Three rules, as in `serve`.
enum ScalingBenchmark {
    private struct Case: Sendable {
        let name: String
        var shape = LoadShape.captured
        var connections = 8
        var batch = 512
        var encoding = LoadEncoding.protobuf
        /// How much smaller than the others, where its spans are large or its requests small.
        var part = 1
    }

    private static let cases = [
        Case(name: "1 connection", connections: 1, batch: 256),
        Case(name: "64 connections", connections: 64, batch: 256),
        Case(name: "1 span a request", batch: 1, part: 4),
        Case(name: "32 spans a request", batch: 32),
        Case(name: "256 spans a request", batch: 256),
        Case(name: "profile A, content off", shape: .lean),
        Case(name: "profile B, content on"),
        Case(name: "profile C, long content", shape: .long, part: 8),
        Case(name: "profile D, flattened", shape: .flattened, part: 2),
        Case(name: "gzip", encoding: .gzip),
        Case(name: "JSON", encoding: .json),
        Case(name: "JSON, gzip", encoding: .jsonGzip),
    ]

    static func run(_ options: BenchOptions) async throws -> [BenchRow] {
        // Twenty-four servers: only where it is asked for, or where everything is measured.
        guard !options.isQuick || options.names.contains("scaling") else { return [] }
        var rows: [BenchRow] = []
        for stores in [false, true] {
            for one in cases { rows.append(try await measured(one, stores: stores, options)) }
        }
        return rows
    }

    private static func measured(
        _ one: Case,
        stores: Bool,
        _ options: BenchOptions
    ) async throws -> BenchRow {
        let server = try await MeasuredServer(
            stores: stores,
            plugins: BenchRules.files,
            // Traces end within the run: their ends belong to what a span costs.
            environment: ["NIGHTJAR_TRACE_IDLEPERIOD": "100ms"]
        )
        let sender = LoadSender(server, connections: one.connections, encoding: one.encoding)
        var (spent, rates, expected) = ([Double](), [Double](), LoadTotals())
        var (requests, bytes, spans) = (0, 0, 0)
        for run in 0...options.runs {
            var shape = one.shape
            shape.batch = one.batch
            // Other traces each time: a span sent again would not be counted again.
            let load = Load(
                shape,
                seed: UInt64(run + 1),
                spans: options.scaled(48_000) / one.part,
                json: one.encoding.isJSON
            )
            let bodies = try load.bodies(as: one.encoding)
            expected.add(load.totals)
            (requests, spans) = (bodies.count, load.spanCount)
            bytes = bodies.reduce(0) { $0 + $1.count }
            let outcome: LoadSender.Run
            do {
                outcome = try await sender.send(bodies, spans: spans)
            } catch {
                throw BenchFailure(description: "\(one.name): \(error)\n\(await server.complaints())")
            }
            guard run > 0 else { continue }
            spent.append(outcome.spent)
            rates.append(outcome.rate)
        }
        let differences = try await server.totals().differences(from: expected, times: 1)
        try await server.stop()
        guard differences.isEmpty else {
            throw BenchFailure(description: "\(one.name):\n\(differences.joined(separator: "\n"))")
        }
        let aRequest = Spread(spent).median * Double(spans) / Double(requests)
        return BenchRow(
            name: "\(stores ? "SQLite" : "nothing stored"), \(one.name)",
            unit: "µs/span",
            spread: Spread(spent),
            note: "\(Int(aRequest)) µs/request, \(bytes / spans) B/span, "
                + "\(Int(Spread(rates).median)) spans/s"
        )
    }
}
