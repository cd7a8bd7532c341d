import GRDB
import NightjarBus
import NightjarSignals

/// Writes scores or feedback: inserts, replaces with history, counts once, completes, deletes. Belongs to the writer.
final class AnnotationWriter {
    /// What counting found.
    struct Count {
        /// Whether the annotation was not counted before; one that is gone was not.
        let isFirst: Bool
        /// The trace of one that is counted now.
        let trace: TraceID?
    }

    private let keep: PreparedStatement
    private let upsert: PreparedStatement
    private let mark: PreparedStatement
    private let settle: PreparedStatement
    private let exists: PreparedStatement
    private let knows: PreparedStatement
    private let fill: PreparedStatement
    private let readMetadata: PreparedStatement
    private let setMetadata: PreparedStatement
    private let delete: PreparedStatement
    private let deleteHistory: PreparedStatement
    private let deleteOfTrace: PreparedStatement
    private let deleteHistoryOfTrace: PreparedStatement
    private let createdAt: Int32
    /// What was counted and is deleted now: a count of it that was on its way must not count it again.
    private var gone = Recent<String>(limit: 10_000)
    /// What the transaction under way adds to that.
    private var newlyGone: [String] = []

    init(_ db: Database, _ table: SignalTable) throws {
        func statement(_ sql: String) throws -> PreparedStatement { try PreparedStatement(db, sql) }
        let (name, columns) = (table.name, table.columns)
        keep = try statement(
            """
            INSERT INTO \(name)_history (\(columns), created_at, replaced_at)
            SELECT \(columns), created_at, ? FROM \(name) WHERE id = ?
            """
        )
        upsert = try statement(
            """
            INSERT INTO \(name) (\(columns), created_at) VALUES (\(Columns.marks(columns)), ?)
            ON CONFLICT (id) DO UPDATE SET \(Columns.replacements(columns)), counted = counted + (counted > 0 AND ?)
            """
        )
        mark = try statement("UPDATE \(name) SET counted = 1 WHERE id = ? AND counted = 0 RETURNING trace_id")
        settle = try statement(
            "UPDATE \(name) SET counted = counted - 1 WHERE id = ? AND counted > 1 RETURNING trace_id"
        )
        // Several replacements that a crash kept from being processed are processed as one, the last.
        try db.execute(sql: "UPDATE \(name) SET counted = 2 WHERE counted > 1 AND counted > 2")
        exists = try statement("SELECT 1 FROM \(name) WHERE id = ?")
        knows = try statement("SELECT 1 FROM traces WHERE trace_id = ?")
        let facts = table.correlation.map { "\($0) = ifnull(\($0), ?)" }.joined(separator: ", ")
        fill = try statement("UPDATE \(name) SET \(facts) WHERE id = ?")
        readMetadata = try statement("SELECT metadata FROM \(name) WHERE id = ?")
        setMetadata = try statement("UPDATE \(name) SET metadata = ? WHERE id = ?")
        delete = try statement("DELETE FROM \(name) WHERE id = ? RETURNING id, counted")
        deleteHistory = try statement("DELETE FROM \(name)_history WHERE id = ?")
        deleteOfTrace = try statement(
            "DELETE FROM \(name) WHERE trace_id = ? AND counted >= ? RETURNING id, counted"
        )
        deleteHistoryOfTrace = try statement(
            """
            DELETE FROM \(name)_history
            WHERE trace_id = ? OR id IN (SELECT id FROM \(name) WHERE trace_id = ?)
            """
        )
        createdAt = table.count + 1
    }

    /// Inserts or replaces the record that `bind` binds. Whether it counts stays as it was; `isAwaited`: what becomes of a
    /// replacement is still to come, with a call of `count`.
    func write(
        id: String,
        trace: TraceID?,
        at time: Timestamp,
        isAwaited: Bool = true,
        _ bind: (PreparedStatement) -> Void
    ) throws -> AnnotationReceipt {
        keep.bind(1, time)
        keep.bind(2, id)
        try keep.run()
        let replaced = keep.changes > 0
        bind(upsert)
        upsert.bind(createdAt, time)
        upsert.bind(createdAt + 1, isAwaited)
        try upsert.run()
        return AnnotationReceipt(id: id, replaced: replaced, pending: try trace.map(isUnknown) ?? false)
    }

    /// Marks a record as counted, or a replacement of it as processed.
    func count(_ id: String) throws -> Count {
        for statement in [mark, settle] {
            statement.bind(1, id)
            let marked = try statement.rows { $0.optional(0, $0.traceID) }
            if let trace = marked.first { return Count(isFirst: statement === mark, trace: trace) }
        }
        exists.bind(1, id)
        guard try exists.first({ _ in true }) == nil, !gone.contains(id), !newlyGone.contains(id) else {
            return Count(isFirst: false, trace: nil)
        }
        newlyGone.append(id)
        return Count(isFirst: true, trace: nil)
    }

    /// Takes what was written for committed.
    func committed() {
        for id in newlyGone { gone.insert(id) }
        newlyGone = []
    }

    /// Forgets what was written.
    func rolledBack() { newlyGone = [] }

    /// Fills in what is known now and was not when the record was written.
    func complete(_ found: AnnotationCorrelation) throws {
        fill.bind(found.correlation, behind: 0)
        fill.bind(Int32(Correlation.texts.count) + 2, found.id)
        try fill.run()
        guard !found.metadata.isEmpty else { return }
        readMetadata.bind(1, found.id)
        guard let own = try readMetadata.first({ $0.object(0) }) else { return }
        setMetadata.bind(1, found.metadata.merging(own))
        setMetadata.bind(2, found.id)
        try setMetadata.run()
    }

    /// Deletes a record with its history; whether there was any.
    func delete(_ id: String) throws -> Bool {
        deleteHistory.bind(1, id)
        try deleteHistory.run()
        delete.bind(1, id)
        return try run(delete)
    }

    /// Deletes what belongs to a trace, history included; whether there was anything. Those that are not counted yet may be
    /// left for when they are.
    func delete(of trace: TraceID, countedOnly: Bool) throws -> Bool {
        deleteHistoryOfTrace.bind(1, trace)
        deleteHistoryOfTrace.bind(2, trace)
        try deleteHistoryOfTrace.run()
        deleteOfTrace.bind(1, trace)
        deleteOfTrace.bind(2, countedOnly)
        return try run(deleteOfTrace)
    }

    /// Runs a deletion; whether there was anything.
    private func run(_ deletion: PreparedStatement) throws -> Bool {
        let deleted = try deletion.rows { (id: $0.text(0), isCounted: $0.bool(1)) }
        newlyGone += deleted.lazy.filter(\.isCounted).map(\.id)
        return !deleted.isEmpty
    }

    private func isUnknown(_ trace: TraceID) throws -> Bool {
        knows.bind(1, trace)
        return try knows.first { _ in true } == nil
    }
}
