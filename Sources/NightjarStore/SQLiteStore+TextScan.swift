import GRDB
import NightjarBus
import NightjarSignals

/// How a text is looked for in what is stored of spans. Called on the thread of the read.
package struct TextScan {
    /// Whether the bytes of a payload may hold the text: false only where they cannot. They are valid during the call.
    package let mayHold: (UnsafeRawBufferPointer) -> Bool
    /// Whether a chunk does hold it.
    package let holds: (StoredChunk) throws -> Bool

    /// A scan.
    package init(
        mayHold: @escaping (UnsafeRawBufferPointer) -> Bool,
        holds: @escaping (StoredChunk) throws -> Bool
    ) {
        self.mayHold = mayHold
        self.holds = holds
    }
}

extension SQLiteStore {
    /// So many traces are looked at in one read: a read that goes on keeps the write-ahead log from being folded in.
    private static let scannedAtOnce = 32

    /// One page of traces that hold a text, newest first. Ends early, and says how far it got, when the bytes or the time of one
    /// answer are spent.
    package func traces(_ query: TraceQuery, holding text: TextScan) throws(StoreError) -> TracePage {
        let started = ContinuousClock.now
        let limit = held(query.limit)
        var (query, page, bytes) = (query, TracePage(traces: [], next: query.cursor), 0)
        query.limit = Self.scannedAtOnce
        while true {
            query.cursor = page.next
            let candidates = try look { db in try readTraces(db, query, bounds) }
            for (index, (record, place)) in candidates.records.enumerated() {
                if try holds(record.id, text, &bytes) { page.traces.append(record) }
                let isSpent = bytes >= scannedBytes || ContinuousClock.now - started >= bounds.patience
                guard page.traces.count == limit || isSpent else { continue }
                let isLast = index == candidates.records.count - 1
                page.next = isLast ? candidates.next : place
                if page.traces.count < limit, page.next != nil {
                    page.scannedUntil = Timestamp(unixNano: place.time)
                }
                return page
            }
            page.next = candidates.next
            page.scannedUntil = candidates.scannedUntil
            guard candidates.next != nil, candidates.scannedUntil == nil else { return page }
        }
    }

    private func holds(
        _ trace: TraceID,
        _ text: TextScan,
        _ bytes: inout Int
    ) throws(StoreError) -> Bool {
        let (found, read) = try look { db in
            let statement = try PreparedStatement(cached: db, Queries.chunks)
            statement.bind(1, trace)
            defer { statement.reset() }
            var read = 0
            while try statement.next() {
                let isCandidate = statement.withBytes(5) {
                    read += $0.count
                    return text.mayHold($0)
                }
                if isCandidate, try text.holds(statement.chunk(.spans)) { return (true, read) }
            }
            return (false, read)
        }
        bytes += read
        return found
    }
}
