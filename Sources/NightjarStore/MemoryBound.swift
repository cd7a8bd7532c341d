import GRDB
import NightjarBus
import NightjarSignals

/// What was deleted to make room.
struct Eviction {
    var traces = 0
    var logs = 0
    var annotations = 0
    /// Blocks of windows.
    var windows = 0

    var isEmpty: Bool { traces + logs + annotations + windows == 0 }
}

/// Keeps a database in memory within its bytes: beyond them the oldest goes that is over and processed. Totals of series and
/// what is remembered of streams stay. Belongs to the writer.
final class MemoryBound {
    /// How many traces, and how many logs or annotations, go at once: some milliseconds, for which reads wait.
    private static let (tracesAtOnce, rowsAtOnce) = (64, 512)

    private let limit: Int64
    private let eraser: TraceEraser
    private let readPages: PreparedStatement
    private let readFree: PreparedStatement
    private let pageBytes: Int64
    private let oldest: PreparedStatement
    private let dropLogs: PreparedStatement
    private let dropAnnotations: [PreparedStatement]
    private let dropWindows: [PreparedStatement]
    /// Whether room is being made: until an eighth is free, so that not every commit has to.
    private var isMakingRoom = false

    init(_ db: Database, limit: Int, eraser: TraceEraser) throws {
        self.limit = Int64(limit)
        self.eraser = eraser
        readPages = try PreparedStatement(db, "PRAGMA page_count")
        readFree = try PreparedStatement(db, "PRAGMA freelist_count")
        pageBytes = try PreparedStatement(db, "PRAGMA page_size").first { $0.int64(0) } ?? 4096
        // Rows are in the order of first receipt, but for those that came back.
        oldest = try PreparedStatement(
            db,
            """
            SELECT trace_id, first_received FROM traces
            WHERE is_open = 0 AND pending IS NULL AND NOT EXISTS (
                SELECT 1 FROM trace_chunks WHERE trace = traces.row
                    AND trace_chunks.seq > ifnull((SELECT seq FROM settled), 0)
            )
            ORDER BY row LIMIT ?
            """
        )
        dropLogs = try PreparedStatement(
            db,
            "DELETE FROM logs WHERE created_at <= ? AND row IN (SELECT row FROM logs ORDER BY row LIMIT ?)"
        )
        dropAnnotations = try [
            "scores_history", "feedback_history", "scores WHERE counted = 1", "feedback WHERE counted = 1",
        ].map { source in
            let table = source.prefix { $0 != " " }
            let rows = "SELECT row FROM \(source) ORDER BY row LIMIT ?"
            return try PreparedStatement(db, "DELETE FROM \(table) WHERE row IN (\(rows))")
        }
        dropWindows = try WindowResolution.allCases.map { resolution in
            let oldest = "SELECT id FROM \(resolution.table) WHERE id < ? ORDER BY id LIMIT ?"
            return try PreparedStatement(db, "DELETE FROM \(resolution.table) WHERE id IN (\(oldest))")
        }
    }

    /// Whether something has to go.
    func isOver() throws -> Bool {
        let pages = try (readPages.first { $0.int64(0) } ?? 0) - (readFree.first { $0.int64(0) } ?? 0)
        isMakingRoom = pages * pageBytes > (isMakingRoom ? limit - limit / 8 : limit)
        return isMakingRoom
    }

    /// Deletes the oldest traces, and logs and windows from before them; where there is no trace, logs and windows; where there are none either,
    /// scores and feedback.
    func evict() throws -> Eviction {
        var eviction = Eviction()
        oldest.bind(1, Self.tracesAtOnce)
        let traces = try oldest.rows { (id: $0.traceID(0), time: $0.time(1)) }
        for trace in traces { try eraser.evict(trace.id) }
        eviction.traces = traces.count
        dropLogs.bind(1, traces.last?.time ?? Timestamp(unixNano: .max))
        dropLogs.bind(2, Self.rowsAtOnce)
        try dropLogs.run()
        eviction.logs = dropLogs.changes
        for (resolution, drop) in zip(WindowResolution.allCases, dropWindows) {
            drop.bind(1, traces.last.map { resolution.keys(before: $0.time) } ?? .max)
            drop.bind(2, Self.rowsAtOnce)
            try drop.run()
            eviction.windows += drop.changes
        }
        guard eviction.isEmpty else { return eviction }
        for drop in dropAnnotations {
            drop.bind(1, Self.rowsAtOnce)
            try drop.run()
            eviction.annotations += drop.changes
        }
        return eviction
    }
}
