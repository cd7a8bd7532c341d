package import NightjarBus
package import NightjarSignals

/// By what time a list of traces is ordered; the newest comes first.
package enum TraceOrder: Sendable {
    /// The start of the trace, or its first receipt while no start is known: pages stay stable while traces go on.
    case start
    /// The last receipt: a trace moves to the front when it goes on.
    case lastReceived
}

/// Where a page of a list ended; opaque, but it can be written and read back.
package struct PageCursor: Sendable, Equatable, LosslessStringConvertible {
    let time: Int64
    let row: Int64

    init(time: Int64, row: Int64) {
        self.time = time
        self.row = row
    }

    /// Reads what `description` wrote; nil for anything else.
    package init?(_ description: String) {
        let parts = description.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let time = Int64(parts[0]), let row = Int64(parts[1]) else { return nil }
        self.init(time: time, row: row)
    }

    /// Whether another page ended at the same time.
    package func isOfTime(_ other: PageCursor) -> Bool { time == other.time }

    /// The text for a link to the next page.
    package var description: String { "\(time).\(row)" }
}

/// Where a page of traces ended.
package typealias TraceCursor = PageCursor

/// Which traces to list; every condition that is given must hold.
package struct TraceQuery: Sendable, Equatable {
    /// More are not given at once.
    package static let largestLimit = 500
    /// Stands for feedback of every type.
    package static let anyFeedback = "*"

    /// The order, and the time that `from`, `to` and the cursor speak of.
    package var order = TraceOrder.start
    /// Whether the oldest comes first.
    package var isAscending = false
    /// Not before.
    package var from: Timestamp?
    /// Before.
    package var to: Timestamp?
    /// The status of the root.
    package var status: SpanStatus?
    /// Whether any span failed.
    package var hasErrors: Bool?
    /// Whether more is expected.
    package var isOpen: Bool?
    /// The root's name.
    package var name: String?
    /// The root's type.
    package var type: String?
    /// The service of the root.
    package var service: String?
    /// The environment of the root.
    package var environment: String?
    /// The name of an agent run in it.
    package var agent: String?
    /// A model that one of its generations asked for, else the one that answered.
    package var model: String?
    /// A tool that was called in it.
    package var tool: String?
    /// The first workflow run's name.
    package var workflow: String?
    /// All of these are among its tags.
    package var tags: [String] = []
    /// The user.
    package var user: String?
    /// The session.
    package var session: String?
    /// At least so long, from the earliest start to the latest end.
    package var minimumDuration: Duration?
    /// At most so long.
    package var maximumDuration: Duration?
    /// It, or a span of it, has a verdict of this scorer.
    package var scorer: String?
    /// That verdict, or any where no scorer is named, is at least this.
    package var minimumScore: Double?
    /// That verdict is at most this.
    package var maximumScore: Double?
    /// It, or a span of it, has feedback of this type, or with `type:value` of that value; `*`: any feedback.
    package var feedback: String?
    /// How many to give, 1 to `largestLimit`; held to that.
    package var limit = 50
    /// Where the page before ended.
    package var cursor: PageCursor?

    /// The newest 50.
    package init() {}
}

/// One page of a list of traces.
package struct TracePage: Sendable, Equatable {
    /// The traces, newest first.
    package var traces: [TraceRecord]
    /// Where the next page begins; nil at the end.
    package var next: PageCursor?
    /// Where the search ended that went as far as one answer may without filling the page; else nil.
    package var scannedUntil: Timestamp?

    /// A page.
    package init(traces: [TraceRecord], next: PageCursor?, scannedUntil: Timestamp? = nil) {
        self.traces = traces
        self.next = next
        self.scannedUntil = scannedUntil
    }
}

/// A score as it is kept.
package struct ScoreRecord: Sendable, Equatable {
    /// The score.
    package var score: Score
    /// When it was first stored.
    package var createdAt: Timestamp
    /// When another version took its place; nil for the one that holds.
    package var replacedAt: Timestamp?

    /// A record.
    package init(score: Score, createdAt: Timestamp, replacedAt: Timestamp? = nil) {
        self.score = score
        self.createdAt = createdAt
        self.replacedAt = replacedAt
    }
}

