import CNightjarSignals
import NightjarBus
package import NightjarSignals

/// Puts two copies of one span together, of which one was told as an event of ours and the other by OTLP: what the later says
/// holds, what it leaves out is taken from the earlier.
package enum SpanCompletion {
    /// The whole span, in a slab of its own; nil where neither copy is of ours, for then the later says everything itself.
    package static func complete(_ earlier: SpanReference, _ later: SpanReference) -> SpanReference? {
        let (old, new) = (earlier.row.pointee, later.row.pointee)
        guard old.isNative || new.isNative else { return nil }
        let span = spanAlone(later).completed(from: spanAlone(earlier), hasEnded: new.hasEnded)
        let payload = SpanEncoder.request([(span: span, hasEnded: old.hasEnded || new.hasEnded)])
        let request: TraceRequest
        do throws(OTLPError) {
            request = try TraceRequest.decode(
                payload,
                encoding: .protobuf,
                receivedAt: later.slab.receivedAt,
                workers: 1
            )
        } catch {
            // Together they are more than one span may be: then the later is all that holds.
            return nil
        }
        guard let slab = request.slabs.first?.slab, slab.count == 1 else { return nil }
        slab.spans[0].flags |= new.flags & UInt8(NJ_SPAN_DROPPED.rawValue)
        return SpanReference(slab: slab, index: 0)
    }

    /// What the copy itself says, without the facts that its ancestors gave it.
    private static func spanAlone(_ reference: SpanReference) -> Span {
        let row = reference.row.pointee
        reference.row.pointee.settled_agent = .absent
        reference.row.pointee.settled_workflow = .absent
        defer {
            reference.row.pointee.settled_agent = row.settled_agent
            reference.row.pointee.settled_workflow = row.settled_workflow
        }
        return OTLPSpanReader().span(reference)
    }
}

extension Span {
    fileprivate func completed(from earlier: Span, hasEnded: Bool) -> Span {
        var span = self
        if type == .generic, typeName == SpanType.generic.name {
            (span.type, span.typeName) = (earlier.type, earlier.typeName)
        }
        if name.isEmpty { span.name = earlier.name }
        span.endTime = endTime ?? earlier.endTime
        span.isEvent = isEvent || earlier.isEvent
        span.attributes = earlier.attributes.merging(attributes)
        span.metadata = earlier.metadata.merging(metadata)
        if resource.isEmpty { span.resource = earlier.resource }
        if scope.isEmpty { span.scope = earlier.scope }
        if events.isEmpty { span.events = earlier.events }
        if links.isEmpty { span.links = earlier.links }
        if tags.isEmpty { span.tags = earlier.tags }
        if !hasEnded || earlier.endTime != nil { span.errorInfo = errorInfo ?? earlier.errorInfo }
        if span.errorInfo != nil { span.status = .error }
        span.input = input ?? earlier.input
        span.output = output ?? earlier.output
        span.timeToFirstTokenMilliseconds =
            timeToFirstTokenMilliseconds ?? earlier.timeToFirstTokenMilliseconds
        span.usage = usage.map { $0.completed(from: earlier.usage) } ?? earlier.usage
        for path in Self.names where span[keyPath: path] == nil {
            span[keyPath: path] = earlier[keyPath: path]
        }
        return span
    }

    private static var names: [WritableKeyPath<Span, String?>] {
        [
            \.agent, \.model, \.responseModel, \.provider, \.tool, \.workflow, \.service, \.environment,
            \.entityType, \.entityID, \.entityName, \.finishReason,
        ]
    }
}

extension Span.Usage {
    fileprivate func completed(from earlier: Span.Usage?) -> Span.Usage {
        guard let earlier else { return self }
        var usage = self
        for path in [
            \Span.Usage.inputTokens, \.outputTokens, \.cacheReadTokens, \.cacheWriteTokens, \.reasoningTokens,
            \.cost,
        ] where usage[keyPath: path] == nil {
            usage[keyPath: path] = earlier[keyPath: path]
        }
        return usage
    }
}
