import NightjarBus
import NightjarSignals

/// A table of signals that carry a correlation: logs, scores or feedback.
struct SignalTable: Sendable {
    /// The table.
    let name: String
    /// Its columns in the order of binds and reads: its own, then those of the correlation.
    let columns: String
    /// How many of them are its own: the correlation is bound behind them.
    let ownCount: Int32
    /// The columns of the correlation.
    let correlation: [String]

    /// How many columns there are in all.
    var count: Int32 { ownCount + Int32(correlation.count) }

    static let logs = SignalTable(
        "logs",
        "timestamp, level, message, data, trace_id, span_id, metadata, tags"
    )
    static let scores = SignalTable(
        "scores",
        """
        id, timestamp, trace_id, span_id, session_id, scorer_name, scorer_version, score, label, reason, error, \
        experiment, annotator_kind, metadata
        """
    )
    static let feedback = SignalTable(
        "feedback",
        """
        id, timestamp, trace_id, span_id, session_id, source, feedback_type, value, comment, experiment, metadata
        """
    )

    /// The facts of a correlation: those of `Correlation.texts` in their order, then the tags.
    private static let facts = [
        "entity_type", "entity_id", "entity_name", "parent_entity_type", "parent_entity_id",
        "parent_entity_name", "root_entity_type", "root_entity_id", "root_entity_name", "user_id",
        "organization_id", "resource_id", "run_id", "session_id", "thread_id", "request_id", "experiment",
        "environment", "source", "service_name", "tags",
    ]

    // A table may have a session, a source or tags of its own beside the correlation's: both are kept as they are, so that what
    // is read equals what was written.
    private init(_ name: String, _ own: String) {
        self.name = name
        let taken = Columns.list(own).map(String.init)
        ownCount = Int32(taken.count)
        correlation = Self.facts.map { taken.contains($0) ? "context_\($0)" : $0 }
        columns = (taken + correlation).joined(separator: ", ")
    }
}

extension PreparedStatement {
    /// Binds a correlation to the columns behind the table's own.
    func bind(_ correlation: Correlation, behind own: Int32) {
        guard !correlation.isEmpty else {
            for index in own + 1...own + 21 { bindNull(index) }
            return
        }
        let fields = correlation.fields
        bind(fields.entity, at: own + 1)
        bind(fields.parentEntity, at: own + 4)
        bind(fields.rootEntity, at: own + 7)
        bind(own + 10, fields.userID)
        bind(own + 11, fields.organizationID)
        bind(own + 12, fields.resourceID)
        bind(own + 13, fields.runID)
        bind(own + 14, fields.sessionID)
        bind(own + 15, fields.threadID)
        bind(own + 16, fields.requestID)
        bind(own + 17, fields.experiment)
        bind(own + 18, fields.environment)
        bind(own + 19, fields.source)
        bind(own + 20, fields.serviceName)
        bind(own + 21, list: fields.tags)
    }

    /// The correlation that begins at a column.
    func correlation(at first: Int32) -> Correlation {
        var fields = Correlation.Fields()
        fields.entity = entity(at: first)
        fields.parentEntity = entity(at: first + 3)
        fields.rootEntity = entity(at: first + 6)
        fields.userID = optional(first + 9, text)
        fields.organizationID = optional(first + 10, text)
        fields.resourceID = optional(first + 11, text)
        fields.runID = optional(first + 12, text)
        fields.sessionID = optional(first + 13, text)
        fields.threadID = optional(first + 14, text)
        fields.requestID = optional(first + 15, text)
        fields.experiment = optional(first + 16, text)
        fields.environment = optional(first + 17, text)
        fields.source = optional(first + 18, text)
        fields.serviceName = optional(first + 19, text)
        fields.tags = list(first + 20)
        return fields == Correlation.Fields() ? Correlation() : Correlation(fields)
    }

    /// Binds texts as a JSON list; none as NULL.
    func bind(_ index: Int32, list: [String]) {
        if list.isEmpty { bindNull(index) } else { bind(index, Value.array(list.map(Value.string)).json) }
    }

    /// The texts of a JSON list.
    func list(_ column: Int32) -> [String] {
        guard let text = optional(column, text) else { return [] }
        // Anything else in it was not written by the store, and must not hide the row.
        return (try? Value(json: text))?.array?.compactMap(\.string) ?? []
    }

    private func bind(_ entity: Correlation.Entity, at first: Int32) {
        bind(first, entity.type)
        bind(first + 1, entity.id)
        bind(first + 2, entity.name)
    }

    private func entity(at first: Int32) -> Correlation.Entity {
        Correlation.Entity(
            type: optional(first, text),
            id: optional(first + 1, text),
            name: optional(first + 2, text)
        )
    }
}
