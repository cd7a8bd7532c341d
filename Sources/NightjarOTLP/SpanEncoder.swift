package import NightjarSignals

/// Writes spans as OTLP, so that those made in process and those that came as events travel, and are stored, as all others
/// do. What OTLP has no place for is in attributes of ours, and ``OTLPSpanReader`` gives back the span that was written.
///
/// Not written are which span a span repeats and which its content was taken from: both are found anew. Instants before 1970
/// have no form in OTLP and become 1970.
package enum SpanEncoder {
    /// A trace request of the spans, in their order; neighbours of one resource and scope share them. `hasEnded` tells a span
    /// that ended without an end time from one that runs.
    package static func request(_ spans: [(span: Span, hasEnded: Bool)]) -> [UInt8] {
        request(spans) { _ in Additions() }
    }

    /// What is written beside a span for receivers of other kinds, and passed over by a reader of ours.
    struct Additions {
        var attributes: Value.Object = [:]
        var resource: Value.Object = [:]
        var event: Span.Event?
        /// Stands for an end time that is not known.
        var endTime: Timestamp?
        /// Whether an attribute here says what went in, so that it need not be said twice.
        var carriesInput = false
        /// The same of what came out.
        var carriesOutput = false
    }

    static func request(
        _ spans: [(span: Span, hasEnded: Bool)],
        additions: (Span) -> Additions
    ) -> [UInt8] {
        var writer = WireWriter(reserving: spans.count * 512)
        var resource = 0
        var scope = 0
        var last: (span: Span, added: Additions)?
        for (span, hasEnded) in spans {
            let added = additions(span)
            let isSameResource = last.map {
                $0.span.resource == span.resource && $0.added.resource == added.resource
            }
            let isSameScope = isSameResource == true && last?.span.scope == span.scope
            if last != nil, !isSameScope { writer.end(scope) }
            if isSameResource != true {
                if last != nil { writer.end(resource) }
                resource = writer.begin(1)
                writeResource(span.resource, added.resource, to: &writer)
            }
            if !isSameScope {
                scope = writer.begin(2)
                writeScope(span.scope, to: &writer)
            }
            write(span, hasEnded: hasEnded, added, to: &writer)
            last = (span, added)
        }
        if last != nil {
            writer.end(scope)
            writer.end(resource)
        }
        return writer.bytes
    }

    private static func writeResource(_ own: Value.Object, _ added: Value.Object, to writer: inout WireWriter)
    {
        guard !own.isEmpty || !added.isEmpty else { return }
        let start = writer.begin(1)
        writer.attributes(1, own)
        writer.attributes(1, added)
        writeKeys(of: added, 1, to: &writer)
        writer.end(start)
    }

    private static func writeKeys(of added: Value.Object, _ number: UInt32, to writer: inout WireWriter) {
        guard !added.isEmpty else { return }
        writer.attribute(number, "nightjar.added", .array(added.entries.map { .string($0.key) }))
    }

    private static func writeScope(_ scope: Value.Object, to writer: inout WireWriter) {
        guard !scope.isEmpty else { return }
        let start = writer.begin(1)
        if let name = scope["name"]?.string { writer.field(1, name) }
        if let version = scope["version"]?.string { writer.field(2, version) }
        writer.attributes(3, scope["attributes"]?.object ?? [:])
        writer.end(start)
    }

    private static func write(_ span: Span, hasEnded: Bool, _ added: Additions, to writer: inout WireWriter) {
        let start = writer.begin(2)
        writer.identifier(1, span.traceID)
        writer.identifier(2, span.id)
        if let parent = span.parentSpanID { writer.identifier(4, parent) }
        writer.field(5, span.name)
        writer.varint(6, UInt64(span.kind.rawValue))
        writer.fixed64(7, nanoseconds(span.startTime))
        if let end = span.endTime ?? added.endTime { writer.fixed64(8, max(nanoseconds(end), 1)) }
        for (key, value) in span.attributes.entries where !NativeKeys.contains(key) {
            writer.attribute(9, key, value)
        }
        writer.attributes(9, added.attributes)
        writeKeys(of: added.attributes, 9, to: &writer)
        writeCarried(span, hasEnded: hasEnded, added, to: &writer)
        for event in span.events { write(event, to: &writer) }
        if var event = added.event {
            event.attributes["nightjar.added"] = true
            write(event, to: &writer)
        }
        for link in span.links { write(link, to: &writer) }
        if span.errorInfo != nil || span.status == .error {
            let status = writer.begin(15)
            if let message = span.errorInfo?.message { writer.field(2, message) }
            writer.varint(3, 2)
            writer.end(status)
        }
        writer.end(start)
    }

    private static func write(_ event: Span.Event, to writer: inout WireWriter) {
        let start = writer.begin(11)
        writer.fixed64(1, nanoseconds(event.timestamp))
        writer.field(2, event.name)
        writer.attributes(3, event.attributes)
        writer.end(start)
    }

    private static func write(_ link: Span.Link, to writer: inout WireWriter) {
        let start = writer.begin(13)
        writer.identifier(1, link.traceID)
        writer.identifier(2, link.spanID)
        writer.attributes(4, link.attributes)
        writer.end(start)
    }

    private static func nanoseconds(_ instant: Timestamp) -> UInt64 { UInt64(max(instant.unixNano, 0)) }
}

