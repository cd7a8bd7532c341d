package import NightjarSignals

/// What lists of logs, scores and feedback are filtered by alike; every condition that is given must hold.
package struct SignalScope: Sendable, Equatable {
    /// Its own time not before.
    package var from: Timestamp?
    /// Its own time before.
    package var to: Timestamp?
    /// The trace.
    package var traceID: TraceID?
    /// The span.
    package var spanID: SpanID?
    /// Each fact given must be the same, each tag among the tags. Session, experiment and tags are also looked for where the
    /// signal has them itself: a session as target, an experiment of the score, tags of the log.
    package var correlation = Correlation()
    /// How many to give, 1 to `TraceQuery.largestLimit`; held to that.
    package var limit = 50
    /// Where the page before ended.
    package var cursor: PageCursor?

    /// The newest 50.
    package init() {}

    /// The session.
    package var session: String? {
        get { correlation.sessionID }
        set { correlation.sessionID = newValue }
    }

    /// The experiment.
    package var experiment: String? {
        get { correlation.experiment }
        set { correlation.experiment = newValue }
    }
}

/// Which logs to list, newest first.
@dynamicMemberLookup
package struct LogQuery: Sendable, Equatable {
    /// What all lists are filtered by.
    package var scope = SignalScope()
    /// At least so bad.
    package var level: LogLevel?
    /// Words of the message, or of the data where there is no message, as ``FullText`` reads them. A list by words comes in the
    /// order of arrival, unless it is one of a trace.
    package var text: String?

    /// The newest 50.
    package init() {}

    /// A condition of the ``SignalScope``.
    package subscript<Value>(dynamicMember path: WritableKeyPath<SignalScope, Value>) -> Value {
        get { scope[keyPath: path] }
        set { scope[keyPath: path] = newValue }
    }
}

/// Which scores to list, newest first.
@dynamicMemberLookup
package struct ScoreQuery: Sendable, Equatable {
    /// What all lists are filtered by.
    package var scope = SignalScope()
    /// Who judged.
    package var scorer: String?
    /// In which version.
    package var version: String?
    /// The category given.
    package var label: String?
    /// At least so much.
    package var minimumScore: Double?
    /// At most so much.
    package var maximumScore: Double?

    /// The newest 50.
    package init() {}

    /// A condition of the ``SignalScope``.
    package subscript<Value>(dynamicMember path: WritableKeyPath<SignalScope, Value>) -> Value {
        get { scope[keyPath: path] }
        set { scope[keyPath: path] = newValue }
    }
}

/// Which feedback to list, newest first.
@dynamicMemberLookup
package struct FeedbackQuery: Sendable, Equatable {
    /// What all lists are filtered by.
    package var scope = SignalScope()
    /// Where the feedback itself came from.
    package var source: String?
    /// What it is.
    package var feedbackType: String?

    /// The newest 50.
    package init() {}

    /// A condition of the ``SignalScope``.
    package subscript<Value>(dynamicMember path: WritableKeyPath<SignalScope, Value>) -> Value {
        get { scope[keyPath: path] }
        set { scope[keyPath: path] = newValue }
    }
}

/// One page of a list of logs, scores or feedback.
package struct SignalPage<Record: Sendable & Equatable>: Sendable, Equatable {
    /// The records, newest first.
    package var records: [Record]
    /// Where the next page begins; nil at the end.
    package var next: PageCursor?
    /// Where the search ended that went as far as one answer may without filling the page; else nil.
    package var scannedUntil: Timestamp?

    /// A page.
    package init(records: [Record], next: PageCursor?, scannedUntil: Timestamp? = nil) {
        self.records = records
        self.next = next
        self.scannedUntil = scannedUntil
    }

    init(_ page: WalkedPage<Record>) {
        self.init(records: page.records.map(\.record), next: page.next, scannedUntil: page.scannedUntil)
    }
}
