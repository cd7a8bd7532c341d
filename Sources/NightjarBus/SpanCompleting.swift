import CNightjarSignals
package import NightjarSignals

/// Puts two copies of one span together that were told in two ways, as an event of ours and by OTLP: what the later says holds,
/// the earlier fills in the rest. Nil where there is nothing to put together: then the later is all that holds.
package typealias SpanCompleting = (_ earlier: SpanReference, _ later: SpanReference) -> SpanReference?

/// A copy of a span as it is taken in.
struct CompletedSpan {
    let reference: SpanReference
    /// A hash of the copy as it came, where it was put together with an earlier one; else 0.
    var digest: UInt64 = 0
}

extension TraceState {
    /// Whether a copy of a span was told in another way than what is known of it.
    func isToldAnew(_ slab: Slab, _ index: Int, at place: Int) -> Bool {
        entries[place].mergedDigest != 0 || entries[place].convention != slab.spans[index].convention
    }

    /// A copy of a span with what earlier ones said that it does not.
    func completed(_ slab: Slab, _ index: Int, by completing: SpanCompleting?) -> CompletedSpan {
        let copy = SpanReference(slab: slab, index: index)
        guard let completing, let place = place(of: copy.row.pointee.id), isToldAnew(slab, index, at: place),
            let present = entries[place].slab,
            let whole = completing(SpanReference(slab: present, index: entries[place].row), copy)
        else { return CompletedSpan(reference: copy) }
        return CompletedSpan(reference: whole, digest: max(copy.row.pointee.encoded.digest, 1))
    }
}

extension TraceAssembler {
    /// Puts those spans together again whose copies were, in the order in which they came.
    func loadMerged(_ trace: TraceState, _ recalled: RecalledTrace) {
        guard let completing else { return }
        var spans: [Int: SpanReference] = [:]
        for slab in recalled.slabs {
            for index in 0..<slab.count {
                guard let place = trace.place(of: slab.spans[index].id),
                    trace.entries[place].slab == nil, trace.entries[place].mergedDigest != 0
                else { continue }
                let copy = SpanReference(slab: slab, index: index)
                guard let earlier = spans[place] else {
                    spans[place] = copy
                    continue
                }
                if earlier.row.pointee.hasEnded, !copy.row.pointee.hasEnded { continue }
                spans[place] = completing(earlier, copy) ?? copy
            }
        }
        for (place, span) in spans { attach(trace, place, span.slab, span.index) }
    }
}
