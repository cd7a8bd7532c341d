import GRDB
import NightjarBus
import NightjarSignals

/// Writes the records of traces, and knows the rows of those that were written lately. Belongs to the writer.
final class TraceWriter {
    /// What of a row indexes are made of. SQLite writes the entries of every index that a statement names a column of, whether
    /// that changes or not.
    private struct Facts {
        let row: Int64
        let sortTime: Timestamp
        let firstReceived: Timestamp
        let lastReceived: Timestamp
        let isOpen: Bool
        let pending: [SpanID]
        let session: String?

        init(row: Int64, _ trace: TraceRecord) {
            self.row = row
            sortTime = trace.start ?? trace.firstReceived
            (firstReceived, lastReceived) = (trace.firstReceived, trace.lastReceived)
            (isOpen, pending, session) = (trace.isOpen, trace.pending, trace.session)
        }

        /// What another record has differently.
        func changes(to other: Facts) -> Changes {
            var changes: Changes = []
            if sortTime != other.sortTime { changes.insert(.start) }
            if lastReceived != other.lastReceived { changes.insert(.receipt) }
            if isOpen != other.isOpen || firstReceived != other.firstReceived || pending != other.pending {
                changes.insert(.open)
            }
            if session != other.session { changes.insert(.session) }
            return changes
        }
    }

    /// Columns that are written only where they change.
    private struct Changes: OptionSet {
        let rawValue: Int
        static let start = Changes(rawValue: 1)
        static let receipt = Changes(rawValue: 2)
        static let open = Changes(rawValue: 4)
        static let session = Changes(rawValue: 8)

        static let columns: [(Changes, Set<Substring>)] = [
            (.start, ["sort_time"]), (.receipt, ["last_received"]),
            (.open, ["first_received", "is_open", "pending"]), (.session, ["session_id"]),
        ]
        static var all: [Changes] { (0..<16).map(Changes.init(rawValue:)) }

        /// Whether a column is to be written.
        func contains(column: Substring) -> Bool {
            Self.columns.allSatisfy { !$0.1.contains(column) || contains($0.0) }
        }
    }

    private let insertNew: PreparedStatement
    private let upsert: PreparedStatement
    private let findRow: PreparedStatement
    /// By what changes.
    private let updates: [PreparedStatement]
    private let rowPlace: Int32
    /// What rows hold, the transaction under way included. One that is gone, or was made anew under another number, is found out
    /// when it is written.
    private var known = LastUsed<TraceID, Facts>(limit: 32_768)

    init(_ db: Database) throws {
        let insert = "INSERT INTO traces (\(Columns.trace)) VALUES (\(Columns.marks(Columns.trace)))"
        insertNew = try PreparedStatement(db, "\(insert) ON CONFLICT (trace_id) DO NOTHING")
        // But for the id and the times every new record is the same: the rest stays bound.
        insertNew.bind(TraceRecord(id: TraceID(high: 0, low: 0), receivedAt: Timestamp(unixNano: 0)))
        upsert = try PreparedStatement(
            db,
            "\(insert) ON CONFLICT (trace_id) DO UPDATE SET \(Columns.replacements(Columns.trace))"
        )
        findRow = try PreparedStatement(db, "SELECT row FROM traces WHERE trace_id = ?")
        let columns = Array(Columns.list(Columns.trace).enumerated())
        let rowPlace = columns.count + 1
        self.rowPlace = Int32(rowPlace)
        updates = try Changes.all.map { changes in
            let written = columns.dropFirst().filter { changes.contains(column: $0.element) }
                .map { "\($0.element) = ?\($0.offset + 1)" }.joined(separator: ", ")
            return try PreparedStatement(
                db,
                "UPDATE traces SET \(written) WHERE row = ?\(rowPlace) AND +trace_id = ?1"
            )
        }
    }

    /// Makes a record of a trace of which something was received, where there is none; the number of its row, and whether it is
    /// new.
    func add(_ id: TraceID, receivedAt: Timestamp) throws -> (row: Int64, isNew: Bool) {
        insertNew.bind(1, id)
        for time in 2...4 as ClosedRange<Int32> { insertNew.bind(time, receivedAt) }
        try insertNew.run()
        guard insertNew.changes == 0 else {
            let row = insertNew.lastInsertedRow
            known[id] = Facts(row: row, TraceRecord(id: id, receivedAt: receivedAt))
            return (row, true)
        }
        if let facts = known[id] { return (facts.row, false) }
        return (try row(of: id), false)
    }

    /// Writes a record in place of what there is of it.
    func write(_ trace: TraceRecord) throws {
        if let facts = known[trace.id] {
            let new = Facts(row: facts.row, trace)
            let update = updates[facts.changes(to: new).rawValue]
            update.bind(trace)
            update.bind(rowPlace, facts.row)
            try update.run()
            if update.changes > 0 {
                known[trace.id] = new
                return
            }
        }
        upsert.bind(trace)
        try upsert.run()
        known[trace.id] = Facts(row: try row(of: trace.id), trace)
    }

    /// Forgets what a transaction had written that was rolled back.
    func rolledBack() { known.removeAll() }

    private func row(of id: TraceID) throws -> Int64 {
        findRow.bind(1, id)
        guard let row = try findRow.first({ $0.int64(0) }) else {
            throw StoreError(code: .failed, detail: "trace \(id) has no row")
        }
        return row
    }
}

/// Values by the keys that were used last: so many at least, twice as many at most.
struct LastUsed<Key: Hashable, Value> {
    private let limit: Int
    private var young: [Key: Value] = [:]
    private var old: [Key: Value] = [:]

    init(limit: Int) {
        self.limit = limit
    }

    subscript(key: Key) -> Value? {
        get { young[key] ?? old[key] }
        set {
            young[key] = newValue
            if newValue == nil { old[key] = nil }
            guard young.count >= limit else { return }
            old = young
            young = [:]
        }
    }

    mutating func removeAll() { (young, old) = ([:], [:]) }
}
