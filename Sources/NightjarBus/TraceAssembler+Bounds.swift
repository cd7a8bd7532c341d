import CNightjarSignals
package import NightjarSignals

/// What an assembler holds in memory, and how it lets go of it.
extension TraceAssembler {
    /// Forgets ended traces beyond the number of traces or of spans to be remembered, oldest first, as far as the store knows all
    /// of them.
    package func forget(committed ticket: UInt64) {
        while remembered.count - rememberedStart > configuration.rememberedTraces
            || (knownSpans > configuration.rememberedSpans && rememberedStart < remembered.count)
        {
            let id = remembered[rememberedStart]
            if let trace = traces[id], trace.hasEnded, trace.unsettled == 0 {
                guard trace.ticket <= ticket else { return }
                release(trace)
                remove(trace)
            }
            rememberedStart += 1
        }
        compact(&remembered, &rememberedStart)
        // Traces that hold nothing any more need no place in the order of age.
        guard openOrder.count - openStart > 2 * traces.count + 1024 else { return }
        openOrder = openOrder[openStart...].filter { id in
            guard let trace = traces[id] else { return false }
            trace.isOrdered = trace.heldSpans > 0
            return trace.isOrdered
        }
        openStart = 0
    }

    /// Forgets a trace at once, counted or not: it was deleted.
    package func drop(_ id: TraceID) {
        parked.remove(id)
        guard let trace = traces.removeValue(forKey: id) else { return }
        waitingSpans -= trace.unsettled
        knownSpans -= trace.entries.count
        release(trace)
    }

    /// Makes sure that a trace's spans can be read, from the store where they were let go.
    package func load(_ trace: TraceState) {
        guard trace.isShed, let recalled = recall(trace.id) else { return }
        loadMerged(trace, recalled)
        // The last version of a span is the one that counts.
        for slab in recalled.slabs.reversed() {
            for index in 0..<slab.count {
                guard let place = trace.place(of: slab.spans[index].id) else { continue }
                if trace.entries[place].slab == nil { attach(trace, place, slab, index) }
            }
        }
        trace.isShed = trace.entries.contains { $0.slab == nil }
    }

    /// Lets the payloads of an ended trace go; without a store they are kept until the trace is forgotten.
    package func releaseEnded(_ trace: TraceState) {
        if trace.hasEnded, source != nil { release(trace) }
    }

    /// Lets a trace's payloads go.
    package func release(_ trace: TraceState) {
        trace.isShed = true
        guard trace.heldSpans > 0 else { return }
        for place in trace.entries.indices {
            guard let slab = trace.entries[place].slab else { continue }
            let merged = trace.entries[place].mergedDigest
            trace.entries[place].digest =
                merged == 0 ? slab.spans[trace.entries[place].row].encoded.digest : merged
            detach(trace, place)
        }
    }

    /// Picks the oldest traces while too many bytes are held or too many spans wait: their payloads go with `releaseShed`, once
    /// the actions are done. Without a store to read back from, and where too many wait, they are counted as they are.
    package func shed(into actions: inout [Action]) {
        while openStart < openOrder.count,
            retainedBytes - pickedBytes > configuration.retainedBytes
                || waitingSpans > configuration.waitingSpans
        {
            let id = openOrder[openStart]
            openStart += 1
            guard let trace = traces[id] else { continue }
            trace.isOrdered = false
            pickedBytes += trace.entries.reduce(0) {
                $0 + ($1.slab.map { ($0.heldBytes + $0.payloadShare) / max($0.holders, 1) } ?? 0)
            }
            picked.append(trace)
            guard source == nil || waitingSpans > configuration.waitingSpans else { continue }
            let before = trace.unsettled
            settleRest(trace, before: Timestamp(unixNano: .max), into: &actions)
            if before > 0 { actions.append(.settledEarly(trace, count: before)) }
            if source == nil, !trace.hasEnded { end(trace, into: &actions) }
        }
        compact(&openOrder, &openStart)
    }

    /// Lets go of what `shed` picked. Without a store the traces are forgotten: what is left of them would be a false whole.
    package func releaseShed() {
        for trace in picked {
            release(trace)
            if source == nil { remove(trace) }
        }
        picked.removeAll()
        pickedBytes = 0
    }

    func remove(_ trace: TraceState) {
        guard traces.removeValue(forKey: trace.id) != nil else { return }
        knownSpans -= trace.entries.count
    }

    func compact(_ list: inout [TraceID], _ start: inout Int) {
        guard start > 4096, start * 2 > list.count else { return }
        list.removeFirst(start)
        start = 0
    }

    func attach(_ trace: TraceState, _ place: Int, _ slab: Slab, _ index: Int) {
        trace.entries[place].slab = slab
        trace.entries[place].row = index
        hold(slab, for: trace)
    }

    /// Counts a slab that a span of a trace now lies in.
    func hold(_ slab: Slab, for trace: TraceState) {
        slab.holders += 1
        trace.heldSpans += 1
        if slab.holders == 1 {
            // Remembered, because what a slab holds may grow while it is held.
            slab.heldBytes = slab.rowBytes
            retainedBytes += slab.heldBytes
            // One slab of a request keeps all of its bytes.
            let slabs = payloads[slab.payloadIdentity, default: 0]
            payloads[slab.payloadIdentity] = slabs + 1
            if slabs == 0 { retainedBytes += slab.payloadBytes }
        }
        trace.madeView = nil
        guard !trace.isOrdered else { return }
        trace.isOrdered = true
        openOrder.append(trace.id)
    }

    func detach(_ trace: TraceState, _ place: Int) {
        guard let slab = trace.entries[place].slab else { return }
        slab.holders -= 1
        trace.heldSpans -= 1
        if slab.holders == 0 {
            retainedBytes -= slab.heldBytes
            let slabs = payloads[slab.payloadIdentity, default: 1] - 1
            payloads[slab.payloadIdentity] = slabs == 0 ? nil : slabs
            if slabs == 0 { retainedBytes -= slab.payloadBytes }
        }
        trace.entries[place].slab = nil
        trace.madeView = nil
    }
}
