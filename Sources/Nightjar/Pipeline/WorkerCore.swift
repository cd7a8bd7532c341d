import CNightjarSignals
import NightjarBus
import NightjarExtraction
import NightjarPlugins
import NightjarSignals

/// What a worker does with one item: settle, extract, run rules, and collect the effects. Belongs to the worker's thread.
final class WorkerCore {
    private struct Waiting {
        let annotation: Annotation
        let due: Timestamp
    }

    private let assembler: TraceAssembler
    private let extractor: CatalogueExtractor
    private let collector: EffectsCollector
    private let rules: any RuleRunner
    private let idleTimeout: Duration
    /// Held here because the assembler does not hold it.
    private let source: (any TraceSource)?
    /// Annotations whose trace is not known yet, by trace; each leaves when the trace comes or its time is up.
    private var waiting: [TraceID: [Waiting]] = [:]
    private var nextWaitingDue: Timestamp?
    private var waitingCount = 0
    /// So many annotations may wait for their traces; beyond it they are counted without the entity's type.
    private static let waitingLimit = 100_000
    private var actions: [TraceAssembler.Action] = []
    private var barriers: [@Sendable () -> Void] = []
    private var now = Timestamp(unixNano: 0)
    /// Whether what an earlier run left is still on its way: until it is here nothing is due, however old it is.
    private var isResuming: Bool

    init(
        assembler: TraceAssembler,
        aggregator: MetricAggregator,
        catalogue: Catalogue,
        rules: any RuleRunner,
        idleTimeout: Duration,
        source: (any TraceSource)?,
        isResuming: Bool = false
    ) {
        self.isResuming = isResuming
        self.assembler = assembler
        extractor = CatalogueExtractor(catalogue, aggregator: aggregator)
        collector = EffectsCollector(aggregator, extractor)
        self.rules = rules
        self.idleTimeout = idleTimeout
        self.source = source
    }

    /// When something is due next.
    var nextDeadline: Timestamp? {
        isResuming ? nil : [assembler.nextDeadline, nextWaitingDue].compactMap(\.self).min()
    }

    func handle(_ item: WorkItem, now: Timestamp) {
        self.now = now
        rules.refresh()
        switch item {
        case .spans(let slabs, let known, let sequence):
            for slab in slabs { take(slab, known) }
            if sequence > 0 { noteProgress(slabs, sequence) }
            shed()
        case .annotation(let annotation, let isKnown, let receivedAt):
            take(annotation, isKnown: isKnown, receivedAt: receivedAt)
        case .restore(let id):
            assembler.restore(id)
            shed()
        case .resumed: isResuming = false
        case .wake: break
        case .barrier(let done): barriers.append(done)
        case .finish(let done):
            assembler.finishAll(into: &actions)
            perform()
            barriers.append(done)
        }
    }

    func advance(now: Timestamp) {
        self.now = now
        rules.refresh()
        guard !isResuming else { return }
        assembler.advance(to: now, into: &actions)
        perform()
        if let due = nextWaitingDue, due <= now { expireWaiting() }
    }

    /// Hands over what has come about since the last call.
    func take(ticket: UInt64) -> Effects {
        collector.take(ticket: ticket)
    }

    func takeBarriers() -> [@Sendable () -> Void] {
        defer { barriers = [] }
        return barriers
    }

    func forget(committed: UInt64) { assembler.forget(committed: committed) }

    // MARK: - Spans

    private func take(_ slab: Slab, _ known: Set<TraceID>) {
        collector.aggregator.count(\.spansReceived, by: Double(slab.count), at: slab.receivedAt)
        assembler.process(slab, known: known, into: &actions)
        for trace in assembler.touched {
            collector.changed(trace)
            settleWaiting(trace)
        }
        perform()
    }

    private func noteProgress(_ slabs: [Slab], _ sequence: Int64) {
        for slab in slabs {
            for span in slab.spans {
                let partition = Partition.of(span.traceID)
                assembler.reached(sequence, partition: partition)
                collector.progress(sequence, partition: partition)
            }
        }
    }

    private func perform() {
        for action in actions {
            switch action {
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
        }
        // Payloads that were read back for a trace that had ended already.
        for action in actions {
            if case .settled(let trace, _, _, _) = action { assembler.releaseEnded(trace) }
        }
        actions.removeAll(keepingCapacity: true)
    }

    /// Holds memory to its bound: after everything of an item is done, for until then its payloads are needed.
    private func shed() {
        assembler.shed(into: &actions)
        perform()
        assembler.releaseShed()
    }

    private func settled(_ trace: TraceState, _ place: Int, started: Bool, ended: Bool) {
        collector.changed(trace)
        guard let span = trace.reference(place) else { return }
        extractor.spanSettled(
            span.row.pointee,
            started: started,
            ended: ended,
            receivedAt: span.slab.receivedAt
        )
        guard ended, rules.wantsSpans else { return }
        collector.target(trace, place)
        rules.spanEnded(span, in: trace, now: now, into: collector)
    }

    private func ended(_ trace: TraceState) {
        if rules.wantsTraces {
            assembler.load(trace)
            collector.target(trace, nil)
            rules.traceEnded(trace.view(), now: now, into: collector)
        }
        collector.changed(trace)
        assembler.releaseEnded(trace)
    }

    // MARK: - Annotations

    private func take(_ annotation: Annotation, isKnown: Bool, receivedAt: Timestamp) {
        guard let id = annotation.traceID else { return collector.count(annotation, entityType: nil) }
        if let trace = assembler.trace(id, recalling: isKnown) {
            collector.count(annotation, entityType: trace.entityType(of: annotation.spanID))
        } else if waitingCount >= Self.waitingLimit {
            collector.count(annotation, entityType: nil)
        } else {
            waitingCount += 1
            let due = receivedAt.advanced(by: idleTimeout)
            waiting[id, default: []].append(Waiting(annotation: annotation, due: due))
            nextWaitingDue = min(nextWaitingDue ?? due, due)
        }
    }

    /// Counts what waited for a trace that has come.
    private func settleWaiting(_ trace: TraceState) {
        guard !waiting.isEmpty, let annotations = waiting.removeValue(forKey: trace.id) else { return }
        waitingCount -= annotations.count
        for waiting in annotations {
            collector.count(
                waiting.annotation,
                entityType: trace.entityType(of: waiting.annotation.spanID)
            )
        }
    }

    private func expireWaiting() {
        var next: Timestamp?
        for (id, annotations) in waiting {
            let rest = annotations.filter { $0.due > now }
            for expired in annotations where expired.due <= now {
                collector.count(expired.annotation, entityType: nil)
            }
            waitingCount -= annotations.count - rest.count
            waiting[id] = rest.isEmpty ? nil : rest
            for due in rest.map(\.due) { next = min(next ?? due, due) }
        }
        nextWaitingDue = next
    }
}
