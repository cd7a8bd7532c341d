import CNightjarSignals
import NightjarBus
import NightjarExtraction
import NightjarOTLP
import NightjarPlugins
import NightjarSignals
import NightjarStore

/// What a worker does with one item: settle, extract, run rules, and collect the effects. Belongs to the worker's thread.
final class WorkerCore {
    struct Waiting {
        let annotation: Annotation
        let isReplacement: Bool
        let due: Timestamp
    }

    let assembler: TraceAssembler
    private let extractor: CatalogueExtractor
    let collector: EffectsCollector
    let rules: PluginSession?
    let processing: SignalProcessing
    let sampler: TraceSampler
    private let outlet: SignalOutlet
    /// Is told of traces that take no more spans.
    private let fullTraces: FullTraces?
    /// The worker of partition 0 has it.
    private let received: ReceivedMetrics?
    /// What log records say of the content of spans, for the rules.
    let contents: LogContentMemory
    // Fields are unchecked as in TraceState: one thread at a time, and no access lasts over a call that comes back to it.
    /// Log lines that came before their spans.
    @exclusivity(unchecked) var unjoinedLogs = UnjoinedLogs()
    /// Sees every observation too: a run over recorded events prints them.
    @exclusivity(unchecked) var observer: ((SeriesID, Double, Timestamp) -> Void)?
    let reader = OTLPSpanReader()
    let idleTimeout: Duration
    /// Held here because the assembler does not hold it.
    private let source: (any TraceSource)?
    /// Annotations whose trace is not known yet, by trace; each leaves when the trace comes or its time is up.
    @exclusivity(unchecked) var waiting: [TraceID: [Waiting]] = [:]
    @exclusivity(unchecked) var waitingDeadlines = DeadlineQueue()
    @exclusivity(unchecked) var waitingCount = 0
    /// So many annotations may wait for their traces; beyond it they are counted without the entity's type.
    static let waitingLimit = 100_000
    @exclusivity(unchecked) private var actions: [TraceAssembler.Action] = []
    @exclusivity(unchecked) private var barriers: [@Sendable () -> Void] = []
    @exclusivity(unchecked) private(set) var now = Timestamp(unixNano: 0)
    /// Whether what an earlier run left is still on its way: until it is here nothing is due, however old it is.
    @exclusivity(unchecked) private var isResuming: Bool

    init(
        assembler: TraceAssembler,
        aggregator: MetricAggregator,
        catalogue: Catalogue,
        rules: (any PluginTraces) -> PluginSession?,
        store: (any StoredTraces)? = nil,
        decode: @escaping (StoredChunk) -> [Slab] = { _ in [] },
        idleTimeout: Duration,
        source: (any TraceSource)?,
        processing: SignalProcessing = SignalProcessing([]),
        sampler: TraceSampler = TraceSampler([]),
        outlet: SignalOutlet = SignalOutlet(bus: nil),
        edge: SignalEdge,
        minimumLevel: LogLevel = .debug,
        received: ReceivedMetrics? = nil,
        fullTraces: FullTraces? = nil,
        isResuming: Bool = false
    ) {
        self.isResuming = isResuming
        self.assembler = assembler
        extractor = CatalogueExtractor(catalogue, aggregator: aggregator)
        collector = EffectsCollector(
            aggregator,
            extractor,
            outlet: outlet,
            edge: edge,
            minimumLevel: minimumLevel,
            reader: reader
        )
        contents = LogContentMemory(isLive: isResuming)
        self.rules = rules(
            WorkerTraces(
                assembler: assembler,
                collector: collector,
                store: store,
                contents: contents,
                decode: decode
            )
        )
        self.processing = processing
        self.sampler = sampler
        self.outlet = outlet
        self.received = received
        self.fullTraces = fullTraces
        self.idleTimeout = idleTimeout
        self.source = source
    }

    /// The lines of plugins that ran, where they are watched.
    var coveredLines: [String: Set<Int>] { rules?.coveredLines ?? [:] }

    /// When something is due next.
    var nextDeadline: Timestamp? {
        isResuming
            ? nil
            : [assembler.nextDeadline, waitingDeadlines.next, rules?.nextTimer].compactMap(\.self).min()
    }

