import GRDB
import NightjarBus
import NightjarSignals

/// Writes chunks, and knows how far each partition's processing got. Belongs to the writer.
final class JournalWriter {
    private let insert: PreparedStatement
    private let insertTrace: PreparedStatement
    private let setProgress: PreparedStatement
    private let setSettled: PreparedStatement
    private let readState: PreparedStatement
    private let readOutstanding: PreparedStatement
    /// Whether the two below hold; they are read again from the tables after a transaction that failed.
    private var isKnown = false
    /// The number of the last chunk.
    private var sequence: Int64 = 0
    /// For each partition with unprocessed chunks a number at or before the first of them, and the last.
    private var outstanding: [Int: (first: Int64, last: Int64)] = [:]

    init(_ db: Database) throws {
        insert = try PreparedStatement(
            db,
            "INSERT INTO journal (\(Columns.chunk)) VALUES (\(Columns.marks(Columns.chunk)))"
        )
        insertTrace = try PreparedStatement(
            db,
            """
            INSERT INTO traces (\(Columns.trace)) VALUES (\(Columns.marks(Columns.trace)))
            ON CONFLICT (trace_id) DO NOTHING
            """
        )
        setProgress = try PreparedStatement(
            db,
            """
            INSERT INTO progress (partition, seq) VALUES (?, ?)
            ON CONFLICT (partition) DO UPDATE SET seq = max(seq, excluded.seq)
            """
        )
        setSettled = try PreparedStatement(
            db,
            "INSERT INTO settled (id, seq) VALUES (0, ?) ON CONFLICT (id) DO UPDATE SET seq = excluded.seq"
        )
        // Retention may have taken the last chunks; their numbers must not come again.
        readState = try PreparedStatement(
            db,
            """
            SELECT max(ifnull((SELECT max(seq) FROM journal), 0), ifnull((SELECT max(seq) FROM progress), 0),
                ifnull((SELECT seq FROM settled), 0))
            """
        )
        readOutstanding = try PreparedStatement(
            db,
            """
            SELECT journal.partition, min(journal.seq), max(journal.seq) FROM journal
            LEFT JOIN progress ON progress.partition = journal.partition
            WHERE journal.seq > ifnull((SELECT seq FROM settled), 0)
                AND journal.seq > ifnull(progress.seq, 0)
            GROUP BY journal.partition
            """
        )
    }

    /// Writes a chunk; its number and whether its trace is new.
    func write(_ chunk: JournalChunk, receivedAt: Timestamp) throws -> (sequence: Int64, isNewTrace: Bool) {
        try know()
        sequence += 1
        outstanding[chunk.partition] = (outstanding[chunk.partition]?.first ?? sequence, sequence)
        insert.bind(1, sequence)
        insert.bind(2, chunk.traceID)
        insert.bind(3, chunk.partition)
        insert.bind(4, receivedAt)
        insert.bind(5, chunk.spanCount)
        try insert.run(binding: chunk.payload, at: 6)
        insertTrace.bind(TraceRecord(id: chunk.traceID, receivedAt: receivedAt))
        try insertTrace.run()
        return (sequence, insertTrace.changes > 0)
    }

    /// Writes how far partitions are processed.
    func advance(_ progress: [Int: Int64]) throws {
        guard !progress.isEmpty else { return }
        try know()
        for (partition, reached) in progress {
            setProgress.bind(1, partition)
            setProgress.bind(2, reached)
            try setProgress.run()
            guard let waiting = outstanding[partition] else { continue }
            outstanding[partition] =
                reached >= waiting.last ? nil : (max(waiting.first, reached + 1), waiting.last)
        }
        setSettled.bind(1, (outstanding.values.map(\.first).min() ?? sequence + 1) - 1)
        try setSettled.run()
    }

    /// Forgets what a transaction had reached that was rolled back.
    func rolledBack() { isKnown = false }

    private func know() throws {
        guard !isKnown else { return }
        sequence = try readState.first { $0.int64(0) } ?? 0
        outstanding = [:]
        for row in try readOutstanding.rows({ ($0.int(0), $0.int64(1), $0.int64(2)) }) {
            outstanding[row.0] = (row.1, row.2)
        }
        isKnown = true
    }
}
