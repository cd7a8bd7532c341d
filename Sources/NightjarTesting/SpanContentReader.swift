package import CNightjarSignals
import NightjarBus
package import NightjarSignals

/// A reader that answers every span with the same content.
package struct SpanContentReader: SpanReader {
    /// What every span's metadata is.
    package var fixedMetadata: Value.Object = [:]
    /// What went into every span.
    package var fixedInput: Value?
    /// What came out of every span.
    package var fixedOutput: Value?
    /// The tags of every span.
    package var fixedTags: [String] = []
    /// The messages of every span.
    package var fixedMessages: Value?

    /// A reader of spans without content.
    package init() {}

    /// The text of the input, where it is text.
    package func inputText(_ span: SpanReference) -> [UInt8]? { fixedInput?.string.map { Array($0.utf8) } }
    /// The text of the output, where it is text.
    package func outputText(_ span: SpanReference) -> [UInt8]? { fixedOutput?.string.map { Array($0.utf8) } }
    /// The fixed input.
    package func input(_ span: SpanReference) -> Value? { fixedInput }
    /// The fixed output.
    package func output(_ span: SpanReference) -> Value? { fixedOutput }
    /// The fixed messages.
    package func messages(_ span: SpanReference) -> Value? { fixedMessages }
    /// None.
    package func toolCalls(_ span: SpanReference) -> Value? { nil }
    /// The fixed metadata.
    package func metadata(_ span: SpanReference) -> Value.Object { fixedMetadata }
    /// The fixed tags.
    package func tags(_ span: SpanReference) -> [String] { fixedTags }
    /// None.
    package func events(_ span: SpanReference) -> [Span.Event] { [] }
    /// None.
    package func links(_ span: SpanReference) -> [Span.Link] { [] }
    /// The value of a row that needs no decoding; null for others.
    package func value(_ attribute: nj_attribute) -> Value {
        switch nj_tag(UInt32(attribute.tag)) {
        case NJ_STRING: .string(attribute.text.string ?? "")
        case NJ_BOOL: .bool(attribute.value.integer != 0)
        case NJ_INT: .int(attribute.value.integer)
        case NJ_DOUBLE: .double(attribute.value.number)
        case NJ_ARRAY: .array([.int(1), .int(2)])
        default: .null
        }
    }
    /// The identity of the span and nothing else.
    package func span(_ span: SpanReference) -> Span {
        let row = span.row.pointee
        return Span(
            id: SpanID(value: row.id),
            traceID: row.traceID,
            name: row.name.string ?? "",
            startTime: Timestamp(unixNano: Int64(row.start_nano))
        )
    }
}
