package import NightjarBus
import NightjarOTLP
package import NightjarSignals
package import NightjarStore

/// A stored trace that scorers are to look at.
package struct ScoringTarget: Sendable, Equatable {
    /// The trace.
    package let id: TraceID
    /// When its last span was received; the clock of its scorers.
    package let receivedAt: Timestamp

    /// A target.
    package init(id: TraceID, receivedAt: Timestamp) {
        self.id = id
        self.receivedAt = receivedAt
    }

    /// By receipt, at one time by id: the same everywhere and always.
    package static func isBefore(_ left: ScoringTarget, _ right: ScoringTarget) -> Bool {
        (left.receivedAt, left.id.high, left.id.low) < (right.receivedAt, right.id.high, right.id.low)
    }
}

/// The traces of a window.
package struct ScoringTargets: Sendable, Equatable {
    /// Those that have ended, in the order of ``ScoringTarget/isBefore(_:_:)``.
    package let targets: [ScoringTarget]
    /// How many are left out because more of them is expected.
    package let open: Int
    /// Whether there are more than the window's limit.
    package let isCut: Bool

    /// The traces of a window, in whatever order; of each whether more of it is expected.
    package init(_ traces: [(target: ScoringTarget, isOpen: Bool)], isCut: Bool) {
        targets = traces.filter { !$0.isOpen }.map(\.target).sorted(by: ScoringTarget.isBefore)
        open = traces.count - targets.count
        self.isCut = isCut
    }
}

/// A stored trace with what was said of it.
package struct StoredTrace: Sendable {
    /// Its spans in the form in which they are at hand.
    package enum Spans: Sendable {
        /// As the store has them.
        case chunks([StoredChunk])
        /// As one OTLP protobuf message.
        case message([UInt8])
    }

    /// The trace.
    package let target: ScoringTarget
    /// Its spans.
    package let spans: Spans
    /// Its scores and those of its spans.
    package let scores: [Score]
    /// The feedback on it and on its spans.
    package let feedback: [Feedback]
    /// Its logs, where they are at hand: else they are looked up when they are asked for.
    package let logs: [Log]

    /// A trace.
    package init(
        _ target: ScoringTarget,
        spans: Spans,
        scores: [Score],
        feedback: [Feedback],
        logs: [Log] = []
    ) {
        self.target = target
        self.spans = spans
        self.scores = scores
        self.feedback = feedback
        self.logs = logs
    }

    /// A trace as `GET /api/traces/{id}` gives it, with its spans as it gives them with `format=protobuf`.
    package init(_ target: ScoringTarget, message: [UInt8], _ trace: RecordedTrace) {
        self.init(
            target,
            spans: .message(message),
            scores: trace.scores,
            feedback: trace.feedback,
            logs: trace.logs
        )
    }

    /// What was said of it, as events; its logs first.
    package var annotations: [SignalEvent] {
        logs.map(SignalEvent.log) + scores.map(SignalEvent.score) + feedback.map(SignalEvent.feedback)
    }

    /// The spans as rows, decoded anew at each call: runs write into them.
    /// - Throws: ``OTLPError`` where they cannot be read.
    func slabs() throws(OTLPError) -> [Slab] {
        switch spans {
        case .chunks(let chunks):
            var slabs: [Slab] = []
            for chunk in chunks { slabs += try StoredTraceSource.request(chunk).slabs.map(\.slab) }
            return slabs
        case .message(let bytes):
            return try TraceRequest.decode(
                Payload(bytes),
                encoding: .protobuf,
                receivedAt: target.receivedAt,
                workers: 1,
                limits: .taken
            ).slabs.map(\.slab)
        }
    }
}

/// Where stored traces come from. Belongs to one thread at a time.
package protocol ScoringSource: AnyObject {
    /// The traces of a window.
    func targets(_ window: StoredWindow) throws -> ScoringTargets
    /// A trace; nil where it is gone.
    func trace(_ target: ScoringTarget) throws -> StoredTrace?
}

/// Where scores go. Belongs to one thread at a time.
package protocol ScoringSink: AnyObject {
    /// Inserts or replaces scores without counting them; returns when they are on disk.
    func write(_ scores: [Score]) throws
    /// Takes back what a version wrote; returns when that is on disk.
    func undo(_ version: ScoreVersion) throws -> UndoCount
}

/// The traces of a database file, read beside whoever writes it.
package final class DatabaseScoringSource: ScoringSource {
    private let reader: StoreReader

    /// The traces of a database.
    package init(_ events: StoredEvents) { reader = events.reader }

    package func targets(_ window: StoredWindow) throws -> ScoringTargets {
        let (traces, isCut) = try reader.outlines(from: window.from, to: window.to, limit: window.limit)
        return ScoringTargets(
            traces.map { (ScoringTarget(id: $0.id, receivedAt: $0.lastReceived), $0.isOpen) },
            isCut: isCut
        )
    }

    package func trace(_ target: ScoringTarget) throws -> StoredTrace? {
        let chunks = try reader.chunks(of: target.id)
        guard !chunks.isEmpty else { return nil }
        return StoredTrace(
            target,
            spans: .chunks(chunks),
            scores: try reader.scores(of: target.id).map(\.score),
            feedback: try reader.feedback(of: target.id).map(\.feedback)
        )
    }
}

/// The scores of a database file that no other program has open.
package final class DatabaseScoringSink: ScoringSink {
    private let store: SQLiteStore
    private static let patience = Duration.seconds(30)

    /// Opens the database for writing.
    /// - Throws: ``EngineError`` where another program has it open, or it cannot be opened.
    package init(path: String) throws(EngineError) {
        store = try SQLiteStore.alone(path)
    }

    package func write(_ scores: [Score]) throws {
        _ = try store.backfill(scores, patience: Self.patience)
    }

    package func undo(_ version: ScoreVersion) throws -> UndoCount { try store.undo(version) }

    /// Lets go of the file.
    package func close() throws { try store.close() }
}
