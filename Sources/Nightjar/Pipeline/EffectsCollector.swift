import CNightjarSignals
import NightjarBus
import NightjarExtraction
import NightjarPlugins
import NightjarSignals

/// Gathers what rules, extraction and annotations bring about until the worker hands it over, and tells the bus of it. Belongs
/// to one worker.
final class EffectsCollector: EmissionReceiver {
    let aggregator: MetricAggregator
    private let extractor: CatalogueExtractor
    private let outlet: SignalOutlet
    private let edge: SignalEdge
    private let minimumLevel: LogLevel
    private let reader: any SpanReader
    // Fields are unchecked as in TraceState: one thread at a time, and no access lasts over a call that comes back to it.
    @exclusivity(unchecked) private var effects = Effects()
    @exclusivity(unchecked) private var changedTraces: [TraceState] = []
    /// The trace, and the span of it, that the event at hand is of.
    @exclusivity(unchecked) private var target: (trace: TraceState, place: Int?)?
    /// What rules want to be told of.
    @exclusivity(unchecked) var wants: RuleWants = []
    /// Whose emissions come in; nil where they are no plugin's.
    @exclusivity(unchecked) var origin: EmissionOrigin?
    /// What rules have not been told of yet: what plugins' emissions led to, and the rest.
    @exclusivity(unchecked) private var forRules: (caused: [ForRules], others: [ForRules]) = ([], [])
    /// The receive clock, set by the worker.
    @exclusivity(unchecked) var now = Timestamp(unixNano: 0)
    /// The observation that is being added, where it came as such.
    @exclusivity(unchecked) private var direct: Metric?
    private typealias SpanFactsOfTarget = (correlation: Correlation, metadata: Value.Object)
    /// What signals of the target belong to, once someone asked.
    @exclusivity(unchecked) private var targetFacts: SpanFactsOfTarget?

    init(
        _ aggregator: MetricAggregator,
        _ extractor: CatalogueExtractor,
        outlet: SignalOutlet,
        edge: SignalEdge,
        minimumLevel: LogLevel,
        reader: any SpanReader
    ) {
        self.aggregator = aggregator
        self.extractor = extractor
        self.outlet = outlet
        self.edge = edge
        self.minimumLevel = minimumLevel
        self.reader = reader
    }

    /// An event that rules want to be told of.
    struct ForRules {
        let event: SignalEvent
        let origin: EmissionOrigin?
        let target: (trace: TraceState, place: Int?)?
    }

    /// Notes an event for the rules, where they want it.
    func noteForRules(_ event: @autoclosure () -> SignalEvent, _ want: RuleWants = .drops) {
        guard wants.contains(want) else { return }
        let noted = ForRules(event: event(), origin: origin, target: target)
        if origin == nil { forRules.others.append(noted) } else { forRules.caused.append(noted) }
    }

    /// What rules are to be told next: what emissions led to first, for it belongs to the event at hand.
    func nextForRules() -> ForRules? {
        if !forRules.caused.isEmpty { return forRules.caused.removeFirst() }
        return forRules.others.isEmpty ? nil : forRules.others.removeFirst()
    }

    /// What was made of a trace and is not handed over yet.
    func made(for trace: TraceID, _ signal: Signal) -> [SignalEvent] {
        switch signal {
        case .score: effects.scores.filter { $0.traceID == trace }.map(SignalEvent.score)
        case .feedback: effects.feedback.filter { $0.traceID == trace }.map(SignalEvent.feedback)
        case .log: effects.logs.filter { $0.traceID == trace }.map(SignalEvent.log)
        default: []
        }
    }

    func target(_ trace: TraceState, _ place: Int?) {
        target = (trace, place)
        targetFacts = nil
        // Nobody could look at one that is not stored.
        aggregator.observe(in: trace.record.isSampledOut ? nil : trace.id)
    }

    /// What follows belongs to no span.
    func targetNothing() {
        target = nil
        targetFacts = nil
        aggregator.observe(in: nil)
    }

    /// Notes that a trace's record is to be written.
    func changed(_ trace: TraceState) {
        if trace.list() { changedTraces.append(trace) }
    }

    /// Notes that a partition has been processed up to a journal position.
    func progress(_ sequence: Int64, partition: Int) {
        effects.progress[partition] = max(effects.progress[partition] ?? 0, sequence)
    }

