public import NightjarSignals

/// A stored trace: its spans as a list and as a tree, and what was said of it. A picture of one moment: what is added to it
/// goes to the store and is in the next one that is asked for.
public struct RecordedTrace: Sendable, Equatable {
    let contents: RecordedContents

    /// The trace of an id. Spans of other traces are left out; of spans with one id the last given is taken.
    /// Nil where no span is left: such a trace is not known. The annotator takes what is added; without one, adding throws.
    public init?(
        traceID: TraceID,
        spans: [Span],
        scores: [Score] = [],
        feedback: [Feedback] = [],
        logs: [Log] = [],
        annotator: Annotator? = nil
    ) {
        guard let contents = RecordedContents(traceID: traceID, spans: spans, annotator: annotator) else {
            return nil
        }
        self.contents = contents
        self.scores = scores
        self.feedback = feedback
        self.logs = logs
    }

    /// The scores of the trace and of its spans.
    public let scores: [Score]
    /// The feedback on the trace and on its spans.
    public let feedback: [Feedback]
    /// The log lines of the trace.
    public let logs: [Log]

    /// The trace's id.
    public var traceID: TraceID { contents.traceID }

    /// The root; in a trace without one the earliest span (`isPartial` says so).
    public var rootSpan: RecordedSpan { RecordedSpan(contents: contents, index: contents.root) }

    /// All spans by start time.
    public var spans: [RecordedSpan] {
        contents.spans.indices.map { RecordedSpan(contents: contents, index: $0) }
    }

    /// The span of an id, in constant time; nil where the trace has none.
    public func getSpan(_ id: SpanID) -> RecordedSpan? {
        contents.places[id].map { RecordedSpan(contents: contents, index: $0) }
    }

    /// The span of an id as text; nil where the trace has none or the text is no id.
    public func getSpan(_ id: some StringProtocol) -> RecordedSpan? { SpanID(id).flatMap { getSpan($0) } }

    /// Whether the root or a named parent is missing.
    public var isPartial: Bool { contents.isPartial }

    /// The root's status.
    public var status: SpanStatus { rootSpan.span.status }

    /// Whether any span failed.
    public var hasErrors: Bool { contents.spans.contains { $0.status == .error } }

    /// Scores the whole trace: the metadata is the root's with the input's on top, the target is the trace whatever the input
    /// names. Returns the score as it was sent.
    /// - Throws: `InputError` for a score that is not fit or a trace without an annotator; whatever the sink throws.
    @discardableResult
    public func addScore(_ score: ScoreInput) async throws -> Score { try await addScores([score])[0] }

    /// Scores the whole trace several times, all or none.
    /// - Throws: as ``addScore(_:)``; the path of the error is the index of the first that is not fit.
    @discardableResult
    public func addScores(_ scores: [ScoreInput]) async throws -> [Score] {
        try await contents.annotated().add(
            scores,
            traceID: traceID,
            spanID: nil,
            metadata: rootSpan.span.metadata,
            correlation: contents.correlation(of: contents.root)
        )
    }

    /// Adds feedback on the whole trace: the metadata is the root's with the input's on top. Returns it as it was sent.
    /// - Throws: `InputError` for feedback that is not fit or a trace without an annotator; whatever the sink throws.
    @discardableResult
    public func addFeedback(_ feedback: FeedbackInput) async throws -> Feedback {
        try await addFeedback([feedback])[0]
    }

    /// Adds several pieces of feedback on the whole trace, all or none.
    /// - Throws: as for one; the path of the error is the index of the first that is not fit.
    @discardableResult
    public func addFeedback(_ feedback: [FeedbackInput]) async throws -> [Feedback] {
        try await contents.annotated().add(
            feedback,
            traceID: traceID,
            spanID: nil,
            metadata: rootSpan.span.metadata,
            correlation: contents.correlation(of: contents.root)
        )
    }

