/// A span as readers get it: every field of the signals contract, section 3, decoded.
public struct Span: Sendable, Equatable {
    /// A point in time within a span.
    public struct Event: Sendable, Equatable {
        /// What happened.
        public var name: String
        /// When.
        public var timestamp: Timestamp
        /// What belongs to it.
        public var attributes: Value.Object

        /// An event.
        public init(name: String, timestamp: Timestamp, attributes: Value.Object = [:]) {
            self.name = name
            self.timestamp = timestamp
            self.attributes = attributes
        }
    }

    /// A reference to a span of this or another trace.
    public struct Link: Sendable, Equatable {
        /// The other trace.
        public var traceID: TraceID
        /// The other span.
        public var spanID: SpanID
        /// What belongs to it.
        public var attributes: Value.Object

        /// A link.
        public init(traceID: TraceID, spanID: SpanID, attributes: Value.Object = [:]) {
            self.traceID = traceID
            self.spanID = spanID
            self.attributes = attributes
        }
    }

    /// Why a span failed; its presence makes the status `error`.
    public struct ErrorInfo: Sendable, Equatable {
        /// What happened.
        public var message: String
        /// The error's id or type.
        public var id: String?
        /// Where it arose: `agent`, `tool`, `provider`, …
        public var domain: String?
        /// Whose fault it is: `user`, `system`, `third_party`, …
        public var category: String?
        /// What else is known of it.
        public var details: Value.Object = [:]
        /// The stack trace.
        public var stack: String?

        /// Error information.
        public init(message: String, id: String? = nil, stack: String? = nil) {
            self.message = message
            self.id = id
            self.stack = stack
        }
    }

    /// Token counts of a generation; absent where the sender stated none. `inputTokens` includes the cached part.
    public struct Usage: Sendable, Equatable {
        /// Everything sent to the model.
        public var inputTokens: Double?
        /// Everything the model answered.
        public var outputTokens: Double?
        /// The part of the input that was read from a cache.
        public var cacheReadTokens: Double?
        /// The part of the input that was written to a cache.
        public var cacheWriteTokens: Double?
        /// The part of the output that was reasoning.
        public var reasoningTokens: Double?
        /// What it cost, in US dollars unless the sender says otherwise.
        public var cost: Double?

        /// No counts.
        public init() {}
    }

    /// The span's own id.
    public var id: SpanID
    /// Its trace.
    public var traceID: TraceID
    /// The span that it is part of; absent on a root.
    public var parentSpanID: SpanID?
    /// Its name as sent.
    public var name: String
    /// On which side of a call it stands.
    public var kind: SpanKind = .internal
    /// What it is about.
    public var type: SpanType = .generic
    /// The type's name as it came: differs from `type`'s only where that is not known.
    public var typeName: String = "generic"
    /// When it began.
    public var startTime: Timestamp
    /// When it ended; absent while it runs.
    public var endTime: Timestamp?
    /// Whether it is a point in time rather than something that takes time.
    public var isEvent = false
    /// How it ended.
    public var status: SpanStatus = .ok
    /// Attributes under the sender's own keys.
    public var attributes: Value.Object = [:]
    /// Points in time within it.
    public var events: [Event] = []
    /// References to other spans.
    public var links: [Link] = []
    /// Who sent it.
    public var resource: Value.Object = [:]
    /// Which instrumentation made it: `name`, `version`, `attributes`.
    public var scope: Value.Object = [:]
    /// Run context and the caller's own keys, inherited from the parents.
    public var metadata: Value.Object = [:]
    /// Tags of the trace; on the root.
    public var tags: [String] = []
    /// What went in.
    public var input: Value?
    /// What came out.
    public var output: Value?
    /// Why it failed.
    public var errorInfo: ErrorInfo?
    /// The agent: its own statement, else the nearest run's.
    public var agent: String?
    /// The model asked for, else the one that answered.
    public var model: String?
    /// The model that answered.
    public var responseModel: String?
    /// Who serves the model.
    public var provider: String?
    /// The tool called.
    public var tool: String?
    /// The workflow: its own statement, else the nearest run's.
    public var workflow: String?
    /// The service that sent it.
    public var service: String?
    /// The environment that it ran in.
    public var environment: String?
    /// What ran: `agent`, `workflow_run`, `workflow_step`, `tool`, …
    public var entityType: String?
    /// The id of what ran.
    public var entityID: String?
    /// The name of what ran.
    public var entityName: String?
    /// Token counts.
    public var usage: Usage?
    /// Milliseconds from the start to the first token.
    public var timeToFirstTokenMilliseconds: Double?
    /// Why a generation stopped.
    public var finishReason: String?
    /// The span of the same request that counts instead of this one.
    public var duplicateOf: SpanID?
    /// The span that input and output were taken from, where it has none of its own.
    public var derivedFrom: SpanID?

    /// A span with its identity; everything else is absent.
    public init(id: SpanID, traceID: TraceID, name: String, startTime: Timestamp) {
        self.id = id
        self.traceID = traceID
        self.name = name
        self.startTime = startTime
    }

    /// End − start in milliseconds, 0 where the end lies before the start; absent while it runs.
    public var durationMilliseconds: Double? {
        endTime.map { end in
            let (difference, overflow) = end.unixNano.subtractingReportingOverflow(startTime.unixNano)
            return max(0, overflow ? .greatestFiniteMagnitude : Double(difference) / 1_000_000)
        }
    }
}
