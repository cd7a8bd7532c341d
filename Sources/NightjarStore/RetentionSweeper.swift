import GRDB
import GRDBSQLite
import NightjarBus
import NightjarSignals

/// Deletes what is too old, or too much, in steps that are bounded in rows and time. Belongs to the writer.
final class RetentionSweeper {
    /// What of a sweep is to be done, in this order.
    private enum Phase: Int {
        case traces, logs, scores, windows, size, vacuum, over
    }

    /// So many rows are looked at, or deleted, by one statement: about a millisecond.
    private static let rowsAtOnce = 128
    /// Logs and the like lie in the order of their receipt, but for those that a wrong clock put there. After so many in a row that
    /// are too young, the rest is as well.
    private static let pagesOfYoung = 8
    /// Free pages up to this part of a file stay: they are written again soon.
    private static let freePart: Int64 = 32
    /// A database that was too large gets smaller by this part than it may be, so that not every sweep has to make room.
    private static let roomPart: Int64 = 16

    private let step: Duration
    private let traces: ExpiredTraces
    private let logs: AgedTable
    private let annotations: [AgedTable]
    private let windows: [(rows: ExpiringWindows, delete: PreparedStatement)]
    private let oldLogs: PreparedStatement
    private let file: DatabasePages
    private let forget: (TraceID) -> Void
    private var phase = Phase.over
    private var place = 0
    private var isMakingRoom = false

    init(
        _ db: Database,
        eraser: TraceEraser,
        settings: StoreSettings,
        forget: @escaping (TraceID) -> Void
    ) throws {
        step = settings.sweepStep
        self.forget = forget
        traces = try ExpiredTraces(db, eraser: eraser, rowsAtOnce: Self.rowsAtOnce)
        logs = try AgedTable(db, "logs", time: "created_at")
        annotations = try [
            AgedTable(db, "scores", time: "created_at", if: Self.isLatest("scores")),
            AgedTable(db, "feedback", time: "created_at", if: Self.isLatest("feedback")),
            AgedTable(db, "scores_history", time: "replaced_at"),
            AgedTable(db, "feedback_history", time: "replaced_at"),
        ]
        windows = try ExpiringWindows.all.map { ($0, try PreparedStatement(db, $0.delete)) }
        oldLogs = try PreparedStatement(
            db,
            "DELETE FROM logs WHERE created_at <= ? AND row IN (SELECT row FROM logs ORDER BY row LIMIT ?)"
        )
        file = try DatabasePages(db, busyTimeout: settings.busyTimeout)
    }

    /// What is counted already, and was not replaced since the time.
    private static func isLatest(_ table: String) -> String {
        """
        counted = 1 AND NOT EXISTS (SELECT 1 FROM \(table)_history AS h WHERE h.id = \(table).id AND h.replaced_at >= ?3)
        """
    }

    /// Starts a sweep from the beginning.
    func begin() {
        (phase, place, isMakingRoom) = (.traces, 0, false)
        traces.begin()
        for table in [logs] + annotations { table.begin() }
    }

    /// Does a part of a sweep: a transaction, or a few freed pages. What it deleted, and whether that was all.
    func run(_ plan: SweepPlan, _ db: Database) throws -> (count: SweepCount, isOver: Bool) {
        var count = SweepCount()
        count.steps = 1
        let start = ContinuousClock.now
        let deadline = start + step
        let before = try file.bytes()
        if phase == .vacuum {
            let limit = plan.maximumBytes.map(Int64.init)
            if try file.shrink(until: deadline, keeping: Self.freePart, below: limit) { try finish(db) }
        } else {
            try transact(db) {
                repeat {
                    try advance(plan, &count)
                } while phase.rawValue < Phase.vacuum.rawValue
                    && ContinuousClock.now < deadline
            }
        }
        count.returnedBytes = try max(Int(before - file.bytes()), 0)
        count.freeBytes = try Int(file.freeBytes())
        count.time = ContinuousClock.now - start
        count.sweeps = phase == .over ? 1 : 0
        return (count, phase == .over)
    }

    private func transact(_ db: Database, _ body: () throws -> Void) throws {
        do {
            try db.beginTransaction(.immediate)
            try body()
            try db.commit()
        } catch {
            // The first error says what happened; SQLite may have rolled back by itself already.
            if db.isInsideTransaction { try? db.rollback() }
            throw error
        }
    }

    private func finish(_ db: Database) throws {
        file.truncateLog(db)
        phase = .over
    }

    private func next() {
        phase = Phase(rawValue: phase.rawValue + 1) ?? .over
        place = 0
    }

    /// Does a little of the phase.
    private func advance(_ plan: SweepPlan, _ count: inout SweepCount) throws {
        switch phase {
        case .traces:
            let isDone = try plan.traces.map { try clear(before: $0, plan, &count) } ?? true
            if isDone { next() }
        case .logs:
            guard let time = plan.logs, let deleted = try age(logs, before: time) else { return next() }
            count.logs += deleted
        case .scores: try ageAnnotations(plan, &count)
        case .windows: try ageWindows(plan, &count)
        case .size: try makeRoom(plan, &count)
        case .vacuum, .over: break
        }
    }

