import GRDB
import NightjarBus
import NightjarSignals

/// The traces that are over, the one whose last span was received first before the others, and how they are deleted a few rows at
/// a time. Belongs to the writer.
final class ExpiredTraces {
    /// Chunks may be large, so that few of them go at once.
    private static let chunksAtOnce = 16
    private static let tracesAtOnce = 64

    private let eraser: TraceEraser
    private let rowsAtOnce: Int
    private let find: PreparedStatement
    private let countScores: PreparedStatement
    private let countFeedback: PreparedStatement
    private var page = Queue<(id: TraceID, time: Timestamp, row: Int64)>()
    private var lastRow = Int64.min
    /// When the last span of the last trace was received.
    private(set) var reached = Timestamp(unixNano: .min)

    init(_ db: Database, eraser: TraceEraser, rowsAtOnce: Int) throws {
        self.eraser = eraser
        self.rowsAtOnce = rowsAtOnce
        find = try PreparedStatement(
            db,
            """
            SELECT trace_id, last_received, row FROM traces
            WHERE last_received >= ?1 AND (last_received > ?1 OR row > ?2) AND last_received < ?3
                AND is_open = 0 AND pending IS NULL
            ORDER BY last_received, row LIMIT ?4
            """
        )
        countScores = try PreparedStatement(db, "SELECT count(*) FROM scores WHERE trace_id = ?")
        countFeedback = try PreparedStatement(db, "SELECT count(*) FROM feedback WHERE trace_id = ?")
    }

    /// Starts with the oldest.
    func begin() {
        page = Queue()
        (reached, lastRow) = (Timestamp(unixNano: .min), .min)
    }

    /// The trace that is to be deleted now: the same until it is gone. Nil where there is none from before the time.
    func next(before time: Timestamp) throws -> TraceID? {
        if page.isEmpty {
            find.bind(1, reached)
            find.bind(2, lastRow)
            find.bind(3, time)
            find.bind(4, Self.tracesAtOnce)
            for found in try find.rows({ ($0.traceID(0), $0.time(1), $0.int64(2)) }) { page.append(found) }
        }
        return page.first?.id
    }

    /// Deletes some rows of the trace at hand; its record last, so that the rest is found again. Whether the record is gone. What is
    /// not processed or counted yet stays, and with spans the record.
    func erase(_ trace: TraceID, keepsScores: Bool, _ count: inout SweepCount) throws -> Bool {
        guard try eraser.deleteProcessed(of: trace, limit: Self.chunksAtOnce) < Self.chunksAtOnce else {
            return false
        }
        let logs = try eraser.deleteLogs(of: trace, limit: rowsAtOnce)
        count.logs += logs
        guard logs < rowsAtOnce else { return false }
        let before = try annotations(of: trace)
        try eraser.empty(trace, keepsScores: keepsScores)
        let after = try annotations(of: trace)
        count.scores += before.scores - after.scores
        count.feedback += before.feedback - after.feedback
        if let done = page.first { (reached, lastRow) = (done.time, done.row) }
        page.removeFirst()
        guard try eraser.deleteRecord(ofEmpty: trace) else { return false }
        count.traces += 1
        return true
    }

    private func annotations(of trace: TraceID) throws -> (scores: Int, feedback: Int) {
        countScores.bind(1, trace)
        countFeedback.bind(1, trace)
        return (try countScores.first { $0.int(0) } ?? 0, try countFeedback.first { $0.int(0) } ?? 0)
    }
}

/// A table whose rows lie in the order of their receipt, walked from the oldest on. Belongs to the writer.
final class AgedTable {
    private let find: PreparedStatement
    private let delete: PreparedStatement
    private var reached = Int64.min
    private var youngPages = 0

    /// `?3` in the condition is the time before which rows are too old.
    init(_ db: Database, _ name: String, time: String, if condition: String = "1") throws {
        find = try PreparedStatement(
            db,
            "SELECT max(row) FROM (SELECT row FROM \(name) WHERE row > ? ORDER BY row LIMIT ?)"
        )
        delete = try PreparedStatement(
            db,
            "DELETE FROM \(name) WHERE row > ?1 AND row <= ?2 AND \(time) < ?3 AND \(condition)"
        )
    }

    /// Starts with the oldest.
    func begin() { (reached, youngPages) = (.min, 0) }

    /// Deletes what is too old among the next rows; how many, nil at the end, or where so many pages in a row held nothing.
    func advance(before time: Timestamp, rows: Int, patience: Int) throws -> Int? {
        guard youngPages < patience else { return nil }
        find.bind(1, reached)
        find.bind(2, rows)
        guard let end = try find.first({ $0.optional(0, $0.int64) }) ?? nil else { return nil }
        delete.bind(1, reached)
        delete.bind(2, end)
        delete.bind(3, time)
        try delete.run()
        reached = end
        youngPages = delete.changes == 0 ? youngPages + 1 : 0
        return delete.changes
    }
}
