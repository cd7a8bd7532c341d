import CNightjarLua
import CNightjarSignals
import NightjarBus
import NightjarSignals

/// What a span's row does not hold by itself: inherited metadata, content that came in log records, content of runs.
extension SpanScope {
    /// A span's metadata with its ancestors' below it, as far as these are known.
    func metadata(of span: SpanReference) -> Value.Object {
        guard span.row.pointee.parent_id != 0, let source = source(of: span) else {
            return reader.metadata(span)
        }
        return source.lineage(of: span).reversed().reduce(Value.Object()) {
            $0.merging(reader.metadata($1))
        }
    }

    private func source(of span: SpanReference) -> (any TraceViewSource)? {
        let id = span.row.pointee.traceID
        return id == traceID ? viewSource : fetched.first { $0.id == id }?.view
    }

    /// What a span says, else what log records say of it.
    func read<Content>(_ span: SpanReference, _ content: (any SpanReader) -> Content?) -> Content? {
        content(reader) ?? joined(span).flatMap(content)
    }

    /// Messages may be partly the span's own and partly a log record's.
    func messages(_ span: SpanReference) -> Value? { (joined(span) ?? reader).messages(span) }

    /// The text of a run without content of its own; nil for any other span, and without its trace.
    func derived(
        _ span: SpanReference,
        _ text: (DerivedContent, Int) -> DerivedContent.Source?
    ) -> [UInt8]? {
        guard DerivedContent.isRun(span), let view else { return nil }
        let content = derivedContent ?? DerivedContent(view, reader: joined(span) ?? reader)
        derivedContent = content
        return content.place(of: span).flatMap { text(content, $0)?.text }
    }

    private func joined(_ span: SpanReference) -> (any SpanReader)? {
        let id = span.row.pointee.traceID
        if let joinedReader, joinedReader.trace == id { return joinedReader.reader }
        let found = traces?.joinedReader(of: id)
        joinedReader = (id, found)
        return found
    }
}
