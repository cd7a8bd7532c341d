import GRDB
import NightjarBus
import NightjarSignals

extension SQLiteStore {
    /// One page of sessions, the one with the newest trace first.
    package func sessions(_ query: SessionQuery) throws(StoreError) -> SessionPage {
        try look { db in
            let mark =
                try query.cursor?.mark
                ?? PreparedStatement(cached: db, "SELECT ifnull(max(row), 0) FROM traces").first {
                    $0.int64(0)
                }
                ?? 0
            let page = try walk(
                db,
                WalkedList(query, mark: mark),
                after: query.cursor?.place,
                limit: held(query.limit),
                bounds
            ) { $0.text(0) }
            return SessionPage(
                sessions: try page.records.compactMap { try Self.session(db, $0.record) },
                next: page.next.map { SessionCursor(place: $0, mark: mark) },
                scannedUntil: page.scannedUntil
            )
        }
    }

    /// A session with its traces from a place on; nil where it has no traces, scores or feedback.
    package func session(
        _ id: String,
        after cursor: PageCursor? = nil,
        limit: Int = 50
    ) throws(StoreError) -> StoredSession? {
        try look { db in
            let scores = try Self.rows(db, Queries.sessionScores, id) { $0.scoreRecord() }
            let feedback = try Self.rows(db, Queries.sessionFeedback, id) { try $0.feedbackRecord() }
            guard let record = try Self.session(db, id) else {
                guard let time = (scores.map(\.score.timestamp) + feedback.map(\.feedback.timestamp)).min()
                else { return nil }
                return StoredSession(
                    record: SessionRecord(withoutTraces: id, at: time),
                    traces: [],
                    next: nil,
                    scores: scores,
                    feedback: feedback
                )
            }
            let (traces, next) = try Self.traces(db, of: id, after: cursor, limit: limit)
            return StoredSession(
                record: record,
                traces: traces,
                next: next,
                scores: scores,
                feedback: feedback
            )
        }
    }

    private static func traces(
        _ db: Database,
        of session: String,
        after cursor: PageCursor?,
        limit: Int
    ) throws -> ([TraceRecord], PageCursor?) {
        let limit = held(limit)
        let statement = try PreparedStatement(cached: db, Queries.sessionTraces)
        statement.bind(1, session)
        statement.bind(2, (cursor ?? .start).time)
        statement.bind(3, (cursor ?? .start).row)
        statement.bind(4, limit + 1)
        let time = Int32(Columns.list(Columns.trace).count)
        let rows = try statement.rows {
            (try $0.trace(), PageCursor(time: $0.int64(time), row: $0.int64(time + 1)))
        }
        return (rows.prefix(limit).map(\.0), rows.count > limit ? rows[limit - 1].1 : nil)
    }

    private static func rows<Row>(
        _ db: Database,
        _ sql: String,
        _ session: String,
        _ read: (PreparedStatement) throws -> Row
    ) throws -> [Row] {
        let statement = try PreparedStatement(cached: db, sql)
        statement.bind(1, session)
        statement.bind(2, TraceQuery.largestLimit)
        return try statement.rows(read)
    }

    private static func session(_ db: Database, _ id: String) throws -> SessionRecord? {
        let statement = try PreparedStatement(cached: db, Queries.sessionSums)
        statement.bind(1, id)
        statement.bind(2, SessionRecord.summedTraces + 1)
        statement.bind(3, SessionRecord.summedTraces)
        return try statement.first { $0.int(0) == 0 ? nil : $0.session(id) } ?? nil
    }
}

extension Queries {
    /// The traces of a session behind a place, the first first.
    package static let sessionTraces = """
        SELECT \(Columns.trace), sort_time, row FROM traces
        WHERE session_id = ? AND sampled_out = 0 AND (sort_time, row) > (?, ?) ORDER BY sort_time, row LIMIT ?
        """
    /// What the newest traces of a session come to.
    package static let sessionSums = """
        SELECT count(*), min(sort_time), max(ifnull(end_time, sort_time)), sum(span_count), sum(has_errors),
            sum(status = 0), sum(input_tokens), sum(output_tokens), sum(cost), max(user_id),
            (SELECT count(*) > ?3 FROM (
                SELECT 1 FROM traces WHERE session_id = ?1 AND sampled_out = 0 LIMIT ?2))
        FROM (
            SELECT * FROM traces WHERE session_id = ?1 AND sampled_out = 0
            ORDER BY sort_time DESC, row DESC LIMIT ?3
        )
        """
    /// The scores of a session as a whole.
    package static let sessionScores =
        "SELECT \(SignalTable.scores.columns), created_at FROM scores WHERE session_id = ? ORDER BY row LIMIT ?"
    /// The feedback on a session as a whole.
    package static let sessionFeedback = """
        SELECT \(SignalTable.feedback.columns), created_at FROM feedback WHERE session_id = ? ORDER BY row LIMIT ?
        """
}

extension WalkedList {
    /// A list of sessions: of each its newest trace, among those up to a row.
    init(_ query: SessionQuery, mark: Int64) {
        self.init("traces", columns: "session_id", order: .time("sort_time"))
        (from, to) = (query.from, query.to)
        filters.add("session_id IS NOT NULL")
        filters.add("sampled_out = 0")
        filters.add("row <= ?", mark) { $0.bind($1, $2) }
        filters.add("user_id = ?", query.user)
        filters.add("environment = ?", query.environment)
        filters.add("service = ?", query.service)
        filters.add(
            """
            NOT EXISTS (
                SELECT 1 FROM traces AS newer WHERE newer.session_id = traces.session_id
                    AND newer.sampled_out = 0 AND newer.row <= ?
                    AND (newer.sort_time, newer.row) > (traces.sort_time, traces.row)
            )
            """,
            mark
        ) { $0.bind($1, $2) }
    }
}

extension SessionRecord {
    /// A session of which only annotations are known.
    fileprivate init(withoutTraces id: String, at time: Timestamp) {
        self.init(
            id: id,
            user: nil,
            traces: 0,
            isCut: false,
            first: time,
            last: time,
            spans: 0,
            errors: 0,
            running: 0,
            inputTokens: nil,
            outputTokens: nil,
            cost: nil
        )
    }
}

extension PreparedStatement {
    /// A session read with `Queries.sessionSums`.
    fileprivate func session(_ id: String) -> SessionRecord {
        SessionRecord(
            id: id,
            user: optional(9, text),
            traces: int(0),
            isCut: bool(10),
            first: time(1),
            last: time(2),
            spans: int(3),
            errors: int(4),
            running: int(5),
            inputTokens: optional(6, double),
            outputTokens: optional(7, double),
            cost: optional(8, double)
        )
    }
}
