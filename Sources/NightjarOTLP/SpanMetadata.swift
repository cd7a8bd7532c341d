import CNightjarSignals
import NightjarSignals

/// A span's run context and tags across conventions: `otlp-mapping.md` section 14.
enum SpanMetadata {
    /// Under these keys senders pass on what callers attached; what follows is the caller's own key.
    private static let prefixes: [(prefix: StaticString, isJSON: Bool)] = [
        ("langfuse.trace.metadata.", true),
        ("langfuse.observation.metadata.", true),
        ("langsmith.metadata.", false),
        ("mastra.metadata.", false),
        ("ai.telemetry.metadata.", false),
        ("traceloop.association.properties.", false),
    ]

    /// Whole objects of metadata as JSON.
    private static let objects = [
        symbol("metadata"), symbol("langfuse.trace.metadata"), symbol("langfuse.observation.metadata"),
    ]

    /// Keys of the run context that Mastra's exporters of 2025 write without a prefix.
    private static let bare: [(name: String, key: Int32)] = [
        ("runId", symbol("runId")), ("sessionId", symbol("sessionId")), ("threadId", symbol("threadId")),
        ("requestId", symbol("requestId")), ("userId", symbol("userId")),
        ("resourceId", symbol("resourceId")), ("organizationId", symbol("organizationId")),
        ("environment", symbol("environment")), ("source", symbol("source")),
    ]

    static func metadata(_ span: SpanReference) -> Value.Object {
        let attributes = SpanAttributes(span)
        if span.row.pointee.isNative {
            return attributes.carried(NativeKeys.metadata).map(AttributeValues.parsed)?.object ?? [:]
        }
        var metadata = Value.Object()
        for key in objects {
            guard let row = attributes.row(key) else { continue }
            let object = AttributeValues.decoded(AttributeValues.value(row)).object
            for (key, value) in object?.entries ?? [] { metadata[key] = value }
        }
        for (prefix, isJSON) in prefixes {
            attributes.forEach(prefix: prefix) { key, row in
                let value = AttributeValues.value(row)
                metadata[key] = isJSON ? AttributeValues.decoded(value) : value
            }
        }
        let row = span.row.pointee
        if row.convention == Convention.mastra.rawValue {
            for (name, key) in bare {
                if let value = attributes.first([key]) { metadata[name] = metadata[name] ?? value }
            }
        }
        for (key, text) in [
            ("sessionId", row.session_id), ("userId", row.user_id), ("environment", row.environment),
            ("serviceName", row.service),
        ] where text.hasBytes {
            metadata[key] = text.string.map { .string($0) }
        }
        return metadata
    }

    /// Tags as a list, as a list in JSON text, or as text with commas.
    static func tags(_ span: SpanReference) -> [String] {
        if span.row.pointee.isNative {
            let tags = SpanAttributes(span).carried(NativeKeys.tags).map(AttributeValues.value)
            return tags?.array?.compactMap(\.string) ?? []
        }
        // Some senders repeat them on every span; they are the trace's.
        guard span.row.pointee.isRoot, let value = SpanAttributes(span).first(ContentKeys.tags) else {
            return []
        }
        switch AttributeValues.decoded(value) {
        case .array(let values): return values.compactMap(\.string)
        case .string(let text):
            return text.split(separator: ",").map { trimmed($0) }.filter { !$0.isEmpty }
        default: return []
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        let start = text.drop { $0 == " " }
        return String(start.reversed().drop { $0 == " " }.reversed())
    }
}
