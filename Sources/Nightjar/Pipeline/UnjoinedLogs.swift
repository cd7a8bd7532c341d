import NightjarSignals

/// Which spans are expected of which log lines have come already. Belongs to one worker.
struct UnjoinedLogs {
    /// So many traces are remembered, the oldest forgotten first: their lines are stored without what their spans tell, and the
    /// ids join them.
    private static let limit = 20_000
    /// So many spans of one trace are remembered.
    private static let spanLimit = 1_000

    /// The spans by trace; nil stands for the trace as a whole.
    private var spans: [TraceID: Set<SpanID?>] = [:]
    private var order: [TraceID] = []
    private var start = 0

    var isEmpty: Bool { spans.isEmpty }

    /// Notes a line whose span is not known, or may not have all that it inherits.
    mutating func note(_ log: Log) {
        guard let id = log.traceID else { return }
        if spans[id] == nil { order.append(id) }
        if spans[id, default: []].count < Self.spanLimit { spans[id, default: []].insert(log.spanID) }
        while order.count - start > Self.limit {
            spans[order[start]] = nil
            start += 1
        }
        guard start > Self.limit else { return }
        order.removeFirst(start)
        start = 0
    }

    /// Takes out the spans of a trace that are known now.
    mutating func take(of id: TraceID, where isKnown: (SpanID?) -> Bool) -> [SpanID?] {
        guard let waiting = spans[id] else { return [] }
        let known = waiting.filter(isKnown)
        spans[id] = known.count == waiting.count ? nil : waiting.subtracting(known)
        return Array(known)
    }

    /// Forgets a trace.
    mutating func forget(_ id: TraceID) { spans[id] = nil }
}
