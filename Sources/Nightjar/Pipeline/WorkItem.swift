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
}

/// One thing for a worker to do.
enum WorkItem: Sendable {
    /// The spans of one request to take in. `known` names the traces of which the store had spans before; `sequence` is the
    /// position of the request's last chunk in the journal, 0 where nothing is stored.
    case spans([Slab], known: Set<TraceID>, sequence: Int64)
    /// A stored annotation to be counted; `isKnown`: the store has its trace.
    case annotation(Annotation, isKnown: Bool, receivedAt: Timestamp)
    /// A trace that was open when the process stopped.
    case restore(TraceID)
    /// Everything that an earlier run left is queued before this.
    case resumed
    /// Nothing but to look at what is due and at new plugin versions.
    case wake
    /// Called when everything before it is done and its effects are handed over.
    case barrier(@Sendable () -> Void)
    /// Ends and settles everything first, as if nothing more could come; then like a barrier.
    case finish(@Sendable () -> Void)

    /// What the item holds in memory, for the bound of the queue.
    var bytes: Int {
        switch self {
        case .spans(let slabs, _, _): slabs.reduce(0) { $0 + $1.retainedBytes }
        case .annotation: 512
        case .restore, .resumed, .wake, .barrier, .finish: 64
        }
    }
}
