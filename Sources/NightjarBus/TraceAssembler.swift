import CNightjarSignals
package import NightjarSignals

/// What the store knows of a trace that is no longer in memory.
package struct RecalledTrace {
    /// Its record.
    package var record: TraceRecord
    /// Its spans, in the order received.
    package var slabs: [Slab]

    /// A recalled trace.
    package init(record: TraceRecord, slabs: [Slab]) {
        self.record = record
        self.slabs = slabs
    }
}

/// Reads traces back that a worker has let go.
package protocol TraceSource: AnyObject {
    /// The trace with the spans that lie before a journal position; nil where it is not known.
    func recall(_ trace: TraceID, before sequence: Int64) -> RecalledTrace?
}

/// What a span that came tells.
package enum SpanArrival {
    /// It has begun.
    case started
    /// It runs and was changed, or was changed after its end.
    case updated
    /// It has ended.
    case ended
}

/// Puts spans together to traces: decides when each is counted and when a trace is over. Takes events and the time and says
/// what is to be done; does nothing itself. Belongs to one worker; a trace is always on the same.
package final class TraceAssembler {
    /// What is to be done, in this order.
    package enum Action {
        /// A span, or a copy that says something new of one, has come; told only where ``reportsArrivals`` is set.
        case arrived(TraceState, SpanReference, SpanArrival)
        /// Count a span and let rules see it: as started, as ended, or both.
        case settled(TraceState, place: Int, started: Bool, ended: Bool)
        /// A span was changed after it had been counted.
        case lateChange(TraceState)
        /// Spans were counted before their ancestors were known, because too many waited.
        case settledEarly(TraceState, count: Int)
        /// The trace is over, for now.
        case ended(TraceState)
    }

    // Fields are unchecked as in TraceState: one thread at a time, and no access lasts over a call that comes back to it.
    /// Whether each span that comes is told by an action of its own; spans that processors dropped are not.
    @exclusivity(unchecked) package var reportsArrivals = false
    /// The traces in memory, by id.
    @exclusivity(unchecked) package internal(set) var traces: [TraceID: TraceState] = [:]
    /// The bytes of the payloads that open traces hold on to.
    @exclusivity(unchecked) package internal(set) var retainedBytes = 0
    /// How many spans wait for their ancestors.
    @exclusivity(unchecked) package internal(set) var waitingSpans = 0

    /// How many spans are known of the traces in memory, whether or not their payloads are here.
    @exclusivity(unchecked) package internal(set) var knownSpans = 0

    /// Traces that are in the store only, though they have not ended or spans of theirs wait.
    @exclusivity(unchecked) package internal(set) var parked: Set<TraceID> = []
    /// Traces that became full since the last call of ``takeFull()``.
    @exclusivity(unchecked) var filled: [TraceID] = []
    /// No trace is looked for to be parked before so much is known.
    @exclusivity(unchecked) var parkingBytes = 0

    let configuration: TraceConfiguration
    /// Puts two copies of a span together that were told in two ways.
    let completing: SpanCompleting?
    @exclusivity(unchecked) weak var source: (any TraceSource)?
    @exclusivity(unchecked) private var deadlines = DeadlineQueue()
    /// The traces that the last slab had spans of.
    @exclusivity(unchecked) package private(set) var touched: [TraceState] = []
    /// The journal position up to which each partition has been processed.
    @exclusivity(unchecked) private(set) var processed: [Int64]
    /// The number of the slab at hand.
    @exclusivity(unchecked) private var stamp: UInt64 = 0
    /// How many held slabs each request's bytes are kept by.
    @exclusivity(unchecked) var payloads: [ObjectIdentifier: Int] = [:]
    /// Traces that hold payloads, by when they first did.
    @exclusivity(unchecked) var openOrder: [TraceID] = []
    /// Traces whose payloads are to go when the actions at hand are done, and about how much that is.
    @exclusivity(unchecked) var picked: [TraceState] = []
    @exclusivity(unchecked) var pickedBytes = 0
    @exclusivity(unchecked) var openStart = 0
    @exclusivity(unchecked) var remembered: [TraceID] = []
    @exclusivity(unchecked) var rememberedStart = 0

    /// An assembler without traces. `source` may be absent: then nothing is let go before its end. Without `completing` the last
    /// copy of a span is all that holds of it, however it was told.
    package init(
        _ configuration: TraceConfiguration,
        source: (any TraceSource)?,
        progress: [Int64] = Array(repeating: 0, count: Partition.count),
        completing: SpanCompleting? = nil
    ) {
        self.configuration = configuration
        self.completing = completing
        processed = progress
        self.source = source
    }

    /// When `advance` has something to do next.
    package var nextDeadline: Timestamp? { deadlines.next }

    /// Takes a slab's spans in. `known` names the traces of which the store had spans before.
    package func process(_ slab: Slab, known: Set<TraceID>, into actions: inout [Action]) {
        touched.removeAll(keepingCapacity: true)
        stamp += 1
        var last: TraceState?
        for index in 0..<slab.count {
            let id = slab.rows[index].traceID
            let trace: TraceState
            if let last, last.id == id {
                trace = last
            } else {
                trace = state(id, known: known.contains(id), slab: slab)
                touch(trace)
            }
            last = trace
            take(trace, slab, index, into: &actions)
        }
        for trace in touched { finish(trace, slab, into: &actions) }
    }

    /// Notes that a partition has been processed up to a journal position.
    package func reached(_ sequence: Int64, partition: Int) {
        processed[partition] = max(processed[partition], sequence)
    }

    /// Does what is due at `now`.
    package func advance(to now: Timestamp, into actions: inout [Action]) {
        while let id = deadlines.pop(until: now) {
            guard let trace = traces[id] else {
                if parked.contains(id) { restore(id) }
                continue
            }
            trace.scheduled = nil
            expire(trace, now, into: &actions)
        }
    }

    /// Ends and settles everything, as if no further span could come: for runs over recorded events.
    package func finishAll(into actions: inout [Action]) {
        for id in parked { restore(id) }
        for trace in traces.values.sorted(by: { $0.record.firstReceived < $1.record.firstReceived }) {
            settleRest(trace, before: Timestamp(unixNano: .max), into: &actions)
            if !trace.hasEnded { end(trace, into: &actions) }
        }
    }

    /// A trace in memory, or read back from the store where that has it.
    package func trace(_ id: TraceID, recalling: Bool) -> TraceState? {
        if let trace = traces[id] { return trace }
        guard recalling, let recalled = recall(id) else { return nil }
        let trace = rebuild(recalled)
        traces[id] = trace
        release(trace)
        if parked.remove(id) != nil { schedule(trace) }
        remembered.append(id)
        return trace
    }

    // MARK: - Taking spans in

    private func state(_ id: TraceID, known: Bool, slab: Slab) -> TraceState {
        if let trace = traces[id] { return trace }
        let trace: TraceState
        let wasParked = parked.remove(id) != nil
        if known || wasParked, let recalled = recall(id) {
            trace = rebuild(recalled)
            // Unless something new comes it does not end again, and must be forgotten all the same.
            if trace.hasEnded { remembered.append(id) }
        } else {
            trace = TraceState(id: id, receivedAt: slab.receivedAt)
            trace.parentsComeFirst = configuration.parentsComeFirst
            trace.assembler = self
        }
        traces[id] = trace
        return trace
    }

    private func touch(_ trace: TraceState) {
        guard trace.stamp != stamp else { return }
        trace.stamp = stamp
        touched.append(trace)
    }

    private func take(_ trace: TraceState, _ slab: Slab, _ index: Int, into actions: inout [Action]) {
        let old = trace.place(of: slab.rows[index].id)
        if let old, isSame(trace, old, slab, index) || trace.knowsEnd(of: slab.rows + index) { return }
        trace.takenStamp = stamp
        let wasRunning = old.map { !trace.entries[$0].hasEnded } ?? false
        if let old, trace.entries[old].slab == nil, trace.isToldAnew(slab, index, at: old) { load(trace) }
        let span =
            old == nil
            ? CompletedSpan(reference: SpanReference(slab: slab, index: index))
            : trace.completed(slab, index, by: completing)
        if let old { detach(trace, old) }
        let (place, isKnown) = trace.take(span)
        hold(span.reference.slab, for: trace)
        let row = UnsafePointer(span.reference.row)
        if !isKnown, row.pointee.hasEnded, !row.pointee.isEvent { trace.isAnnounced = false }
        // Whether it is anything at all that a stand-in tells of is not known yet.
        if reportsArrivals, !row.pointee.isDropped, trace.standsFor == nil {
            let isEnd = row.pointee.hasEnded && (!isKnown || wasRunning)
            let arrival = isEnd ? SpanArrival.ended : isKnown ? .updated : .started
            actions.append(.arrived(trace, span.reference, arrival))
        }
        if isKnown {
            change(trace, place, wasRunning: wasRunning, into: &actions)
        } else {
            waitingSpans += 1
            knownSpans += 1
            grow(trace, by: Int(row.pointee.encoded.length))
        }
        if !row.pointee.isDropped { trace.noteFacets(row) }
    }

    /// A span that came again: completes one that was running, or changes one that was counted.
    private func change(
        _ trace: TraceState,
        _ place: Int,
        wasRunning: Bool,
        into actions: inout [Action]
    ) {
        let entry = trace.entry(at: place)
        if wasRunning, entry.pointee.isSettled,
            entry.pointee.hasEnded || (!entry.pointee.startCounted && entry.pointee.type != .generic)
        {
            count(trace, place, into: &actions)
        } else if entry.pointee.endCounted {
            actions.append(.lateChange(trace))
        }
    }

    private func isSame(_ trace: TraceState, _ place: Int, _ slab: Slab, _ index: Int) -> Bool {
        let entry = trace.entry(at: place)
        let copy = slab.rows[index].encoded
        guard entry.pointee.mergedDigest == 0, let present = entry.pointee.slab else {
            let merged = entry.pointee.mergedDigest
            return (merged == 0 ? entry.pointee.digest : merged) == copy.digest
        }
        return present.rows[entry.pointee.row].encoded.equals(copy)
    }

    private func finish(_ trace: TraceState, _ slab: Slab, into actions: inout [Action]) {
        var settled: [Int] = []
        for place in trace.entries.indices.suffix(slab.count) {
            if !trace.entries[place].isSettled { trace.settleTree(from: place, into: &settled) }
            trace.releaseHeld(for: place, into: &settled)
        }
        trace.record.lastReceived = max(trace.record.lastReceived, slab.receivedAt)
        emit(trace, settled, into: &actions)
        // A copy that says nothing new opens nothing.
        if trace.hasEnded, trace.takenStamp == stamp, trace.reopened < configuration.reopenLimit {
            trace.hasEnded = false
            trace.reopened += 1
        }
        trace.isChanged = true
        schedule(trace)
    }

    /// Counts settled spans in the order in which they arrived.
    private func emit(_ trace: TraceState, _ settled: [Int], into actions: inout [Action]) {
        guard !settled.isEmpty else { return }
        waitingSpans -= settled.count
        if trace.isShed, settled.contains(where: { trace.entries[$0].slab == nil }) { load(trace) }
        for place in settled.sorted() { count(trace, place, into: &actions) }
    }

    private func count(_ trace: TraceState, _ place: Int, into actions: inout [Action]) {
        let entry = trace.entry(at: place)
        let started = !entry.pointee.startCounted
        let ended = entry.pointee.hasEnded && !entry.pointee.endCounted
        guard started || ended else { return }
        // The start of a span that has no type yet is no observation: it may still get one.
        trace.entries[place].startCounted = entry.pointee.type != .generic || ended
        trace.entries[place].endCounted = entry.pointee.endCounted || ended
        if ended, entry.pointee.duplicateOf == 0, entry.pointee.type == .modelGeneration,
            let row = trace.reference(place)?.row
        {
            trace.noteUsage(row)
        }
        actions.append(.settled(trace, place: place, started: started, ended: ended))
    }

    // MARK: - Deadlines

    func schedule(_ trace: TraceState) {
        guard let due = due(trace), due < trace.scheduled ?? Timestamp(unixNano: .max) else { return }
        trace.scheduled = due
        deadlines.push(trace.id, at: due)
    }

    /// The next instant at which something of a trace is due.
    private func due(_ trace: TraceState) -> Timestamp? {
        var due: Timestamp?
        func consider(_ instant: Timestamp) { due = due.map { min($0, instant) } ?? instant }
        let idle = trace.record.lastReceived
        if !trace.hasEnded {
            let age = trace.record.firstReceived.advanced(by: configuration.maxAge)
            // Its first end by age waits for nothing: a trace that always goes on would never end.
            consider(trace.record.revision == 0 ? age : max(age, idle.advanced(by: idlePeriod(trace))))
            if isComplete(trace) {
                consider(idle.advanced(by: idlePeriod(trace)))
            } else if isStuck(trace) {
                consider(idle.advanced(by: configuration.idleTimeout))
            }
        }
        if let oldest = trace.oldestWaiting { consider(oldest.advanced(by: patience(trace))) }
        if trace.hasOverdue { consider(idle.advanced(by: idlePeriod(trace))) }
        return due
    }

    /// Who announces its spans when they start has nothing left to send when the last has ended.
    private func idlePeriod(_ trace: TraceState) -> Duration {
        trace.isAnnounced
            ? min(configuration.announcedIdlePeriod, configuration.idlePeriod) : configuration.idlePeriod
    }

    /// So long spans wait to be settled: for their ancestors, or for the trace that they stand in for.
    private func patience(_ trace: TraceState) -> Duration {
        trace.standsFor == nil ? configuration.parentWait : configuration.idleTimeout
    }

    private func isComplete(_ trace: TraceState) -> Bool {
        trace.hasRootEnded && trace.waiting.isEmpty && (trace.standsFor == nil || trace.unsettled == 0)
    }

    /// Whether its root, or a parent named though the root has ended, is missing. A root that still runs is not.
    private func isStuck(_ trace: TraceState) -> Bool {
        !trace.hasRoot || (trace.hasRootEnded && !trace.waiting.isEmpty)
    }

    private func expire(_ trace: TraceState, _ now: Timestamp, into actions: inout [Action]) {
        // First what has waited long enough: an end lets go of what counting needs.
        let waited = trace.unsettled > 0
        settleRest(trace, before: now.advanced(by: .zero - patience(trace)), into: &actions)
        settleOverdue(trace, now, into: &actions)
        let record = trace.record
        let idle = record.lastReceived.advanced(by: idlePeriod(trace))
        let isOld =
            now >= record.firstReceived.advanced(by: configuration.maxAge)
            && (record.revision == 0 || now >= idle)
        if !trace.hasEnded, isOld || (isComplete(trace) && now >= idle) {
            settleRest(trace, before: Timestamp(unixNano: .max), into: &actions)
            end(trace, into: &actions)
        } else if !trace.hasEnded, isStuck(trace),
            now >= record.lastReceived.advanced(by: configuration.idleTimeout)
        {
            // Settles nothing: the missing parent may still run.
            end(trace, into: &actions)
        }
        // It ended while spans of it waited; only now may it be forgotten.
        if waited, trace.unsettled == 0, trace.hasEnded { remembered.append(trace.id) }
        schedule(trace)
    }

    func end(_ trace: TraceState, into actions: inout [Action]) {
        trace.hasEnded = true
        trace.record.revision += 1
        // What still runs is not whole, whatever ended the trace.
        if trace.entries.contains(where: { !$0.hasEnded }) { trace.record.isPartial = true }
        trace.isChanged = true
        actions.append(.ended(trace))
        remembered.append(trace.id)
    }

    private func settleOverdue(_ trace: TraceState, _ now: Timestamp, into actions: inout [Action]) {
        guard trace.hasOverdue, now >= trace.record.lastReceived.advanced(by: idlePeriod(trace)) else {
            return
        }
        var settled: [Int] = []
        trace.releaseOverdue(into: &settled)
        trace.isChanged = true
        emit(trace, settled, into: &actions)
    }

    func settleRest(_ trace: TraceState, before limit: Timestamp, into actions: inout [Action]) {
        guard trace.unsettled > 0, !keepsBack(trace, before: limit) else { return }
        if trace.standsFor != nil { reveal(trace, into: &actions) }
        var settled: [Int] = []
        trace.settleRest(receivedBefore: limit, into: &settled)
        trace.isChanged = trace.isChanged || !settled.isEmpty
        emit(trace, settled, into: &actions)
    }
}
