import Foundation
import Logging
import NightjarBus
import NightjarExtraction
import NightjarOTLP
import NightjarPlugins
import NightjarSignals
import NightjarStore

/// Everything that a worker's core is made from; the making happens on the worker's own thread.
struct CoreBlueprint: Sendable {
    let configuration: EngineConfiguration
    let registry: MetricRegistry
    let table: SeriesTable
    let report: CardinalityReport
    let catalogue: Catalogue
    let store: SQLiteStore?
    let plugins: PluginHost?
    let progress: [Int: Int64]
    let sampler: TraceSampler
    let outlet: SignalOutlet
    let edge: SignalEdge
    let fullTraces: FullTraces
    let logger: Logger

    func makeCore(worker: Int) -> WorkerCore {
        let source = store.map { JournalTraceSource(store: $0, logger: logger) }
        let assembler = TraceAssembler(
            configuration.trace.shared(by: configuration.workers),
            source: source,
            progress: (0..<Partition.count).map { progress[$0] ?? 0 },
            completing: SpanCompletion.complete
        )
        let aggregator = makeAggregator()
        return WorkerCore(
            assembler: assembler,
            aggregator: aggregator,
            catalogue: catalogue,
            rules: { traces in
                plugins?.session(worker: worker, reader: OTLPSpanReader(), traces: traces)
            },
            store: store,
            decode: { chunk in source?.decode(chunk) ?? [] },
            idleTimeout: configuration.trace.idleTimeout,
            source: source,
            processing: SignalProcessing(configuration.processors),
            sampler: sampler,
            outlet: outlet,
            edge: edge,
            minimumLevel: configuration.bus.logLevel,
            received: worker == 0 ? makeReceived(aggregator, source) : nil,
            fullTraces: fullTraces,
            isResuming: true
        )
    }

    private func makeReceived(_ aggregator: MetricAggregator, _ source: JournalTraceSource?)
        -> ReceivedMetrics
    {
        let series = ReceivedSeries(
            registry: registry,
            table: table,
            configuration: configuration.cardinality,
            report: report
        )
        return ReceivedMetrics(series, aggregator, source: source)
    }

    private func makeAggregator() -> MetricAggregator {
        do throws(MetricError) {
            return try MetricAggregator(
                registry: registry,
                table: table,
                configuration: configuration.cardinality,
                report: report
            )
        } catch {
            // The host's own metrics were declared by the engine before any plugin could take their names.
            preconditionFailure("the host's own metrics cannot be declared: \(error)")
        }
    }
}

/// Reads back for a worker what the store knows.
final class JournalTraceSource: TraceSource, StreamSource {
    private let store: SQLiteStore
    private let logger: Logger

    init(store: SQLiteStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    /// So often a read is tried again, each time after a longer pause: an unknown trace or stream would be counted anew.
    private static let tries = 8

    func recall(_ trace: TraceID, before sequence: Int64) -> RecalledTrace? {
        patiently("trace \(trace)") {
            guard let record = try store.trace(trace) else { return nil }
            let chunks = try store.chunks(of: trace).filter { $0.sequence < sequence }
            return RecalledTrace(record: record, slabs: chunks.flatMap(decode))
        }
    }

    func streams(_ ids: [UInt64]) -> [UInt64: StreamState] {
        patiently("\(ids.count) streams of metrics") { try store.streams(ids) } ?? [:]
    }

    private func patiently<Result>(_ subject: String, _ read: () throws -> Result?) -> Result? {
        var pause = 0.05
        for attempt in 1...Self.tries {
            do {
                return try read()
            } catch {
                logger.error("\(subject) could not be read back, attempt \(attempt): \(error)")
                Thread.sleep(forTimeInterval: pause)
                pause = min(pause * 2, 2)
            }
        }
        return nil
    }

    /// The spans of a chunk; none, and a line in the log, where it cannot be read any more.
    func decode(_ chunk: StoredChunk) -> [Slab] {
        do throws(OTLPError) {
            return try spans(of: chunk)
        } catch {
            logger.error("chunk \(chunk.sequence) of the journal cannot be read: \(error)")
            return []
        }
    }

    private func spans(of chunk: StoredChunk) throws(OTLPError) -> [Slab] {
        try TraceRequest.decode(
            Payload(chunk.payload),
            encoding: .protobuf,
            receivedAt: chunk.receivedAt,
            workers: 1,
            limits: .taken
        ).slabs.map(\.slab)
    }
}

extension SQLiteStore {
    /// Opens the store for an engine; what is older than the retention goes by itself.
    /// - Throws: ``EngineError`` that names the file and what to do.
    convenience init(
        opening location: StoreLocation,
        ledger: SeriesLedger,
        queueBytes: Int = StoreSettings().queueBytes,
        retention: Retention? = nil
    ) throws(EngineError) {
        var settings = StoreSettings()
        settings.retention = retention
        (settings.queueBytes, settings.effectBytes) = (queueBytes, queueBytes)
        // Stopping takes ten seconds at most: five for the workers, four for the store.
        settings.flushPatience = .seconds(4)
        do throws(StoreError) {
            try self.init(location, ledger: ledger, settings: settings)
        } catch {
            guard case .file(let path) = location else { throw EngineError(error) }
            let cure =
                switch error.code {
                case .newerSchema: "use the version that wrote it, or another file"
                case .corrupt: "put a copy of it back, or name another file"
                case .busy: "stop whoever holds it, or name another file"
                case .full: "make room"
                default: "its folder must be there and writable, and no other program may hold it"
                }
            throw EngineError(
                code: .unavailable,
                detail: "the database \(path) cannot be opened: \(error.detail); \(cure)"
            )
        }
    }
}

/// Effects on their way to the store.
struct StoreSink: EffectsSink {
    let store: SQLiteStore

