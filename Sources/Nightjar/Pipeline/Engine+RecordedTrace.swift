package import NightjarBus
package import NightjarSignals
import NightjarStore

extension Engine {
    /// A stored trace with everything that belongs to it; nil for an unknown one.
    /// - Throws: ``StoreError`` when the store cannot be read.
    package func trace(_ id: TraceID) async throws -> RecordedTrace? {
        try await reads.run { [self] in
            guard let store else { return nil }
            let logs = try store.logs(of: id).map(\.log)
            guard let spans = try spans(of: id, logs: logs) else { return nil }
            let clock = clock
            return RecordedTrace(
                traceID: id,
                spans: spans,
                scores: try store.scores(of: id).map(\.score),
                feedback: try store.feedback(of: id).map(\.feedback),
                logs: logs,
                annotator: Annotator(sink: EngineAnnotations(engine: self), now: { clock.now() })
            )
        }
    }
}

/// Annotations on recorded traces, on their way through the engine like any others.
private struct EngineAnnotations: AnnotationSink {
    let engine: Engine

    func annotate(scores: [Score], feedback: [Feedback]) async throws {
        _ = try await engine.annotate(scores: scores, feedback: feedback)
    }
}
