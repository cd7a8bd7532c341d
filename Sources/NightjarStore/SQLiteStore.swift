import GRDB
import GRDBSQLite
package import NightjarBus
package import NightjarSignals

/// The journal and the store on one SQLite database, in a file or in memory. Safe to use from any thread.
package final class SQLiteStore: Journal, TelemetryStore {
    /// How many chunks a replay reads at once; between reads nothing is held open.
    private static let replayPage = 64

    let database: any DatabaseWriter
    /// Released after the connections to it.
    private let file: DatabaseFile?
    let writer: GroupWriter
    let settings: StoreSettings

    /// Opens the database, makes or migrates its tables, and starts the writer's thread.
    /// - Parameters:
    ///   - location: Where the data is.
    ///   - ledger: Where new totals are staged, and published once they are committed. What `recover` gives has to be
    ///     restored into it and its table before the first `commit`.
    ///   - settings: Bounds and times.
    /// - Throws: ``StoreError``, `newerSchema` among others.
    package init(
        _ location: StoreLocation,
        ledger: SeriesLedger,
        settings: StoreSettings = StoreSettings()
    ) throws(StoreError) {
        let file: DatabaseFile? =
            if case .file(let path) = location {
                try DatabaseFile(path, patience: settings.busyTimeout)
            } else { nil }
        let database = try openDatabase(file, location, settings)
        (self.file, self.database) = (file, database)
        self.settings = settings
        writer = try storeErrors {
            try GroupWriter(database, file, location, ledger: ledger, settings: settings)
        }
        writer.start()
    }

    deinit { writer.stop() }

    /// The version of SQLite that is linked.
    package static var libraryVersion: String { String(cString: sqlite3_libversion()) }

    /// How the store is doing.
    package var status: StoreStatus { writer.currentStatus() }

    // MARK: Journal

    package func submit(_ submission: Submission) throws(StoreError) { try writer.submit(submission) }

    package func recover() throws(StoreError) -> Recovery {
        try read { db in
            var recovery = Recovery()
            recovery.progress = try readProgress(db)
            recovery.openTraces = try PreparedStatement(
                db,
                "SELECT \(Columns.trace) FROM traces WHERE is_open = 1 OR pending IS NOT NULL ORDER BY first_received"
            ).rows { try $0.trace() }
            recovery.scores = try PreparedStatement(
                db,
                "SELECT \(SignalTable.scores.columns) FROM scores WHERE counted = 0 ORDER BY id"
            ).rows { $0.score() }
            recovery.feedback = try PreparedStatement(
                db,
                "SELECT \(SignalTable.feedback.columns) FROM feedback WHERE counted = 0 ORDER BY id"
            ).rows { try $0.feedback() }
            recovery.replacedScores = try PreparedStatement(
                db,
                "SELECT \(SignalTable.scores.columns) FROM scores WHERE counted > 1 ORDER BY id"
            ).rows { $0.score() }
            recovery.replacedFeedback = try PreparedStatement(
                db,
                "SELECT \(SignalTable.feedback.columns) FROM feedback WHERE counted > 1 ORDER BY id"
            ).rows { try $0.feedback() }
            recovery.series = try readSeries(db)
            recovery.firstFreeSeries = try readFirstFreeSeries(db)
            return recovery
        }
    }

    package func replay(_ each: (StoredChunk) throws -> Void) throws {
        let (progress, start, end) = try read { db in
            let ends = try PreparedStatement(
                db,
                """
                SELECT ifnull((SELECT seq FROM settled), 0), max(ifnull((SELECT max(seq) FROM journal), 0),
                    ifnull((SELECT max(seq) FROM events), 0))
                """
            ).first { ($0.int64(0), $0.int64(1)) }
            return (try readProgress(db), ends?.0 ?? 0, ends?.1 ?? 0)
        }
        var last = start
        while last < end {
            let page = try read { db in try readJournal(db, after: last, upTo: end) }
            guard let newest = page.last else { return }
            for chunk in page where chunk.sequence > progress[chunk.partition, default: 0] { try each(chunk) }
            last = newest.sequence
        }
    }

    // MARK: Store

    package func commit(_ effects: Effects, completion: @escaping @Sendable () -> Void) {
        writer.add(effects, completion)
    }

    package func flush() throws(StoreError) { try writer.flush() }

    package func close() throws(StoreError) {
        writer.stop()
        try writer.join()
        try storeErrors { try database.close() }
        file?.release()
    }

    package func deleteTrace(_ id: TraceID) throws(StoreError) -> Bool { try delete(.trace(id)) }

    package func deleteScore(_ id: String) throws(StoreError) -> Bool { try delete(.score(id)) }

    package func deleteFeedback(_ id: String) throws(StoreError) -> Bool { try delete(.feedback(id)) }

    private func delete(_ deletion: Deletion) throws(StoreError) -> Bool {
        let answer = Answer<SubmissionReceipt>()
        try writer.submit(
            Submission(deletions: [deletion], receivedAt: settings.now(), completion: answer.give)
        )
        return try answer.wait(atMost: settings.flushPatience).deleted.contains(true)
    }

    /// How far one answer of a list may look.
    var bounds: WalkBounds { WalkBounds(settings) }

    /// How many bytes one search for a text may read.
    var scannedBytes: Int { settings.scannedBytes }

    /// A lookup for somebody who waits: it ends when its watch is over, or after `queryPatience`.
    func look<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
        let watch = ReadWatch.current ?? ReadWatch(patience: settings.queryPatience)
        do throws(StoreError) {
            return try read { db in try interrupting(db, by: watch) { try body(db) } }
        } catch {
            throw error.code == .timeout ? watch.error : error
        }
    }

    private func read<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
        try storeErrors { try database.read(body) }
    }

    private func readProgress(_ db: Database) throws -> [Int: Int64] {
        let rows = try PreparedStatement(db, "SELECT partition, seq FROM progress")
            .rows { ($0.int(0), $0.int64(1)) }
        return Dictionary(rows) { $1 }
    }

    private func readJournal(_ db: Database, after: Int64, upTo end: Int64) throws -> [StoredChunk] {
        let statement = try PreparedStatement(
            cached: db,
            Queries.journal
        )
        statement.bind(1, after)
        statement.bind(2, end)
        statement.bind(3, Self.replayPage)
        return try statement.rows { $0.chunk($0.int64(6) == 0 ? .spans : .events) }
    }
}