    /// Deletes of one trace more that was received last before a time; whether there is none.
    private func clear(before time: Timestamp, _ plan: SweepPlan, _ count: inout SweepCount) throws -> Bool {
        guard let trace = try traces.next(before: time) else { return true }
        let erased = try traces.erase(trace, keepsScores: plan.keepsScores, &count)
        if erased { forget(trace) }
        return false
    }

    private func age(_ table: AgedTable, before time: Timestamp) throws -> Int? {
        try table.advance(before: time, rows: Self.rowsAtOnce, patience: Self.pagesOfYoung)
    }

    private func ageAnnotations(_ plan: SweepPlan, _ count: inout SweepCount) throws {
        guard let time = plan.scores, place < annotations.count else { return next() }
        guard let deleted = try age(annotations[place], before: time) else {
            place += 1
            return
        }
        if place == 0 { count.scores += deleted }
        if place == 1 { count.feedback += deleted }
    }

    private func ageWindows(_ plan: SweepPlan, _ count: inout SweepCount) throws {
        guard place < windows.count else { return next() }
        let (rows, delete) = windows[place]
        guard let time = rows.cutoff(plan) else {
            place += 1
            return
        }
        delete.bind(1, rows.resolution.keys(before: time))
        delete.bind(2, Self.rowsAtOnce)
        try delete.run()
        count.windows += delete.changes
        if delete.changes < Self.rowsAtOnce { place += 1 }
    }

    /// Deletes the oldest traces, and the logs from before them, while the database is too large; where there is no trace that is
    /// over, logs.
    private func makeRoom(_ plan: SweepPlan, _ count: inout SweepCount) throws {
        guard let limit = plan.maximumBytes.map(Int64.init) else { return next() }
        guard try file.usedBytes() > (isMakingRoom ? limit - limit / Self.roomPart : limit) else {
            return next()
        }
        if !isMakingRoom {
            isMakingRoom = true
            traces.begin()
        }
        let trace = try traces.next(before: Timestamp(unixNano: .max))
        if let trace, try traces.erase(trace, keepsScores: plan.keepsScores, &count) { forget(trace) }
        oldLogs.bind(1, trace == nil ? Timestamp(unixNano: .max) : traces.reached)
        oldLogs.bind(2, Self.rowsAtOnce)
        try oldLogs.run()
        count.logs += oldLogs.changes
        if trace == nil, oldLogs.changes == 0 { next() }
    }
}

/// The pages of the database file.
private final class DatabasePages {
    private let count: PreparedStatement
    private let free: PreparedStatement
    private let vacuum: PreparedStatement
    private let pageBytes: Int64
    private let canShrink: Bool
    private let busyTimeout: Duration

    init(_ db: Database, busyTimeout: Duration) throws {
        self.busyTimeout = busyTimeout
        count = try PreparedStatement(db, "PRAGMA page_count")
        free = try PreparedStatement(db, "PRAGMA freelist_count")
        vacuum = try PreparedStatement(db, "PRAGMA incremental_vacuum")
        pageBytes = try PreparedStatement(db, "PRAGMA page_size").first { $0.int64(0) } ?? 4096
        canShrink = try PreparedStatement(db, "PRAGMA auto_vacuum").first { $0.int(0) } == 2
    }

    func bytes() throws -> Int64 { try (count.first { $0.int64(0) } ?? 0) * pageBytes }

    func freeBytes() throws -> Int64 { try (free.first { $0.int64(0) } ?? 0) * pageBytes }

    func usedBytes() throws -> Int64 { try bytes() - freeBytes() }

    /// Gives free pages back to the disk until a time, but for a part of the file where that is no larger than it may be; whether
    /// that is all. A file whose pages cannot be moved keeps them for what comes.
    func shrink(
        until deadline: ContinuousClock.Instant,
        keeping part: Int64,
        below limit: Int64?
    ) throws -> Bool {
        guard canShrink else { return true }
        let (all, free) = (try bytes(), try freeBytes())
        let kept = min(all / part, limit.map { max($0 - (all - free), 0) } ?? .max)
        var left = (free - kept) / pageBytes
        guard left > 0 else { return true }
        defer { vacuum.reset() }
        // Each row is a page.
        while left > 0, ContinuousClock.now < deadline {
            guard try vacuum.next() else { return true }
            left -= 1
        }
        return left <= 0
    }

    /// Writes the log into the database and empties it, where nobody reads it just now: only then the file itself is shorter.
    func truncateLog(_ db: Database) {
        let connection = db.sqliteConnection
        // Readers are not waited for; a failure leaves the log to the next time.
        sqlite3_busy_timeout(connection, 0)
        sqlite3_wal_checkpoint_v2(connection, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil)
        sqlite3_busy_timeout(connection, Int32(clamping: busyTimeout.milliseconds))
    }
}