    /// Notes what processors made of chunks.
    func rewrite(_ rewrites: [ChunkRewrite]) { effects.rewrites += rewrites }

    /// Notes what a stored annotation belongs to, now that its trace is known.
    func correlate(_ annotation: Annotation, targetMetadata: Value.Object) {
        effects.correlations.append(
            AnnotationCorrelation(
                kind: annotation.kind,
                id: annotation.id,
                correlation: annotation.correlation,
                metadata: targetMetadata
            )
        )
    }

    /// Notes what stored log lines belong to, now that their span is known.
    func correlate(_ found: LogCorrelation) { effects.logCorrelations.append(found) }

    /// Tells the bus of an annotation.
    func tell(_ annotation: Annotation) {
        noteForRules(annotation)
        outlet.emit(annotation.event, annotation.event.signal)
    }

    private func noteForRules(_ annotation: Annotation) {
        noteForRules(annotation.event, annotation.kind == .score ? .scores : .feedback)
    }

    /// Counts an annotation once by its id. `isStored`: the store knows its id; `isReplacement`: it is known to have been
    /// counted before.
    func count(
        _ annotation: Annotation,
        entityType: String?,
        isStored: Bool = true,
        isReplacement: Bool = false
    ) {
        let entity =
            annotation.metadata["entityType"]?.string ?? annotation.correlation.entity.type ?? entityType
        var first: SeriesDelta?
        let time: Timestamp
        switch annotation {
        case .score(var score):
            time = aggregator.clamped(score.timestamp, receivedAt: now)
            score.timestamp = time
            first = extractor.count(score, entityType: entity)
        case .feedback(var item):
            time = aggregator.clamped(item.timestamp, receivedAt: now)
            item.timestamp = time
            first = extractor.count(item, entityType: entity)
        }
        if let first, !isReplacement { observe(first, of: annotation) }
        if isStored, let trace = annotation.traceID {
            first?.exemplar = Exemplar(traceID: trace, value: 1, time: time)
        }
        guard isStored else {
            if let first, !isReplacement { effects.deltas.append(first) }
            return
        }
        effects.counts.append(
            Effects.AnnotationCount(
                kind: annotation.kind,
                id: annotation.id,
                first: first,
                again: first == nil ? nil : aggregator.pendingCount(\.scoresReplaced, at: time)
            )
        )
    }

    /// Keeps a log line and tells the bus; one of a trace that is sampled out, and one that is not loud enough, goes nowhere.
    func keep(_ log: Log, isSampledOut: Bool) {
        guard log.level >= minimumLevel else { return }
        noteForRules(.log(log), .logs)
        guard !isSampledOut else { return }
        effects.logs.append(log)
        outlet.emit(.log(log), .log)
    }

    /// Adds a direct observation; one that is refused is counted by the aggregator.
    func observe(_ metric: Metric, receivedAt: Timestamp) {
        direct = metric
        defer { direct = nil }
        do throws(MetricError) {
            try aggregator.record(metric, receivedAt: receivedAt)
        } catch {
            // Counted and warned about where it was refused.
            return
        }
    }

    /// Tells the bus of an observation, the aggregator's observer; the host's own go nowhere.
    func observed(_ series: SeriesID, _ value: Double, _ time: Timestamp) {
        guard var event = aggregator.event(series, value: value, at: time) else { return }
        if let direct {
            (event.traceID, event.spanID) = (direct.traceID, direct.spanID)
            (event.metadata, event.correlation) = (direct.metadata, direct.correlation)
        } else if let target {
            event.traceID = target.trace.id
            event.spanID = target.place.map(target.trace.spanID)
            event.correlation = factsOfTarget.correlation
        }
        if event.metadata.isEmpty { event.metadata = event.correlation.environmentFacts }
        noteForRules(.metric(event), .metrics)
        outlet.emit(.metric(event), .metric)
    }

    /// Tells the bus of the count of an annotation, which the store adds.
    private func observe(_ count: SeriesDelta, of annotation: Annotation) {
        guard outlet.wants(.metric) || wants.contains(.metrics),
            var event = aggregator.event(count.series, value: 1, at: count.time)
        else {
            return
        }
        (event.traceID, event.spanID) = (annotation.traceID, annotation.spanID)
        event.correlation = annotation.correlation
        event.metadata = event.correlation.environmentFacts
        noteForRules(.metric(event), .metrics)
        outlet.emit(.metric(event), .metric)
    }

