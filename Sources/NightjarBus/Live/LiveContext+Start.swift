import Instrumentation
package import NightjarSignals

extension LiveContext {
    /// Starts a span and tells the bus of it; an event span has ended as soon as it is there.
    package func startSpan(
        _ name: String,
        type: SpanType,
        with options: SpanOptions,
        parent: SpanParent,
        asEvent: Bool = false,
        output: Value? = nil
    ) -> LiveSpan {
        guard let sink else { return .noOp }
        let place = place(parent)
        place.parent?.tellAmendments()
        var span = Span(
            id: newSpanID(),
            traceID: place.traceID,
            name: name,
            startTime: options.startTime ?? clock()
        )
        span.parentSpanID = place.parentID
        (span.type, span.typeName, span.kind) = (type, type.name, options.kind)
        span.entityType = options.entityType ?? type.entityType
        span.entityID = options.entityID
        span.entityName = options.entityName ?? (type.entityType == nil ? nil : name)
        (span.attributes, span.metadata) = (options.attributes, options.metadata)
        (span.input, span.output, span.links) = (options.input, output, options.links)
        if place.parentID == nil { span.tags = options.tags }
        span.isEvent = asEvent
        span.status = asEvent ? .ok : .running
        let isSampled = place.parent?.isSampled ?? sink.isKept(span)
        let live = LiveSpan(consume span, parent: place.parent, isSampled: isSampled, context: self)
        if asEvent { live.recordAsEvent() } else { live.start() }
        return live
    }

    private struct Place {
        var traceID: TraceID
        var parentID: SpanID?
        var parent: LiveSpan?
    }

    private func place(_ parent: SpanParent) -> Place {
        switch parent {
        case .current: place(InstrumentationContext.current?.parent ?? .none)
        case .none: Place(traceID: newTraceID())
        // A span of another program's observability, or one that leads nowhere, has no trace to be part of here.
        case .span(let span):
            span.context === self
                ? Place(traceID: span.traceID, parentID: span.id, parent: span) : place(.none)
        case .remote(let remote): Place(traceID: remote.traceID, parentID: remote.spanID)
        case .ids(let trace, let parent):
            // The parent of another trace would be missing in a fresh one for ever.
            if let traceID = checked(TraceID(trace), trace) {
                Place(traceID: traceID, parentID: parent.flatMap { checked(SpanID($0), $0) })
            } else {
                Place(traceID: newTraceID())
            }
        }
    }

    private func checked<ID>(_ id: ID?, _ text: String) -> ID? {
        if id == nil { sink?.report(invalidID: text) }
        return id
    }
}
