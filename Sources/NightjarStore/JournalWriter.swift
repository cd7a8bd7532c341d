import GRDB
import NightjarBus
import NightjarSignals

/// Writes chunks, and knows how far each partition's processing got. Belongs to the writer.
final class JournalWriter {
    /// At most so many numbers a commit are cleared of processed events.
    private static let largestClearing: Int64 = 10_000

    private let insert: PreparedStatement
    private let insertEvents: PreparedStatement
    private let insertPlace: PreparedStatement
    private let setProgress: PreparedStatement
    private let setSettled: PreparedStatement
    private let clearEvents: PreparedStatement
    private let rewrite: PreparedStatement
    private let drop: PreparedStatement
    private let traces: TraceWriter
    private let state: JournalState
    /// Whether the four below hold; they are read again from the tables after a transaction that failed.
    private var isKnown = false
    /// The number of the last chunk.
    private var sequence: Int64 = 0
    /// For each partition with unprocessed chunks a number at or before the first of them, and the last.
    private var outstanding: [Int: (first: Int64, last: Int64)] = [:]
    /// A number at or before the first chunk of events, and the last; nil where there is none.
    private var events: (first: Int64, last: Int64)?

    init(_ db: Database, traces: TraceWriter) throws {
        self.traces = traces
        state = try JournalState(db)
        insert = try PreparedStatement(
            db,
            "INSERT INTO journal (\(Columns.chunk)) VALUES (\(Columns.marks(Columns.chunk)))"
        )
        insertEvents = try PreparedStatement(
            db,
            "INSERT INTO events (\(Columns.events)) VALUES (\(Columns.marks(Columns.events)))"
        )
        insertPlace = try PreparedStatement(db, "INSERT INTO trace_chunks (trace, seq) VALUES (?, ?)")
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
        clearEvents = try PreparedStatement(db, "DELETE FROM events WHERE seq <= ?")
        rewrite = try PreparedStatement(
            db,
            "UPDATE journal SET payload = ?, span_count = ifnull(?, span_count) WHERE seq = ?"
        )
        drop = try PreparedStatement(db, "DELETE FROM journal WHERE seq = ?")
    }

    /// Writes a chunk; its number and whether its trace is new.
    func write(_ chunk: JournalChunk, receivedAt: Timestamp) throws -> (sequence: Int64, isNewTrace: Bool) {
        try know()
        sequence += 1
        outstanding[chunk.partition] = (outstanding[chunk.partition]?.first ?? sequence, sequence)
        let insert = chunk.kind == .spans ? insert : insertEvents
        insert.bind(1, sequence)
        insert.bind(2, chunk.traceID)
        insert.bind(3, chunk.partition)
        insert.bind(4, receivedAt)
        insert.bind(5, chunk.spanCount)
        try insert.run(binding: chunk.payload, at: 6)
        guard chunk.kind == .spans, let trace = chunk.traceID else {
            events = (events?.first ?? sequence, sequence)
            return (sequence, false)
        }
        let (row, isNewTrace) = try traces.add(trace, receivedAt: receivedAt)
        insertPlace.bind(1, row)
        insertPlace.bind(2, sequence)
        try insertPlace.run()
        return (sequence, isNewTrace)
    }

    /// Writes how far partitions are processed, and lets go of the events that are.
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
        let settled = (outstanding.values.map(\.first).min() ?? sequence + 1) - 1
        setSettled.bind(1, settled)
        try setSettled.run()
        guard let waiting = events, waiting.first <= settled else { return }
        let end = min(settled, waiting.first + Self.largestClearing - 1)
        clearEvents.bind(1, end)
        try clearEvents.run()
        events = end >= waiting.last ? nil : (end + 1, waiting.last)
    }

    /// Puts what processors made of chunks in their place.
    func apply(_ rewrites: [ChunkRewrite]) throws {
        for change in rewrites {
            guard let payload = change.payload else {
                drop.bind(1, change.sequence)
                try drop.run()
                continue
            }
            if let count = change.spanCount { rewrite.bind(2, count) } else { rewrite.bindNull(2) }
            rewrite.bind(3, change.sequence)
            try rewrite.run(binding: payload, at: 1)
        }
    }

    /// The number of the last chunk.
    func lastSequence() throws -> Int64 {
        try know()
        return sequence
    }

    /// Forgets what a transaction had reached that was rolled back.
    func rolledBack() { isKnown = false }

    private func know() throws {
        guard !isKnown else { return }
        sequence = try state.sequence()
        outstanding = try state.outstanding()
        events = try state.events()
        isKnown = true
    }
}

/// Reads from the tables where the journal stands.
private final class JournalState {
    private let readSequence: PreparedStatement
    private let readOutstanding: PreparedStatement
    private let readEvents: PreparedStatement

    init(_ db: Database) throws {
        // The last chunks may have been deleted; their numbers must not come again.
        readSequence = try PreparedStatement(
            db,
            """
            SELECT max(ifnull((SELECT max(seq) FROM journal), 0), ifnull((SELECT max(seq) FROM events), 0),
                ifnull((SELECT max(seq) FROM progress), 0), ifnull((SELECT seq FROM settled), 0),
                ifnull((SELECT seq FROM issued), 0))
            """
        )
        readOutstanding = try PreparedStatement(
            db,
            """
            SELECT chunks.partition, min(chunks.seq), max(chunks.seq) FROM (
                SELECT seq, partition FROM journal WHERE seq > ifnull((SELECT seq FROM settled), 0)
                UNION ALL
                SELECT seq, partition FROM events WHERE seq > ifnull((SELECT seq FROM settled), 0)
            ) AS chunks
            LEFT JOIN progress ON progress.partition = chunks.partition
            WHERE chunks.seq > ifnull(progress.seq, 0)
            GROUP BY chunks.partition
            """
        )
        readEvents = try PreparedStatement(
            db,
            "SELECT (SELECT min(seq) FROM events), (SELECT max(seq) FROM events)"
        )
    }

    func sequence() throws -> Int64 { try readSequence.first { $0.int64(0) } ?? 0 }

    func outstanding() throws -> [Int: (first: Int64, last: Int64)] {
        let rows = try readOutstanding.rows { ($0.int(0), (first: $0.int64(1), last: $0.int64(2))) }
        return Dictionary(rows) { $1 }
    }

    func events() throws -> (first: Int64, last: Int64)? {
        try readEvents.rows { $0.isNull(0) ? nil : ($0.int64(0), $0.int64(1)) }.first ?? nil
    }
}
