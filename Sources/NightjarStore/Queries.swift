import GRDB
import NightjarBus
import NightjarSignals

/// The statements that look things up by trace.
package enum Queries {
    /// The record of one trace.
    package static let trace = "SELECT \(Columns.trace) FROM traces WHERE trace_id = ?"
    /// The chunks of one trace.
    package static let chunks = "SELECT \(Columns.chunk) FROM journal WHERE trace_id = ? ORDER BY seq"
    /// The scores of one trace.
    package static let scores =
        "SELECT \(Columns.score), created_at FROM scores WHERE trace_id = ? ORDER BY row"
    /// The feedback on one trace.
    package static let feedback =
        "SELECT \(Columns.feedback), created_at FROM feedback WHERE trace_id = ? ORDER BY row"
    /// The logs of one trace.
    package static let logs = """
        SELECT \(Columns.log), created_at, row FROM logs WHERE trace_id = ? ORDER BY timestamp, row
        """
}

/// The conditions of a query as SQL, with what to bind in their places.
package struct TraceConditions {
    /// The statement: the columns of a trace, its time in the order asked for, and its row.
    package let sql: String
    private let binds: [(PreparedStatement, Int32) -> Void]
    /// How many traces the page holds.
    let limit: Int

    /// The statement for a query.
    package init(_ query: TraceQuery) {
        let time = query.order == .start ? "sort_time" : "last_received"
        var conditions: [String] = []
        var binds: [(PreparedStatement, Int32) -> Void] = []
        func add<Bound>(
            _ condition: String,
            _ value: Bound?,
            _ bind: @escaping (PreparedStatement, Int32, Bound) -> Void
        ) {
            guard let value else { return }
            conditions.append(condition)
            binds.append { bind($0, $1, value) }
        }
        add("\(time) >= ?", query.from) { $0.bind($1, $2) }
        add("\(time) < ?", query.to) { $0.bind($1, $2) }
        add("status = ?", query.status) { $0.bind($1, Int64($2.rawValue)) }
        add("has_errors = ?", query.hasErrors) { $0.bind($1, $2) }
        add("is_open = ?", query.isOpen) { $0.bind($1, $2) }
        for (column, text) in [
            ("name", query.name), ("type", query.type), ("service", query.service),
            ("environment", query.environment), ("agent", query.agent), ("workflow", query.workflow),
            ("user_id", query.user), ("session_id", query.session),
        ] {
            add("\(column) = ?", text) { $0.bind($1, $2) }
        }
        add("end_time - start_time >= ?", query.minimumDuration) { $0.bind($1, $2.nanoseconds) }
        add("end_time - start_time <= ?", query.maximumDuration) { $0.bind($1, $2.nanoseconds) }
        add("(\(time), row) < (?, ?)", query.cursor) { $0.bind($1, $2.time) }
        if let cursor = query.cursor { binds.append { $0.bind($1, cursor.row) } }
        limit = min(max(query.limit, 1), TraceQuery.largestLimit)
        let filter = conditions.isEmpty ? "" : "WHERE \(conditions.joined(separator: " AND ")) "
        sql =
            "SELECT \(Columns.trace), \(time), row FROM traces "
            + "\(filter)ORDER BY \(time) DESC, row DESC LIMIT ?"
        // One more than the page holds, to know whether there is another page.
        let limit = limit
        binds.append { $0.bind($1, limit + 1) }
        self.binds = binds
    }

    func bind(to statement: PreparedStatement) {
        for (index, bind) in binds.enumerated() { bind(statement, Int32(index) + 1) }
    }
}

/// One page of traces.
func readTraces(_ db: Database, _ query: TraceQuery) throws -> TracePage {
    let conditions = TraceConditions(query)
    let statement = try PreparedStatement(cached: db, conditions.sql)
    conditions.bind(to: statement)
    let rows = try statement.rows {
        (trace: try $0.trace(), cursor: TraceCursor(time: $0.int64(24), row: $0.int64(25)))
    }
    let page = rows.prefix(conditions.limit)
    return TracePage(
        traces: page.map(\.trace),
        next: rows.count > page.count ? page.last?.cursor : nil
    )
}
