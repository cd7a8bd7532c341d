import CNightjarSignals
import NightjarBus
import NightjarExtraction
import NightjarSignals

/// Gathers what rules, extraction and annotations bring about until the worker hands it over. Belongs to one worker.
final class EffectsCollector: EmissionReceiver {
    let aggregator: MetricAggregator
    private let extractor: CatalogueExtractor
    private var effects = Effects()
    private var changedTraces: [TraceState] = []
    /// The trace, and the span of it, that the running rule was called for.
    private var target: (trace: TraceState, place: Int?)?

    init(_ aggregator: MetricAggregator, _ extractor: CatalogueExtractor) {
        self.aggregator = aggregator
        self.extractor = extractor
    }

    func target(_ trace: TraceState, _ place: Int?) { target = (trace, place) }

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

    func count(_ annotation: Annotation, entityType: String?) {
        let entity = annotation.metadata["entityType"]?.string ?? entityType
        let replaced: SeriesDelta
        let first: SeriesDelta?
        let kind: AnnotationKind
        switch annotation {
        case .score(let score):
            (kind, first) = (.score, extractor.count(score, entityType: entity))
            replaced = aggregator.pendingCount(\.scoresReplaced, at: score.timestamp)
        case .feedback(let feedback):
            (kind, first) = (.feedback, extractor.count(feedback, entityType: entity))
            replaced = aggregator.pendingCount(\.scoresReplaced, at: feedback.timestamp)
        }
        guard let first else { return }
        effects.counts.append(
            Effects.AnnotationCount(kind: kind, id: annotation.id, first: first, again: replaced)
        )
    }

    func take(ticket: UInt64) -> Effects {
        for trace in changedTraces {
            trace.isListed = false
            trace.ticket = ticket
            effects.traces.append(trace.currentRecord())
        }
        changedTraces.removeAll(keepingCapacity: true)
        effects.deltas = aggregator.take()
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
        aggregator.record(instrument, value: value, labels: labels, at: time)
    }

    func score(_ score: Score) {
        effects.scores.append(score)
        count(.score(score), entityType: entityType(of: score.spanID, in: score.traceID))
    }

    func feedback(_ feedback: Feedback) {
        effects.feedback.append(feedback)
        count(.feedback(feedback), entityType: entityType(of: feedback.spanID, in: feedback.traceID))
    }

    func log(_ log: Log) { effects.logs.append(log) }

    /// Known where the annotation is on the trace that the rule was called for.
    private func entityType(of span: SpanID?, in trace: TraceID?) -> String? {
        guard let target, target.trace.id == trace else { return nil }
        return target.trace.entityType(of: span)
    }
}