    func commit(_ effects: Effects, completion: @escaping @Sendable () -> Void) {
        store.commit(effects, completion: completion)
    }
}

/// Effects where nothing is stored: metrics are published at once, annotations are counted once by id.
final class LedgerSink: EffectsSink {
    /// So many ids are remembered; an annotation sent again after so many others counts again.
    private static let rememberedIDs = 100_000

    private struct State: Sendable {
        var seen: Set<String> = []
        var order: [String] = []
        var nextIdleLook = Timestamp(unixNano: .min)
    }

    /// So often is looked for series that are idle.
    private static let idleLook = Duration.seconds(3600)

    private let ledger: SeriesLedger
    private let now: @Sendable () -> Timestamp
    private let state = LockedValue(State())
    /// What sees the effects too: a run over recorded events prints them.
    private let observer: @Sendable (Effects) -> Void

    init(
        ledger: SeriesLedger,
        now: @escaping @Sendable () -> Timestamp,
        observer: @escaping @Sendable (Effects) -> Void = { _ in }
    ) {
        self.ledger = ledger
        self.now = now
        self.observer = observer
    }

    func commit(_ effects: Effects, completion: @escaping @Sendable () -> Void) {
        state.update { state in
            let counted: [SeriesDelta] = effects.counts.compactMap { count in
                let key = "\(count.kind)/\(count.id)"
                guard state.seen.insert(key).inserted else { return count.again }
                state.order.append(key)
                if state.order.count > 2 * Self.rememberedIDs {
                    for old in state.order.prefix(Self.rememberedIDs) { state.seen.remove(old) }
                    state.order.removeFirst(Self.rememberedIDs)
                }
                return count.first
            }
            // Under the lock: the ledger has one committer at a time, and every worker comes here.
            let time = now()
            ledger.publish(ledger.stage(effects.deltas + counted, now: time))
            guard time >= state.nextIdleLook else { return }
            state.nextIdleLook = time.advanced(by: Self.idleLook)
            ledger.publish(ledger.expire(now: time))
        }
        observer(effects)
        completion()
    }
}

extension EngineError {
    /// What a refusal of the store means for whoever sent the input.
    init(_ error: StoreError) {
        switch error.code {
        case .overloaded: self.init(code: .overloaded, detail: "\(error)")
        case .closed: self.init(code: .closed, detail: "\(error)")
        default:
            self.init(code: .unavailable, detail: "nothing was taken, send it again later: \(error)")
        }
    }
}

extension JournalChunk {
    init(_ chunk: TraceChunk) {
        self.init(
            traceID: chunk.traceID,
            partition: chunk.partition,
            spanCount: chunk.spanCount,
            payload: chunk.payload
        )
    }
}
