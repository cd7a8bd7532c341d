import GRDB
import NightjarBus

/// Writes what is remembered of streams of OTLP metrics, and forgets the oldest. Belongs to the writer.
final class StreamWriter {
    private let update: PreparedStatement
    private let insert: PreparedStatement
    private let readCount: PreparedStatement
    private let forget: PreparedStatement
    private let limit: Int
    /// How many rows there are; nil until it is read, and after a transaction that failed.
    private var count: Int?

    init(_ db: Database, limit: Int) throws {
        self.limit = limit
        update = try PreparedStatement(db, "UPDATE streams SET state = ?, time = ? WHERE id = ?")
        insert = try PreparedStatement(db, "INSERT INTO streams (state, time, id) VALUES (?, ?, ?)")
        readCount = try PreparedStatement(db, "SELECT count(*) FROM streams")
        forget = try PreparedStatement(
            db,
            "DELETE FROM streams WHERE id IN (SELECT id FROM streams ORDER BY time, id LIMIT ?)"
        )
    }

    func write(_ streams: some Collection<StreamState>) throws {
        guard !streams.isEmpty else { return }
        var count = try self.count ?? readCount.first { $0.int(0) } ?? 0
        for stream in streams {
            try run(update, stream)
            guard update.changes == 0 else { continue }
            try run(insert, stream)
            count += 1
        }
        if count > limit {
            // A twentieth more than needed: finding the oldest reads all rows, which an index would make every update pay for.
            forget.bind(1, count - limit + limit / 20)
            try forget.run()
            count -= forget.changes
        }
        self.count = count
    }

    /// Forgets what a transaction had reached that was rolled back.
    func rolledBack() { count = nil }

    private func run(_ statement: PreparedStatement, _ stream: StreamState) throws {
        statement.bind(2, stream.time)
        statement.bind(3, Int64(bitPattern: stream.id))
        try statement.run(binding: stream.state, at: 1)
    }
}
