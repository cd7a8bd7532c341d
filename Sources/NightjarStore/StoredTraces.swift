package import NightjarBus
package import NightjarSignals

/// Where what is stored of a trace is looked up. Safe to use from any thread.
package protocol StoredTraces: Sendable {
    /// What is known of a trace; nil for an unknown one.
    func trace(_ id: TraceID) throws(StoreError) -> TraceRecord?
    /// The chunks of a trace's spans in the order of their numbers.
    func chunks(of trace: TraceID) throws(StoreError) -> [StoredChunk]
    /// The scores of a trace and of its spans, in the order in which they were first stored.
    func scores(of trace: TraceID) throws(StoreError) -> [ScoreRecord]
    /// The feedback on a trace and on its spans, in the order in which it was first stored.
    func feedback(of trace: TraceID) throws(StoreError) -> [FeedbackRecord]
    /// The logs of a trace in the order of their time.
    func logs(of trace: TraceID) throws(StoreError) -> [LogRecord]
}

extension SQLiteStore: StoredTraces {}

/// A stored trace in a list.
package struct TraceOutline: Sendable, Equatable {
    /// The trace.
    package let id: TraceID
    /// When its last span was received.
    package let lastReceived: Timestamp
    /// Whether more is expected.
    package let isOpen: Bool
}

/// Where in the database something lies that was received once.
package struct StoredEntry: Sendable, Equatable {
    /// What it is, in the order in which equal times are taken.
    package enum Kind: UInt8, Sendable, CaseIterable {
        /// Spans.
        case chunk
        /// A log line.
        case log
        /// A score.
        case score
        /// Feedback.
        case feedback
    }

    /// When it was received.
    package let time: Timestamp
    /// What it is.
    package let kind: Kind
    let row: Int64

    /// By receipt; at one time spans before what is said of them, else as they were stored.
    package static func isBefore(_ left: StoredEntry, _ right: StoredEntry) -> Bool {
        (left.time, left.kind.rawValue, left.row) < (right.time, right.kind.rawValue, right.row)
    }
}

/// What lies at a ``StoredEntry``.
package enum StoredContent: Sendable {
    /// Spans.
    case chunk(StoredChunk)
    /// A log line, a score or feedback.
    case event(SignalEvent)
}
