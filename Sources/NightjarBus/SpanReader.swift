package import CNightjarSignals
package import NightjarSignals

/// Reads what a span's row does not hold ready: content, metadata, events, decoded only when someone asks.
/// The decoder's room implements it; rules and the API use it. Thread-safe; a reference is read only by its slab's owner.
package protocol SpanReader: Sendable {
    /// The plain text of what went in, whatever the convention; nil where there is none.
    func inputText(_ span: SpanReference) -> [UInt8]?
    /// The plain text of what came out.
    func outputText(_ span: SpanReference) -> [UInt8]?
    /// What went in, decoded.
    func input(_ span: SpanReference) -> Value?
    /// What came out, decoded.
    func output(_ span: SpanReference) -> Value?
    /// A generation's messages: a list of `{role, parts: [{type, …}]}`; nil where there are none.
    func messages(_ span: SpanReference) -> Value?
    /// The tool calls that a generation asked for: a list of `{id, name, arguments}`; nil where there are none.
    func toolCalls(_ span: SpanReference) -> Value?
    /// The span's own metadata: run context (`sessionId`, `userId`, `environment`, `serviceName`, …) and the caller's keys.
    func metadata(_ span: SpanReference) -> Value.Object
    /// The span's tags.
    func tags(_ span: SpanReference) -> [String]
    /// The points in time within the span.
    func events(_ span: SpanReference) -> [Span.Event]
    /// The references to other spans.
    func links(_ span: SpanReference) -> [Span.Link]
    /// The value of an attribute row, arrays and maps decoded.
    func value(_ attribute: nj_attribute) -> Value
    /// The span without attributes, events, links and content: what it is, what ran in it, its metadata and tags.
    func outline(_ span: SpanReference) -> Span
    /// The whole span, decoded; inherited facts and duplicates as the row has them.
    func span(_ span: SpanReference) -> Span
}

extension SpanReader {
    /// The whole span, for readers that have no shorter way.
    package func outline(_ span: SpanReference) -> Span { self.span(span) }
}
