import GRDB
package import NightjarBus
package import NightjarSignals

extension SQLiteStore {
    package func chunks(of trace: TraceID) throws(StoreError) -> [StoredChunk] {
        try look(Queries.chunks, { $0.bind(1, trace) }, { row in row.chunk(.spans) })
    }

    package func trace(_ id: TraceID) throws(StoreError) -> TraceRecord? {
        try look(Queries.trace, { $0.bind(1, id) }, { try $0.trace() }).first
    }

    package func traces(_ query: TraceQuery) throws(StoreError) -> TracePage {
        let page = try look { db in try readTraces(db, query, bounds) }
        return TracePage(
            traces: page.records.map(\.record),
            next: page.next,
            scannedUntil: page.scannedUntil
        )
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
            { row in
                row.logRecord(id: row.int64(SignalTable.logs.count + 1))
            }
        )
    }

    package func logs(_ query: LogQuery) throws(StoreError) -> SignalPage<LogRecord> {
        try page(WalkedList(query), query.scope) { $0.logRecord(id: $0.int64(SignalTable.logs.count + 2)) }
    }

    package func scores(_ query: ScoreQuery) throws(StoreError) -> SignalPage<ScoreRecord> {
        try page(WalkedList(query), query.scope) { $0.scoreRecord() }
    }

    package func feedback(_ query: FeedbackQuery) throws(StoreError) -> SignalPage<FeedbackRecord> {
        try page(WalkedList(query), query.scope) { try $0.feedbackRecord() }
    }

    private func page<Record>(
        _ list: WalkedList,
        _ scope: SignalScope,
        _ read: (PreparedStatement) throws -> Record
    ) throws(StoreError) -> SignalPage<Record> {
        try look { db in
            SignalPage(try walk(db, list, after: scope.cursor, limit: held(scope.limit), bounds, read))
        }
    }

    package func history(ofScore id: String) throws(StoreError) -> [ScoreRecord] {
        try look(
            Queries.scoreHistory,
            { $0.bind(1, id) },
            { row in
                var record = row.scoreRecord()
                record.replacedAt = row.time(SignalTable.scores.count + 1)
                return record
            }
        )
    }

    package func history(ofFeedback id: String) throws(StoreError) -> [FeedbackRecord] {
        try look(
            Queries.feedbackHistory,
            { $0.bind(1, id) },
            { row in
                var record = try row.feedbackRecord()
                record.replacedAt = row.time(SignalTable.feedback.count + 1)
                return record
            }
        )
    }

    package func streams(_ ids: [UInt64]) throws(StoreError) -> [UInt64: StreamState] {
        try look { db in
            let statement = try PreparedStatement(cached: db, Queries.stream)
            var streams: [UInt64: StreamState] = [:]
            for id in ids {
                statement.bind(1, Int64(bitPattern: id))
                streams[id] = try statement.first {
                    StreamState(id: id, state: $0.bytes(1), time: $0.time(2))
                }
            }
            return streams
        }
    }

    /// What is kept of plugins, by name.
    package func plugins() throws(StoreError) -> [PluginRecord] {
        try look(Queries.plugins, { _ in }, { $0.pluginRecord() })
    }

    /// The contents that a plugin had, the newest first.
    package func contents(ofPlugin name: String) throws(StoreError) -> [PluginContentRecord] {
        try look(
            Queries.pluginContents,
            { $0.bind(1, name) },
            { row in
                PluginContentRecord(
                    name: name,
                    hash: row.text(0),
                    loadedAt: row.time(1),
                    packed: row.bytes(2)
                )
            }
        )
    }

    /// Every row of a statement that is always the same.
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
}

extension PreparedStatement {
    /// A score, and behind it when it was first stored.
    func scoreRecord() -> ScoreRecord {
        ScoreRecord(score: score(), createdAt: time(SignalTable.scores.count))
    }

    func feedbackRecord() throws -> FeedbackRecord {
        FeedbackRecord(feedback: try feedback(), createdAt: time(SignalTable.feedback.count))
    }

    func logRecord(id: Int64) -> LogRecord {
        LogRecord(id: id, log: log(), createdAt: time(SignalTable.logs.count))
    }
}
