import NightjarBus
public import NightjarSignals

extension Observability {
    /// Scores traces, spans or sessions by id, all or none. A trace that is not known yet may come later. Returns the scores as
    /// they were stored; a score of an id that is known replaces the earlier one.
    /// - Throws: `InputError` with the index of the first that is not fit; an error of the store.
    @discardableResult
    public func addScores(_ inputs: [ScoreInput]) async throws -> [Score] {
        if let fault = inputs.firstTargetFault { throw fault }
        let now = engine.now
        let scores = inputs.map {
            $0.score(id: $0.id ?? AnnotationID.fresh(), timestamp: now, targetMetadata: [:])
        }
        // What was made before is before it on the bus.
        _ = await intake.flush()
        _ = try await engine.annotate(scores: scores, feedback: [])
        return scores
    }

    /// Adds feedback on traces, spans or sessions by id, all or none. Returns it as it was stored.
    /// - Throws: `InputError` with the index of the first that is not fit; an error of the store.
    @discardableResult
    public func addFeedback(_ inputs: [FeedbackInput]) async throws -> [Feedback] {
        if let fault = inputs.firstTargetFault { throw fault }
        let now = engine.now
        let feedback = inputs.map {
            $0.feedback(id: $0.id ?? AnnotationID.fresh(), timestamp: now, targetMetadata: [:])
        }
        _ = await intake.flush()
        _ = try await engine.annotate(scores: [], feedback: feedback)
        return feedback
    }

    /// Scores by id, each by itself: an unfit one does not keep the others from being stored. The results stand in the order
    /// of the inputs.
    public func addEachScore(_ inputs: [ScoreInput]) async -> [Result<Score, any Error>] {
        var results: [Result<Score, any Error>] = []
        for input in inputs {
            do { results.append(.success(try await addScores([input])[0])) } catch {
                results.append(.failure(error))
            }
        }
        return results
    }

    /// Adds feedback by id, each piece by itself. The results stand in the order of the inputs.
    public func addEachFeedback(_ inputs: [FeedbackInput]) async -> [Result<Feedback, any Error>] {
        var results: [Result<Feedback, any Error>] = []
        for input in inputs {
            do { results.append(.success(try await addFeedback([input])[0])) } catch {
                results.append(.failure(error))
            }
        }
        return results
    }

    /// Scores a trace or a span of it, as it was done before traces could be asked for.
    @available(
        *,
        deprecated,
        message: "use getTrace(_:) and addScore(_:) on it or on a span of it, or addScores(_:)"
    )
    public func addScoreToTrace(
        traceId: String,
        spanId: String? = nil,
        score: Double,
        reason: String? = nil,
        scorerName: String,
        metadata: Value.Object = [:]
    ) async throws {
        guard let trace = TraceID(traceId) else {
            throw InputError(path: "traceId", message: "must be a trace id: 1 to 32 hex digits, not all zero")
        }
        var input = ScoreInput(scorerName: scorerName, score: score, reason: reason, metadata: metadata)
        input.traceID = trace
        if let spanId {
            guard let span = SpanID(spanId) else {
                throw InputError(
                    path: "spanId",
                    message: "must be a span id: 1 to 16 hex digits, not all zero"
                )
            }
            input.spanID = span
        }
        try await addScores([input])
    }
}
