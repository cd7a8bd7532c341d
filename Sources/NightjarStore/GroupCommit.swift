import GRDB
import NightjarBus
import NightjarSignals

/// Commits a group of submissions and effects in one transaction. Belongs to the writer.
final class GroupCommit {
    /// Why a group failed, and whether its submissions alone may still succeed.
    struct Failure: Error {
        let error: StoreError
        let isOfEffects: Bool
    }

    private let journal: JournalWriter
    private let scores: AnnotationWriter
    private let feedback: AnnotationWriter
    private let series: SeriesWriter
    private let upsertTrace: PreparedStatement
    private let insertLog: PreparedStatement
    private let ledger: SeriesLedger
    private let now: @Sendable () -> Timestamp

    init(_ db: Database, ledger: SeriesLedger, now: @escaping @Sendable () -> Timestamp) throws {
        self.ledger = ledger
        self.now = now
        journal = try JournalWriter(db)
        scores = try AnnotationWriter(db, table: "scores", columns: Columns.score)
        feedback = try AnnotationWriter(db, table: "feedback", columns: Columns.feedback)
        series = try SeriesWriter(db)
        upsertTrace = try PreparedStatement(
            db,
            """
            INSERT INTO traces (\(Columns.trace)) VALUES (\(Columns.marks(Columns.trace)))
            ON CONFLICT (trace_id) DO UPDATE SET \(Columns.replacements(Columns.trace))
            """
        )
        insertLog = try PreparedStatement(
            db,
            "INSERT INTO logs (\(Columns.log), created_at) VALUES (\(Columns.marks(Columns.log)), ?)"
        )
    }

    /// Commits everything or nothing. New totals are visible in the ledger when it returns.
    func run(
        _ db: Database,
        submissions: [Submission],
        effects: [Effects]
    ) throws(Failure) -> [SubmissionReceipt] {
        var isInEffects = false
        do {
            // Left behind where a rollback failed.
            if db.isInsideTransaction { try db.rollback() }
            // Immediate: a writer of another process is met here, before anything is done.
            try db.beginTransaction(.immediate)
            let receipts = try submissions.map(write)
            isInEffects = !effects.isEmpty
            let staged = try write(effects)
            isInEffects = false
            try db.commit()
            series.committed()
            if let staged { ledger.publish(staged) }
            return receipts
        } catch {
            journal.rolledBack()
            series.rolledBack()
            // The first error says what happened; SQLite may have rolled back by itself already.
            if db.isInsideTransaction { try? db.rollback() }
            throw Failure(error: StoreError(error), isOfEffects: isInEffects)
        }
    }

    private func write(_ submission: Submission) throws -> SubmissionReceipt {
        var receipt = SubmissionReceipt()
        receipt.sequences.reserveCapacity(submission.chunks.count)
        receipt.isNewTrace.reserveCapacity(submission.chunks.count)
        for chunk in submission.chunks {
            let (sequence, isNewTrace) = try journal.write(chunk, receivedAt: submission.receivedAt)
            receipt.sequences.append(sequence)
            receipt.isNewTrace.append(isNewTrace)
        }
        receipt.scores = try submission.scores.map { try write($0, at: submission.receivedAt) }
        receipt.feedback = try submission.feedback.map { try write($0, at: submission.receivedAt) }
        return receipt
    }

    private func write(_ score: Score, at time: Timestamp) throws -> AnnotationReceipt {
        try scores.write(id: score.id, trace: score.traceID, at: time) { $0.bind(score) }
    }

    private func write(_ feedback: Feedback, at time: Timestamp) throws -> AnnotationReceipt {
        try self.feedback.write(id: feedback.id, trace: feedback.traceID, at: time) { $0.bind(feedback) }
    }

    private func write(_ effects: [Effects]) throws -> SeriesLedger.Staged? {
        guard !effects.isEmpty else { return nil }
        let time = now()
        var deltas: [SeriesDelta] = []
        var progress: [Int: Int64] = [:]
        // The last record of a trace and the furthest position of a partition are all that counts.
        var traces: [TraceRecord] = []
        var places: [TraceID: Int] = [:]
        for effects in effects {
            for trace in effects.traces {
                if let place = places[trace.id] {
                    traces[place] = trace
                } else {
                    places[trace.id] = traces.count
                    traces.append(trace)
                }
            }
            progress.merge(effects.progress) { max($0, $1) }
            for score in effects.scores { _ = try write(score, at: time) }
            for feedback in effects.feedback { _ = try write(feedback, at: time) }
            for log in effects.logs {
                insertLog.bind(log)
                insertLog.bind(8, time)
                try insertLog.run()
            }
            for count in effects.counts {
                let isFirst =
                    switch count.kind {
                    case .score: try scores.count(count.id)
                    case .feedback: try feedback.count(count.id)
                    }
                if isFirst {
                    deltas.append(count.first)
                } else if let again = count.again {
                    deltas.append(again)
                }
            }
            deltas += effects.deltas
        }
        for trace in traces {
            upsertTrace.bind(trace)
            try upsertTrace.run()
        }
        try journal.advance(progress)
        guard !deltas.isEmpty else { return nil }
        let staged = ledger.stage(deltas)
        try series.write(staged)
        return staged
    }
}
