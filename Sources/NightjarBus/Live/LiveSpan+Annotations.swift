public import NightjarSignals

extension LiveSpan {
    /// Scores the span: the metadata is the span's with the input's on top, the target is the span whatever the input names.
    /// Returns the score as it was sent; the bus has it when this returns.
    /// - Throws: `InputError` for a score that is not fit, and in a trace that is sampled out.
    @discardableResult
    public func addScore(_ score: ScoreInput) throws(InputError) -> Score { try addScores([score])[0] }

    /// Scores the span several times, all or none.
    /// - Throws: `InputError` as for one, with the index of the first that is not fit.
    @discardableResult
    public func addScores(_ scores: [ScoreInput]) throws(InputError) -> [Score] {
        try annotate(scores, span: id, metadata: metadata)
    }

    /// Adds feedback on the span: the metadata is the span's with the input's on top. Returns it as it was sent.
    /// - Throws: `InputError` for feedback that is not fit, and in a trace that is sampled out.
    @discardableResult
    public func addFeedback(_ feedback: FeedbackInput) throws(InputError) -> Feedback {
        try addFeedback([feedback])[0]
    }

    /// Adds several pieces of feedback on the span, all or none.
    /// - Throws: `InputError` as for one, with the index of the first that is not fit.
    @discardableResult
    public func addFeedback(_ feedback: [FeedbackInput]) throws(InputError) -> [Feedback] {
        try annotate(feedback, span: id, metadata: metadata)
    }

    /// The whole trace as a target of scores and feedback.
    public var trace: LiveTrace { LiveTrace(root: root) }

    func annotate(
        _ inputs: [ScoreInput],
        span: SpanID?,
        metadata: Value.Object
    ) throws(InputError) -> [Score] {
        if let fault = ScoreInput.firstFault(of: inputs) ?? sampledOut { throw fault }
        let (time, correlation) = (context.clock(), correlation)
        let scores = inputs.map { input in
            var input = input
            (input.traceID, input.spanID, input.sessionID) = (traceID, span, nil)
            let id = input.id ?? AnnotationID.fresh()
            var score = input.score(id: id, timestamp: time, targetMetadata: metadata)
            score.correlation = correlation
            return score
        }
        for score in scores { context.sink?.emit(.score(score)) }
        return scores
    }

    func annotate(
        _ inputs: [FeedbackInput],
        span: SpanID?,
        metadata: Value.Object
    ) throws(InputError) -> [Feedback] {
        if let fault = FeedbackInput.firstFault(of: inputs) ?? sampledOut { throw fault }
        let (time, correlation) = (context.clock(), correlation)
        let feedback = inputs.map { input in
            var input = input
            (input.traceID, input.spanID, input.sessionID) = (traceID, span, nil)
            let id = input.id ?? AnnotationID.fresh()
            var feedback = input.feedback(id: id, timestamp: time, targetMetadata: metadata)
            feedback.correlation = correlation
            return feedback
        }
        for item in feedback { context.sink?.emit(.feedback(item)) }
        return feedback
    }

    private var sampledOut: InputError? {
        guard context.sink != nil, !isSampled else { return nil }
        return InputError(path: "", message: "trace \(traceID) is sampled out: nothing of it is stored")
    }
}

/// A trace of this process as a target of scores and feedback.
public struct LiveTrace: Sendable {
    let root: LiveSpan

    /// The trace's id.
    public var traceID: TraceID { root.traceID }

    /// Scores the whole trace: the metadata is the root's with the input's on top. Returns the score as it was sent.
    /// - Throws: `InputError` for a score that is not fit, and in a trace that is sampled out.
    @discardableResult
    public func addScore(_ score: ScoreInput) throws(InputError) -> Score { try addScores([score])[0] }

    /// Scores the whole trace several times, all or none.
    /// - Throws: `InputError` as for one, with the index of the first that is not fit.
    @discardableResult
    public func addScores(_ scores: [ScoreInput]) throws(InputError) -> [Score] {
        try root.annotate(scores, span: nil, metadata: root.metadata)
    }

    /// Adds feedback on the whole trace: the metadata is the root's with the input's on top. Returns it as it was sent.
    /// - Throws: `InputError` for feedback that is not fit, and in a trace that is sampled out.
    @discardableResult
    public func addFeedback(_ feedback: FeedbackInput) throws(InputError) -> Feedback {
        try addFeedback([feedback])[0]
    }

    /// Adds several pieces of feedback on the whole trace, all or none.
    /// - Throws: `InputError` as for one, with the index of the first that is not fit.
    @discardableResult
    public func addFeedback(_ feedback: [FeedbackInput]) throws(InputError) -> [Feedback] {
        try root.annotate(feedback, span: nil, metadata: root.metadata)
    }
}
