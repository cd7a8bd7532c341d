import CNightjarLua
import CNightjarSignals
import NightjarBus
import NightjarSignals

/// What a field that is decoded on demand holds.
enum SpanContent {
    case absent
    case text([UInt8])
    case value(Value)
    case number(Double)
}

/// The event that a worker's rules are looking at: its rows in the form that C reads, and the way back to their slabs.
/// Belongs to one session.
final class SpanScope {
    let reader: any SpanReader
    private(set) var now = Timestamp(unixNano: 0)
    /// The event's own span; nil while a trace is judged.
    var event: SpanReference? {
        eventOwner.map { SpanReference(slab: $0.takeUnretainedValue(), index: eventIndex) }
    }
    /// Whether the event is a span.
    var isAtSpan: Bool { eventOwner != nil }
    /// Not retained: whoever has the event handled holds its slab until it is.
    private var eventOwner: Unmanaged<Slab>?
    private var eventIndex = 0
    private(set) var ref = nj_span_ref()
    /// The trace of the event; made when first asked for, because most rules never ask.
    var view: TraceView? {
        if madeView == nil, let viewSource { madeView = viewSource.view() }
        return madeView
    }
    private var madeView: TraceView? { didSet { isClean = false } }
    /// Not retained either: whoever has the event handled holds the trace until it is.
    private(set) unowned(unsafe) var viewSource: (any TraceViewSource)?
    /// How content that came apart from its spans is read, once asked for.
    var joinedReader: (trace: TraceID, reader: (any SpanReader)?)? { didSet { isClean = false } }
    var derivedContent: DerivedContent? { didSet { isClean = false } }
    /// Whether nothing was made for the event: most rules never have anything made.
    private var isClean = true
    /// The conditions of the match that is being asked, for those that the row cannot answer.
    var asking: [ValueCondition] = []
    private let eventSlab = UnsafeMutablePointer<nj_slab>.allocate(capacity: 1)
    private var frame: TraceFrame? { didSet { isClean = false } }
    /// Traces that the event's rules asked for by id; they live as long as the event.
    private(set) var fetched: [TraceFrame] = [] { didSet { isClean = false } }
    /// Events that are no spans, by the handles that scripts have of them.
    private var records: [SignalEvent] = [] { didSet { isClean = false } }
    /// Where other traces and what was said of them come from; nil where nothing can be asked.
    let traces: (any PluginTraces)?

    init(reader: any SpanReader, traces: (any PluginTraces)? = nil) {
        self.reader = reader
        self.traces = traces
        eventSlab.initialize(to: nj_slab())
    }

    deinit { eventSlab.deallocate() }

    /// Lays a span's row out for C, so that conditions can be asked of it. Nothing else is to be asked before it is turned to.
    func look(at span: SpanReference) -> nj_span_ref {
        eventSlab.pointee = span.slab.raw
        ref = nj_span_ref(
            slab: UnsafePointer(eventSlab),
            span: UnsafePointer(eventSlab.pointee.spans + span.index)
        )
        return ref
    }

    /// Turns to a span.
    func turn(to span: SpanReference, trace: (any TraceViewSource)?, now: Timestamp) {
        _ = look(at: span)
        turnToSpanLookedAt(span, trace: trace, now: now)
    }

    /// Turns to the span that was looked at last.
    func turnToSpanLookedAt(_ span: SpanReference, trace: (any TraceViewSource)?, now: Timestamp) {
        eventOwner = Unmanaged.passUnretained(span.slab)
        eventIndex = span.index
        turn(toView: nil)
        viewSource = trace
        self.now = now
    }

    /// Turns to a trace that ended.
    func turn(to trace: TraceView, now: Timestamp) {
        eventOwner = nil
        turn(toView: trace)
        self.now = now
    }

    /// Turns to an event that is no span; its handle.
    func turn(to event: SignalEvent, now: Timestamp) -> Int32 {
        eventOwner = nil
        turn(toView: nil)
        self.now = now
        recordAtHand = event
        return keep(event)
    }

    /// Turns to nothing but a moment.
    func turn(to now: Timestamp) {
        eventOwner = nil
        turn(toView: nil)
        self.now = now
    }

    /// Gives an event a handle.
    func keep(_ event: SignalEvent) -> Int32 {
        records.append(event)
        return Int32(records.count - 1)
    }

    /// The event of a handle.
    func record(_ handle: Int32) -> SignalEvent? {
        records.indices.contains(Int(handle)) ? records[Int(handle)] : nil
    }

    /// The event itself, where it is neither a span nor a trace.
    private(set) var recordAtHand: SignalEvent? { didSet { isClean = false } }

    /// The trace of the event, whatever it is.
    var traceID: TraceID? {
        isAtSpan ? ref.span.pointee.traceID : recordAtHand?.traceID ?? madeView?.id
    }

    /// Lets go of what the last event held.
    func rest() {
        eventOwner = nil
        turn(toView: nil)
    }

    private func turn(toView trace: TraceView?) {
        if !isClean { clean() }
        viewSource = trace
        if let trace { madeView = trace }
    }

    /// Lets go of what was made for the event.
    private func clean() {
        madeView = nil
        derivedContent = nil
        joinedReader = nil
        frame = nil
        fetched = []
        records = []
        recordAtHand = nil
        isClean = true
    }

    /// So many traces may be asked for by id while one event is handled.
    private static let fetchLimit = 16

