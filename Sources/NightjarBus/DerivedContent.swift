import CNightjarSignals
package import NightjarSignals

/// What runs without content of their own are shown with: an agent or workflow span's input is its first generation's last user
/// message, its output its last generation's text (mapping contract, section 14). Belongs to whoever owns the trace's slabs.
package struct DerivedContent {
    /// A text and the span it was taken from.
    package struct Source {
        /// The text.
        package let text: [UInt8]
        /// The generation.
        package let span: SpanID
    }

    private let view: TraceView
    private let reader: any SpanReader
    /// For each run the places of its first and last generation, by start.
    private let generations: [Int: (first: Int, last: Int)]

    /// Looks through a trace once; each generation belongs to every run above it. Duplicates are left out.
    package init(_ view: TraceView, reader: any SpanReader) {
        self.view = view
        self.reader = reader
        var generations: [Int: (first: Int, last: Int)] = [:]
        for (place, span) in view.spans.enumerated() {
            guard span.row.pointee.spanType == .modelGeneration, span.row.pointee.duplicate_of == 0 else {
                continue
            }
            for run in view.ancestors(of: place) where Self.isRun(view.spans[run]) {
                generations[run] = (generations[run]?.first ?? place, place)
            }
        }
        self.generations = generations
    }

    /// Whether a span's missing content is derived.
    package static func isRun(_ span: SpanReference) -> Bool {
        let type = span.row.pointee.spanType
        return type == .agentRun || type == .workflowRun
    }

    /// The input of a run that has none of its own.
    package func input(of place: Int) -> Source? {
        guard let generation = generations[place]?.first else { return nil }
        let span = view.spans[generation]
        let text = lastUserText(span).map { Array($0.utf8) } ?? reader.inputText(span)
        return text.map { Source(text: $0, span: SpanID(value: span.row.pointee.id)) }
    }

    /// The output of a run that has none of its own.
    package func output(of place: Int) -> Source? {
        guard let generation = generations[place]?.last else { return nil }
        let span = view.spans[generation]
        return reader.outputText(span).map { Source(text: $0, span: SpanID(value: span.row.pointee.id)) }
    }

    /// The place of a span in the trace.
    package func place(of span: SpanReference) -> Int? {
        view.spans.firstIndex { $0.slab === span.slab && $0.index == span.index }
    }

    private func lastUserText(_ span: SpanReference) -> String? {
        let user = reader.messages(span)?.array?.last { $0["role"] == "user" }
        let parts = user?["parts"]?.array?.compactMap { part in
            part["type"] == "text" ? part["text"]?.string ?? part["content"]?.string : nil
        }
        guard let parts, !parts.isEmpty else { return nil }
        return parts.joined(separator: "\n")
    }
}
