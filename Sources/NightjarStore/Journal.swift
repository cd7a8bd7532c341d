package import NightjarBus
package import NightjarSignals

/// What a chunk of the journal holds.
package enum ChunkKind: Sendable {
    /// An OTLP protobuf message of one trace's spans; kept as long as the trace.
    case spans
    /// Other events, in a form that only who wrote it knows; kept until they are processed.
    case events
}

/// What one request brings of one trace, as it is kept.
package struct JournalChunk: Sendable, Equatable {
    /// What it holds.
    package var kind: ChunkKind
    /// The trace of everything in it; nil for events that belong to none.
    package var traceID: TraceID?
    /// The partition of the trace; 0 without a trace.
    package var partition: Int
    /// How many spans or events it holds.
    package var spanCount: Int
    /// The message, or the events.
    package var payload: [UInt8]

    /// Spans of one trace as an OTLP protobuf message of theirs alone.
    package init(traceID: TraceID, partition: Int, spanCount: Int, payload: [UInt8]) {
        kind = .spans
        self.traceID = traceID
        self.partition = partition
        self.spanCount = spanCount
        self.payload = payload
    }

    /// Events of one trace, or of none.
    package init(eventsOf traceID: TraceID?, count: Int, payload: [UInt8]) {
        kind = .events
        self.traceID = traceID
        partition = traceID.map(Partition.of) ?? 0
        spanCount = count
        self.payload = payload
    }
}

/// A chunk with its place in the journal.
package struct StoredChunk: Sendable, Equatable {
    /// Its number: each accepted chunk's is higher than those of all before, of whatever kind.
    package var sequence: Int64
    /// What it holds.
    package var kind: ChunkKind
    /// The trace of everything in it; nil for events that belong to none.
    package var traceID: TraceID?
    /// The partition of the trace; 0 without a trace.
    package var partition: Int
    /// When it was received.
    package var receivedAt: Timestamp
    /// How many spans or events it holds.
    package var spanCount: Int
    /// The OTLP protobuf message, or the events.
    package var payload: [UInt8]

    /// A stored chunk.
    package init(sequence: Int64, receivedAt: Timestamp, chunk: JournalChunk) {
        self.sequence = sequence
        kind = chunk.kind
        traceID = chunk.traceID
        partition = chunk.partition
        self.receivedAt = receivedAt
        spanCount = chunk.spanCount
        payload = chunk.payload
    }
}

/// What somebody wants gone.
package enum Deletion: Sendable, Equatable {
    /// A trace with its spans, record, logs, scores and feedback.
    case trace(TraceID)
    /// A score with its history.
    case score(String)
    /// Feedback with its history.
    case feedback(String)
}

/// What one request brings: taken whole or not at all.
package struct Submission: Sendable {
    /// What is called with the outcome, once, on the writer's thread: it must not block and not call `commit` or `flush`.
    package typealias Completion = @Sendable (Result<SubmissionReceipt, StoreError>) -> Void

    /// Spans and events, in order.
    package var chunks: [JournalChunk]
    /// Scores to insert or replace.
    package var scores: [Score]
    /// Feedback to insert or replace.
    package var feedback: [Feedback]
    /// What to delete, after everything above; not everything of it has to exist.
    package var deletions: [Deletion]
    /// What changes of what is kept of plugins, in order.
    package var plugins: [PluginChange]
    /// Scores of a version to take back, after everything above.
    package var undos: [ScoreUndo] = []
    /// Whether scores that are new here are taken for counted: nobody will count them.
    package var isBackfill = false
    /// The bytes that whoever waits for the outcome holds on to meanwhile: they count for the bound of the queue.
    package var heldBytes = 0
    /// When the request was received.
    package var receivedAt: Timestamp
    /// Who waits for the outcome.
    package var completion: Completion

    /// A submission.
    package init(
        chunks: [JournalChunk] = [],
        scores: [Score] = [],
        feedback: [Feedback] = [],
        deletions: [Deletion] = [],
        plugins: [PluginChange] = [],
        receivedAt: Timestamp,
        completion: @escaping Completion
    ) {
        self.chunks = chunks
        self.scores = scores
        self.feedback = feedback
        self.deletions = deletions
        self.plugins = plugins
        self.receivedAt = receivedAt
        self.completion = completion
    }
}

/// What became of one submitted score or feedback.
package struct AnnotationReceipt: Sendable, Equatable {
    /// Its id.
    package var id: String
    /// Whether it replaced an earlier one, which is kept as history.
    package var replaced: Bool
    /// Whether it names a trace that the store does not know yet.
    package var pending: Bool

    /// A receipt.
    package init(id: String, replaced: Bool, pending: Bool) {
        self.id = id
        self.replaced = replaced
        self.pending = pending
    }
}

/// What became of a submission that is on disk.
package struct SubmissionReceipt: Sendable, Equatable {
    /// The number of each chunk, in the order of the submission, ascending.
    package var sequences: [Int64] = []
    /// For each chunk whether its trace was not known before it; events make no trace known, so never of them.
    package var isNewTrace: [Bool] = []
    /// For each score what became of it.
    package var scores: [AnnotationReceipt] = []
    /// For each feedback what became of it.
    package var feedback: [AnnotationReceipt] = []
    /// For each deletion whether there was anything to delete.
    package var deleted: [Bool] = []
    /// For each score to take back what became of it.
    package var undone: [ScoreUndo.Outcome] = []

    /// The receipt of nothing.
    package init() {}
}

/// What processing goes on from after a start.
package struct Recovery: Sendable {
    /// For each partition the position up to which everything is processed.
    package var progress: [Int: Int64] = [:]
    /// The traces that were open, those of which nothing is processed yet included, by first receipt.
    package var openTraces: [TraceRecord] = []
    /// The scores that no count was committed for, by id.
    package var scores: [Score] = []
    /// The feedback that no count was committed for, by id.
    package var feedback: [Feedback] = []
    /// The scores that were counted and then replaced, of which the replacement is not processed, by id.
    package var replacedScores: [Score] = []
    /// The same of feedback.
    package var replacedFeedback: [Feedback] = []
    /// Every series with its total, by number.
    package var series: [StoredSeries] = []
    /// The least number that no series ever had.
    package var firstFreeSeries: Int32 = 0

    /// Nothing to go on from.
    package init() {}
}

/// What inputs are written to before they are acknowledged, and read from after a start. Safe to use from any thread.
package protocol Journal: Sendable {
    /// Queues a submission; its completion is called once it is on disk or has failed. Completions of one commit are called
    /// one after the other in the order of their chunks' numbers, so what they hand on keeps that order.
    /// - Throws: ``StoreError`` `overloaded` or `closed`; the completion is not called then.
    func submit(_ submission: Submission) throws(StoreError)

    /// What the last run left; to be read before the first `submit`.
    func recover() throws(StoreError) -> Recovery

    /// Reads the chunks of both kinds beyond their partition's progress as it is now, in the order of their numbers. `each` may call the
    /// store; chunks accepted after the call began are left out.
    func replay(_ each: (StoredChunk) throws -> Void) throws
}
