/// A span as readers get it: every field of the signals contract, section 3, decoded.
///
/// A value; copies share their contents until one is changed, so that passing one on costs one reference count.
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

    // Unsafe: the fields are written only while one span alone holds them.
    @usableFromInline nonisolated(unsafe) var box: SpanBox

    /// The fields, to be changed: of this span alone from here on.
    @inlinable var own: UnsafeMutablePointer<SpanFields> {
        mutating get {
            if !isKnownUniquelyReferenced(&box) { copyBox() }
            return box.fields
        }
    }

    @usableFromInline
    mutating func copyBox() { box = .make(box.fields.pointee) }

    /// The span's own id.
    @inlinable public var id: SpanID {
        get { box.fields.pointee.id }
        set { own.pointee.id = newValue }
        _modify { yield &own.pointee.id }
    }

    /// Its trace.
    @inlinable public var traceID: TraceID {
        get { box.fields.pointee.traceID }
        set { own.pointee.traceID = newValue }
        _modify { yield &own.pointee.traceID }
    }

    /// The span that it is part of; absent on a root.
    @inlinable public var parentSpanID: SpanID? {
        get { box.fields.pointee.parentSpanID }
        set { own.pointee.parentSpanID = newValue }
        _modify { yield &own.pointee.parentSpanID }
    }

    /// Its name as sent.
    @inlinable public var name: String {
        get { box.fields.pointee.name }
        set { own.pointee.name = newValue }
        _modify { yield &own.pointee.name }
    }

    /// On which side of a call it stands.
    @inlinable public var kind: SpanKind {
        get { box.fields.pointee.kind }
        set { own.pointee.kind = newValue }
        _modify { yield &own.pointee.kind }
    }

    /// What it is about.
    @inlinable public var type: SpanType {
        get { box.fields.pointee.type }
        set { own.pointee.type = newValue }
        _modify { yield &own.pointee.type }
    }

    /// The type's name as it came: differs from `type`'s only where that is not known.
    @inlinable public var typeName: String {
        get { box.fields.pointee.typeName }
        set { own.pointee.typeName = newValue }
        _modify { yield &own.pointee.typeName }
    }

    /// When it began.
    @inlinable public var startTime: Timestamp {
        get { box.fields.pointee.startTime }
        set { own.pointee.startTime = newValue }
        _modify { yield &own.pointee.startTime }
    }

    /// When it ended; absent while it runs.
    @inlinable public var endTime: Timestamp? {
        get { box.fields.pointee.endTime }
        set { own.pointee.endTime = newValue }
        _modify { yield &own.pointee.endTime }
    }

    /// Whether it is a point in time rather than something that takes time.
    @inlinable public var isEvent: Bool {
        get { box.fields.pointee.isEvent }
        set { own.pointee.isEvent = newValue }
        _modify { yield &own.pointee.isEvent }
    }

    /// How it ended.
    @inlinable public var status: SpanStatus {
        get { box.fields.pointee.status }
        set { own.pointee.status = newValue }
        _modify { yield &own.pointee.status }
    }

    /// Attributes under the sender's own keys.
    @inlinable public var attributes: Value.Object {
        get { box.fields.pointee.attributes }
        set { own.pointee.attributes = newValue }
        _modify { yield &own.pointee.attributes }
    }

    /// Points in time within it.
    @inlinable public var events: [Event] {
        get { box.fields.pointee.events }
        set { own.pointee.events = newValue }
        _modify { yield &own.pointee.events }
    }

    /// References to other spans.
    @inlinable public var links: [Link] {
        get { box.fields.pointee.links }
        set { own.pointee.links = newValue }
        _modify { yield &own.pointee.links }
    }

    /// Who sent it.
    @inlinable public var resource: Value.Object {
        get { box.fields.pointee.resource }
        set { own.pointee.resource = newValue }
        _modify { yield &own.pointee.resource }
    }

    /// Which instrumentation made it: `name`, `version`, `attributes`.
    @inlinable public var scope: Value.Object {
        get { box.fields.pointee.scope }
        set { own.pointee.scope = newValue }
        _modify { yield &own.pointee.scope }
    }

    /// Run context and the caller's own keys, inherited from the parents.
    @inlinable public var metadata: Value.Object {
        get { box.fields.pointee.metadata }
        set { own.pointee.metadata = newValue }
        _modify { yield &own.pointee.metadata }
    }

    /// Tags of the trace; on the root.
    @inlinable public var tags: [String] {
        get { box.fields.pointee.tags }
        set { own.pointee.tags = newValue }
        _modify { yield &own.pointee.tags }
    }

    /// What went in.
    @inlinable public var input: Value? {
        get { box.fields.pointee.input }
        set { own.pointee.input = newValue }
        _modify { yield &own.pointee.input }
    }

    /// What came out.
    @inlinable public var output: Value? {
        get { box.fields.pointee.output }
        set { own.pointee.output = newValue }
        _modify { yield &own.pointee.output }
    }

    /// Why it failed.
    @inlinable public var errorInfo: ErrorInfo? {
        get { box.fields.pointee.errorInfo }
        set { own.pointee.errorInfo = newValue }
        _modify { yield &own.pointee.errorInfo }
    }

    /// The agent: its own statement, else the nearest run's.
    @inlinable public var agent: String? {
        get { box.fields.pointee.agent }
        set { own.pointee.agent = newValue }
        _modify { yield &own.pointee.agent }
    }

    /// The model asked for, else the one that answered.
    @inlinable public var model: String? {
        get { box.fields.pointee.model }
        set { own.pointee.model = newValue }
        _modify { yield &own.pointee.model }
    }

    /// The model that answered.
    @inlinable public var responseModel: String? {
        get { box.fields.pointee.responseModel }
        set { own.pointee.responseModel = newValue }
        _modify { yield &own.pointee.responseModel }
    }

    /// Who serves the model.
    @inlinable public var provider: String? {
        get { box.fields.pointee.provider }
        set { own.pointee.provider = newValue }
        _modify { yield &own.pointee.provider }
    }

    /// The tool called.
    @inlinable public var tool: String? {
        get { box.fields.pointee.tool }
        set { own.pointee.tool = newValue }
        _modify { yield &own.pointee.tool }
    }

    /// The workflow: its own statement, else the nearest run's.
    @inlinable public var workflow: String? {
        get { box.fields.pointee.workflow }
        set { own.pointee.workflow = newValue }
        _modify { yield &own.pointee.workflow }
    }

    /// The service that sent it.
    @inlinable public var service: String? {
        get { box.fields.pointee.service }
        set { own.pointee.service = newValue }
        _modify { yield &own.pointee.service }
    }

    /// The environment that it ran in.
    @inlinable public var environment: String? {
        get { box.fields.pointee.environment }
        set { own.pointee.environment = newValue }
        _modify { yield &own.pointee.environment }
    }

    /// What ran: `agent`, `workflow_run`, `workflow_step`, `tool`, …
    @inlinable public var entityType: String? {
        get { box.fields.pointee.entityType }
        set { own.pointee.entityType = newValue }
        _modify { yield &own.pointee.entityType }
    }

    /// The id of what ran.
    @inlinable public var entityID: String? {
        get { box.fields.pointee.entityID }
        set { own.pointee.entityID = newValue }
        _modify { yield &own.pointee.entityID }
    }

    /// The name of what ran.
    @inlinable public var entityName: String? {
        get { box.fields.pointee.entityName }
        set { own.pointee.entityName = newValue }
        _modify { yield &own.pointee.entityName }
    }

    /// Token counts.
    @inlinable public var usage: Usage? {
        get { box.fields.pointee.usage }
        set { own.pointee.usage = newValue }
        _modify { yield &own.pointee.usage }
    }

    /// Milliseconds from the start to the first token.
    @inlinable public var timeToFirstTokenMilliseconds: Double? {
        get { box.fields.pointee.timeToFirstTokenMilliseconds }
        set { own.pointee.timeToFirstTokenMilliseconds = newValue }
        _modify { yield &own.pointee.timeToFirstTokenMilliseconds }
    }

    /// Why a generation stopped.
    @inlinable public var finishReason: String? {
        get { box.fields.pointee.finishReason }
        set { own.pointee.finishReason = newValue }
        _modify { yield &own.pointee.finishReason }
    }

    /// The span of the same request that counts instead of this one.
    @inlinable public var duplicateOf: SpanID? {
        get { box.fields.pointee.duplicateOf }
        set { own.pointee.duplicateOf = newValue }
        _modify { yield &own.pointee.duplicateOf }
    }

    /// The span that input and output were taken from, where it has none of its own.
    @inlinable public var derivedFrom: SpanID? {
        get { box.fields.pointee.derivedFrom }
        set { own.pointee.derivedFrom = newValue }
        _modify { yield &own.pointee.derivedFrom }
    }

    /// A span with its identity; everything else is absent.
    public init(id: SpanID, traceID: TraceID, name: String, startTime: Timestamp) {
        box = .make(SpanFields(id: id, traceID: traceID, name: name, startTime: startTime))
    }

    /// End − start in milliseconds, 0 where the end lies before the start; absent while it runs.
    public var durationMilliseconds: Double? {
        endTime.map { end in
            let (difference, overflow) = end.unixNano.subtractingReportingOverflow(startTime.unixNano)
            return max(0, overflow ? .greatestFiniteMagnitude : Double(difference) / 1_000_000)
        }
    }

    /// Equal when every field is.
    public static func == (left: Span, right: Span) -> Bool {
        left.box === right.box || left.box.fields.pointee == right.box.fields.pointee
    }

    /// About how many bytes the fixed fields take.
    package static var fixedBytes: Int { MemoryLayout<SpanFields>.size }
}
