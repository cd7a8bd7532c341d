/// The fields of a ``Span``.
@usableFromInline
struct SpanFields: Sendable, Equatable {
    @usableFromInline var id: SpanID
    @usableFromInline var traceID: TraceID
    @usableFromInline var parentSpanID: SpanID?
    @usableFromInline var name: String
    @usableFromInline var kind: SpanKind = .internal
    @usableFromInline var type: SpanType = .generic
    @usableFromInline var typeName: String = "generic"
    @usableFromInline var startTime: Timestamp
    @usableFromInline var endTime: Timestamp?
    @usableFromInline var isEvent: Bool = false
    @usableFromInline var status: SpanStatus = .ok
    @usableFromInline var attributes: Value.Object = Value.Object()
    @usableFromInline var events: [Span.Event] = []
    @usableFromInline var links: [Span.Link] = []
    @usableFromInline var resource: Value.Object = Value.Object()
    @usableFromInline var scope: Value.Object = Value.Object()
    @usableFromInline var metadata: Value.Object = Value.Object()
    @usableFromInline var tags: [String] = []
    @usableFromInline var input: Value?
    @usableFromInline var output: Value?
    @usableFromInline var errorInfo: Span.ErrorInfo?
    @usableFromInline var agent: String?
    @usableFromInline var model: String?
    @usableFromInline var responseModel: String?
    @usableFromInline var provider: String?
    @usableFromInline var tool: String?
    @usableFromInline var workflow: String?
    @usableFromInline var service: String?
    @usableFromInline var environment: String?
    @usableFromInline var entityType: String?
    @usableFromInline var entityID: String?
    @usableFromInline var entityName: String?
    @usableFromInline var usage: Span.Usage?
    @usableFromInline var timeToFirstTokenMilliseconds: Double?
    @usableFromInline var finishReason: String?
    @usableFromInline var duplicateOf: SpanID?
    @usableFromInline var derivedFrom: SpanID?

    init(id: SpanID, traceID: TraceID, name: String, startTime: Timestamp) {
        self.id = id
        self.traceID = traceID
        self.name = name
        self.startTime = startTime
    }
}

/// The memory of a span's fields, in one piece with its count of references: a property of a class would be checked for
/// overlapping access each time.
@usableFromInline
final class SpanBox: ManagedBuffer<Void, SpanFields> {
    static func make(_ fields: SpanFields) -> SpanBox {
        let box = unsafeDowncast(create(minimumCapacity: 1) { _ in }, to: SpanBox.self)
        box.fields.initialize(to: fields)
        return box
    }

    deinit { fields.deinitialize(count: 1) }

    /// Where the fields lie, as long as the box lives.
    @inlinable var fields: UnsafeMutablePointer<SpanFields> { withUnsafeMutablePointerToElements { $0 } }
}