    /// Equal when they hold the same; who takes what is added does not count.
    public static func == (left: RecordedTrace, right: RecordedTrace) -> Bool {
        left.traceID == right.traceID && left.contents.spans == right.contents.spans
            && left.scores == right.scores
            && left.feedback == right.feedback && left.logs == right.logs
    }
}

/// The spans of a recorded trace and how they hang together; shared by the trace and every span handed out, so that a span
/// that is kept keeps its relatives.
final class RecordedContents: Sendable {
    /// Inherited keys beyond so many are left out: a chain of spans that each add one would cost the square of its length.
    static let inheritedKeyLimit = 128

    let traceID: TraceID
    let spans: [Span]
    let places: [SpanID: Int]
    /// For each span the index of its parent, -1 for none.
    let parents: [Int32]
    /// For each span the indices of its children, by start time.
    let children: [[Int]]
    /// Every span, parents before their children, with its depth from 0.
    let walk: [(index: Int, depth: Int)]
    let root: Int
    let isPartial: Bool
    private let annotator: Annotator?

    init?(traceID: TraceID, spans given: [Span], annotator: Annotator?) {
        var spans = Self.ordered(given.filter { $0.traceID == traceID })
        guard !spans.isEmpty else { return nil }
        let shape = TraceShape(spans.map { (id: $0.id.value, parent: $0.parentSpanID?.value ?? 0) })
        var children = [[Int]](repeating: [], count: spans.count)
        for (index, parent) in shape.parents.enumerated() where parent >= 0 {
            children[Int(parent)].append(index)
        }
        let walk = Self.walk(parents: shape.parents, children: children)
        for (index, _) in walk where shape.parents[index] >= 0 {
            spans[index].metadata = Self.inherit(
                spans[Int(shape.parents[index])].metadata,
                spans[index].metadata
            )
        }
        self.traceID = traceID
        self.spans = spans
        places = Dictionary(uniqueKeysWithValues: spans.enumerated().map { ($1.id, $0) })
        parents = shape.parents
        self.children = children
        self.walk = walk
        root = shape.root
        isPartial = shape.isPartial
        self.annotator = annotator
    }

    /// What a signal of a span belongs to.
    func correlation(of index: Int) -> Correlation {
        var chain = [spans[index]]
        var at = Int(parents[index])
        while at >= 0 {
            chain.append(spans[at])
            at = Int(parents[at])
        }
        return Correlation(chain: chain, metadata: spans[index].metadata)
    }

    /// - Throws: `InputError` where there is nobody to take annotations.
    func annotated() throws(InputError) -> Annotator {
        guard let annotator else {
            throw InputError(
                path: "",
                message:
                    "this trace was made without an annotator; get it from the store, or post to the server"
            )
        }
        return annotator
    }

    /// By start time, equal times as given; of one id the last given.
    private static func ordered(_ spans: [Span]) -> [Span] {
        var places: [SpanID: Int] = [:]
        var unique: [Span] = []
        for span in spans {
            if let place = places[span.id] {
                unique[place] = span
            } else {
                places[span.id] = unique.count
                unique.append(span)
            }
        }
        return unique.enumerated().sorted {
            ($0.element.startTime, $0.offset) < ($1.element.startTime, $1.offset)
        }.map(\.element)
    }

    /// Without recursion: a chain of spans may be as long as its sender likes.
    private static func walk(parents: [Int32], children: [[Int]]) -> [(index: Int, depth: Int)] {
        var walk: [(index: Int, depth: Int)] = []
        walk.reserveCapacity(parents.count)
        var waiting = parents.indices.reversed().filter { parents[$0] < 0 }.map { (index: $0, depth: 0) }
        while let next = waiting.popLast() {
            walk.append(next)
            for child in children[next.index].reversed() { waiting.append((child, next.depth + 1)) }
        }
        return walk
    }

    private static func inherit(_ parents: Value.Object, _ own: Value.Object) -> Value.Object {
        guard !own.isEmpty else { return parents }
        var both = Value.Object()
        for (key, value) in parents.entries.prefix(inheritedKeyLimit) { both[key] = value }
        return both.merging(own)
    }
}