    func handle(_ item: WorkItem, now: Timestamp) {
        self.now = now
        collector.now = now
        rules?.adopt()
        listen()
        switch item {
        case .spans(let slabs, let known, let sequence, let sequences):
            collector.targetNothing()
            let outcome = processing.process(slabs, sequences: sequences, by: spanProcessor)
            collector.rewrite(outcome.rewrites)
            for slab in outcome.slabs { take(slab, known) }
            if sequence > 0 { noteProgress(slabs, sequence) }
            shed()
        case .events(let events, let partition, let sequence, let receivedAt):
            for event in events { take(event, receivedAt: receivedAt) }
            if sequence > 0 { noteProgress(partition, sequence) }
        case .received(let request, let sequence):
            received?.take(request)
            if sequence > 0 { noteProgress(0, sequence) }
        case .annotation(let annotation, let isKnown, let isReplacement, let receivedAt):
            take(annotation, isKnown: isKnown, isReplacement: isReplacement, receivedAt: receivedAt)
        case .restore(let id):
            contents.noteRestored(id)
            assembler.restore(id)
            shed()
            // Of what was just read back, which is all that no ticket was given to.
            assembler.park(committed: 0)
        case .resumed: isResuming = false
        case .wake: break
        case .forget(let id):
            assembler.drop(id)
            fullTraces?.remove(id)
            unjoinedLogs.forget(id)
        case .barrier(let done): barriers.append(done)
        case .finish(let done):
            assembler.finishAll(into: &actions)
            perform()
            for id in Array(waiting.keys) { expireWaiting(of: id, until: Timestamp(unixNano: .max)) }
            barriers.append(done)
        }
    }

    func advance(now: Timestamp) {
        self.now = now
        collector.now = now
        rules?.adopt()
        listen()
        guard !isResuming else { return }
        collector.targetNothing()
        rules?.advance(to: now, into: collector)
        tellRules()
        assembler.advance(to: now, into: &actions)
        perform()
        while let id = waitingDeadlines.pop(until: now) { expireWaiting(of: id, until: now) }
    }

    /// Hands over what has come about since the last call.
    func take(ticket: UInt64) -> Effects {
        var effects = collector.take(ticket: ticket)
        received?.hand(over: &effects, ticket: ticket)
        return effects
    }

    func takeBarriers() -> [@Sendable () -> Void] {
        defer { barriers = [] }
        return barriers
    }

    func forget(committed: UInt64) {
        assembler.forget(committed: committed)
        assembler.park(committed: committed)
        fullTraces?.add(assembler.takeFull())
        received?.forget(committed: committed)
    }

    /// Makes values for the bus where someone listens; who does may change at any time.
    private func listen() {
        let wants = rules?.wants ?? []
        collector.wants = wants
        assembler.reportsArrivals = outlet.wants(.tracing) || wants.contains(.arrivals)
        guard outlet.bus != nil || rules != nil || observer != nil else { return }
        let isHeard = outlet.wants(.metric) || wants.contains(.metrics)
        collector.aggregator.observer =
            isHeard
            ? { [unowned collector, observer] in
                observer?($0, $1, $2)
                collector.observed($0, $1, $2)
            } : observer
    }

    /// Tells the rules what they asked for of everything that came about, until nothing more comes of it.
    func tellRules() {
        guard let rules else { return }
        while let next = collector.nextForRules() {
            if let target = next.target {
                collector.target(target.trace, target.place)
            } else {
                collector.targetNothing()
            }
            rules.signal(next.event, origin: next.origin, now: now, into: collector)
        }
    }

    /// What plugins make of spans before anything else sees them; nil where none of them wants to.
    private var spanProcessor: SignalProcessing.PluginProcessor? {
        guard let rules, rules.wants.contains(.processSpans) else { return nil }
        return { [now, collector] span, apply in rules.process(span, now: now, into: collector, apply: apply)
        }
    }

    // MARK: - Spans

    private func take(_ slab: Slab, _ known: Set<TraceID>) {
        collector.aggregator.count(\.spansReceived, by: Double(slab.count), at: slab.receivedAt)
        assembler.process(slab, known: known, into: &actions)
        for trace in assembler.touched {
            trace.noteTags(reader)
            if !trace.isSamplingDecided { decideSampling(trace, slab) }
            collector.changed(trace)
        }
        perform()
        for trace in assembler.touched {
            settleWaiting(trace)
            joinLogs(of: trace)
            assembler.releaseEnded(trace)
        }
    }

