import GRDB
import GRDBSQLite

/// Opens the database and brings its schema up to date; `file` is the one that it is in.
func openDatabase(
    _ file: DatabaseFile?,
    _ location: StoreLocation,
    _ settings: StoreSettings
) throws(StoreError) -> any DatabaseWriter {
    try storeErrors {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        configuration.busyMode = .timeout(Double(settings.busyTimeout.milliseconds) / 1000)
        configuration.maximumReaderCount = settings.readers
        // A rollback that fails must not end the process; the next group tries it again.
        configuration.allowsUnsafeTransactions = true
        configuration.prepareDatabase { db in
            // Before anything is written, or it does nothing: what is deleted can then be given back to the disk in small steps.
            // Payloads take fewer calls to the system in pages of 8 KiB than of 4.
            if location != .memory, try Int.fetchOne(db, sql: "PRAGMA page_count") == 0 {
                try db.execute(sql: "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL")
            }
            // No memory mapping: a failing disk would then be a SIGBUS instead of an error.
            // 16 MiB a connection; the operating system caches the rest of the file.
            try db.execute(
                sql: "PRAGMA mmap_size = 0; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY"
            )
        }
        let database: any DatabaseWriter
        switch location {
        case .memory: database = try DatabaseQueue(configuration: configuration)
        case .file(let path): database = try DatabasePool(path: path, configuration: configuration)
        }
        try database.writeWithoutTransaction { db in
            // After the pool has switched to WAL, which sets NORMAL. An acknowledged input must outlive a power cut.
            // The cache holds the pages of one group, 16 MiB of payload and what it touches; with less they are written
            // twice (measured 66 against 51 µs of CPU a chunk of 9.6 kB).
            try db.execute(
                sql:
                    "PRAGMA synchronous = FULL; PRAGMA cache_size = -65536; PRAGMA journal_size_limit = 67108864"
            )
        }
        // What is in the log by now was not synced for certain; from here on each commit is.
        try file.map { try settle($0, database) }
        try Schema.migrate(database)
        return database
    }
}

/// Makes durable what is in the log, nobody else writing meanwhile.
private func settle(_ file: DatabaseFile, _ database: any DatabaseWriter) throws {
    try database.writeWithoutTransaction { db in
        try db.beginTransaction(.immediate)
        // Nothing was written in it: there is nothing to lose.
        defer { try? db.rollback() }
        try file.settleLog()
    }
}

/// Runs `body`; a statement of its that runs when its watch is over ends with SQLITE_INTERRUPT.
func interrupting<Value>(_ db: Database, by watch: ReadWatch, _ body: () throws -> Value) rethrows -> Value {
    var watch = watch
    return try withUnsafeMutablePointer(to: &watch) { watch in
        // A thousand steps of SQLite's machine take some 50 µs, a look at the clock and at the client 0.1.
        sqlite3_progress_handler(
            db.sqliteConnection,
            1000,
            { context in
                guard let watch = context?.assumingMemoryBound(to: ReadWatch.self) else { return 0 }
                return watch.pointee.isOver ? 1 : 0
            },
            watch
        )
        defer { sqlite3_progress_handler(db.sqliteConnection, 0, nil, nil) }
        return try body()
    }
}

/// Runs `body` and turns what it throws into the store's own error.
func storeErrors<Value>(_ body: () throws -> Value) throws(StoreError) -> Value {
    do {
        return try body()
    } catch {
        throw StoreError(error)
    }
}

extension StoreError {
    /// The error as one of the store's own.
    init(_ error: any Error) {
        switch error {
        case let error as StoreError: self = error
        case let error as DatabaseError:
            self.init(
                sqliteCode: error.extendedResultCode.rawValue,
                message: error.message ?? error.resultCode.description
            )
        default: self.init(code: .failed, detail: "\(error)")
        }
    }

    /// The error of a SQLite result code, extended or not.
    init(sqliteCode: Int32, message: String) {
        let code: Code =
            switch sqliteCode & 0xFF {
            case SQLITE_BUSY, SQLITE_LOCKED: .busy
            case SQLITE_FULL: .full
            case SQLITE_IOERR, SQLITE_CANTOPEN, SQLITE_NOMEM: .inputOutput
            case SQLITE_READONLY, SQLITE_PERM: .readOnly
            // The library's word for a connection that was closed.
            case SQLITE_MISUSE: .closed
            case SQLITE_INTERRUPT: .timeout
            case SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_FORMAT: .corrupt
            default: .failed
            }
        self.init(code: code, detail: "\(message) (SQLite \(sqliteCode))")
    }
}

extension Duration {
    /// The whole duration in milliseconds, rounded down.
    var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
