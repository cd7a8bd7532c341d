import CNightjarSignals
package import NightjarSignals

/// Bounds on what is known of traces, whatever clients send: on one trace, and on all that have not ended.
extension TraceAssembler {
    /// The traces that became full since the last call: nothing more is to be taken of them.
    package func takeFull() -> [TraceID] {
        guard !filled.isEmpty else { return [] }
        defer { filled = [] }
        return filled
    }

    /// Notes a new span of a trace.
    func grow(_ trace: TraceState, by bytes: Int) {
        trace.bytes += bytes
        guard !trace.isFull else { return }
        if trace.entries.count >= configuration.traceSpans || trace.bytes >= configuration.traceBytes {
            trace.isFull = true
            filled.append(trace.id)
        }
    }

    /// About what is known of traces takes, payloads apart.
    package var knownBytes: Int {
        knownSpans * TraceConfiguration.knowledge.span + traces.count * TraceConfiguration.knowledge.trace
    }

    /// Lets traces go that have not ended, or have spans that wait, while too much is known: those of which nothing has come for
    /// longest, as far as the store knows all of them. Each comes back, as after a restart, when a span of it comes or something
    /// is due. Without a store nothing is let go: there payloads are bounded, and with them what is known.
    package func park(committed ticket: UInt64) {
        guard source != nil, knownBytes > max(configuration.stateBytes, parkingBytes) else { return }
        let enough = configuration.stateBytes / 4 * 3
        let candidates = traces.values.filter {
            (!$0.hasEnded || $0.unsettled > 0) && $0.ticket <= ticket && !$0.isChanged && !$0.isListed
                && $0.standsFor == nil && $0.scheduled != nil
        }
        for trace in candidates.sorted(by: { $0.record.lastReceived < $1.record.lastReceived }) {
            guard knownBytes > enough else { break }
            release(trace)
            waitingSpans -= trace.unsettled
            remove(trace)
            parked.insert(trace.id)
        }
        // Where little could go, the next look waits until there is more.
        parkingBytes = knownBytes > enough ? knownBytes + configuration.stateBytes / 64 : 0
    }
}
