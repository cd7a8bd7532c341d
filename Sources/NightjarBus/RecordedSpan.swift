public import NightjarSignals

/// One span of a ``RecordedTrace``, with the way to its relatives. Two are equal when they are the same span of the same
/// trace object, whichever way they were reached.
///
/// A handle on the trace's contents rather than an object of its own: parents and children would own each other in a ring, and
/// a long chain of them would be freed by as deep a recursion.
public struct RecordedSpan: Sendable, Hashable, Identifiable {
    let contents: RecordedContents
    let index: Int

    /// The span, with its parents' metadata.
    public var span: Span { contents.spans[index] }

    /// The span's id.
    public var id: SpanID { span.id }

    /// The span that it hangs under: its parent, the root where its parent is missing; nil for a root.
    public var parent: RecordedSpan? {
        let parent = Int(contents.parents[index])
        return parent < 0 ? nil : RecordedSpan(contents: contents, index: parent)
    }

    /// The spans that hang under it, by start time.
    public var children: [RecordedSpan] {
        contents.children[index].map { RecordedSpan(contents: contents, index: $0) }
    }

    /// Scores the span: the metadata is the span's with the input's on top, the target is the span whatever the input names.
    /// Returns the score as it was sent.
    /// - Throws: `InputError` for a score that is not fit or a trace without an annotator; whatever the sink throws.
    @discardableResult
    public func addScore(_ score: ScoreInput) async throws -> Score { try await addScores([score])[0] }

    /// Scores the span several times, all or none.
    /// - Throws: as ``addScore(_:)``; the path of the error is the index of the first that is not fit.
    @discardableResult
    public func addScores(_ scores: [ScoreInput]) async throws -> [Score] {
        let span = span
        return try await contents.annotated().add(
            scores,
            traceID: span.traceID,
            spanID: span.id,
            metadata: span.metadata,
            correlation: contents.correlation(of: index)
        )
    }

    /// Adds feedback on the span: the metadata is the span's with the input's on top. Returns it as it was sent.
    /// - Throws: `InputError` for feedback that is not fit or a trace without an annotator; whatever the sink throws.
    @discardableResult
    public func addFeedback(_ feedback: FeedbackInput) async throws -> Feedback {
        try await addFeedback([feedback])[0]
    }

    /// Adds several pieces of feedback on the span, all or none.
    /// - Throws: as for one; the path of the error is the index of the first that is not fit.
    @discardableResult
    public func addFeedback(_ feedback: [FeedbackInput]) async throws -> [Feedback] {
        let span = span
        return try await contents.annotated().add(
            feedback,
            traceID: span.traceID,
            spanID: span.id,
            metadata: span.metadata,
            correlation: contents.correlation(of: index)
        )
    }

    /// Whether both are the same span of the same trace object.
    public static func == (left: RecordedSpan, right: RecordedSpan) -> Bool {
        left.contents === right.contents && left.index == right.index
    }

    /// By the trace object and the span's place in it.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(contents))
        hasher.combine(index)
    }
}
