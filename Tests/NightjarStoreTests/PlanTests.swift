import GRDB
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// How SQLite goes about the statements: along an index, without sorting, and every index for something.
struct PlanTests {
    /// A store with enough of everything, and no statistics: plans are those of a server.
    private func filled() throws -> Fixture {
        let fixture = try Fixture()
        try fixture.commit { effects in
            effects.traces = (1...2_000).map { number in
                var trace = record(UInt64(number), start: Int64(number))
                (trace.session, trace.isOpen) = ("s\(number % 20)", number % 50 == 0)
                return trace
            }
            effects.logs = (1...500).map { number in
                var log = Log(
                    timestamp: Timestamp(unixNano: Int64(number)),
                    level: .info,
                    message: "line \(number)"
                )
                log.traceID = number % 2 == 0 ? traceID(UInt64(number)) : nil
                return log
            }
        }
        return fixture
    }

    private func plan(_ fixture: Fixture, _ sql: String) throws -> String {
        let numbered = (1...9).last { sql.contains("?\($0)") } ?? 0
        let places = numbered > 0 ? numbered : sql.count { $0 == "?" }
        let arguments = StatementArguments((0..<places).map { _ in 1 })
        return try fixture.other().read { db in
            try Row.fetchAll(db, sql: "EXPLAIN QUERY PLAN " + sql, arguments: arguments)
                .map { $0["detail"] as String }.joined(separator: "; ")
        }
    }

    @Test func `lists go along an index, newest first, whatever they are filtered by`() throws {
        let fixture = try filled()
        var traces = TraceQuery()
        (traces.service, traces.model, traces.tags, traces.status) = ("s", "m", ["t"], .running)
        (traces.scorer, traces.minimumScore, traces.feedback) = ("h", 0.5, "*")
        var received = traces
        received.order = .lastReceived
        var session = TraceQuery()
        session.session = "s"
        var logs = LogQuery()
        (logs.level, logs.correlation.userID) = (.warn, "u")
        let lists: [(ListStatements, String)] = [
            (
                ListStatements(TraceQuery()),
                "traces USING INDEX traces_by_start (sort_time>? AND sort_time<?)"
            ),
            (ListStatements(traces), "traces USING INDEX traces_by_start (sort_time>? AND sort_time<?)"),
            (
                ListStatements(received),
                "traces USING INDEX traces_by_receipt (last_received>? AND last_received<?)"
            ),
            (
                ListStatements(session),
                "traces USING INDEX traces_by_session (session_id=? AND sort_time>? AND sort_time<?)"
            ),
            (
                ListStatements(SessionQuery()),
                "traces USING INDEX traces_by_start (sort_time>? AND sort_time<?)"
            ),
            (ListStatements(logs), "logs USING INDEX logs_by_time (timestamp>? AND timestamp<?)"),
            (ListStatements(ScoreQuery()), "scores USING INDEX scores_by_time (timestamp>? AND timestamp<?)"),
            (
                ListStatements(FeedbackQuery()),
                "feedback USING INDEX feedback_by_time (timestamp>? AND timestamp<?)"
            ),
            (
                ListStatements(VerdictQuery(), isReplaced: true),
                "scores_history USING INDEX scores_history_by_time (timestamp>? AND timestamp<?)"
            ),
        ]
        for (statements, index) in lists {
            let (page, edge) = (try plan(fixture, statements.page), try plan(fixture, statements.edge))
            #expect(page.hasPrefix("SEARCH \(index)"), "\(statements.page)")
            #expect(edge.hasPrefix("SEARCH " + index.replacing("USING INDEX", with: "USING COVERING INDEX")))
            for plan in [page, edge] { #expect(!plan.contains("TEMP B-TREE") && !plan.contains("SCAN")) }
        }
        let filtered = try plan(fixture, ListStatements(traces).page)
        #expect(filtered.contains("SEARCH scores USING INDEX scores_by_trace (trace_id=?)"))
        #expect(filtered.contains("feedback_by_trace (trace_id=?)"))
        #expect(
            try plan(fixture, ListStatements(SessionQuery()).page)
                .contains("SEARCH newer USING INDEX traces_by_session (session_id=? AND sort_time>?)")
        )
    }