    /// The trace of an id, laid out; nil where it is not known, or too many were asked for.
    func fetch(_ id: TraceID) -> UnsafePointer<nj_trace>? {
        if let view, view.id == id { return rawTrace }
        if let known = fetched.first(where: { $0.id == id }) { return known.raw }
        guard fetched.count < Self.fetchLimit, let view = traces?.trace(id) else { return nil }
        let frame = TraceFrame(view)
        fetched.append(frame)
        return frame.raw
    }

    /// What was said of a trace, as handles.
    func annotations(of trace: TraceID, _ object: nj_object) -> [Int32] {
        let signals: [UInt32: Signal] = [
            NJ_OBJECT_SCORE.rawValue: .score, NJ_OBJECT_FEEDBACK.rawValue: .feedback,
            NJ_OBJECT_LOG.rawValue: .log,
        ]
        guard let signal = signals[object.rawValue], let traces else { return [] }
        return traces.events(of: trace, signal).map(keep)
    }

    /// The trace of the event, laid out when first asked for.
    var rawTrace: UnsafePointer<nj_trace>? {
        if frame == nil, let view { frame = TraceFrame(view) }
        return frame?.raw
    }

    /// The reference behind what C hands back.
    func reference(_ ref: nj_span_ref) -> SpanReference? {
        guard let row = ref.span else { return nil }
        let slab: Slab?
        if ref.slab == UnsafePointer(eventSlab) {
            slab = eventOwner?.takeUnretainedValue()
        } else {
            slab = frame?.slab(ref.slab) ?? fetched.lazy.compactMap { $0.slab(ref.slab) }.first
        }
        guard let slab else { return nil }
        return SpanReference(slab: slab, index: row - UnsafePointer(slab.rows))
    }

    /// A field that is decoded on demand.
    func content(_ field: nj_field, of span: SpanReference) -> SpanContent {
        switch field {
        case NJ_F_INPUT_TEXT:
            (read(span) { $0.inputText(span) } ?? derived(span) { $0.input(of: $1) })
                .map(SpanContent.text) ?? .absent
        case NJ_F_OUTPUT_TEXT:
            (read(span) { $0.outputText(span) } ?? derived(span) { $0.output(of: $1) })
                .map(SpanContent.text) ?? .absent
        case NJ_F_INPUT: content(read(span) { $0.input(span) })
        case NJ_F_OUTPUT: content(read(span) { $0.output(span) })
        case NJ_F_MESSAGES: content(messages(span))
        case NJ_F_TOOL_CALLS: content(read(span) { $0.toolCalls(span) })
        case NJ_F_METADATA: .value(.object(metadata(of: span)))
        case NJ_F_TAGS: .value(.array(reader.tags(span).map { .string($0) }))
        case NJ_F_EVENTS: .value(.array(reader.events(span).map(\.luaValue)))
        case NJ_F_LINKS: .value(.array(reader.links(span).map(\.luaValue)))
        case NJ_F_ENTITY_ID: content(reader.outline(span).entityID.map { .string($0) })
        case NJ_F_ENTITY_TYPE: entity(field, of: span) { $0.entityType }
        case NJ_F_ENTITY_NAME: entity(field, of: span) { $0.entityName }
        case NJ_F_ERROR: content(Self.error(span.row.pointee))
        case NJ_F_SCOPE: content(Self.scope(span))
        default: .absent
        }
    }

    /// What the row says of the entity, else what the sender states.
    private func entity(_ field: nj_field, of span: SpanReference, _ stated: (Span) -> String?) -> SpanContent
    {
        var slab = span.slab.raw
        let known = withUnsafePointer(to: &slab) { slab in
            var ref = nj_span_ref(slab: slab, span: UnsafePointer(span.row))
            return nj_entity_text(&ref, Int32(field.rawValue)).string
        }
        return content((known ?? stated(reader.outline(span))).map { .string($0) })
    }

    private static func error(_ row: nj_span) -> Value? {
        guard row.status == UInt8(NJ_STATUS_ERROR.rawValue) else { return nil }
        var error: Value.Object = [
            "message": .string(row.error_message.string ?? row.error_type.string ?? "")
        ]
        error["id"] = row.error_type.string.map(Value.string)
        return .object(error)
    }

    private static func scope(_ span: SpanReference) -> Value? {
        let slab = span.slab.raw
        guard span.row.pointee.context < slab.context_count else { return nil }
        let context = slab.contexts[Int(span.row.pointee.context)]
        var scope = Value.Object()
        scope["name"] = context.scope_name.string.map(Value.string)
        scope["version"] = context.scope_version.string.map(Value.string)
        return .object(scope)
    }

    private func content(_ value: Value?) -> SpanContent { value.map(SpanContent.value) ?? .absent }
}

extension Timestamp {
    /// Seconds since 1970 with a fraction; in two parts, because nanoseconds since 1970 do not fit a double.
    var seconds: Double {
        Double(unixNano / 1_000_000_000) + Double(unixNano % 1_000_000_000) / 1_000_000_000
    }
}

extension Span.Event {
    fileprivate var luaValue: Value {
        [
            "name": .string(name), "time": .double(timestamp.seconds),
            "attributes": .object(attributes),
        ]
    }
}

extension Span.Link {
    fileprivate var luaValue: Value {
        [
            "trace_id": .string(traceID.description), "span_id": .string(spanID.description),
            "attributes": .object(attributes),
        ]
    }
}
