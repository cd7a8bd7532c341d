import NightjarBus
import NightjarSignals

/// Conditions as SQL, with what to bind in their places.
struct Conditions {
    private(set) var clauses: [String] = []
    private var binds: [(PreparedStatement, Int32) -> Void] = []

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

    /// Adds a condition that has a place for each value.
    mutating func add(_ clause: String, _ values: [(PreparedStatement, Int32) -> Void]) {
        clauses.append(clause)
        binds += values
    }

    /// Binds what the places hold, the first at `index`; the number of the next place.
    func bind(to statement: PreparedStatement, at index: Int32 = 1) -> Int32 {
        for (offset, bind) in binds.enumerated() { bind(statement, index + Int32(offset)) }
        return index + Int32(binds.count)
    }
}

/// A list as the statements that read it.
package struct ListStatements: Sendable, Equatable {
    /// One page between two places: its columns, then the time and the row.
    package let page: String
    /// The place so many rows on, whatever is filtered: how far a walk goes at once.
    package let edge: String

    init(_ list: WalkedList) {
        page = list.page
        edge = list.edge
    }
}

extension ListStatements {
    /// The statements of a list of traces.
    package init(_ query: TraceQuery) { self.init(WalkedList(query)) }

    /// The statements of a list of sessions.
    package init(_ query: SessionQuery) { self.init(WalkedList(query, mark: 0)) }

    /// The statements of a list of logs.
    package init(_ query: LogQuery) { self.init(WalkedList(query)) }

    /// The statements of a list of scores.
    package init(_ query: ScoreQuery) { self.init(WalkedList(query)) }

    /// The statements of a list of feedback.
    package init(_ query: FeedbackQuery) { self.init(WalkedList(query)) }
}

extension WalkedList {
    /// A list of traces.
    init(_ query: TraceQuery) {
        self.init("traces", columns: Columns.trace, order: .time(query.order.column))
        (from, to) = (query.from, query.to)
        isAscending = query.isAscending
        fixed.add("session_id = ?", query.session)
        filters.add("sampled_out = 0")
        filters.add("status = ?", query.status) { $0.bind($1, Int64($2.rawValue)) }
        filters.add("has_errors = ?", query.hasErrors) { $0.bind($1, $2) }
        filters.add("is_open = ?", query.isOpen) { $0.bind($1, $2) }
        for (column, text) in [
            ("name", query.name), ("type", query.type), ("service", query.service),
            ("environment", query.environment), ("workflow", query.workflow), ("user_id", query.user),
        ] {
            filters.add("\(column) = ?", text)
        }
        filters.add("end_time - start_time >= ?", query.minimumDuration) { $0.bind($1, $2.nanoseconds) }
        filters.add("end_time - start_time <= ?", query.maximumDuration) { $0.bind($1, $2.nanoseconds) }
        addFacets(query)
        addAnnotations(query)
    }

    private mutating func addFacets(_ query: TraceQuery) {
        if let agent = query.agent {
            // The first stands for all where it is the only one.
            filters.add(
                "(agent = ? OR instr(agents, ?))",
                [{ $0.bind($1, agent) }, { $0.bind($1, FacetSet.needle(agent)) }]
            )
        }
        filters.add("instr(models, ?)", query.model.map(FacetSet.needle))
        filters.add("instr(tools, ?)", query.tool.map(FacetSet.needle))
        for tag in query.tags { filters.add("instr(tags, ?)", FacetSet.needle(tag)) }
    }

    private mutating func addAnnotations(_ query: TraceQuery) {
        if query.scorer != nil || query.minimumScore != nil || query.maximumScore != nil {
            var own = Conditions()
            own.add("scorer_name = ?", query.scorer)
            own.add("score >= ?", query.minimumScore) { $0.bind($1, $2) }
            own.add("score <= ?", query.maximumScore) { $0.bind($1, $2) }
            addExists("scores", own)
        }
        guard let feedback = query.feedback else { return }
        var own = Conditions()
        if feedback != TraceQuery.anyFeedback {
            // The type alone, or with a value behind a colon; a type may have colons itself.
            own.add(
                "(feedback_type = ? OR feedback_type || ':' || value = ?)",
                [{ $0.bind($1, feedback) }, { $0.bind($1, feedback) }]
            )
        }
        addExists("feedback", own)
    }

