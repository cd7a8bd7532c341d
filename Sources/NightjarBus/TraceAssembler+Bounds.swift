import CNightjarSignals
import NightjarSignals

/// What an assembler holds in memory, and how it lets go of it.
extension TraceAssembler {
    /// Forgets ended traces beyond the number to be remembered, oldest first, as far as the store knows all of them.
    package func forget(committed ticket: UInt64) {
        while remembered.count - rememberedStart > configuration.rememberedTraces {
            let id = remembered[rememberedStart]
            if let trace = traces[id], trace.hasEnded, trace.unsettled == 0 {
                guard trace.ticket <= ticket else { return }
                traces[id] = nil
            }
            rememberedStart += 1
        }
        compact(&remembered, &rememberedStart)
        // Traces that hold nothing any more need no place in the order of age.
        if openOrder.count - openStart > 2 * traces.count + 1024 {
            openOrder = openOrder[openStart...].filter { id in
                traces[id].map { !$0.isShed || $0.unsettled > 0 } ?? false
            }
            openStart = 0
        }
    }

    /// Makes sure that a trace's spans can be read, from the store where they were let go.
    package func load(_ trace: TraceState) {
        guard trace.isShed, let recalled = recall(trace.id) else { return }
        // The last version of a span is the one that counts.
        for slab in recalled.slabs.reversed() {
            for index in 0..<slab.count {
                guard let place = trace.place(of: slab.spans[index].id) else { continue }
                if trace.entries[place].slab == nil { attach(trace, place, slab, index) }
            }
        }
        trace.isShed = false
    }

    /// Lets a trace's payloads go.
    package func release(_ trace: TraceState) {
        for place in trace.entries.indices {
            guard let slab = trace.entries[place].slab else { continue }
            slab.holders -= 1
            if slab.holders == 0 { retainedBytes -= slab.retainedBytes }
            trace.entries[place].slab = nil
        }
        trace.isShed = true
    }

    /// Lets payloads of the oldest open traces go while too many bytes are held, and counts the oldest while too many wait.
    func shed(into actions: inout [Action]) {
        var at = openStart
        while at < openOrder.count,
            retainedBytes > configuration.retainedBytes || waitingSpans > configuration.waitingSpans
        {
            if let trace = traces[openOrder[at]] {
                if source == nil || waitingSpans > configuration.waitingSpans {
                    let before = trace.unsettled
                    settleRest(trace, before: Timestamp(unixNano: .max), into: &actions)
                    if before > 0 { actions.append(.settledEarly(trace, count: before)) }
                }
                if source != nil, actions.isEmpty || !isNamed(trace, in: actions) { release(trace) }
            }
            at += 1
        }
        openStart = at
        compact(&openOrder, &openStart)
    }

    /// Whether an action still needs the trace's payloads.
    func isNamed(_ trace: TraceState, in actions: [Action]) -> Bool {
        actions.contains { action in
            switch action {
            case .settled(let named, _, _, _), .ended(let named), .lateChange(let named),
                .settledEarly(let named, _):
                named === trace
            }
        }
    }

    func compact(_ list: inout [TraceID], _ start: inout Int) {
        guard start > 4096, start * 2 > list.count else { return }
        list.removeFirst(start)
        start = 0
    }

    func attach(_ trace: TraceState, _ place: Int, _ slab: Slab, _ index: Int) {
        trace.entries[place].slab = slab
        trace.entries[place].row = index
        slab.holders += 1
        if slab.holders == 1 { retainedBytes += slab.retainedBytes }
    }

    func detach(_ trace: TraceState, _ place: Int) {
        guard let slab = trace.entries[place].slab else { return }
        slab.holders -= 1
        if slab.holders == 0 { retainedBytes -= slab.retainedBytes }
        trace.entries[place].slab = nil
    }
}
