package import NightjarBus
package import NightjarSignals

/// Which sessions to list: those with the newest traces first.
package struct SessionQuery: Sendable, Equatable {
    /// The start of the session's newest trace is not before.
    package var from: Timestamp?
    /// The start of the session's newest trace is before.
    package var to: Timestamp?
    /// The user of the session's newest trace.
    package var user: String?
    /// The environment of the session's newest trace.
    package var environment: String?
    /// The service of the session's newest trace.
    package var service: String?
    /// How many to give, 1 to `TraceQuery.largestLimit`; held to that.
    package var limit = 50
    /// Where the page before ended.
    package var cursor: SessionCursor?

    /// The newest 50.
    package init() {}
}

/// Where a page of sessions ended. Traces that come after the first page do not count for the order of the pages behind it: a
/// session that goes on would leave its place else.
package struct SessionCursor: Sendable, Equatable, LosslessStringConvertible {
    let place: PageCursor
    /// The last row that there was at the first page.
    let mark: Int64

    init(place: PageCursor, mark: Int64) {
        self.place = place
        self.mark = mark
    }

    /// Reads what `description` wrote; nil for anything else.
    package init?(_ description: String) {
        guard let dot = description.lastIndex(of: "."),
            let place = PageCursor(String(description[..<dot])),
            let mark = Int64(description[description.index(after: dot)...])
        else { return nil }
        self.init(place: place, mark: mark)
    }

    /// The text for a link to the next page.
    package var description: String { "\(place).\(mark)" }
}

/// A session: what its traces come to together.
package struct SessionRecord: Sendable, Equatable {
    /// Of more traces than this the newest are summed up.
    package static let summedTraces = 10_000

    /// The session.
    package let id: String
    /// The user, from a trace that names one.
    package let user: String?
    /// How many traces it has; those that were sampled out left out.
    package let traces: Int
    /// Whether there are more, which none of the sums holds.
    package let isCut: Bool
    /// The start of its first trace.
    package let first: Timestamp
    /// The end of its last trace, or the start while none is known.
    package let last: Timestamp
    /// How many spans its traces have.
    package let spans: Int
    /// How many of its traces have a span that failed.
    package let errors: Int
    /// How many of its traces run.
    package let running: Int
    /// The sum over its traces, where any states it.
    package let inputTokens: Double?
    /// The sum over its traces, where any states it.
    package let outputTokens: Double?
    /// The sum of the stated costs.
    package let cost: Double?
}

/// One page of a list of sessions.
package struct SessionPage: Sendable, Equatable {
    /// The sessions, the one with the newest trace first.
    package let sessions: [SessionRecord]
    /// Where the next page begins; nil at the end.
    package let next: SessionCursor?
    /// Where the search ended that went as far as one answer may without filling the page; else nil.
    package let scannedUntil: Timestamp?
}

/// A session with what belongs to it.
package struct StoredSession: Sendable, Equatable {
    /// Its sums.
    package let record: SessionRecord
    /// A page of its traces, the first first.
    package let traces: [TraceRecord]
    /// Where the next page of traces begins; nil at the end.
    package let next: PageCursor?
    /// The scores of the session as a whole, in the order in which they were first stored; at most `TraceQuery.largestLimit`.
    package let scores: [ScoreRecord]
    /// The feedback on the session as a whole, likewise.
    package let feedback: [FeedbackRecord]
}