/// Feedback as it is kept.
package struct FeedbackRecord: Sendable, Equatable {
    /// The feedback.
    package var feedback: Feedback
    /// When it was first stored.
    package var createdAt: Timestamp
    /// When another version took its place; nil for the one that holds.
    package var replacedAt: Timestamp?

    /// A record.
    package init(feedback: Feedback, createdAt: Timestamp, replacedAt: Timestamp? = nil) {
        self.feedback = feedback
        self.createdAt = createdAt
        self.replacedAt = replacedAt
    }
}

/// A log line as it is kept.
package struct LogRecord: Sendable, Equatable {
    /// Its number, ascending by arrival.
    package var id: Int64
    /// The log line.
    package var log: Log
    /// When it was stored.
    package var createdAt: Timestamp

    /// A record.
    package init(id: Int64, log: Log, createdAt: Timestamp) {
        self.id = id
        self.log = log
        self.createdAt = createdAt
    }
}

/// Where what processing brought about is kept and looked up. Safe to use from any thread.
package protocol TelemetryStore: Sendable {
    /// Queues effects; they become durable together, in the order of the calls. While the queue is full the caller waits, but
    /// not longer than ``StoreSettings/effectsPatience``. A failing disk delays effects, it never drops them.
    /// `completion` is called on the writer's thread after the commit; not if the store is closed before.
    func commit(_ effects: Effects, completion: @escaping @Sendable () -> Void)

    /// The chunks of a trace's spans in the order of their numbers.
    func chunks(of trace: TraceID) throws(StoreError) -> [StoredChunk]
    /// What is known of a trace; nil for an unknown one. Of one that is ``TraceRecord/isSampledOut`` there may be nothing else.
    func trace(_ id: TraceID) throws(StoreError) -> TraceRecord?
    /// One page of traces, newest first; without those that were sampled out.
    func traces(_ query: TraceQuery) throws(StoreError) -> TracePage
    /// The scores of a trace and of its spans, in the order in which they were first stored.
    func scores(of trace: TraceID) throws(StoreError) -> [ScoreRecord]
    /// The feedback on a trace and on its spans, in the order in which it was first stored.
    func feedback(of trace: TraceID) throws(StoreError) -> [FeedbackRecord]
    /// The logs of a trace in the order of their time.
    func logs(of trace: TraceID) throws(StoreError) -> [LogRecord]
    /// One page of logs, newest first.
    func logs(_ query: LogQuery) throws(StoreError) -> SignalPage<LogRecord>
    /// One page of scores, newest first.
    func scores(_ query: ScoreQuery) throws(StoreError) -> SignalPage<ScoreRecord>
    /// One page of feedback, newest first.
    func feedback(_ query: FeedbackQuery) throws(StoreError) -> SignalPage<FeedbackRecord>
    /// The versions of a score that were replaced, oldest first.
    func history(ofScore id: String) throws(StoreError) -> [ScoreRecord]
    /// The versions of feedback that were replaced, oldest first.
    func history(ofFeedback id: String) throws(StoreError) -> [FeedbackRecord]
    /// What is committed of streams of OTLP metrics; those that are not known are left out.
    func streams(_ ids: [UInt64]) throws(StoreError) -> [UInt64: StreamState]
    /// What is kept of plugins, by name.
    func plugins() throws(StoreError) -> [PluginRecord]
    /// The contents that a plugin had, the newest first; at most ``PluginChange/contentLimit``.
    func contents(ofPlugin name: String) throws(StoreError) -> [PluginContentRecord]

    /// Deletes a trace with its spans, logs, scores and feedback; returns when that is on disk. Whether there was anything.
    /// What is still on its way from processing does not bring it back; later spans do.
    func deleteTrace(_ id: TraceID) throws(StoreError) -> Bool
    /// Deletes a score with its history; returns when that is on disk. Whether there was one.
    func deleteScore(_ id: String) throws(StoreError) -> Bool
    /// Deletes feedback with its history; returns when that is on disk. Whether there was any.
    func deleteFeedback(_ id: String) throws(StoreError) -> Bool

    /// Returns when everything that was submitted or handed over before is committed or has failed.
    /// - Throws: ``StoreError`` `timeout` after ``StoreSettings/flushPatience``; what waits goes on waiting.
    func flush() throws(StoreError)
    /// Flushes, then stops and lets go of the file; effects that cannot be committed are left to the next start's replay.
    func close() throws(StoreError)
}
