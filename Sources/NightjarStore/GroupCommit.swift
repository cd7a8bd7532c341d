import GRDB
import NightjarBus
import NightjarSignals

/// The writers of the writer that more than one of its others need.
struct Writers {
    let traces: TraceWriter
    let journal: JournalWriter
    let scores: AnnotationWriter
    let feedback: AnnotationWriter
    let eraser: TraceEraser
    let undo: ScoreUndoWriter
    let series: SeriesWriter
    let windows: WindowWriter
    let streams: StreamWriter
    let plugins: PluginWriter

    init(_ db: Database, _ settings: StoreSettings) throws {
        traces = try TraceWriter(db)
        journal = try JournalWriter(db, traces: traces)
        scores = try AnnotationWriter(db, .scores)
        feedback = try AnnotationWriter(db, .feedback)
        eraser = try TraceEraser(db, scores: scores, feedback: feedback)
        undo = try ScoreUndoWriter(db)
        series = try SeriesWriter(db)
        windows = try WindowWriter(db)
        streams = try StreamWriter(db, limit: settings.streams)
        plugins = try PluginWriter(db)
    }

    /// Takes what a transaction wrote for committed.
    func committed() {
        series.committed()
        windows.committed()
        scores.committed()
        feedback.committed()
    }

    /// Forgets what a transaction had reached that was rolled back.
    func rolledBack() {
        traces.rolledBack()
        journal.rolledBack()
        series.rolledBack()
        windows.rolledBack()
        streams.rolledBack()
        scores.rolledBack()
        feedback.rolledBack()
    }
}

/// Commits a group of submissions and effects in one transaction. Belongs to the writer.
final class GroupCommit {
    /// What became of a group.
    struct Outcome {
        var receipts: [SubmissionReceipt]
        /// How long its effects took.
        var effectsTime = Duration.zero
    }

    /// Why a group failed, and whether its submissions alone may still succeed.
    struct Failure: Error {
        let error: StoreError
        let isOfEffects: Bool
    }

    private let writers: Writers
    private let effects: EffectsWriter
    private let memory: MemoryBound?
    private let sweeper: RetentionSweeper
    private let ledger: SeriesLedger
    private let now: @Sendable () -> Timestamp
    /// Writes the log back.
    let checkpoint: LogCheckpoint
    /// So often is looked for series that are idle: they lose their place after a day, and are folded after 90.
    private static let idleLook = Duration.seconds(3600)
    private var nextIdleLook = Timestamp(unixNano: .min)

    init(_ db: Database, _ location: StoreLocation, ledger: SeriesLedger, settings: StoreSettings) throws {
        self.ledger = ledger
        now = settings.now
        checkpoint = try LogCheckpoint(db)
        writers = try Writers(db, settings)
        effects = try EffectsWriter(db, writers, ledger: ledger)
        memory =
            location == .memory
            ? try MemoryBound(db, limit: settings.memoryBytes, eraser: writers.eraser) : nil
        sweeper = try RetentionSweeper(
            db,
            eraser: writers.eraser,
            settings: settings,
            forget: effects.noteDeleted
        )
    }

    /// Commits everything or nothing. New totals are visible in the ledger when it returns.
    func run(
        _ db: Database,
        submissions: [Submission],
        effects: [Effects]
    ) throws(Failure) -> Outcome {
        var isInEffects = false
        do {
            // Left behind where a rollback failed.
            if db.isInsideTransaction { try db.rollback() }
            // Immediate: a writer of another process is met here, before anything is done.
            try db.beginTransaction(.immediate)
            var outcome = Outcome(receipts: try submissions.map(write))
            let start = ContinuousClock.now
            isInEffects = !effects.isEmpty
            let staged = effects.isEmpty ? nil : try self.effects.write(effects, at: now())
            isInEffects = false
            if !effects.isEmpty { outcome.effectsTime = .now - start }
            try db.commit()
            writers.committed()
            if let staged { ledger.publish(staged) }
            return outcome
        } catch {
            writers.rolledBack()
            // The first error says what happened; SQLite may have rolled back by itself already.
            if db.isInsideTransaction { try? db.rollback() }
            throw Failure(error: StoreError(error), isOfEffects: isInEffects)
        }
    }

    /// Commits a transaction that changes nothing but is written and synced like any other.
    func probe(_ db: Database) throws {
        do {
            // Left behind where a rollback failed.
            if db.isInsideTransaction { try db.rollback() }
            try db.beginTransaction(.immediate)
            // Writes the first page even where the number, which is not used otherwise, stays as it is.
            let number = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            try db.execute(sql: "PRAGMA user_version = \(number)")
            try db.commit()
        } catch {
            // As in `run`.
            if db.isInsideTransaction { try? db.rollback() }
            throw error
        }
    }

    /// Deletes some of the oldest where the database is in memory and larger than it may be; nil where that is not so, or where
    /// nothing can go.
    func makeRoom(_ db: Database) throws -> Eviction? {
        guard let memory, try memory.isOver() else { return nil }
        do {
            try db.beginTransaction(.immediate)
            let eviction = try memory.evict()
            try db.commit()
            return eviction.isEmpty ? nil : eviction
        } catch {
            // As above.
            if db.isInsideTransaction { try? db.rollback() }
            throw error
        }
    }

    /// Does a step of a sweep; what it deleted, and whether the sweep is over.
    func sweep(_ db: Database, _ plan: SweepPlan, isNew: Bool) throws -> (count: SweepCount, isOver: Bool) {
        // Left behind where a rollback failed.
        if db.isInsideTransaction { try db.rollback() }
        if isNew { sweeper.begin() }
        return try sweeper.run(plan, db)
    }

    /// Lets go of series that have been idle, once in a while.
    func expireSeries(_ db: Database) throws {
        let time = now()
        guard time >= nextIdleLook else { return }
        nextIdleLook = time.advanced(by: Self.idleLook)
        let staged = ledger.expire(now: time)
        do {
            if !staged.isEmpty {
                try db.beginTransaction(.immediate)
                try writers.series.write(staged, at: time)
                try db.commit()
                writers.committed()
            }
            ledger.publish(staged)
        } catch {
            writers.rolledBack()
            // As above.
            if db.isInsideTransaction { try? db.rollback() }
            throw error
        }
    }

    private func write(_ submission: Submission) throws -> SubmissionReceipt {
        var receipt = SubmissionReceipt()
        receipt.sequences.reserveCapacity(submission.chunks.count)
        receipt.isNewTrace.reserveCapacity(submission.chunks.count)
        for chunk in submission.chunks {
            let (sequence, isNewTrace) = try writers.journal.write(chunk, receivedAt: submission.receivedAt)
            receipt.sequences.append(sequence)
            receipt.isNewTrace.append(isNewTrace)
        }
        receipt.scores = try submission.scores.map {
            try effects.write($0, at: submission.receivedAt, isCounted: submission.isBackfill)
        }
        receipt.feedback = try submission.feedback.map { try effects.write($0, at: submission.receivedAt) }
        for change in submission.plugins { try writers.plugins.write(change) }
        receipt.deleted = try submission.deletions.map(delete)
        receipt.undone = try submission.undos.map(writers.undo.undo)
        return receipt
    }

    private func delete(_ deletion: Deletion) throws -> Bool {
        switch deletion {
        case .trace(let id):
            effects.noteDeleted(id)
            return try writers.eraser.delete(id, last: writers.journal.lastSequence())
        case .score(let id): return try writers.scores.delete(id)
        case .feedback(let id): return try writers.feedback.delete(id)
        }
    }
}
