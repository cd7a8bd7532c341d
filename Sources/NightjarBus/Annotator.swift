public import NightjarSignals

/// Takes scores and feedback on their way: the bus in a running process, a store's writer elsewhere.
public protocol AnnotationSink: Sendable {
    /// Takes all of them or, throwing, none.
    func annotate(scores: [Score], feedback: [Feedback]) async throws
}

/// What a recorded trace needs in order to be annotated: where annotations go, the time, and new ids.
public struct Annotator: Sendable {
    let sink: any AnnotationSink
    let now: @Sendable () -> Timestamp
    let newID: @Sendable () -> String

    /// An annotator; ids are random unless another source is given.
    public init(
        sink: any AnnotationSink,
        now: @escaping @Sendable () -> Timestamp,
        newID: @escaping @Sendable () -> String = { AnnotationID.fresh() }
    ) {
        self.sink = sink
        self.now = now
        self.newID = newID
    }

    /// Sends scores on one target, all or none.
    /// - Throws: `InputError` with the index of the first that is not fit; whatever the sink throws.
    func add(
        _ inputs: [ScoreInput],
        traceID: TraceID,
        spanID: SpanID?,
        metadata: Value.Object,
        correlation: Correlation
    ) async throws -> [Score] {
        if let fault = ScoreInput.firstFault(of: inputs) { throw fault }
        let time = now()
        let scores = inputs.map { input in
            var input = input
            (input.traceID, input.spanID, input.sessionID) = (traceID, spanID, nil)
            var score = input.score(id: input.id ?? newID(), timestamp: time, targetMetadata: metadata)
            score.correlation = correlation
            return score
        }
        try await sink.annotate(scores: scores, feedback: [])
        return scores
    }

    /// Sends feedback on one target, all or none.
    /// - Throws: `InputError` with the index of the first that is not fit; whatever the sink throws.
    func add(
        _ inputs: [FeedbackInput],
        traceID: TraceID,
        spanID: SpanID?,
        metadata: Value.Object,
        correlation: Correlation
    ) async throws -> [Feedback] {
        if let fault = FeedbackInput.firstFault(of: inputs) { throw fault }
        let time = now()
        let feedback = inputs.map { input in
            var input = input
            (input.traceID, input.spanID, input.sessionID) = (traceID, spanID, nil)
            let id = input.id ?? newID()
            var feedback = input.feedback(id: id, timestamp: time, targetMetadata: metadata)
            feedback.correlation = correlation
            return feedback
        }
        try await sink.annotate(scores: [], feedback: feedback)
        return feedback
    }
}
