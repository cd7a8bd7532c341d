import GRDB
import NightjarBus
import NightjarSignals

/// Deletes what belongs to traces. Belongs to the writer.
final class TraceEraser {
    private let scores: AnnotationWriter
    private let feedback: AnnotationWriter
    private let deleteProcessed: PreparedStatement
    private let deleteChunks: PreparedStatement
    private let deleteEvents: PreparedStatement
    private let deleteLogs: PreparedStatement
    private let deleteRecord: PreparedStatement
    private let setIssued: PreparedStatement
    private let deleteSomeProcessed: PreparedStatement
    private let deleteSomeLogs: PreparedStatement
    private let deleteEmptyRecord: PreparedStatement

    init(_ db: Database, scores: AnnotationWriter, feedback: AnnotationWriter) throws {
        self.scores = scores
        self.feedback = feedback
        deleteProcessed = try PreparedStatement(
            db,
            """
            DELETE FROM journal WHERE \(Queries.chunksOfTrace)
                AND seq <= (SELECT seq FROM progress WHERE progress.partition = journal.partition)
            """
        )
        deleteChunks = try PreparedStatement(db, "DELETE FROM journal WHERE \(Queries.chunksOfTrace)")
        deleteEvents = try PreparedStatement(db, "DELETE FROM events WHERE trace_id = ?")
        deleteLogs = try PreparedStatement(db, "DELETE FROM logs WHERE trace_id = ?")
        deleteRecord = try PreparedStatement(db, "DELETE FROM traces WHERE trace_id = ?")
        setIssued = try PreparedStatement(
            db,
            "INSERT INTO issued (id, seq) VALUES (0, ?) ON CONFLICT (id) DO UPDATE SET seq = excluded.seq"
        )
        deleteSomeProcessed = try PreparedStatement(
            db,
            """
            DELETE FROM journal WHERE seq IN (
                SELECT seq FROM journal WHERE \(Queries.chunksOfTrace)
                    AND seq <= (SELECT seq FROM progress WHERE progress.partition = journal.partition)
                ORDER BY seq LIMIT ?2
            )
            """
        )
        deleteSomeLogs = try PreparedStatement(
            db,
            "DELETE FROM logs WHERE row IN (SELECT row FROM logs WHERE trace_id = ? LIMIT ?)"
        )
        deleteEmptyRecord = try PreparedStatement(
            db,
            """
            DELETE FROM traces WHERE trace_id = ?1
                AND NOT EXISTS (SELECT 1 FROM journal WHERE \(Queries.chunksOfTrace))
            """
        )
    }

    /// Deletes everything of a trace, processed or not; whether there was anything. `last` is the number of the last chunk,
    /// which must not come again though its row may go.
    func delete(_ trace: TraceID, last: Int64) throws -> Bool {
        setIssued.bind(1, last)
        try setIssued.run()
        let parts = try [deleteChunks, deleteEvents, deleteLogs, deleteRecord].map { try run($0, trace) }
        let scores = try scores.delete(of: trace, countedOnly: false)
        let feedback = try feedback.delete(of: trace, countedOnly: false)
        return parts.contains(true) || scores || feedback
    }

    /// Deletes the contents of a trace but not its record, and where somebody keeps them longer not its scores and feedback. What
    /// still has to be processed or counted stays until it is.
    func empty(_ trace: TraceID, keepsScores: Bool = false) throws {
        _ = try run(deleteProcessed, trace)
        _ = try run(deleteLogs, trace)
        guard !keepsScores else { return }
        _ = try scores.delete(of: trace, countedOnly: true)
        _ = try feedback.delete(of: trace, countedOnly: true)
    }

    /// Deletes the contents of a processed trace and its record.
    func evict(_ trace: TraceID) throws {
        try empty(trace)
        _ = try run(deleteRecord, trace)
    }

    /// Deletes some chunks of a trace that are processed; how many.
    func deleteProcessed(of trace: TraceID, limit: Int) throws -> Int {
        try delete(deleteSomeProcessed, trace, limit)
    }

    /// Deletes some logs of a trace; how many.
    func deleteLogs(of trace: TraceID, limit: Int) throws -> Int { try delete(deleteSomeLogs, trace, limit) }

    /// Deletes the record of a trace that has no chunks; whether it is gone.
    func deleteRecord(ofEmpty trace: TraceID) throws -> Bool { try run(deleteEmptyRecord, trace) }

    private func delete(_ statement: PreparedStatement, _ trace: TraceID, _ limit: Int) throws -> Int {
        statement.bind(2, limit)
        return try run(statement, trace) ? statement.changes : 0
    }

    private func run(_ statement: PreparedStatement, _ trace: TraceID) throws -> Bool {
        statement.bind(1, trace)
        try statement.run()
        return statement.changes > 0
    }
}
