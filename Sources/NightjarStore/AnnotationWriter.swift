import GRDB
import NightjarBus
import NightjarSignals

/// Writes scores or feedback: inserts, replaces with history, counts once. Belongs to the writer.
final class AnnotationWriter {
    private let keep: PreparedStatement
    private let upsert: PreparedStatement
    private let mark: PreparedStatement
    private let knows: PreparedStatement
    private let createdAt: Int32

    // `table` is `scores` or `feedback`; `columns` are those that the record binds.
    init(_ db: Database, table: String, columns: String) throws {
        keep = try PreparedStatement(
            db,
            """
            INSERT INTO \(table)_history (\(columns), created_at, replaced_at)
            SELECT \(columns), created_at, ? FROM \(table) WHERE id = ?
            """
        )
        upsert = try PreparedStatement(
            db,
            """
            INSERT INTO \(table) (\(columns), created_at) VALUES (\(Columns.marks(columns)), ?)
            ON CONFLICT (id) DO UPDATE SET \(Columns.replacements(columns))
            """
        )
        mark = try PreparedStatement(db, "UPDATE \(table) SET counted = 1 WHERE id = ? AND counted = 0")
        knows = try PreparedStatement(db, "SELECT 1 FROM traces WHERE trace_id = ?")
        createdAt = Int32(columns.split(separator: ",").count) + 1
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

    /// Marks a record as counted; whether it was not before. A record that does not exist counts as counted before.
    func count(_ id: String) throws -> Bool {
        mark.bind(1, id)
        try mark.run()
        return mark.changes > 0
    }

    private func isUnknown(_ trace: TraceID) throws -> Bool {
        knows.bind(1, trace)
        return try knows.first { _ in true } == nil
    }
}
