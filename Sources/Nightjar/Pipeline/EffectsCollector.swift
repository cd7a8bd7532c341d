import CNightjarSignals
import NightjarBus
import NightjarExtraction
import NightjarSignals

/// Gathers what rules, extraction and annotations bring about until the worker hands it over, and tells the bus of it. Belongs
/// to one worker.
final class EffectsCollector: EmissionReceiver {
    let aggregator: MetricAggregator
    private let extractor: CatalogueExtractor
    private let outlet: SignalOutlet
    private let reader: any SpanReader
    private var effects = Effects()
    private var changedTraces: [TraceState] = []
    /// The trace, and the span of it, that the event at hand is of.
    private var target: (trace: TraceState, place: Int?)?
    /// The receive clock, set by the worker.
    var now = Timestamp(unixNano: 0)
    /// The observation that is being added, where it came as such.
    private var direct: Metric?
    /// What signals of the target belong to, once someone asked.
    private var targetCorrelation: Correlation?

    init(
        _ aggregator: MetricAggregator,
        _ extractor: CatalogueExtractor,
        outlet: SignalOutlet,
        reader: any SpanReader
    ) {
        self.aggregator = aggregator
        self.extractor = extractor
        self.outlet = outlet
        self.reader = reader
    }

    func target(_ trace: TraceState, _ place: Int?) {
        target = (trace, place)
        targetCorrelation = nil
    }

    /// What follows belongs to no span.
    func targetNothing() {
        target = nil
        targetCorrelation = nil
    }

    /// Notes that a trace's record is to be written.
    func changed(_ trace: TraceState) {
        guard trace.isChanged, !trace.isListed else { return }
        trace.isListed = true
        changedTraces.append(trace)
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

    /// Counts an annotation once by its id, and tells the bus. `isStored`: the store knows its id; `isReplacement`: it is
    /// known to have been counted before.
    func count(
        _ annotation: Annotation,
        entityType: String?,
        isStored: Bool = true,
        isReplacement: Bool = false
    ) {
        outlet.emit(annotation.event, annotation.event.signal)
        let entity =
            annotation.metadata["entityType"]?.string ?? annotation.correlation.entity.type ?? entityType
        let time: Timestamp
        let first: SeriesDelta?
        switch annotation {
        case .score(let score): (time, first) = (score.timestamp, extractor.count(score, entityType: entity))
        case .feedback(let item): (time, first) = (item.timestamp, extractor.count(item, entityType: entity))
        }
        if let first, !isReplacement { observe(first, of: annotation) }
        guard let first else { return }
        guard isStored else { return effects.deltas.append(first) }
        effects.counts.append(
            Effects.AnnotationCount(
                kind: annotation.kind,
                id: annotation.id,
                first: first,
                again: aggregator.pendingCount(\.scoresReplaced, at: time)
            )
        )
    }

    /// Keeps a log line and tells the bus; one of a trace that is sampled out goes nowhere.
    func keep(_ log: Log, isSampledOut: Bool) {
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
            event.correlation = correlationOfTarget
        }
        outlet.emit(.metric(event), .metric)
    }

    /// Tells the bus of the count of an annotation, which the store adds.
    private func observe(_ count: SeriesDelta, of annotation: Annotation) {
        guard outlet.wants(.metric), var event = aggregator.event(count.series, value: 1, at: count.time)
        else {
            return
        }
        (event.traceID, event.spanID) = (annotation.traceID, annotation.spanID)
        event.correlation = annotation.correlation
        outlet.emit(.metric(event), .metric)
    }

    private var correlationOfTarget: Correlation {
        if let targetCorrelation { return targetCorrelation }
        guard let target else { return Correlation() }
        let correlation = target.trace.correlation(
            of: target.place.map(target.trace.spanID),
            reader: reader
        ).correlation
        targetCorrelation = correlation
        return correlation
    }

    func take(ticket: UInt64) -> Effects {
        for trace in changedTraces {
            trace.isListed = false
            trace.ticket = ticket
            effects.traces.append(trace.currentRecord())
        }
        changedTraces.removeAll(keepingCapacity: true)
        effects.deltas += aggregator.take()
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
        var score = score
        let isOfTarget = target?.trace.id == score.traceID
        if isOfTarget, score.correlation.isEmpty { score.correlation = correlation(of: score.spanID) }
        // A verdict on a trace that is sampled out counts, and is not kept.
        let isStored = !(isOfTarget && target?.trace.record.isSampledOut == true)
        if isStored { effects.scores.append(score) }
        count(
            .score(score),
            entityType: entityType(of: score.spanID, in: score.traceID),
            isStored: isStored,
            isReplacement: (target?.trace.record.revision ?? 0) > 1
        )
    }

    func feedback(_ feedback: Feedback) {
        var feedback = feedback
        let isOfTarget = target?.trace.id == feedback.traceID
        if isOfTarget, feedback.correlation.isEmpty {
            feedback.correlation = correlation(of: feedback.spanID)
        }
        let isStored = !(isOfTarget && target?.trace.record.isSampledOut == true)
        if isStored { effects.feedback.append(feedback) }
        count(
            .feedback(feedback),
            entityType: entityType(of: feedback.spanID, in: feedback.traceID),
            isStored: isStored
        )
    }

    func log(_ log: Log) {
        var log = log
        if let target, target.trace.id == log.traceID, log.correlation.isEmpty {
            log.correlation = correlation(of: log.spanID)
        }
        keep(log, isSampledOut: target?.trace.record.isSampledOut == true && log.traceID == target?.trace.id)
    }

    private func correlation(of span: SpanID?) -> Correlation {
        guard let target else { return Correlation() }
        if span == target.place.map(target.trace.spanID) { return correlationOfTarget }
        return target.trace.correlation(of: span, reader: reader).correlation
    }

    /// Known where the annotation is on the trace that the rule was called for.
    private func entityType(of span: SpanID?, in trace: TraceID?) -> String? {
        guard let target, target.trace.id == trace else { return nil }
        return target.trace.entityType(of: span)
    }
}
