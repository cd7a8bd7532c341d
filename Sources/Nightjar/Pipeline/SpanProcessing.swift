import CNightjarSignals
import NightjarBus
import NightjarOTLP
import NightjarSignals

/// The program's processors, run over what a worker takes in before anything else sees it. Belongs to one worker.
struct SignalProcessing {
    let processors: [any SignalProcessor]
    private let reader = OTLPSpanReader()

    init(_ processors: [any SignalProcessor]) {
        self.processors = processors
    }

    var isEmpty: Bool { processors.isEmpty }

    /// The changed line, nil where a processor drops it.
    func process(_ log: Log) -> Log? {
        processors.reduce(Optional(log)) { log, processor in log.flatMap(processor.processLog) }
    }

    /// The changed observation, nil where a processor drops it.
    func process(_ metric: Metric) -> Metric? {
        processors.reduce(Optional(metric)) { metric, processor in metric.flatMap(processor.processMetric) }
    }

    /// What became of the spans of one request.
    struct Outcome {
        /// The spans as they are now; those that were dropped are marked so, for they still count.
        var slabs: [Slab]
        /// What takes the place of chunks in the journal.
        var rewrites: [ChunkRewrite] = []
    }

    private struct Item {
        var span: Span
        let hasEnded: Bool
        let isDropped: Bool
    }

    /// Runs the processors over the spans of a request. `sequences` are the numbers of the traces' chunks in the journal.
    /// Slabs in which nothing changes stay as they are.
    func process(_ slabs: [Slab], sequences: [TraceID: Int64]) -> Outcome {
        guard !isEmpty else { return Outcome(slabs: slabs) }
        var order: [TraceID] = []
        var items: [TraceID: [Item]] = [:]
        var changed: Set<TraceID> = []
        for slab in slabs {
            for index in 0..<slab.count {
                let row = slab.spans[index]
                let (item, isChanged) = processed(SpanReference(slab: slab, index: index))
                if items[row.traceID] == nil { order.append(row.traceID) }
                items[row.traceID, default: []].append(item)
                if isChanged { changed.insert(row.traceID) }
            }
        }
        guard !changed.isEmpty else { return Outcome(slabs: slabs) }
        var outcome = Outcome(slabs: [])
        for trace in order {
            let all = items[trace] ?? []
            let kept = all.filter { !$0.isDropped }.map { (span: $0.span, hasEnded: $0.hasEnded) }
            let dropped = all.filter(\.isDropped).map { (span: $0.span, hasEnded: $0.hasEnded) }
            let payload = kept.isEmpty ? nil : SpanEncoder.request(kept)
            let receivedAt = slabs[0].receivedAt
            outcome.slabs += payload.map { decoded($0, receivedAt) } ?? []
            if !dropped.isEmpty {
                let counted = decoded(SpanEncoder.request(dropped), receivedAt)
                for slab in counted { slab.markDropped() }
                outcome.slabs += counted
            }
            if changed.contains(trace), let sequence = sequences[trace] {
                outcome.rewrites.append(
                    ChunkRewrite(sequence: sequence, payload: payload, spanCount: kept.count)
                )
            }
        }
        return outcome
    }

    private func processed(_ reference: SpanReference) -> (item: Item, isChanged: Bool) {
        let original = reader.span(reference)
        let hasEnded = reference.row.pointee.hasEnded
        var span = original
        for processor in processors {
            guard var next = processor.processSpan(span) else {
                return (Item(span: span, hasEnded: hasEnded, isDropped: true), true)
            }
            // What a span is, and where it belongs, is not a processor's to change.
            (next.id, next.traceID, next.parentSpanID) = (
                original.id, original.traceID, original.parentSpanID
            )
            span = next
        }
        return (Item(span: span, hasEnded: hasEnded, isDropped: false), span != original)
    }

    private func decoded(_ payload: [UInt8], _ receivedAt: Timestamp) -> [Slab] {
        do throws(OTLPError) {
            return try TraceRequest.decode(payload, encoding: .protobuf, receivedAt: receivedAt, workers: 1)
                .slabs.map(\.slab)
        } catch {
            // The encoder is ours, and its output is decoded in tests of every kind of span.
            preconditionFailure("a span that was just encoded cannot be decoded: \(error)")
        }
    }
}

extension Slab {
    /// Marks every span as dropped by a processor.
    fileprivate func markDropped() {
        for index in 0..<count { spans[index].flags |= UInt8(NJ_SPAN_DROPPED.rawValue) }
    }
}
