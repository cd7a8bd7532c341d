import GRDB
import NightjarBus
package import NightjarSignals

/// Where stored signals are read from, to be written elsewhere. Safe to use from any thread.
package protocol TransferSource: StoredTraces {
    /// One page of traces.
    func traces(_ query: TraceQuery) throws(StoreError) -> TracePage
    /// One page of logs that belong to no stored trace, in the order of their time.
    func strayLogs(_ window: StrayWindow) throws(StoreError) -> StrayPage<Log>
    /// One page of scores that belong to no stored trace, in the order of their time.
    func strayScores(_ window: StrayWindow) throws(StoreError) -> StrayPage<Score>
    /// One page of feedback that belongs to no stored trace, in the order of its time.
    func strayFeedback(_ window: StrayWindow) throws(StoreError) -> StrayPage<Feedback>
}

/// Which signals without a stored trace are read.
package struct StrayWindow: Sendable, Equatable {
    /// Their own time not before.
    package var from: Timestamp?
    /// Their own time before.
    package var to: Timestamp?
    /// Where the page before ended.
    package var cursor: PageCursor?
    /// How many, 1 or more.
    package var limit: Int

    /// A window.
    package init(from: Timestamp? = nil, to: Timestamp? = nil, limit: Int) {
        (self.from, self.to, self.limit) = (from, to, limit)
    }
}

/// One page of signals without a stored trace, the oldest first.
package struct StrayPage<Signal: Sendable>: Sendable {
    /// The signals, each with its place.
    package let signals: [(signal: Signal, cursor: PageCursor)]
    /// Whether there are no more.
    package let isLast: Bool
}

extension SQLiteStore: TransferSource {
    package func strayLogs(_ window: StrayWindow) throws(StoreError) -> StrayPage<Log> {
        try look { try readStrays($0, .logs, window) { $0.log() } }
    }

    package func strayScores(_ window: StrayWindow) throws(StoreError) -> StrayPage<Score> {
        try look { try readStrays($0, .scores, window) { $0.score() } }
    }

    package func strayFeedback(_ window: StrayWindow) throws(StoreError) -> StrayPage<Feedback> {
        try look { try readStrays($0, .feedback, window) { try $0.feedback() } }
    }

    /// The score of an id; nil where there is none.
    package func score(_ id: String) throws(StoreError) -> ScoreRecord? {
        try look { try readOne($0, .scores, id) { $0.scoreRecord() } }
    }

    /// The feedback of an id; nil where there is none.
    package func feedback(_ id: String) throws(StoreError) -> FeedbackRecord? {
        try look { try readOne($0, .feedback, id) { try $0.feedbackRecord() } }
    }
}

extension StoreReader: TransferSource {
    package func traces(_ query: TraceQuery) throws(StoreError) -> TracePage {
        let page = try look { db in try readTraces(db, query, WalkBounds(StoreSettings())) }
        return TracePage(
            traces: page.records.map(\.record),
            next: page.next,
            scannedUntil: page.scannedUntil
        )
    }

    package func strayLogs(_ window: StrayWindow) throws(StoreError) -> StrayPage<Log> {
        try look { try readStrays($0, .logs, window) { $0.log() } }
    }

    package func strayScores(_ window: StrayWindow) throws(StoreError) -> StrayPage<Score> {
        try look { try readStrays($0, .scores, window) { $0.score() } }
    }

    package func strayFeedback(_ window: StrayWindow) throws(StoreError) -> StrayPage<Feedback> {
        try look { try readStrays($0, .feedback, window) { try $0.feedback() } }
    }
}

private func readStrays<Signal>(
    _ db: Database,
    _ table: SignalTable,
    _ window: StrayWindow,
    _ read: (PreparedStatement) throws -> Signal
) throws -> StrayPage<Signal> {
    let statement = try PreparedStatement(
        cached: db,
        """
        SELECT \(table.columns), timestamp, row FROM \(table.name)
        WHERE (timestamp, row) > (?, ?) AND timestamp < ?
            AND NOT EXISTS (SELECT 1 FROM traces WHERE traces.trace_id = \(table.name).trace_id)
        ORDER BY timestamp, row LIMIT ?
        """
    )
    let start = window.cursor ?? PageCursor(time: window.from?.unixNano ?? .min, row: .min)
    statement.bind(1, start.time)
    statement.bind(2, start.row)
    statement.bind(3, window.to ?? Timestamp(unixNano: .max))
    statement.bind(4, window.limit)
    let signals = try statement.rows { row in
        (
            signal: try read(row),
            cursor: PageCursor(time: row.int64(table.count), row: row.int64(table.count + 1))
        )
    }
    return StrayPage(signals: signals, isLast: signals.count < window.limit)
}

private func readOne<Record>(
    _ db: Database,
    _ table: SignalTable,
    _ id: String,
    _ read: (PreparedStatement) throws -> Record
) throws -> Record? {
    let statement = try PreparedStatement(
        cached: db,
        "SELECT \(table.columns), created_at FROM \(table.name) WHERE id = ?"
    )
    statement.bind(1, id)
    return try statement.first(read)
}