    private mutating func addExists(_ table: String, _ own: Conditions) {
        let clauses = (["\(table).trace_id = traces.trace_id"] + own.clauses).joined(separator: " AND ")
        filters.add("EXISTS (SELECT 1 FROM \(table) WHERE \(clauses))", own.all)
    }
}

extension TraceOrder {
    /// The column of that time.
    fileprivate var column: String {
        switch self {
        case .start: "sort_time"
        case .lastReceived: "last_received"
        }
    }
}

extension Conditions {
    /// What binds the places, in their order.
    fileprivate var all: [(PreparedStatement, Int32) -> Void] { binds }
}

extension WalkedList {
    /// A list of logs; one by words goes by arrival, as its index does.
    init(_ query: LogQuery) {
        guard let words = query.text.map(FullText.init) else {
            self.init(.logs, query.scope)
            filters.add("level >= ?", query.level) { $0.bind($1, $2.rawValue) }
            return
        }
        if query.scope.traceID != nil {
            self.init(.logs, query.scope)
            filters.add(
                "EXISTS (SELECT 1 FROM logs_text WHERE logs_text MATCH ? AND logs_text.rowid = logs.row)",
                words.match
            )
        } else {
            self.init(
                .logs,
                query.scope,
                source: "logs_text CROSS JOIN logs ON logs.row = logs_text.rowid",
                order: .row(
                    "logs_text.rowid",
                    time: "(SELECT timestamp FROM logs WHERE logs.row = logs_text.rowid)"
                ),
                path: "logs_text"
            )
            fixed.add("logs_text MATCH ?", words.match)
            filters.add("timestamp >= ?", query.scope.from) { $0.bind($1, $2) }
            filters.add("timestamp < ?", query.scope.to) { $0.bind($1, $2) }
        }
        filters.add("level >= ?", query.level) { $0.bind($1, $2.rawValue) }
    }

    /// A list of scores.
    init(_ query: ScoreQuery) {
        self.init(.scores, query.scope)
        filters.add("scorer_name = ?", query.scorer)
        filters.add("scorer_version = ?", query.version)
        filters.add("label = ?", query.label)
        filters.add("score >= ?", query.minimumScore) { $0.bind($1, $2) }
        filters.add("score <= ?", query.maximumScore) { $0.bind($1, $2) }
    }

    /// A list of feedback.
    init(_ query: FeedbackQuery) {
        self.init(.feedback, query.scope)
        filters.add("source = ?", query.source)
        filters.add("feedback_type = ?", query.feedbackType)
    }

    private init(
        _ table: SignalTable,
        _ scope: SignalScope,
        source: String? = nil,
        order: Order = .time("timestamp"),
        path: String? = nil
    ) {
        self.init(
            source ?? table.name,
            columns: "\(table.columns), created_at",
            order: order,
            path: path
        )
        if case .time = order { (from, to) = (scope.from, scope.to) }
        let isOfTrace = scope.traceID != nil
        // A trace's signals are few and lie together in another index; elsewhere it is one condition of many.
        if isOfTrace { fixed.add("trace_id = ?", scope.traceID) { $0.bind($1, $2) } }
        filters.add("span_id = ?", scope.spanID) { $0.bind($1, $2) }
        let fields = scope.correlation.fields
        for (column, fact) in zip(table.correlation, Correlation.texts) {
            filters.add(Self.isEither(column), fields[keyPath: fact.path])
        }
        for tag in fields.tags {
            let lists = table.name == "logs" ? ["tags", "context_tags"] : ["tags"]
            let values = lists.map { "SELECT value FROM json_each(\($0))" }.joined(separator: " UNION ALL ")
            filters.add("? IN (\(values))", tag)
        }
    }

    /// The column of a fact, or the column of the table's own of that name. A source of feedback's own is something else.
    private static func isEither(_ column: String) -> String {
        guard column.hasPrefix("context_"), column != "context_source" else { return "\(column) = ?" }
        return "? IN (\(column), \(column.dropFirst("context_".count)))"
    }
}
