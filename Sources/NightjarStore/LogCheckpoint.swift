import GRDB
import GRDBSQLite

/// Writes the log back into the database file when it has grown, as SQLite does by itself, but knows whether that went well: what
/// cannot be written back is safe in the log, which then grows with every commit. Belongs to the writer.
final class LogCheckpoint {
    /// A checkpoint each 32 MiB instead of SQLite's 4 writes pages that many commits share less often; it is also about how much a
    /// start after a crash reads.
    private static let bytes = 32 << 20

    /// Why the last one failed; nil after one that did not.
    private(set) var error: StoreError?
    /// How long the log is, in pages of 4 KiB.
    private(set) var logPages = 0
    private let pageBytes: Int
    private let handle: OpaquePointer?

    /// Takes the place of SQLite's own for a connection, which must outlive this.
    init(_ db: Database) throws {
        pageBytes = try PreparedStatement(db, "PRAGMA page_size").first { $0.int(0) } ?? 4096
        handle = db.sqliteConnection
        sqlite3_wal_hook(
            handle,
            { context, _, _, pages in
                guard let context else { return SQLITE_OK }
                Unmanaged<LogCheckpoint>.fromOpaque(context).takeUnretainedValue().committed(Int(pages))
                return SQLITE_OK
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }

    // Where the writer lets go of what it made, on its connection, which is still open.
    deinit { sqlite3_wal_hook(handle, nil, nil) }

    private func committed(_ pages: Int) {
        logPages = pages * pageBytes / 4096
        guard pages * pageBytes >= Self.bytes else {
            error = nil
            return
        }
        let code = sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
        // A reader or another checkpoint in the way is no fault: the next commit tries again.
        guard code != SQLITE_OK, code & 0xFF != SQLITE_BUSY, code & 0xFF != SQLITE_LOCKED else {
            error = nil
            return
        }
        error = StoreError(
            sqliteCode: sqlite3_extended_errcode(handle),
            message: "the log cannot be written back: \(String(cString: sqlite3_errmsg(handle)))"
        )
    }
}
