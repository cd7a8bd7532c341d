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
            ON CONFLICT (id) DO UPDATE SET \(Columns.replacements(columns))
            """
        )
        mark = try statement("UPDATE \(name) SET counted = 1 WHERE id = ? AND counted = 0 RETURNING trace_id")
        exists = try statement("SELECT 1 FROM \(name) WHERE id = ?")
        knows = try statement("SELECT 1 FROM traces WHERE trace_id = ?")
        let facts = table.correlation.map { "\($0) = ifnull(\($0), ?)" }.joined(separator: ", ")
        fill = try statement("UPDATE \(name) SET \(facts) WHERE id = ?")
        readMetadata = try statement("SELECT metadata FROM \(name) WHERE id = ?")
        setMetadata = try statement("UPDATE \(name) SET metadata = ? WHERE id = ?")
        delete = try statement("DELETE FROM \(name) WHERE id = ?")
        deleteHistory = try statement("DELETE FROM \(name)_history WHERE id = ?")
        deleteOfTrace = try statement("DELETE FROM \(name) WHERE trace_id = ? AND counted >= ?")
        deleteHistoryOfTrace = try statement(
            """
            DELETE FROM \(name)_history
            WHERE trace_id = ? OR id IN (SELECT id FROM \(name) WHERE trace_id = ?)
            """
        )
        createdAt = table.count + 1
    }

    /// Inserts or replaces the record that `bind` binds. Whether it counts stays as it was.
    func write(
        id: String,
        trace: TraceID?,
        at time: Timestamp,
        _ bind: (PreparedStatement) -> Void
    ) throws -> AnnotationReceipt {
        keep.bind(1, time)
        keep.bind(2, id)
        try keep.run()
        let replaced = keep.changes > 0
        bind(upsert)
        upsert.bind(createdAt, time)
        try upsert.run()
        return AnnotationReceipt(id: id, replaced: replaced, pending: try trace.map(isUnknown) ?? false)
    }

    /// Marks a record as counted.
    func count(_ id: String) throws -> Count {
        mark.bind(1, id)
        let marked = try mark.rows { $0.optional(0, $0.traceID) }
        if let trace = marked.first { return Count(isFirst: true, trace: trace) }
        exists.bind(1, id)
        return Count(isFirst: try exists.first { _ in true } == nil, trace: nil)
    }

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
        try delete.run()
        return delete.changes > 0
    }

    /// Deletes what belongs to a trace, history included; whether there was anything. Those that are not counted yet may be
    /// left for when they are.
    func delete(of trace: TraceID, countedOnly: Bool) throws -> Bool {
        deleteHistoryOfTrace.bind(1, trace)
        deleteHistoryOfTrace.bind(2, trace)
        try deleteHistoryOfTrace.run()
        deleteOfTrace.bind(1, trace)
        deleteOfTrace.bind(2, countedOnly)
        try deleteOfTrace.run()
        return deleteOfTrace.changes > 0
    }

    private func isUnknown(_ trace: TraceID) throws -> Bool {
        knows.bind(1, trace)
        return try knows.first { _ in true } == nil
    }
}
