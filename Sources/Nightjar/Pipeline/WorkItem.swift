import NightjarBus
import NightjarSignals

/// A score or a piece of feedback on its way through a worker.
enum Annotation: Sendable {
    case score(Score)
    case feedback(Feedback)

    var id: String {
        switch self {
        case .score(let score): score.id
        case .feedback(let feedback): feedback.id
        }
    }

    var traceID: TraceID? {
        switch self {
        case .score(let score): score.traceID
        case .feedback(let feedback): feedback.traceID
        }
    }

    var spanID: SpanID? {
        switch self {
        case .score(let score): score.spanID
        case .feedback(let feedback): feedback.spanID
        }
    }

    var metadata: Value.Object {
        switch self {
        case .score(let score): score.metadata
        case .feedback(let feedback): feedback.metadata
        }
    }

    var correlation: Correlation {
        switch self {
        case .score(let score): score.correlation
        case .feedback(let feedback): feedback.correlation
        }
    }

    var kind: AnnotationKind {
        switch self {
        case .score: .score
        case .feedback: .feedback
        }
    }

    var event: SignalEvent {
        switch self {
        case .score(let score): .score(score)
        case .feedback(let feedback): .feedback(feedback)
        }
    }

    /// With what its target belongs to, and the target's metadata below its own.
    func joined(_ correlation: Correlation, _ metadata: Value.Object) -> Annotation {
        switch self {
        case .score(var score):
            score.correlation = correlation
            score.metadata = metadata.merging(score.metadata)
            return .score(score)
        case .feedback(var feedback):
            feedback.correlation = correlation
            feedback.metadata = metadata.merging(feedback.metadata)
            return .feedback(feedback)
        }
    }
}

/// One thing for a worker to do.
enum WorkItem: Sendable {
    /// The spans of one request to take in. `known` names the traces of which the store had spans before; `sequence` is the
    /// position of the request's last chunk in the journal, 0 where nothing is stored; `sequences` those of each trace's chunk,
    /// given where processors may change what is stored.
    case spans([Slab], known: Set<TraceID>, sequence: Int64, sequences: [TraceID: Int64])
    /// Logs and observations of one trace, or of none; `sequence` is the position of their chunk in the journal.
    case events([SignalEvent], partition: Int, sequence: Int64, receivedAt: Timestamp)
    /// The points of one request of OTLP metrics; `sequence` is the position of their chunk in the journal.
    case received(ReceivedRequest, sequence: Int64)
    /// A stored annotation to be counted; `isKnown`: the store has its trace; `isReplacement`: it replaced an earlier one.
    case annotation(Annotation, isKnown: Bool, isReplacement: Bool, receivedAt: Timestamp)
    /// A trace that was open when the process stopped.
    case restore(TraceID)
    /// Everything that an earlier run left is queued before this.
    case resumed
    /// A trace that was deleted: what is known of it goes.
    case forget(TraceID)
    /// Nothing but to look at what is due and at new plugin versions.
    case wake
    /// Called when everything before it is done and its effects are handed over.
    case barrier(@Sendable () -> Void)
    /// Ends and settles everything first, as if nothing more could come; then like a barrier.
    case finish(@Sendable () -> Void)

    /// Whether it brings something to process.
    var isInput: Bool {
        switch self {
        case .spans, .events, .received, .annotation: true
        case .restore, .resumed, .forget, .wake, .barrier, .finish: false
        }
    }

    /// What the item holds in memory, for the bound of the queue.
    var bytes: Int {
        switch self {
        case .spans(let slabs, _, _, _): slabs.reduce(0) { $0 + $1.retainedBytes }
        case .events(let events, _, _, _): events.reduce(64) { $0 + $1.approximateBytes }
        case .received(let request, _): request.bytes
        case .annotation: 512
        case .restore, .resumed, .forget, .wake, .barrier, .finish: 64
        }
    }
}
