public import NightjarSignals

/// What is known of a span when it starts, beside its name and type.
public struct SpanOptions: Sendable {
    /// On which side of a call it stands.
    public var kind = SpanKind.internal
    /// What kind of thing runs; nil: by the span's type.
    public var entityType: String?
    /// The id of what runs.
    public var entityID: String?
    /// The name of what runs; nil: the span's name where its type is that of an agent, a tool, a workflow or a step.
    public var entityName: String?
    /// Facts by the span's type (signals contract, section 4), like `model`, and the caller's own.
    public var attributes: Value.Object
    /// Run context (`userId`, `sessionId`, `runId`, …) and the caller's keys; the span's children have them too.
    public var metadata: Value.Object
    /// Tags of the trace; of a span that is no root they are left out.
    public var tags: [String]
    /// What goes in.
    public var input: Value?
    /// References to other spans.
    public var links: [Span.Link]
    /// When it began; nil: now.
    public var startTime: Timestamp?

    /// Options; everything may be left out.
    public init(
        input: Value? = nil,
        attributes: Value.Object = Value.Object(),
        metadata: Value.Object = Value.Object(),
        tags: [String] = [],
        entityType: String? = nil,
        entityID: String? = nil,
        entityName: String? = nil,
        kind: SpanKind = .internal,
        links: [Span.Link] = [],
        startTime: Timestamp? = nil
    ) {
        self.input = input
        self.attributes = attributes
        self.metadata = metadata
        self.tags = tags
        self.entityType = entityType
        self.entityID = entityID
        self.entityName = entityName
        self.kind = kind
        self.links = links
        self.startTime = startTime
    }
}
