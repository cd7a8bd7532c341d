import CNightjarSignals
package import NightjarSignals

/// Traces that are put together again from what the store has.
extension TraceAssembler {
    /// Puts a trace back that was open, or had spans waiting, when the process stopped.
    package func restore(_ id: TraceID) {
        parked.remove(id)
        guard traces[id] == nil, let recalled = recall(id) else { return }
        let trace = rebuild(recalled)
        traces[trace.id] = trace
        schedule(trace)
    }

    /// Reads a trace back as far as it has been processed; what is queued behind has not been counted yet.
    func recall(_ id: TraceID) -> RecalledTrace? {
        source?.recall(id, before: processed[Partition.of(id)] + 1)
    }

    func rebuild(_ recalled: RecalledTrace) -> TraceState {
        let trace = TraceState(id: recalled.record.id, receivedAt: recalled.record.firstReceived)
        trace.parentsComeFirst = configuration.parentsComeFirst
        trace.assembler = self
        var settled: [Int] = []
        for slab in recalled.slabs {
            for index in 0..<slab.count {
                if trace.knowsEnd(of: slab.rows + index) { continue }
                let span = trace.completed(slab, index, by: completing)
                if let old = trace.place(of: slab.spans[index].id) { detach(trace, old) }
                let (place, isKnown) = trace.take(span)
                hold(span.reference.slab, for: trace)
                if !isKnown, slab.spans[index].hasEnded, !slab.spans[index].isEvent {
                    trace.isAnnounced = false
                }
                if !isKnown {
                    grow(trace, by: Int(slab.spans[index].encoded.length))
                    trace.settleTree(from: place, into: &settled)
                }
                trace.releaseHeld(for: place, into: &settled)
            }
        }
        trace.record = recalled.record
        trace.hasEnded = !recalled.record.isOpen
        trace.reopened = max(0, recalled.record.revision - (recalled.record.isOpen ? 0 : 1))
        trace.isSamplingDecided = recalled.record.spanCount > 0
        trace.markCounted(except: Set(recalled.record.pending.map(\.value)))
        waitingSpans += trace.unsettled
        knownSpans += trace.entries.count
        trace.isChanged = false
        return trace
    }
}

/// Traces that stand in for others: what log records tell of counts only where the trace that they name sends no spans.
extension TraceAssembler {
    /// Whether nothing is to be settled of a trace that stands in for another: it is too early to say, or that one has sent spans,
    /// and then what waits is dropped.
    func keepsBack(_ trace: TraceState, before limit: Timestamp) -> Bool {
        guard let original = trace.standsFor else { return false }
        guard let oldest = trace.oldestWaiting, oldest <= limit else { return true }
        guard traces[original] != nil || recall(original) != nil else { return false }
        let isFirst = !trace.entries.contains(where: \.endCounted)
        waitingSpans -= trace.unsettled
        trace.markCounted(except: [])
        trace.isDismissed = trace.isDismissed || isFirst
        trace.isChanged = true
        return true
    }

    /// Shows a trace that was hidden, for nothing else tells of its spans.
    func reveal(_ trace: TraceState, into actions: inout [Action]) {
        trace.record.isSampledOut = trace.isLeftOut
        guard reportsArrivals else { return }
        if trace.isShed { load(trace) }
        for place in trace.entries.indices where !trace.entries[place].isSettled {
            guard let span = trace.reference(place), !span.row.pointee.isDropped else { continue }
            actions.append(.arrived(trace, span, .ended))
        }
    }
}
