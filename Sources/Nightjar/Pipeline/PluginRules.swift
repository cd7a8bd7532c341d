import CNightjarSignals
import Foundation
import Logging
import NightjarBus
import NightjarOTLP
import NightjarPlugins
import NightjarSignals
import NightjarStore

/// Where a worker's rules find traces that they ask for by id: what the worker has in memory, else the store. Belongs to the
/// worker's thread.
final class WorkerTraces: PluginTraces {
    private let assembler: TraceAssembler
    private let collector: EffectsCollector
    private let store: (any StoredTraces)?
    private let decode: (StoredChunk) -> [Slab]
    private let contents: LogContentMemory
    /// The rows' inherited names are their trace's, which has to outlive the views that were given out.
    private var kept: [TraceState] = []
    private static let keptLimit = 32

    init(
        assembler: TraceAssembler,
        collector: EffectsCollector,
        store: (any StoredTraces)?,
        contents: LogContentMemory,
        decode: @escaping (StoredChunk) -> [Slab] = { _ in [] }
    ) {
        self.contents = contents
        self.assembler = assembler
        self.collector = collector
        self.store = store
        self.decode = decode
    }

    func trace(_ id: TraceID) -> TraceView? {
        if let trace = assembler.trace(id, recalling: false), !trace.isShed { return trace.view() }
        // What cannot be read now is not known now; the store reports its own failures.
        guard let store, let record = try? store.trace(id), !record.isSampledOut,
            let chunks = try? store.chunks(of: id)
        else { return nil }
        let slabs = chunks.flatMap(decode)
        guard !slabs.isEmpty else { return nil }
        let trace = TraceState.settled(id, slabs: slabs, completing: SpanCompletion.complete)
        trace.record.revision = record.revision
        kept.append(trace)
        if kept.count > Self.keptLimit { kept.removeFirst() }
        return trace.view()
    }

    func joinedReader(of id: TraceID) -> (any SpanReader)? {
        // As above: what cannot be read now is not known now.
        contents.reader(of: id) { (try? store?.logs(of: id).map(\.log)) ?? [] }
    }

    func events(of id: TraceID, _ signal: Signal) -> [SignalEvent] {
        let fresh = collector.made(for: id, signal)
        guard let store else { return fresh }
        let stored: [SignalEvent]?
        switch signal {
        case .score: stored = try? store.scores(of: id).map { .score($0.score) }
        case .feedback: stored = try? store.feedback(of: id).map { .feedback($0.feedback) }
        case .log: stored = try? store.logs(of: id).map { .log($0.log) }
        default: stored = nil
        }
        // As above: a read that fails finds nothing.
        return (stored ?? []) + fresh
    }
}

extension EffectsCollector {
    /// Adds an observation of a rule. Who made it matters to those alone who are told of observations.
    func metric(
        _ instrument: InstrumentID,
        value: Double,
        labels: UnsafeBufferPointer<nj_label>,
        at time: Timestamp,
        remembered: inout RememberedSeries,
        origin: () -> EmissionOrigin
    ) {
        let isObserved = aggregator.observer != nil
        if isObserved { self.origin = origin() }
        aggregator.record(
            instrument,
            value: value,
            labels: labels,
            at: time > now ? aggregator.clamped(time, receivedAt: now) : time,
            remembered: &remembered
        )
        if isObserved { self.origin = nil }
    }
}

extension PluginHost {
    /// The host of an engine's plugins, nil where it has none; its lines go to the engine's log, and what plugins keep to the
    /// store.
    /// - Throws: ``StoreError`` where it cannot be read what they kept: one that was switched off must not run.
    static func make(
        _ configuration: EngineConfiguration,
        _ registry: MetricRegistry,
        _ store: SQLiteStore?,
        clock: any PipelineClock,
        logger: Logger
    ) throws(StoreError) -> PluginHost? {
        guard var plugins = configuration.plugins else { return nil }
        plugins.test = plugins.test ?? configuration.pluginTests
        var archive: any PluginArchive = InMemoryPluginArchive()
        if let store {
            archive = try StorePluginArchive(
                store,
                folder: plugins.folder,
                now: { clock.now() },
                logger: logger
            )
        }
        return PluginHost(
            plugins,
            registry: registry,
            workers: configuration.workers,
            archive: archive,
            now: { clock.now() },
            log: { line in
                logger.log(
                    level: Logger.Level(line.level),
                    "\(line.message)",
                    metadata: line.plugin.map { ["plugin": "\($0)"] }
                )
            }
        )
    }
}

extension Logger.Level {
    /// The level of swift-log that fits one of ours.
    init(_ level: LogLevel) {
        switch level {
        case .debug: self = .debug
        case .info: self = .info
        case .warn: self = .warning
        case .error: self = .error
        case .fatal: self = .critical
        }
    }
}
