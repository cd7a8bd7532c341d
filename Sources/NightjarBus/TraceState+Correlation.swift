package import NightjarSignals

extension TraceState {
    /// The id of the span at a place.
    package func spanID(_ place: Int) -> SpanID { SpanID(value: entries[place].id) }

    /// Whether a span is here; without one, whether the root is.
    package func has(_ span: SpanID?) -> Bool { span.map { place(of: $0.value) != nil } ?? hasRoot }

    /// What a signal of a span, or of the whole trace, belongs to, and the metadata of that span with its ancestors' below it.
    /// Decodes the span and its ancestors, as far as their payloads are here.
    package func correlation(
        of span: SpanID?,
        reader: any SpanReader
    ) -> (correlation: Correlation, metadata: Value.Object) {
        // A span that is named stands for itself; only a trace as a whole is spoken for by its root.
        var at = (span.map { place(of: $0.value) } ?? entries.firstIndex(where: { $0.parent == 0 })) ?? -1
        var chain: [Span] = []
        while at >= 0, chain.count <= entries.count {
            if let reference = reference(at) { chain.append(reader.outline(reference)) }
            at = Int(entries[at].parentPlace)
        }
        let metadata = chain.reversed().reduce(Value.Object()) { $0.merging($1.metadata) }
        return (Correlation(chain: chain, metadata: metadata), metadata)
    }
}
