import CNightjarSignals
package import NightjarSignals

extension TraceState {
    /// The id of the span at a place.
    package func spanID(_ place: Int) -> SpanID { SpanID(value: entries[place].id) }

    /// Whether a span is here; without one, whether the root is.
    package func has(_ span: SpanID?) -> Bool { span.map { place(of: $0.value) != nil } ?? hasRoot }

    /// Whether all that a span inherits is final; without one, that of the root.
    package func isSettled(_ span: SpanID?) -> Bool {
        let at = span.map { place(of: $0.value) } ?? rootPlace
        return at.map { entries[$0].isSettled } ?? false
    }

    /// What a signal of a span, or of the whole trace, belongs to, and the metadata of that span with its ancestors' below it.
    /// Decodes the span and its ancestors.
    package func correlation(
        of span: SpanID?,
        reader: any SpanReader
    ) -> (correlation: Correlation, metadata: Value.Object) {
        // A span that is named stands for itself; only a trace as a whole is spoken for by its root.
        let at = span.map { place(of: $0.value) } ?? rootPlace
        let chain = at.map { references(from: $0).map(reader.outline) } ?? []
        let metadata = chain.reversed().reduce(Value.Object()) { $0.merging($1.metadata) }
        return (Correlation(chain: chain, metadata: metadata), metadata)
    }

    /// A span and its ancestors, nearest first, as far as they have come. Payloads that were let go are read back where an
    /// assembler can.
    func references(from place: Int) -> [SpanReference] {
        let places = placesUp(from: place)
        if isShed, places.contains(where: { entries[$0].slab == nil }) { assembler?.load(self) }
        return places.compactMap(reference)
    }

    private func placesUp(from place: Int) -> [Int] {
        var places: [Int] = []
        var at = place
        while at >= 0, places.count <= entries.count {
            places.append(at)
            at = Int(entries[at].parentPlace)
        }
        return places
    }

    /// A span and its ancestors, nearest first, as far as they have come.
    package func lineage(of span: SpanReference) -> [SpanReference] {
        place(of: span.row.pointee.id).map(references) ?? [span]
    }
}
