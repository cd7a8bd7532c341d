import CNightjarSignals
package import NightjarSignals

/// What of a trace is counted, and how that is kept over a restart.
extension TraceState {
    /// Stands for every span in a record's list of pending ones; no valid id.
    private static let everySpan = SpanID(value: 0)

    /// Marks everything as counted but for the spans that were waiting; their inherited facts are found again.
    func markCounted(except pending: Set<UInt64>) {
        guard !pending.contains(Self.everySpan.value) else { return }
        var settled: [Int] = []
        for start in entries.indices where !pending.contains(entries[start].id) {
            entries[start].startCounted = entries[start].type != .generic || entries[start].hasEnded
            entries[start].endCounted = entries[start].hasEnded
            var chain: [Int] = []
            var at = start
            while at >= 0, !entries[at].isSettled, !pending.contains(entries[at].id), !chain.contains(at),
                chain.count < 1024
            {
                chain.append(at)
                at = Int(entries[at].parentPlace)
            }
            for place in chain.reversed() { settle(place, into: &settled) }
        }
    }

    /// When the span that waits longest was received; nil where none waits.
    var oldestWaiting: Timestamp? {
        guard unsettled > 0 else { return nil }
        while firstWaiting < entries.count, entries[firstWaiting].isSettled { firstWaiting += 1 }
        return firstWaiting < entries.count ? entries[firstWaiting].receivedAt : nil
    }

    /// The record as it is to be stored now.
    package func currentRecord() -> TraceRecord {
        // Each span leaves the list once: what this costs does not grow with the trace.
        unsettledPlaces.removeAll { entries[Int($0)].isSettled }
        if unsettled == 0 {
            record.pending = []
        } else if unsettled == entries.count {
            // One id for all: a long trace whose root comes last would else be written again with each batch.
            record.pending = [Self.everySpan]
        } else {
            record.pending = unsettledPlaces.map { SpanID(value: entries[Int($0)].id) }
        }
        record.isOpen = !hasEnded
        isChanged = false
        return record
    }
}

extension TraceState {
    /// What ran in a span, or in the trace's root: the entity type of the span or of its nearest ancestor that has one.
    package func entityType(of span: SpanID?) -> String? {
        var at = (span.map { place(of: $0.value) } ?? rootPlace) ?? -1
        var steps = 0
        while at >= 0, steps <= entries.count {
            if let entity = entries[at].type.entityType { return entity }
            at = Int(entries[at].parentPlace)
            steps += 1
        }
        return nil
    }
}

extension TraceState {
    /// A whole trace at rest, every fact settled with what is there: for reading a stored trace. `completing` puts copies of a
    /// span together that were told in two ways.
    package static func settled(
        _ id: TraceID,
        slabs: [Slab],
        completing: SpanCompleting? = nil
    ) -> TraceState {
        let first = slabs.first?.receivedAt ?? Timestamp(unixNano: 0)
        let trace = TraceState(id: id, receivedAt: first)
        for slab in slabs {
            for index in 0..<slab.count
            where slab.spans[index].traceID == id && !trace.knowsEnd(of: slab.rows + index) {
                _ = trace.take(trace.completed(slab, index, by: completing))
            }
        }
        var settled: [Int] = []
        for place in trace.entries.indices { trace.settleTree(from: place, into: &settled) }
        trace.settleRest(receivedBefore: Timestamp(unixNano: .max), into: &settled)
        return trace
    }

    /// The spans with their inherited facts, in the order of arrival; those whose payload was let go are left out.
    package var references: [SpanReference] { entries.indices.compactMap(reference) }
}
