import GRDB
import NightjarBus
package import NightjarSignals

/// Which verdicts to summarise.
package struct VerdictQuery: Sendable, Equatable {
    /// Of these scorers; none: of all.
    package var scorers: [String] = []
    /// Of this experiment.
    package var experiment: String?
    /// Their own time not before.
    package var from: Timestamp?
    /// Their own time before.
    package var to: Timestamp?
    /// At most so many of the verdicts that hold, and of those that were replaced; the newest.
    package var limit = 100_000

    /// All.
    package init() {}
}

/// A score, as far as a summary looks at it.
package struct StoredVerdict: Sendable, Equatable {
    /// What is judged, in which experiment.
    package struct Target: Sendable, Hashable {
        /// The trace; nil where a session is judged.
        package var trace: TraceID?
        /// The span; nil where the whole trace is judged.
        package var span: SpanID?
        /// The session, where that is judged.
        package var session: String?
        /// The experiment.
        package var experiment: String?

        /// A target.
        package init(
            trace: TraceID? = nil,
            span: SpanID? = nil,
            session: String? = nil,
            experiment: String? = nil
        ) {
            self.trace = trace
            self.span = span
            self.session = session
            self.experiment = experiment
        }
    }

    /// The scorer.
    package let scorer: String
    /// Its version, where it states one.
    package let version: String?
    /// What is judged.
    package let target: Target
    /// The verdict as a number.
    package let score: Double?
    /// The verdict as a category.
    package let label: String?
    /// Whether the scorer failed.
    package let isFailure: Bool
    /// When it was given.
    package let timestamp: Timestamp
    /// Whether another has taken its place.
    package let isReplaced: Bool

    /// A verdict.
    package init(
        scorer: String,
        version: String?,
        target: Target,
        score: Double?,
        label: String?,
        isFailure: Bool,
        timestamp: Timestamp,
        isReplaced: Bool
    ) {
        self.scorer = scorer
        self.version = version
        self.target = target
        self.score = score
        self.label = label
        self.isFailure = isFailure
        self.timestamp = timestamp
        self.isReplaced = isReplaced
    }
}

extension SQLiteStore {
    /// A summary looks at so many rows for so long.
    private static let verdictBounds = WalkBounds(rows: 1_000_000, patience: .seconds(3))

    /// The verdicts that hold and those that were replaced, the newest first; and from which time on that is all, where there are
    /// more than the limit or than can be looked at.
    package func verdicts(
        _ query: VerdictQuery
    ) throws(StoreError) -> (verdicts: [StoredVerdict], cutAt: Timestamp?) {
        try look { db in
            var verdicts: [StoredVerdict] = []
            var cutAt: Timestamp?
            for table in ["scores", "scores_history"] {
                let list = WalkedList(query, table: table)
                let page = try walk(db, list, after: nil, limit: query.limit, Self.verdictBounds) {
                    $0.verdict(isReplaced: table != "scores")
                }
                verdicts += page.records.map(\.record)
                if let next = page.next {
                    cutAt = max(cutAt ?? Timestamp(unixNano: .min), Timestamp(unixNano: next.time))
                }
            }
            if let cutAt { verdicts.removeAll { $0.timestamp < cutAt } }
            verdicts.sort { ($1.timestamp, $0.isReplaced ? 1 : 0) < ($0.timestamp, $1.isReplaced ? 1 : 0) }
            return (verdicts, cutAt)
        }
    }

    /// The newest feedback from a time on, at most so much; whether there is more.
    package func feedback(
        from: Timestamp?,
        experiment: String?,
        limit: Int
    ) throws(StoreError) -> (feedback: [Feedback], isCut: Bool) {
        var query = FeedbackQuery()
        (query.from, query.experiment) = (from, experiment)
        let list = WalkedList(query)
        let page = try look { db in
            try walk(db, list, after: nil, limit: limit, Self.verdictBounds) { try $0.feedback() }
        }
        return (page.records.map(\.record), page.next != nil)
    }
}

extension ListStatements {
    /// The statements that read verdicts, of those that hold or of those that were replaced.
    package init(_ query: VerdictQuery, isReplaced: Bool) {
        self.init(WalkedList(query, table: isReplaced ? "scores_history" : "scores"))
    }
}

extension WalkedList {
    fileprivate init(_ query: VerdictQuery, table: String) {
        self.init(
            table,
            columns: """
                scorer_name, scorer_version, trace_id, span_id, session_id, experiment, score, label, \
                error NOTNULL, timestamp
                """,
            order: .time("timestamp")
        )
        (from, to) = (query.from, query.to)
        if !query.scorers.isEmpty {
            let marks = query.scorers.map { _ in "?" }.joined(separator: ", ")
            filters.add(
                "scorer_name IN (\(marks))",
                query.scorers.map { scorer in { $0.bind($1, scorer) } }
            )
        }
        filters.add("experiment = ?", query.experiment)
    }
}

extension PreparedStatement {
    fileprivate func verdict(isReplaced: Bool) -> StoredVerdict {
        StoredVerdict(
            scorer: text(0),
            version: optional(1, text),
            target: StoredVerdict.Target(
                trace: optional(2, traceID),
                span: optional(3, spanID),
                session: optional(4, text),
                experiment: optional(5, text)
            ),
            score: optional(6, double),
            label: optional(7, text),
            isFailure: bool(8),
            timestamp: time(9),
            isReplaced: isReplaced
        )
    }
}
