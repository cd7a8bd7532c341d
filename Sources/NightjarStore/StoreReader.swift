import Foundation
import GRDB
package import NightjarBus
package import NightjarSignals

/// A database file opened for reading only, beside whoever writes it: every read is short, so that the writer is not held up.
/// Safe to use from any thread.
package final class StoreReader: StoredTraces {
    private static let busySeconds = 5.0
    private let database: DatabaseQueue

    /// Opens a file that a store has written.
    /// - Throws: ``StoreError``: `newerSchema` where a newer version wrote it, `failed` where an older one did, among others.
    package init(path: String) throws(StoreError) {
        database = try storeErrors {
            var configuration = Configuration()
            configuration.readonly = true
            configuration.busyMode = .timeout(Self.busySeconds)
            configuration.prepareDatabase { try $0.execute(sql: "PRAGMA mmap_size = 0") }
            let database = try DatabaseQueue(path: path, configuration: configuration)
            try database.read(Schema.checkIsCurrent)
            return database
        }
    }

    /// The newest traces by their last receipt, at most `limit`, those that are sampled out left out; in the order of receipt.
    /// `isCut`: there are more.
    package func outlines(
        from: Timestamp?,
        to: Timestamp?,
        limit: Int
    ) throws(StoreError) -> (traces: [TraceOutline], isCut: Bool) {
        let rows = try look { db in
            let statement = try PreparedStatement(cached: db, Self.outlines)
            statement.bind(1, from ?? Timestamp(unixNano: .min))
            statement.bind(2, to ?? Timestamp(unixNano: .max))
            statement.bind(3, limit + 1)
            return try statement.rows {
                TraceOutline(id: $0.traceID(0), lastReceived: $0.time(1), isOpen: $0.bool(2))
            }
        }
        return (rows.prefix(limit).reversed(), rows.count > limit)
    }

    private static let outlines = """
        SELECT trace_id, last_received, is_open FROM traces
        WHERE sampled_out = 0 AND last_received >= ? AND last_received <= ?
        ORDER BY last_received DESC, row DESC LIMIT ?
        """

    // MARK: - By trace

    package func trace(_ id: TraceID) throws(StoreError) -> TraceRecord? {
        try look(Queries.trace, { $0.bind(1, id) }, { try $0.trace() }).first
    }

    package func chunks(of trace: TraceID) throws(StoreError) -> [StoredChunk] {
        try look(Queries.chunks, { $0.bind(1, trace) }, { $0.chunk(.spans) })
    }

    package func scores(of trace: TraceID) throws(StoreError) -> [ScoreRecord] {
        try look(Queries.scores, { $0.bind(1, trace) }, { $0.scoreRecord() })
    }

    package func feedback(of trace: TraceID) throws(StoreError) -> [FeedbackRecord] {
        try look(Queries.feedback, { $0.bind(1, trace) }, { try $0.feedbackRecord() })
    }

    package func logs(of trace: TraceID) throws(StoreError) -> [LogRecord] {
        try look(
            Queries.logs,
            { $0.bind(1, trace) },
            { $0.logRecord(id: $0.int64(SignalTable.logs.count + 1)) }
        )
    }

    private func look<Row>(
        _ sql: String,
        _ bind: (PreparedStatement) -> Void,
        _ read: (PreparedStatement) throws -> Row
    ) throws(StoreError) -> [Row] {
        try look { db in
            let statement = try PreparedStatement(cached: db, sql)
            bind(statement)
            return try statement.rows(read)
        }
    }

    func look<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
        try storeErrors { try database.read(body) }
    }
}

extension StoreReader {
    /// Whether there is a file.
    package static func isThere(path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    /// Whether another program has a database open, reading or writing. A file that is not there is open nowhere.
    package static func isOpenElsewhere(path: String) throws(StoreError) -> Bool {
        guard FileManager.default.fileExists(atPath: path) else { return false }
        do {
            var configuration = Configuration()
            configuration.busyMode = .immediateError
            // The whole file, or nothing: in this mode SQLite needs to be alone with it.
            configuration.prepareDatabase { try $0.execute(sql: "PRAGMA locking_mode = EXCLUSIVE") }
            let database = try DatabaseQueue(path: path, configuration: configuration)
            defer {
                // A lock that is held goes with the connection.
                try? database.close()
            }
            _ = try database.writeWithoutTransaction { db in
                try PreparedStatement(db, "SELECT count(*) FROM sqlite_master").first { $0.int(0) }
            }
            return false
        } catch {
            let error = StoreError(error)
            if error.code == .busy { return true }
            throw error
        }
    }
}
