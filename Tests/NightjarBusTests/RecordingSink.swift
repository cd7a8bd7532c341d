import NightjarBus
import NightjarSignals
import Synchronization

/// Keeps what it is given, in order, as JSON.
final class RecordingSink: AnnotationSink {
    private let kept = Mutex<[(kind: String, json: Value)]>([])

    var annotations: [(kind: String, json: Value)] { kept.withLock { $0 } }

    var annotator: Annotator { Annotator(sink: self, now: { Timestamp(unixNano: 1) }) }

    func annotate(scores: [Score], feedback: [Feedback]) async throws {
        kept.withLock { kept in
            kept += scores.map { ("score", $0.json) } + feedback.map { ("feedback", $0.json) }
        }
    }
}
