import CNightjarSignals
package import NightjarSignals

/// The spans of one trace out of a request, as they are stored.
package struct TraceChunk: Sendable {
    /// The trace.
    package let traceID: TraceID
    /// Its partition.
    package let partition: Int
    /// How many spans there are.
    package let spanCount: Int
    /// The spans as an OTLP message of their own: resources, scopes and spans are the bytes that came.
    package let payload: Payload
}

extension TraceRequest {
    /// The accepted spans grouped by trace, in the order in which the traces first appear; together they are the request.
    package func chunks() -> [TraceChunk] {
        var groups: [Group] = []
        var places: [TraceID: Int] = [:]
        for (slabIndex, entry) in slabs.enumerated() {
            for index in 0..<entry.slab.count {
                let trace = entry.slab.spans[index].traceID
                let place = places[trace] ?? groups.count
                if place == groups.count {
                    places[trace] = place
                    groups.append(Group(trace: trace))
                }
                groups[place].spans.append((slabIndex, index))
            }
        }
        // A body of one trace, all of it accepted, is its own chunk.
        if groups.count == 1, rejected == 0, dropped == 0 { return [chunk(groups[0], payload)] }
        return groups.map { chunk($0, encode($0)) }
    }

    private struct Group {
        let trace: TraceID
        var spans: [(slab: Int, index: Int)] = []
    }

    private func chunk(_ group: Group, _ payload: Payload) -> TraceChunk {
        TraceChunk(
            traceID: group.trace,
            partition: Partition.of(group.trace),
            spanCount: group.spans.count,
            payload: payload
        )
    }

    /// Writes ResourceSpans and ScopeSpans around the spans; neighbours of one resource and scope share them.
    private func encode(_ group: Group) -> Payload {
        var writer = WireWriter(reserving: group.spans.count * 1024)
        var resource = 0
        var scope = 0
        var last: nj_context?
        for (slabIndex, index) in group.spans {
            let slab = slabs[slabIndex].slab
            let span = slab.spans[index]
            let context = slab.context(of: span)
            let isSameResource = last.map { isSame($0.encoded_resource, context.encoded_resource) } ?? false
            let isSameScope =
                isSameResource && last.map { isSame($0.encoded_scope, context.encoded_scope) } ?? false
            if !isSameScope, last != nil { writer.end(scope) }
            if !isSameResource {
                if last != nil { writer.end(resource) }
                resource = writer.begin(1)
                if context.encoded_resource.isPresent { writer.field(1, context.encoded_resource) }
            }
            if !isSameScope {
                scope = writer.begin(2)
                if context.encoded_scope.isPresent { writer.field(1, context.encoded_scope) }
            }
            writer.field(2, span.encoded)
            last = context
        }
        if last != nil {
            writer.end(scope)
            writer.end(resource)
        }
        return Payload(writer.bytes)
    }

    /// Whether two texts are the same bytes of the payload, or equal ones.
    private func isSame(_ left: nj_text, _ right: nj_text) -> Bool {
        (left.bytes == right.bytes && left.length == right.length) || left.equals(right)
    }
}
