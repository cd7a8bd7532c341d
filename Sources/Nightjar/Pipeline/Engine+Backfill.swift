package import NightjarBus
package import NightjarSignals
package import NightjarStore

extension Engine {
    /// Stores scores as they are given, timestamp and correlation included: nobody counts them, and no rule or exporter is told.
    /// Returns when they are on disk.
    /// - Throws: ``EngineError``; nothing was stored then.
    package func backfill(_ scores: [Score]) async throws(EngineError) -> [AnnotationReceipt] {
        guard let store else {
            throw EngineError(code: .malformed, detail: "nothing is stored: the server runs with --db none")
        }
        for trace in Set(scores.map(\.traceID)) { try refuseSampledOut(trace) }
        let (cleaned, now) = (scores.map(edge.cleaned), clock.now())
        let receipt = try await submit(to: store) { completion in
            var submission = Submission(scores: cleaned, receivedAt: now, completion: completion)
            submission.isBackfill = true
            return submission
        }
        return receipt.scores
    }

    /// The spans of a stored trace as one OTLP protobuf message, as they came; nil for an unknown trace. Blocks.
    /// - Throws: ``StoreError`` when the store cannot be read.
    package func otlp(of id: TraceID) throws -> [UInt8]? {
        guard let store, let record = try store.trace(id), !record.isSampledOut else { return nil }
        // A message behind a message is the message of both.
        return try store.chunks(of: id).flatMap(\.payload)
    }

    /// Takes back what a version of a plugin wrote; what it replaced holds again. What was counted stays counted.
    /// - Throws: ``EngineError``; a further call goes on.
    package func undo(_ version: ScoreVersion) async throws -> UndoCount {
        guard let store else { return UndoCount() }
        return try await reads.run { try store.undo(version) }
    }
}