    @Test func `words are looked up in their index, by arrival and by trace`() throws {
        let fixture = try filled()
        var query = LogQuery()
        query.text = "line"
        let list = ListStatements(query)
        let page = try plan(fixture, list.page)
        #expect(page.hasPrefix("SCAN logs_text VIRTUAL TABLE INDEX"))
        #expect(page.contains("SEARCH logs USING INTEGER PRIMARY KEY (rowid=?)"))
        #expect(!page.contains("TEMP B-TREE"))
        #expect(try !plan(fixture, list.edge).contains("TEMP B-TREE"))
        query.traceID = traceID(1)
        #expect(
            try plan(fixture, ListStatements(query).page).contains(
                "logs USING INDEX logs_by_trace (trace_id=?)"
            )
        )
    }

    @Test func `lookups use an index`() throws {
        let fixture = try filled()
        let lookups: [(String, String)] = [
            (Queries.trace, "SEARCH traces USING INDEX sqlite_autoindex_traces_1 (trace_id=?)"),
            (
                Queries.chunks,
                """
                SEARCH journal USING INTEGER PRIMARY KEY (rowid=?); LIST SUBQUERY 2; \
                SEARCH trace_chunks USING PRIMARY KEY (trace=?); SCALAR SUBQUERY 1; \
                SEARCH traces USING COVERING INDEX sqlite_autoindex_traces_1 (trace_id=?)
                """
            ),
            (Queries.scores, "SEARCH scores USING INDEX scores_by_trace (trace_id=?)"),
            (Queries.feedback, "SEARCH feedback USING INDEX feedback_by_trace (trace_id=?)"),
            (Queries.scoreHistory, "SEARCH scores_history USING INDEX scores_history_by_id (id=?)"),
            (Queries.feedbackHistory, "SEARCH feedback_history USING INDEX feedback_history_by_id (id=?)"),
            (Queries.sessionScores, "SEARCH scores USING INDEX scores_by_session (session_id=?)"),
            (Queries.sessionFeedback, "SEARCH feedback USING INDEX feedback_by_session (session_id=?)"),
            (
                Queries.sessionTraces,
                "SEARCH traces USING INDEX traces_by_session (session_id=? AND sort_time>?)"
            ),
        ]
        for (sql, plan) in lookups { #expect(try self.plan(fixture, sql) == plan) }
        #expect(try plan(fixture, Queries.logs).contains("USING INDEX logs_by_trace (trace_id=?)"))
        let sums = try plan(fixture, Queries.sessionSums)
        #expect(sums.contains("SEARCH traces USING INDEX traces_by_session (session_id=?)"))
        #expect(!sums.contains("TEMP B-TREE"))
    }

    @Test func `every index serves a statement`() throws {
        // What a start, a count and a deletion look up, in the words of the store.
        let others = [
            "traces_open":
                "SELECT * FROM traces WHERE is_open = 1 OR pending IS NOT NULL ORDER BY first_received",
            "scores_uncounted": "SELECT * FROM scores WHERE counted = 0 ORDER BY id",
            "feedback_uncounted": "SELECT * FROM feedback WHERE counted = 0 ORDER BY id",
            "scores_history_by_trace": "DELETE FROM scores_history WHERE trace_id = ?",
            "feedback_history_by_trace": "DELETE FROM feedback_history WHERE trace_id = ?",
            "scores_unprocessed": "SELECT * FROM scores WHERE counted > 1 ORDER BY id",
            "feedback_unprocessed": "SELECT * FROM feedback WHERE counted > 1 ORDER BY id",
            "series_by_metric": "SELECT * FROM series WHERE metric = ?",
            "series_past_by_metric": "SELECT * FROM series_past WHERE metric = ?",
        ]
        let fixture = try filled()
        for (index, sql) in others { #expect(try plan(fixture, sql).contains("USING INDEX \(index)")) }
        let named: Set = [
            "logs_by_trace", "logs_by_time", "traces_by_start", "traces_by_receipt", "traces_by_session",
            "scores_by_trace", "scores_by_time", "scores_by_session",
            "feedback_by_trace",
            "feedback_by_time", "feedback_by_session", "scores_history_by_id", "scores_history_by_time",
            "feedback_history_by_id",
        ]
        let indices = try fixture.other().read {
            try String.fetchSet(
                $0,
                sql: "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql NOTNULL"
            )
        }
        #expect(indices == named.union(others.keys))
    }
}
