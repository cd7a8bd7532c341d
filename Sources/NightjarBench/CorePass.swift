import NightjarBus
import NightjarExtraction
import NightjarOTLP
import NightjarSignals

/// What a worker does with spans, step by step as it does it, so that its steps can be measured apart.
final class CorePass {
    /// How far spans are taken.
    enum Depth { case settling, extraction, effects }

    let registry = MetricRegistry()
    let aggregator: MetricAggregator
    /// Called with every span that was counted as ended.
    var onEnded: ((TraceState, Int) -> Void)?
    /// Called with what is handed over, instead of counting it.
    var onEffects: ((Effects) -> Void)?
    /// The series that are counted.
    let table = SeriesTable()
    let ledger: SeriesLedger
    private let extractor: CatalogueExtractor
    private let depth: Depth
    private var assembler: TraceAssembler
    private var actions: [TraceAssembler.Action] = []
    private var changed: [TraceState] = []
    private var records: [TraceRecord] = []
    private var ticket: UInt64 = 0

    init(_ depth: Depth) throws {
        self.depth = depth
        ledger = SeriesLedger(table: table)
        aggregator = try MetricAggregator(
            registry: registry,
            table: table,
            configuration: CardinalityConfiguration(),
            report: CardinalityReport { _ in }
        )
        extractor = CatalogueExtractor(try Catalogue(registry), aggregator: aggregator)
        assembler = Self.makeAssembler()
    }

    /// Forgets all traces; what is counted stays.
    func restart() { assembler = Self.makeAssembler() }

    /// Takes the slabs of one request.
    func take(_ slabs: [Slab]) {
        for slab in slabs {
            aggregator.count(\.spansReceived, by: Double(slab.count), at: slab.receivedAt)
            assembler.process(slab, known: [], into: &actions)
            for trace in assembler.touched { note(trace) }
            perform()
        }
        handOver()
    }

    /// Ends every trace that is complete.
    func endTraces(after time: Timestamp) {
        assembler.advance(to: time.advanced(by: .seconds(10)), into: &actions)
        perform()
        handOver()
        assembler.forget(committed: ticket)
    }

    /// What was counted so far.
    var totals: LoadTotals { LoadTotals(ledger.snapshot()) }

    /// How many spans are known of traces that are not forgotten.
    var openSpans: Int { assembler.knownSpans }

    /// Ended traces are forgotten at once, as a worker that has been busy for some time does for each new one.
    private static func makeAssembler() -> TraceAssembler {
        var configuration = TraceConfiguration()
        configuration.rememberedTraces = 0
        configuration.retainedBytes = .max
        return TraceAssembler(configuration, source: nil)
    }

    private func perform() {
        for action in actions {
            switch action {
            case .arrived: break
            case .settled(let trace, let place, let started, let ended):
                note(trace)
                guard depth != .settling, let span = trace.reference(place) else { continue }
                extractor.spanSettled(
                    span.row,
                    started: started,
                    ended: ended,
                    receivedAt: span.slab.receivedAt
                )
                if ended { onEnded?(trace, place) }
            case .ended(let trace):
                note(trace)
                assembler.release(trace)
            case .lateChange, .settledEarly: break
            }
        }
        actions.removeAll(keepingCapacity: true)
    }

    private func note(_ trace: TraceState) {
        guard trace.list() else { return }
        changed.append(trace)
    }

    private func handOver() {
        ticket += 1
        for trace in changed {
            trace.isListed = false
            trace.ticket = ticket
            if depth == .effects { records.append(trace.currentRecord()) }
        }
        changed.removeAll(keepingCapacity: true)
        guard depth == .effects else { return }
        defer { records.removeAll(keepingCapacity: true) }
        if let onEffects {
            var effects = Effects()
            (effects.traces, effects.deltas) = (records, aggregator.take())
            return onEffects(effects)
        }
        ledger.publish(ledger.stage(aggregator.take()))
    }
}

extension Load {
    /// When the load is received.
    static let receivedAt = Timestamp(unixNano: 1_790_000_500_000_000_000)

    /// The slabs of each body, decoded anew: processing writes to them.
    func decoded() throws -> [[Slab]] { try requests().map { $0.slabs.map(\.slab) } }

    /// The bodies, decoded anew.
    func requests() throws -> [TraceRequest] {
        try bodies.map { body in
            try TraceRequest.decode(
                body.bytes,
                encoding: .protobuf,
                receivedAt: Self.receivedAt,
                workers: 1
            )
        }
    }
}