    /// Asks the samplers about a trace, at its first event. One that stands in for another is hidden until it counts.
    private func decideSampling(_ trace: TraceState, _ slab: Slab) {
        trace.isSamplingDecided = true
        defer {
            if trace.standsFor != nil {
                trace.isLeftOut = trace.record.isSampledOut
                trace.record.isSampledOut = true
            }
        }
        let asksRules = rules?.wants.contains(.sampling) ?? false
        guard asksRules || !sampler.isEmpty else {
            trace.record.isSampledOut = false
            return
        }
        let first = (0..<slab.count).first { slab.rows[$0].traceID == trace.id } ?? 0
        let span = SpanReference(slab: slab, index: first)
        if asksRules, let share = rules?.sampledShare(span, now: now, into: collector) {
            // A trace is kept if any sampler keeps it; without others, the plugins' decide alone.
            let isKept =
                share >= 1 || Sampling.ratio(share).isKept(SamplingContext(reader.outline(span)))
                || (!sampler.isEmpty && isKeptBySamplers(trace.id, span))
            trace.record.isSampledOut = !isKept
            sampler.remember(trace.id, isKept: isKept)
        } else {
            trace.record.isSampledOut = !isKeptBySamplers(trace.standsFor ?? trace.id, span)
        }
    }

    private func isKeptBySamplers(_ trace: TraceID, _ span: SpanReference) -> Bool {
        sampler.isKept(trace) { SamplingContext(reader.span(span)) }
    }

    private func noteProgress(_ slabs: [Slab], _ sequence: Int64) {
        // A bit for each partition: a request has many spans of few.
        var partitions: UInt64 = 0
        for slab in slabs {
            for index in 0..<slab.count {
                partitions |= 1 << UInt64(Partition.of(slab.rows[index].traceID))
            }
        }
        while partitions != 0 {
            noteProgress(partitions.trailingZeroBitCount, sequence)
            partitions &= partitions - 1
        }
    }

    private func noteProgress(_ partition: Int, _ sequence: Int64) {
        assembler.reached(sequence, partition: partition)
        collector.progress(sequence, partition: partition)
    }

    private func perform() {
        for action in actions {
            switch action {
            case .arrived(let trace, let span, let arrival): arrived(trace, span, arrival)
            case .settled(let trace, let place, let started, let ended):
                settled(trace, place, started: started, ended: ended)
            case .lateChange(let trace):
                collector.aggregator.count(\.lateChanges, at: now)
                collector.changed(trace)
            case .settledEarly(let trace, let count):
                collector.aggregator.count(\.settledEarly, by: Double(count), at: now)
                collector.changed(trace)
            case .ended(let trace): ended(trace)
            }
            tellRules()
        }
        // Payloads that were read back for a trace that had ended already.
        for action in actions {
            if case .settled(let trace, _, _, _) = action { assembler.releaseEnded(trace) }
        }
        actions.removeAll(keepingCapacity: true)
    }

    /// Tells the bus of a span as it came; what is sampled out or dropped goes nowhere.
    private func arrived(_ trace: TraceState, _ reference: SpanReference, _ arrival: SpanArrival) {
        if !trace.record.isSampledOut, outlet.wants(.tracing) {
            let span = reader.span(reference)
            switch arrival {
            case .started: outlet.emit(.spanStarted(span), .tracing)
            case .updated: outlet.emit(.spanUpdated(span), .tracing)
            case .ended: outlet.emit(.spanEnded(span), .tracing)
            }
        }
        guard let rules, rules.wants.contains(.arrivals) else { return }
        let moment: SpanMoment =
            switch arrival {
            case .started: .startArrived
            case .updated: .updateArrived
            case .ended: .endArrived
            }
        collector.targetNothing()
        rules.span(moment, reference, trace: trace, now: now, into: collector)
    }

    /// Holds memory: after everything of an item is done, for until then its payloads are needed.
    private func shed() {
        assembler.shed(into: &actions)
        perform()
        assembler.releaseShed()
    }

    private func settled(_ trace: TraceState, _ place: Int, started: Bool, ended: Bool) {
        collector.changed(trace)
        guard let span = trace.reference(place) else { return }
        collector.target(trace, place)
        extractor.spanSettled(
            span.row,
            started: started,
            ended: ended,
            receivedAt: span.slab.receivedAt
        )
        if started { rules?.span(.started, span, trace: trace, now: now, into: collector) }
        guard ended else { return }
        for verdict in Evaluation.evaluations(span) { collector.score(verdict.score) }
        rules?.span(.ended, span, trace: trace, now: now, into: collector)
    }

    private func ended(_ trace: TraceState) {
        defer {
            joinLogs(of: trace)
            collector.changed(trace)
            assembler.releaseEnded(trace)
        }
        guard !trace.isDismissed else { return }
        if !trace.record.isSampledOut, trace.record.spanCount > 0 {
            let record = trace.record
            outlet.emit(
                .traceEnded(
                    TraceEnd(traceID: trace.id, revision: record.revision, isPartial: record.isPartial)
                ),
                .traceEnded
            )
        }
        if let rules, rules.wants.contains(.traces) {
            assembler.load(trace)
            collector.target(trace, nil)
            rules.traceEnded(trace.view(), now: now, into: collector)
        }
    }
}
