import NightjarBus
import NightjarSignals

/// Conditions as SQL, with what to bind in their places.
struct Conditions {
    private var clauses: [String] = []
    private var binds: [(PreparedStatement, Int32) -> Void] = []
    /// How many rows a page holds.
    private(set) var limit = 0

    /// Adds a condition with one place, where there is a value for it.
    mutating func add<Bound>(
        _ clause: String,
        _ value: Bound?,
        _ bind: @escaping (PreparedStatement, Int32, Bound) -> Void
    ) {
        guard let value else { return }
        clauses.append(clause)
        binds.append { bind($0, $1, value) }
    }

    /// Adds a condition with one text.
    mutating func add(_ clause: String, _ text: String?) { add(clause, text) { $0.bind($1, $2) } }

    /// Adds a condition without a place.
    mutating func add(_ clause: String) { clauses.append(clause) }

    /// Holds the list to one page, newest first unless it is ascending; the rest of the statement.
    mutating func page(
        of time: String,
        after cursor: PageCursor?,
        limit: Int,
        isAscending: Bool = false
    ) -> String {
        let (beyond, order) = isAscending ? (">", "ASC") : ("<", "DESC")
        self.limit = min(max(limit, 1), TraceQuery.largestLimit)
        add("(\(time), row) \(beyond) (?, ?)", cursor) { $0.bind($1, $2.time) }
        if let cursor { binds.append { $0.bind($1, cursor.row) } }
        // One more than the page holds, to know whether there is another page.
        let rows = self.limit + 1
        binds.append { $0.bind($1, rows) }
        let filter = clauses.isEmpty ? "" : "WHERE \(clauses.joined(separator: " AND ")) "
        return "\(filter)ORDER BY \(time) \(order), row \(order) LIMIT ?"
    }

    func bind(to statement: PreparedStatement) {
        for (index, bind) in binds.enumerated() { bind(statement, Int32(index) + 1) }
    }
}

/// The conditions of a list of traces.
package struct TraceConditions {
    /// The statement: the columns of a trace, its time in the order asked for, and its row.
    package let sql: String
    let conditions: Conditions

    /// The statement for a query.
    package init(_ query: TraceQuery) {
        let time = query.order == .start ? "sort_time" : "last_received"
        var conditions = Conditions()
        conditions.add("sampled_out = 0")
        conditions.add("\(time) >= ?", query.from) { $0.bind($1, $2) }
        conditions.add("\(time) < ?", query.to) { $0.bind($1, $2) }
        conditions.add("status = ?", query.status) { $0.bind($1, Int64($2.rawValue)) }
        conditions.add("has_errors = ?", query.hasErrors) { $0.bind($1, $2) }
        conditions.add("is_open = ?", query.isOpen) { $0.bind($1, $2) }
        for (column, text) in [
            ("name", query.name), ("type", query.type), ("service", query.service),
            ("environment", query.environment), ("agent", query.agent), ("workflow", query.workflow),
            ("user_id", query.user), ("session_id", query.session),
        ] {
            conditions.add("\(column) = ?", text)
        }
        conditions.add("end_time - start_time >= ?", query.minimumDuration) { $0.bind($1, $2.nanoseconds) }
        conditions.add("end_time - start_time <= ?", query.maximumDuration) { $0.bind($1, $2.nanoseconds) }
        let rest = conditions.page(
            of: time,
            after: query.cursor,
            limit: query.limit,
            isAscending: query.isAscending
        )
        sql = "SELECT \(Columns.trace), \(time), row FROM traces \(rest)"
        self.conditions = conditions
    }
}

/// The conditions of a list of logs, scores or feedback.
package struct SignalConditions {
    /// The statement: the columns of the table, when the row was made, the signal's time and its row.
    package let sql: String
    let conditions: Conditions
    let table: SignalTable

    /// The statement for a list of logs.
    package init(_ query: LogQuery) {
        self.init(.logs, query.scope) { conditions in
            conditions.add("level >= ?", query.level) { $0.bind($1, $2.rawValue) }
            conditions.add("message LIKE ? ESCAPE '\\'", query.text.map(Self.pattern))
        }
    }

    /// The statement for a list of scores.
    package init(_ query: ScoreQuery) {
        self.init(.scores, query.scope) { $0.add("scorer_name = ?", query.scorer) }
    }

    /// The statement for a list of feedback.
    package init(_ query: FeedbackQuery) {
        self.init(.feedback, query.scope) { conditions in
            conditions.add("source = ?", query.source)
            conditions.add("feedback_type = ?", query.feedbackType)
        }
    }

    private init(_ table: SignalTable, _ scope: SignalScope, _ more: (inout Conditions) -> Void) {
        var conditions = Conditions()
        conditions.add("timestamp >= ?", scope.from) { $0.bind($1, $2) }
        conditions.add("timestamp < ?", scope.to) { $0.bind($1, $2) }
        conditions.add("trace_id = ?", scope.traceID) { $0.bind($1, $2) }
        conditions.add("span_id = ?", scope.spanID) { $0.bind($1, $2) }
        let fields = scope.correlation.fields
        for (column, fact) in zip(table.correlation, Correlation.texts) {
            conditions.add(Self.isEither(column), fields[keyPath: fact.path])
        }
        for tag in fields.tags {
            let lists = table.name == "logs" ? ["tags", "context_tags"] : ["tags"]
            let values = lists.map { "SELECT value FROM json_each(\($0))" }.joined(separator: " UNION ALL ")
            conditions.add("? IN (\(values))", tag)
        }
        more(&conditions)
        let rest = conditions.page(of: "timestamp", after: scope.cursor, limit: scope.limit)
        sql = "SELECT \(table.columns), created_at, timestamp, row FROM \(table.name) \(rest)"
        self.conditions = conditions
        self.table = table
    }

    /// The column of a fact, or the column of the table's own of that name. A source of feedback's own is something else.
    private static func isEither(_ column: String) -> String {
        guard column.hasPrefix("context_"), column != "context_source" else { return "\(column) = ?" }
        return "? IN (\(column), \(column.dropFirst("context_".count)))"
    }

    private static func pattern(_ text: String) -> String {
        let escaped = text.map { "\\%_".contains($0) ? "\\\($0)" : String($0) }.joined()
        return "%\(escaped)%"
    }
}
