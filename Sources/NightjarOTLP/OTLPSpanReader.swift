package import CNightjarSignals
import NightjarBus
package import NightjarSignals

/// Reads spans of OTLP requests: content by `otlp-mapping.md` section 14, everything else from the Span message.
package struct OTLPSpanReader: SpanReader {
    /// A reader; it keeps nothing.
    package init() {}

    /// The plain text of what went in: of messages their text parts, of anything else the value as text.
    package func inputText(_ span: SpanReference) -> [UInt8]? {
        text(of: SpanContent(span), messages: { $0.inputMessages }, value: { $0.input })
    }

    /// The plain text of what came out; of a whole conversation the text of its last message.
    package func outputText(_ span: SpanReference) -> [UInt8]? {
        text(of: SpanContent(span), messages: { $0.outputMessages }, value: { $0.toolResult ?? $0.output })
    }

    /// What went in; JSON text decoded.
    package func input(_ span: SpanReference) -> Value? { SpanContent(span).input }

    /// What came out; JSON text decoded.
    package func output(_ span: SpanReference) -> Value? { SpanContent(span).output }

    /// A generation's messages, those that went in before those that came out.
    package func messages(_ span: SpanReference) -> Value? {
        let content = SpanContent(span)
        guard content.isGeneration else { return nil }
        let messages =
            (content.inputMessages?.value.array ?? []) + (content.outputMessages?.value.array ?? [])
        return messages.isEmpty ? nil : .array(messages)
    }

    /// The tool calls that a generation asked for.
    package func toolCalls(_ span: SpanReference) -> Value? {
        let content = SpanContent(span)
        guard content.isGeneration, let calls = content.outputMessages?.toolCalls, !calls.isEmpty else {
            return nil
        }
        return .array(calls)
    }

    /// The span's own metadata: the caller's keys, then `sessionId`, `userId`, `environment` and `serviceName`.
    package func metadata(_ span: SpanReference) -> Value.Object { SpanMetadata.metadata(span) }

    /// The span's tags.
    package func tags(_ span: SpanReference) -> [String] { SpanMetadata.tags(span) }

    /// The points in time within the span.
    package func events(_ span: SpanReference) -> [Span.Event] {
        let events = SpanEvents.events(span.row.pointee.encoded)
        guard span.row.pointee.isNative else { return events }
        // An exporter's, for receivers of other kinds.
        return events.filter { $0.attributes["nightjar.added"] == nil }
    }

    /// The references to other spans.
    package func links(_ span: SpanReference) -> [Span.Link] { SpanEvents.links(span.row.pointee.encoded) }

    /// The value of an attribute row, arrays and maps decoded.
    package func value(_ attribute: nj_attribute) -> Value { AttributeValues.value(attribute) }

    private func text(
        of content: SpanContent,
        messages: (SpanContent) -> Messages?,
        value: (SpanContent) -> Value?
    ) -> [UInt8]? {
        if !content.isTool, let found = messages(content), !found.list.isEmpty {
            return Array((found.text ?? "").utf8)
        }
        guard let value = value(content) else { return nil }
        return Array((value.string ?? value.json).utf8)
    }
}