    /// What signals of the target belong to, and its metadata; found once.
    private var factsOfTarget: SpanFactsOfTarget {
        if let targetFacts { return targetFacts }
        guard let target else { return (Correlation(), [:]) }
        let facts = target.trace.correlation(of: target.place.map(target.trace.spanID), reader: reader)
        targetFacts = facts
        return facts
    }

    func take(ticket: UInt64) -> Effects {
        for trace in changedTraces {
            trace.isListed = false
            trace.ticket = ticket
            effects.traces.append(trace.currentRecord())
        }
        changedTraces.removeAll(keepingCapacity: true)
        let deltas = aggregator.take()
        // Most often there is nothing yet: then nothing is copied.
        if effects.deltas.isEmpty { effects.deltas = deltas } else { effects.deltas += deltas }
        defer { effects = Effects() }
        return effects
    }

    // MARK: - EmissionReceiver

    func metric(
        _ instrument: InstrumentID,
        value: Double,
        labels: UnsafeBufferPointer<nj_label>,
        at time: Timestamp
    ) {
        aggregator.record(
            instrument,
            value: value,
            labels: labels,
            at: aggregator.clamped(time, receivedAt: now)
        )
    }

    func score(_ score: Score) {
        var score = edge.cleaned(score)
        if let facts = facts(of: score.spanID, in: score.traceID) {
            score.correlation = score.correlation.filled(from: facts.correlation)
            score.metadata = facts.metadata.merging(score.metadata)
        }
        let isKept = isKept(score.traceID)
        if isKept { effects.scores.append(score) }
        made(.score(score), isKept: isKept)
    }

    func feedback(_ feedback: Feedback) {
        var feedback = edge.cleaned(feedback)
        if let facts = facts(of: feedback.spanID, in: feedback.traceID) {
            feedback.correlation = feedback.correlation.filled(from: facts.correlation)
            feedback.metadata = facts.metadata.merging(feedback.metadata)
        }
        let isKept = isKept(feedback.traceID)
        if isKept { effects.feedback.append(feedback) }
        made(.feedback(feedback), isKept: isKept)
    }

    func log(_ log: Log) {
        guard case .log(var log) = edge.cleaned(.log(log)) else { return }
        if let facts = facts(of: log.spanID, in: log.traceID) {
            log.correlation = log.correlation.filled(from: facts.correlation)
        }
        keep(log, isSampledOut: target?.trace.record.isSampledOut == true && log.traceID == target?.trace.id)
    }

    /// Counts and tells what a rule, or the span at hand, said of a trace. What is not kept counts all the same.
    private func made(_ annotation: Annotation, isKept: Bool) {
        let isAgain =
            target?.trace.id == annotation.traceID
            && target?.trace.countedAnnotations.insert(annotation.id).inserted == false
        if isKept { tell(annotation) } else { noteForRules(annotation) }
        count(
            annotation,
            entityType: entityType(of: annotation.spanID, in: annotation.traceID),
            isStored: isKept,
            isReplacement: isAgain
        )
    }

    /// Whether what is said of a trace is stored and exported: not of one that is sampled out, nor of a span that was dropped.
    private func isKept(_ trace: TraceID?) -> Bool {
        guard let target, target.trace.id == trace else { return true }
        let isDropped = target.place.flatMap(target.trace.reference)?.row.pointee.isDropped ?? false
        return !target.trace.record.isSampledOut && !isDropped
    }

    /// What a signal of a span belongs to; nil where it is not of the trace at hand.
    private func facts(of span: SpanID?, in trace: TraceID?) -> SpanFactsOfTarget? {
        guard let target, target.trace.id == trace else { return nil }
        if span == target.place.map(target.trace.spanID) { return factsOfTarget }
        return target.trace.correlation(of: span, reader: reader)
    }

    /// Known where the annotation is on the trace that the rule was called for.
    private func entityType(of span: SpanID?, in trace: TraceID?) -> String? {
        guard let target, target.trace.id == trace else { return nil }
        return target.trace.entityType(of: span)
    }
}
