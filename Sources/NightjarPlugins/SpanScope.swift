import CNightjarLua
import CNightjarSignals
import NightjarBus
import NightjarSignals

/// What a field that is decoded on demand holds.
enum SpanContent {
    case absent
    case text([UInt8])
    case value(Value)
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
        if let makeView {
            madeView = makeView()
            self.makeView = nil
        }
        return madeView
    }
    private var madeView: TraceView?
    private var makeView: (() -> TraceView?)?
    private var derivedContent: DerivedContent?
    /// The conditions of the match that is being asked, for those that the row cannot answer.
    var asking: [ValueCondition] = []
    private let eventSlab = UnsafeMutablePointer<nj_slab>.allocate(capacity: 1)
    private var frame: TraceFrame?

    init(reader: any SpanReader) {
        self.reader = reader
        eventSlab.initialize(to: nj_slab())
    }

    deinit { eventSlab.deallocate() }

    /// Turns to a span that ended.
    func turn(to span: SpanReference, trace: @escaping () -> TraceView?, now: Timestamp) {
        eventOwner = Unmanaged.passUnretained(span.slab)
        eventIndex = span.index
        eventSlab.pointee = span.slab.raw
        ref = nj_span_ref(
            slab: UnsafePointer(eventSlab),
            span: UnsafePointer(eventSlab.pointee.spans + span.index)
        )
        turn(toView: nil)
        makeView = trace
        self.now = now
    }

    /// Turns to a trace that ended.
    func turn(to trace: TraceView, now: Timestamp) {
        eventOwner = nil
        turn(toView: trace)
        self.now = now
    }

    /// Lets go of what the last event held.
    func rest() {
        eventOwner = nil
        turn(toView: nil)
    }

    private func turn(toView trace: TraceView?) {
        makeView = nil
        madeView = trace
        derivedContent = nil
        frame = nil
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
            slab = frame?.slab(ref.slab)
        }
        guard let slab else { return nil }
        return SpanReference(slab: slab, index: row - UnsafePointer(slab.raw.spans))
    }

    /// A field that is decoded on demand.
    func content(_ field: nj_field, of span: SpanReference) -> SpanContent {
        switch field {
        case NJ_F_INPUT_TEXT:
            (reader.inputText(span) ?? derived(span) { $0.input(of: $1) }).map(SpanContent.text) ?? .absent
        case NJ_F_OUTPUT_TEXT:
            (reader.outputText(span) ?? derived(span) { $0.output(of: $1) }).map(SpanContent.text) ?? .absent
        case NJ_F_INPUT: content(reader.input(span))
        case NJ_F_OUTPUT: content(reader.output(span))
        case NJ_F_MESSAGES: content(reader.messages(span))
        case NJ_F_TOOL_CALLS: content(reader.toolCalls(span))
        case NJ_F_METADATA: .value(.object(reader.metadata(span)))
        case NJ_F_TAGS: .value(.array(reader.tags(span).map { .string($0) }))
        case NJ_F_EVENTS: .value(.array(reader.events(span).map(\.luaValue)))
        case NJ_F_LINKS: .value(.array(reader.links(span).map(\.luaValue)))
        case NJ_F_ENTITY_ID: content(reader.span(span).entityID.map { .string($0) })
        default: .absent
        }
    }

    /// The text of a run without content of its own; nil for any other span, and without its trace.
    private func derived(
        _ span: SpanReference,
        _ text: (DerivedContent, Int) -> DerivedContent.Source?
    ) -> [UInt8]? {
        guard DerivedContent.isRun(span), let view else { return nil }
        let content = derivedContent ?? DerivedContent(view, reader: reader)
        derivedContent = content
        return content.place(of: span).flatMap { text(content, $0)?.text }
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

/// A trace view laid out for C.
final class TraceFrame {
    private let trace: UnsafeMutablePointer<nj_trace>
    private let refs: UnsafeMutablePointer<nj_span_ref>
    private let parents: UnsafeMutablePointer<Int32>
    private let slabs: UnsafeMutablePointer<nj_slab>
    private var owners: [Slab] = []

    init(_ view: TraceView) {
        let count = view.spans.count
        refs = .allocate(capacity: max(count, 1))
        parents = .allocate(capacity: max(count, 1))
        trace = .allocate(capacity: 1)
        var places: [ObjectIdentifier: Int] = [:]
        for span in view.spans where places[ObjectIdentifier(span.slab)] == nil {
            places[ObjectIdentifier(span.slab)] = owners.count
            owners.append(span.slab)
        }
        slabs = .allocate(capacity: max(owners.count, 1))
        for (place, owner) in owners.enumerated() { (slabs + place).initialize(to: owner.raw) }
        for (index, span) in view.spans.enumerated() {
            let slab = slabs + (places[ObjectIdentifier(span.slab)] ?? 0)
            (refs + index).initialize(
                to: nj_span_ref(slab: UnsafePointer(slab), span: UnsafePointer(span.row))
            )
            (parents + index).initialize(to: view.parents[index])
        }
        trace.initialize(
            to: nj_trace(
                trace_high: view.id.high,
                trace_low: view.id.low,
                spans: UnsafePointer(refs),
                parents: UnsafePointer(parents),
                count: UInt32(count),
                root: Int32(view.root),
                revision: UInt32(clamping: view.revision),
                is_partial: view.isPartial
            )
        )
    }

    deinit {
        trace.deallocate()
        refs.deallocate()
        parents.deallocate()
        slabs.deallocate()
    }

    var raw: UnsafePointer<nj_trace> { UnsafePointer(trace) }

    func slab(_ pointer: UnsafePointer<nj_slab>?) -> Slab? {
        guard let pointer else { return nil }
        let place = pointer - UnsafePointer(slabs)
        return owners.indices.contains(place) ? owners[place] : nil
    }
}