// MARK: - What OTLP has no place for

extension SpanEncoder {
    private static func writeCarried(
        _ span: Span,
        hasEnded: Bool,
        _ added: Additions,
        to writer: inout WireWriter
    ) {
        writer.attribute(9, "nightjar.type", span.type == .generic ? span.typeName : span.type.name)
        for (key, text) in [
            ("nightjar.entity.type", span.entityType), ("nightjar.entity.id", span.entityID),
            ("nightjar.entity.name", span.entityName), ("nightjar.agent", span.agent),
            ("nightjar.model", span.model), ("nightjar.response_model", span.responseModel),
            ("nightjar.provider", span.provider), ("nightjar.tool", span.tool),
            ("nightjar.workflow", span.workflow), ("nightjar.service", span.service),
            ("nightjar.environment", span.environment), ("nightjar.finish_reason", span.finishReason),
        ] {
            writer.attribute(9, key, text)
        }
        if !span.metadata.isEmpty { writer.content(9, "nightjar.metadata", .object(span.metadata)) }
        if !span.tags.isEmpty {
            writer.attribute(9, "nightjar.tags", .array(span.tags.map(Value.string)))
        }
        if let input = span.input, !added.carriesInput { writer.content(9, "nightjar.input", input) }
        if let output = span.output, !added.carriesOutput { writer.content(9, "nightjar.output", output) }
        if let error = span.errorInfo { writer.content(9, "nightjar.error", error.json) }
        if let usage = span.usage { writer.attribute(9, "nightjar.usage", nested(usage)) }
        if let time = span.timeToFirstTokenMilliseconds {
            writer.attribute(9, "nightjar.time_to_first_token_ms", .double(time))
        }
        if span.isEvent { writer.attribute(9, "nightjar.is_event", .bool(true)) }
        // Without this an end time that stands in for one would be taken for it.
        if hasEnded || span.isEvent, span.endTime == nil {
            writer.attribute(9, "nightjar.ended", .bool(true))
        }
    }

    /// The counts as the attribute `usage` has them (signals contract, section 4).
    private static func nested(_ usage: Span.Usage) -> Value {
        func group(_ members: [(String, Double?)]) -> Value? {
            var object = Value.Object()
            for (key, value) in members { object[key] = value.map(Value.double) }
            return object.ifAny
        }
        var object: Value.Object = [:]
        object["inputTokens"] = usage.inputTokens.map(Value.double)
        object["outputTokens"] = usage.outputTokens.map(Value.double)
        object["inputDetails"] = group([
            ("cacheRead", usage.cacheReadTokens), ("cacheWrite", usage.cacheWriteTokens),
        ])
        object["outputDetails"] = group([("reasoning", usage.reasoningTokens)])
        object["cost"] = group([("amount", usage.cost)])
        return .object(object)
    }
}

extension WireWriter {
    /// Writes a trace id as its 16 bytes.
    mutating func identifier(_ number: UInt32, _ trace: TraceID) {
        withUnsafeBytes(of: (trace.high.bigEndian, trace.low.bigEndian)) { field(number, $0) }
    }

    /// Writes a span id as its 8 bytes.
    mutating func identifier(_ number: UInt32, _ span: SpanID) {
        withUnsafeBytes(of: span.value.bigEndian) { field(number, $0) }
    }
}
