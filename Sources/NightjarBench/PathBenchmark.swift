import Logging
import Nightjar
import NightjarBus
import NightjarSignals
import NightjarTesting

/// Bodies through a whole engine that stores nothing: decoding, the hand-over to a worker, extraction, one rule.
enum PathBenchmark {
    /// After so many requests the workers are waited for: what waits is bounded, and nothing is to be refused here.
    private static let requestsAtOnce = 16

    static func run(_ options: BenchOptions) async throws -> [BenchRow] {
        var load = Load(spans: options.scaled(24_000))
        let folder = try TemporaryFolder()
        try folder.write(BenchRules.modelUse, to: "model_use.lua")
        let bare = try await measured(&load, nil, options)
        let ruled = try await measured(&load, folder.path, options)
        return [
            BenchRow(
                name: "path, 1 rule, nothing stored",
                unit: "µs/span",
                spread: Spread(ruled.map(\.spent)),
                note: "\(Int(Spread(ruled.map(\.rate)).median)) spans/s in this process"
            ),
            BenchRow(
                name: "  without the rule",
                unit: "µs/span",
                spread: Spread(bare.map(\.spent)),
                note: "\(Int(Spread(bare.map(\.rate)).median)) spans/s"
            ),
        ]
    }

    private struct Run {
        /// Microseconds of processor time for a span.
        let spent: Double
        /// Spans a second.
        let rate: Double
    }

    private static func measured(
        _ load: inout Load,
        _ plugins: String?,
        _ options: BenchOptions
    ) async throws -> [Run] {
        var configuration = EngineConfiguration(cores: 2)
        configuration.store = nil
        configuration.trace.idlePeriod = .milliseconds(100)
        configuration.pluginFolder = plugins
        var logger = Logger(label: "bench")
        logger.logLevel = .error
        let engine = try Engine(configuration, logger: logger)
        var runs: [Run] = []
        for run in 0...options.runs {
            load.renew()
            let payloads = load.bodies.map { Payload($0.bytes) }
            let (cpu, wall) = (processNanoseconds(), wallNanoseconds())
            try await send(payloads, to: engine)
            let seconds = Double(wallNanoseconds() - wall) / 1_000_000_000
            try await endTraces(of: engine)
            let count = Double(load.spanCount)
            let spent = Double(processNanoseconds() - cpu) / 1000 / count
            if run > 0 { runs.append(Run(spent: spent, rate: count / seconds)) }
        }
        let kept: Set<String> = plugins == nil ? [] : ["bench_model_uses_total"]
        let differences = LoadTotals(engine.ledger.snapshot()).differences(
            from: load.totals.leavingOutPlugins(but: kept),
            times: options.runs + 1
        )
        await engine.shutdown()
        guard differences.isEmpty else {
            throw BenchFailure(description: "wrong counts:\n\(differences.joined(separator: "\n"))")
        }
        return runs
    }

    private static func send(_ payloads: [Payload], to engine: Engine) async throws {
        for (index, payload) in payloads.enumerated() {
            _ = try await engine.ingest(payload, encoding: .protobuf)
            guard index % requestsAtOnce == requestsAtOnce - 1 else { continue }
            guard await engine.flush() else {
                throw BenchFailure(description: "path: the worker does not move")
            }
        }
        guard await engine.flush() else { throw BenchFailure(description: "path: the worker does not move") }
    }

    /// The ends of traces belong to what a span costs; while they are waited for, nothing is spent.
    private static func endTraces(of engine: Engine) async throws {
        try await Task.sleep(for: .milliseconds(400))
        guard await engine.flush() else { throw BenchFailure(description: "path: the worker does not end") }
    }
}
