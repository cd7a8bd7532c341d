import GRDB
package import NightjarBus
package import NightjarSignals

/// One score to take back, as far as a version of a plugin wrote it.
package struct ScoreUndo: Sendable, Equatable {
    /// What became of it.
    package enum Outcome: Sendable, Equatable {
        /// It is not of that version, nor was it ever.
        case nothing
        /// It is gone, for nothing had been there before it.
        case deleted
        /// It is again what it was before.
        case restored
        /// It had been replaced since: only its place in the history is gone.
        case forgotten
    }

    /// The score's id.
    package let id: String
    /// The version.
    package let version: ScoreVersion

    /// A score to take back.
    package init(id: String, version: ScoreVersion) {
        self.id = id
        self.version = version
    }
}

extension SQLiteStore {
    /// Inserts or replaces scores that nobody is to count; returns when they are on disk.
    /// - Throws: ``StoreError``; nothing of them is written then, but for `timeout`, after which they may be.
    package func backfill(
        _ scores: [Score],
        patience: Duration
    ) throws(StoreError) -> [AnnotationReceipt] {
        let answer = Answer<SubmissionReceipt>()
        var submission = Submission(scores: scores, receivedAt: wallClock(), completion: answer.give)
        submission.isBackfill = true
        try submit(submission)
        return try answer.wait(atMost: patience).scores
    }

    /// So many rows are looked through in one read.
    private static let rowsAtOnce: Int64 = 20_000
    /// So many scores are taken back in one transaction.
    private static let undosAtOnce = 500
    private static let undoPatience = Duration.seconds(30)

    /// Takes back what a version wrote, step by step, so that nobody who writes waits for long. What it replaced holds again.
    /// - Throws: ``StoreError``; what was done before it stays done, and a further call goes on.
    package func undo(_ version: ScoreVersion) throws(StoreError) -> UndoCount {
        var count = UndoCount()
        for table in ["scores", "scores_history"] {
            var row: Int64 = 0
            while let (ids, last) = try written(by: version, in: table, after: row) {
                row = last
                for start in stride(from: 0, to: ids.count, by: Self.undosAtOnce) {
                    let some = ids[start..<min(start + Self.undosAtOnce, ids.count)]
                    count.add(try undo(some.map { ScoreUndo(id: $0, version: version) }))
                }
            }
        }
        return count
    }

    private func undo(_ undos: [ScoreUndo]) throws(StoreError) -> [ScoreUndo.Outcome] {
        let answer = Answer<SubmissionReceipt>()
        var submission = Submission(receivedAt: wallClock(), completion: answer.give)
        submission.undos = undos
        try submit(submission)
        return try answer.wait(atMost: Self.undoPatience).undone
    }

    /// The ids among the next rows of a table that a version wrote, and the last row looked at; nil at the end.
    private func written(
        by version: ScoreVersion,
        in table: String,
        after row: Int64
    ) throws(StoreError) -> (ids: [String], last: Int64)? {
        try look { db in
            let ends = try PreparedStatement(db, "SELECT max(row) FROM \(table)")
            let end = try ends.first { $0.int64(0) } ?? 0
            guard row < end else { return nil }
            let last = min(row + Self.rowsAtOnce, end)
            let statement = try PreparedStatement(
                cached: db,
                """
                SELECT DISTINCT id FROM \(table) WHERE row > ?4 AND row <= ?5
                AND scorer_name IN (SELECT value FROM json_each(?1)) AND \(ScoreUndoWriter.isOfVersion)
                """
            )
            statement.bind(1, list: version.scorers)
            statement.bind(2, version.plugin)
            statement.bind(3, version.hash)
            statement.bind(4, row)
            statement.bind(5, last)
            return (try statement.rows { $0.text(0) }, last)
        }
    }
}

extension UndoCount {
    fileprivate mutating func add(_ outcomes: [ScoreUndo.Outcome]) {
        for outcome in outcomes {
            switch outcome {
            case .nothing: break
            case .deleted: deleted += 1
            case .restored: restored += 1
            case .forgotten: forgotten += 1
            }
        }
    }
}

/// Takes scores of one version back: what they replaced holds again. Belongs to the writer.
final class ScoreUndoWriter {
    /// Whether a row was written by the version of places 2 and 3: its signature, or how its content's hash begins.
    static let isOfVersion = """
        json_valid(metadata) AND (json_extract(metadata, '$.plugin') = ?2
            OR (?3 <> '' AND substr(json_extract(metadata, '$.pluginHash'), 1, length(?3)) = ?3))
        """

    private let forget: PreparedStatement
    private let isCurrent: PreparedStatement
    private let latest: PreparedStatement
    private let restore: PreparedStatement
    private let drop: PreparedStatement
    private let delete: PreparedStatement

    init(_ db: Database) throws {
        func statement(_ sql: String) throws -> PreparedStatement { try PreparedStatement(db, sql) }
        let columns = Columns.list(SignalTable.scores.columns).dropFirst().joined(separator: ", ")
        forget = try statement("DELETE FROM scores_history WHERE id = ?1 AND \(Self.isOfVersion)")
        isCurrent = try statement("SELECT 1 FROM scores WHERE id = ?1 AND \(Self.isOfVersion)")
        latest = try statement("SELECT max(row) FROM scores_history WHERE id = ?")
        restore = try statement(
            "UPDATE scores SET (\(columns)) = (SELECT \(columns) FROM scores_history WHERE row = ?1) WHERE id = ?2"
        )
        drop = try statement("DELETE FROM scores_history WHERE row = ?")
        delete = try statement("DELETE FROM scores WHERE id = ?")
    }

    /// Takes one score back; what became of it.
    func undo(_ undo: ScoreUndo) throws -> ScoreUndo.Outcome {
        for statement in [forget, isCurrent] {
            statement.bind(1, undo.id)
            statement.bind(2, undo.version.plugin)
            statement.bind(3, undo.version.hash)
        }
        try forget.run()
        let wasReplaced = forget.changes > 0
        guard try isCurrent.first({ _ in true }) != nil else { return wasReplaced ? .forgotten : .nothing }
        latest.bind(1, undo.id)
        guard let row = try latest.first({ $0.optional(0, $0.int64) }) ?? nil else {
            delete.bind(1, undo.id)
            try delete.run()
            return .deleted
        }
        restore.bind(1, row)
        restore.bind(2, undo.id)
        try restore.run()
        drop.bind(1, row)
        try drop.run()
        return .restored
    }
}
