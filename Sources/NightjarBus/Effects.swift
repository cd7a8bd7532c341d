package import NightjarSignals

/// What the store keeps of a trace beside its spans: the facets that lists filter by, and how far its processing got.
package struct TraceRecord: Sendable, Equatable {
    /// The trace.
    package var id: TraceID
    /// When its first span was received.
    package var firstReceived: Timestamp
    /// When its last span was received.
    package var lastReceived: Timestamp
    /// Whether more is expected: its end has not fired, or it was reopened.
    package var isOpen = true
    /// How often its end has fired.
    package var revision = 0
    /// The spans that wait for an ancestor before they are counted; the id 0 alone stands for every span of the trace.
    package var pending: [SpanID] = []
    /// Whether the root or a named parent is missing.
    package var isPartial = true
    /// The root's name, or that of the earliest span.
    package var name = ""
    /// The root's type.
    package var type = "generic"
    /// The root's status.
    package var status = SpanStatus.running
    /// Whether any span failed.
    package var hasErrors = false
    /// The earliest start.
    package var start: Timestamp?
    /// The latest end.
    package var end: Timestamp?
    /// How many spans there are.
    package var spanCount = 0
    /// The sum over generations, duplicates left out.
    package var inputTokens: Double?
    /// The sum over generations, duplicates left out.
    package var outputTokens: Double?
    /// The sum of the stated costs.
    package var cost: Double?
    /// The service of the root.
    package var service: String?
    /// The environment of the root.
    package var environment: String?
    /// The first agent run's name.
    package var agent: String?
    /// The first workflow run's name.
    package var workflow: String?
    /// The user, from the first span that names one.
    package var user: String?
    /// The session, from the first span that names one.
    package var session: String?
    /// The models that its generations asked for, else those that answered.
    package var models = FacetSet()
    /// The tools that were called in it.
    package var tools = FacetSet()
    /// The agents that ran in it.
    package var agents = FacetSet()
    /// The tags of its root.
    package var tags = FacetSet()
    /// Whether sampling left it out: lists do not show it, and at its end everything of it but this record is deleted.
    package var isSampledOut = false

    /// A trace of which nothing is known but its id.
    package init(id: TraceID, receivedAt: Timestamp) {
        self.id = id
        firstReceived = receivedAt
        lastReceived = receivedAt
    }
}

/// Which kind of annotation an id names.
package enum AnnotationKind: Sendable, Equatable {
    /// A score.
    case score
    /// Feedback.
    case feedback
}

/// What processors made of a chunk of spans in the journal.
package struct ChunkRewrite: Sendable, Equatable {
    /// The chunk's number.
    package var sequence: Int64
    /// What takes the place of its payload; nil: the chunk goes.
    package var payload: [UInt8]?
    /// How many spans are left; nil: as many as before.
    package var spanCount: Int?

    /// A rewrite.
    package init(sequence: Int64, payload: [UInt8]?, spanCount: Int? = nil) {
        self.sequence = sequence
        self.payload = payload
        self.spanCount = spanCount
    }
}

/// What an annotation belongs to, found out after it was stored: facts that it has already stay, and no history is made of it.
package struct AnnotationCorrelation: Sendable, Equatable {
    /// Which table the id is of.
    package var kind: AnnotationKind
    /// The annotation.
    package var id: String
    /// The facts to fill in.
    package var correlation: Correlation
    /// The target's metadata, for the keys that the annotation does not have itself.
    package var metadata: Value.Object

    /// A correlation.
    package init(kind: AnnotationKind, id: String, correlation: Correlation, metadata: Value.Object = [:]) {
        self.kind = kind
        self.id = id
        self.correlation = correlation
        self.metadata = metadata
    }
}

/// What is remembered of one stream of OTLP metrics, so that cumulative points become increments.
package struct StreamState: Sendable, Equatable {
    /// A hash of everything that makes the stream.
    package var id: UInt64
    /// What is remembered, in a form that only who wrote it knows.
    package var state: [UInt8]
    /// When it last had a point; the oldest are forgotten first.
    package var time: Timestamp

    /// A state.
    package init(id: UInt64, state: [UInt8], time: Timestamp) {
        self.id = id
        self.state = state
        self.time = time
    }
}

/// Everything that processing has brought about and that must become durable together with the progress that it makes.
package struct Effects: Sendable {
    /// The count of one annotation: added only if its id was not counted before.
    package struct AnnotationCount: Sendable {
        /// Which table the id is of.
        package var kind: AnnotationKind
        /// The annotation.
        package var id: String
        /// What to add when it is counted for the first time; nil where its metric is disabled.
        package var first: SeriesDelta?
        /// What to add when it was counted before.
        package var again: SeriesDelta?

        /// A count.
        package init(kind: AnnotationKind, id: String, first: SeriesDelta?, again: SeriesDelta?) {
            self.kind = kind
            self.id = id
            self.first = first
            self.again = again
        }
    }

    /// For each partition the journal position up to which everything is processed.
    package var progress: [Int: Int64] = [:]
    /// Traces whose record changed; a later one of the same trace replaces an earlier one.
    package var traces: [TraceRecord] = []
    /// Scores to insert or replace.
    package var scores: [Score] = []
    /// Feedback to insert or replace.
    package var feedback: [Feedback] = []
    /// Annotations to count, after the inserts above; one that was deleted in the meantime counts as not counted before.
    package var counts: [AnnotationCount] = []
    /// Log lines.
    package var logs: [Log] = []
    /// What was observed.
    package var deltas: [SeriesDelta] = []
    /// Chunks that processors changed or dropped.
    package var rewrites: [ChunkRewrite] = []
    /// Annotations whose correlation is known now.
    package var correlations: [AnnotationCorrelation] = []
    /// Log lines whose correlation is known now, those above among them.
    package var logCorrelations: [LogCorrelation] = []
    /// Streams of OTLP metrics that went on; a later one of the same stream replaces an earlier one.
    package var streams: [StreamState] = []
    /// Series whose rows go, after the deltas. The ledger and the table forget them where their totals were folded.
    package var seriesRemovals: [SeriesID] = []

    /// No effects.
    package init() {}

    /// Whether there is nothing to commit.
    package var isEmpty: Bool {
        progress.isEmpty && traces.isEmpty && scores.isEmpty && feedback.isEmpty && counts.isEmpty
            && logs.isEmpty && deltas.isEmpty && rewrites.isEmpty && correlations.isEmpty && streams.isEmpty
            && seriesRemovals.isEmpty && logCorrelations.isEmpty
    }
}
