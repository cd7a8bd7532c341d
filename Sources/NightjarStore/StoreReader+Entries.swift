import GRDB
import NightjarBus
package import NightjarSignals

extension StoreReader {
    /// So many traces are looked at in one read.
    private static let tracesAtOnce = 200

    /// Where everything of these traces lies, in the order of receipt.
    package func entries(of traces: [TraceID]) throws(StoreError) -> [StoredEntry] {
        var entries: [StoredEntry] = []
        for start in stride(from: 0, to: traces.count, by: Self.tracesAtOnce) {
            let some = traces[start..<min(start + Self.tracesAtOnce, traces.count)]
            entries += try look { db in
                var found: [StoredEntry] = []
                for kind in StoredEntry.Kind.allCases {
                    let statement = try PreparedStatement(cached: db, kind.placesByTrace)
                    for trace in some {
                        statement.bind(1, trace)
                        found += try statement.rows { $0.entry(kind) }
                    }
                }
                return found
            }
        }
        return entries.sorted(by: StoredEntry.isBefore)
    }

    /// Where logs, scores and feedback lie that belong to no trace and were received within a time; of each the newest, at most
    /// `limit`. In the order of receipt.
    package func entriesWithoutTrace(
        from: Timestamp?,
        to: Timestamp?,
        limit: Int
    ) throws(StoreError) -> [StoredEntry] {
        let entries = try look { db in
            try StoredEntry.Kind.allCases.dropFirst().flatMap { kind in
                let statement = try PreparedStatement(cached: db, kind.placesWithoutTrace)
                statement.bind(1, from ?? Timestamp(unixNano: .min))
                statement.bind(2, to ?? Timestamp(unixNano: .max))
                statement.bind(3, limit)
                return try statement.rows { $0.entry(kind) }
            }
        }
        return entries.sorted(by: StoredEntry.isBefore)
    }

    /// What lies there now, in the order of the entries; nil where it is gone since.
    package func contents(of entries: some Sequence<StoredEntry>) throws(StoreError) -> [StoredContent?] {
        try look { db in
            try entries.map { entry in
                let statement = try PreparedStatement(cached: db, entry.kind.content)
                statement.bind(1, entry.row)
                return try statement.first { try $0.content(entry.kind) }
            }
        }
    }
}

extension StoredEntry.Kind {
    private var table: String {
        switch self {
        case .chunk: "journal"
        case .log: "logs"
        case .score: "scores"
        case .feedback: "feedback"
        }
    }

    fileprivate var placesByTrace: String {
        self == .chunk
            ? "SELECT seq, received_at FROM journal WHERE \(Queries.chunksOfTrace)"
            : "SELECT row, created_at FROM \(table) WHERE trace_id = ?"
    }

    fileprivate var placesWithoutTrace: String {
        """
        SELECT row, created_at FROM \(table)
        WHERE trace_id IS NULL AND created_at >= ? AND created_at <= ? ORDER BY created_at DESC, row DESC LIMIT ?
        """
    }

    fileprivate var content: String {
        switch self {
        case .chunk: "SELECT \(Columns.chunk) FROM journal WHERE seq = ?"
        case .log: "SELECT \(SignalTable.logs.columns) FROM logs WHERE row = ?"
        case .score: "SELECT \(SignalTable.scores.columns) FROM scores WHERE row = ?"
        case .feedback: "SELECT \(SignalTable.feedback.columns) FROM feedback WHERE row = ?"
        }
    }
}

extension PreparedStatement {
    fileprivate func entry(_ kind: StoredEntry.Kind) -> StoredEntry {
        StoredEntry(time: time(1), kind: kind, row: int64(0))
    }

    fileprivate func content(_ kind: StoredEntry.Kind) throws -> StoredContent {
        switch kind {
        case .chunk: .chunk(chunk(.spans))
        case .log: .event(.log(log()))
        case .score: .event(.score(score()))
        case .feedback: .event(.feedback(try feedback()))
        }
    }
}
