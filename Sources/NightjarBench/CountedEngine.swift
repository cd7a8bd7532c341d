import Logging
import Nightjar
import NightjarBus
import NightjarOTLP
import NightjarSignals
import NightjarStore
import NightjarTesting

/// What a request brings, on its way to a database file: its spans, the records of its traces, what was counted of it.
/// A transaction for each, one after the other: how many a writer would take at once depends on its disk.
enum CountedStore {
    static func rounds(_ most: Int) async throws -> (Int, CountedPath.Rounds) {
        var load = Load(spans: CountedPath.spans)
        let pass = try CorePass(.effects)
        let rounds = try (0..<most).map { _ in
            load.renew()
            return try Request.all(of: load, pass)
        }
        let folder = try TemporaryFolder()
        var settings = StoreSettings()
        settings.now = { Load.receivedAt }
        let store = try SQLiteStore(
            .file(folder.path("nightjar.db")),
            ledger: pass.ledger,
            settings: settings
        )
        return (
            load.spanCount,
            { count in
                for request in rounds.prefix(count).joined() { try await request.insert(into: store) }
                try store.close()
                withExtendedLifetime(folder) {}
            }
        )
    }

    private struct Request: Sendable {
        var chunks: [JournalChunk] = []
        var effects = Effects()

        /// What the requests of a load bring, and the ends of its traces.
        static func all(of load: Load, _ pass: CorePass) throws -> [Request] {
            var all: [Request] = []
            pass.onEffects = { all.append(Request(effects: $0)) }
            for body in load.bodies {
                let request = try TraceRequest.decode(
                    Payload(body.bytes),
                    encoding: .protobuf,
                    receivedAt: Load.receivedAt,
                    workers: 1
                )
                pass.take(request.slabs.map(\.slab))
                all[all.count - 1].chunks = request.chunks().map { chunk in
                    JournalChunk(
                        traceID: chunk.traceID,
                        partition: chunk.partition,
                        spanCount: chunk.spanCount,
                        payload: chunk.payload
                    )
                }
            }
            pass.endTraces(after: Load.receivedAt)
            pass.onEffects = nil
            return all
        }

        func insert(into store: SQLiteStore) async throws {
            let receipt = try await withCheckedThrowingContinuation { continuation in
                do {
                    try store.submit(
                        Submission(chunks: chunks, receivedAt: Load.receivedAt) {
                            continuation.resume(with: $0)
                        }
                    )
                } catch {
                    continuation.resume(throwing: error)
                }
            }
            guard receipt.sequences.count == chunks.count else {
                throw BenchFailure(
                    description: "\(receipt.sequences.count) of \(chunks.count) chunks are there"
                )
            }
            var effects = effects
            for (chunk, sequence) in zip(chunks, receipt.sequences) {
                effects.progress[chunk.partition] = sequence
            }
            store.commit(effects) {}
            try store.flush()
        }
    }
}

/// Bodies through a whole engine with one rule that stores nothing; its worker has a thread of its own.
enum CountedEngine {
    static func rounds(_ most: Int) async throws -> (Int, CountedPath.Rounds) {
        var load = Load(spans: CountedPath.spans)
        var rounds: [[Payload]] = []
        for _ in 0..<most {
            load.renew()
            rounds.append(load.bodies.map { Payload($0.bytes) })
        }
        let folder = try TemporaryFolder()
        try folder.write(BenchRules.modelUse, to: "model_use.lua")
        var configuration = EngineConfiguration(cores: 1)
        configuration.store = nil
        configuration.pluginFolder = folder.path
        var logger = Logger(label: "bench")
        logger.logLevel = .error
        let engine = try Engine(configuration, logger: logger, clock: StandingClock())
        return (
            load.spanCount,
            { [rounds, load] count in
                for round in rounds.prefix(count) {
                    for payload in round {
                        _ = try await engine.ingest(payload, encoding: .protobuf)
                        guard await engine.flush() else {
                            throw BenchFailure(description: "it does not move")
                        }
                    }
                    guard await engine.finish() else { throw BenchFailure(description: "it does not end") }
                }
                let wrong = LoadTotals(engine.ledger.snapshot()).differences(
                    from: load.totals.leavingOutPlugins(but: ["bench_model_uses_total"]),
                    times: count
                )
                guard wrong.isEmpty else { throw BenchFailure(description: wrong.joined(separator: "\n")) }
                await engine.shutdown()
                withExtendedLifetime(folder) {}
            }
        )
    }

    /// Stands still, so that nothing depends on how long anything takes.
    private struct StandingClock: PipelineClock {
        func now() -> Timestamp { Load.receivedAt }
    }
}
