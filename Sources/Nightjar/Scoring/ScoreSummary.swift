package import NightjarSignals

/// What a scorer said of one target, as far as it is looked at later; small, for there may be many.
package struct Verdict: Sendable, Equatable {
    /// A longer reason is cut.
    private static let reasonLimit = 300

    /// The scorer.
    package let scorer: String
    /// The trace.
    package let trace: TraceID
    /// The span; nil where the whole trace is judged.
    package let span: SpanID?
    /// The verdict as a number.
    package let score: Double?
    /// The verdict as a category.
    package let label: String?
    /// Why.
    package let reason: String?
    /// Why there is none.
    package let error: String?

    /// A verdict without its reason.
    init(scorer: String, trace: TraceID, span: SpanID?, score: Double?, label: String?, error: String?) {
        self.scorer = scorer
        self.trace = trace
        self.span = span
        self.score = score
        self.label = label
        reason = nil
        self.error = error
    }

    /// The verdict of a score; nil where it judges no trace.
    package init?(_ score: Score) {
        guard let trace = score.traceID else { return nil }
        scorer = score.scorerName
        self.trace = trace
        span = score.spanID
        self.score = score.score
        label = score.label
        reason = score.reason.map { $0.count > Self.reasonLimit ? $0.prefix(Self.reasonLimit) + "…" : $0 }
        error = score.error
    }
}

/// What a scorer said of many targets.
package struct ScoreSummary: Sendable, Equatable {
    /// So many examples are given of each end.
    package static let exampleLimit = 5

    /// Examples with some place in the order of scores.
    package enum Place: String, Sendable, CaseIterable {
        /// The lowest.
        case low
        /// Those around the median.
        case middle
        /// The highest.
        case high
    }

    /// The scorer.
    package let scorer: String
    /// How many verdicts there are, failures included.
    package let count: Int
    /// On how many traces.
    package let traces: Int
    /// How many times the scorer said that it failed.
    package let failed: Int
    /// How the numbers are spread; nil where there are none.
    package let distribution: Distribution?
    /// How often each label was given, the most frequent first.
    package let labels: [(label: String, count: Int)]
    /// Examples of low, middle and high scores; of labels one each, as low.
    package let examples: [(place: Place, verdict: Verdict)]

    /// The summary of one scorer's verdicts. `range` is the one that it declares.
    package init(_ scorer: String, _ verdicts: [Verdict], range: ClosedRange<Double>? = nil) {
        self.scorer = scorer
        count = verdicts.count
        traces = Set(verdicts.map(\.trace)).count
        failed = verdicts.count { $0.error != nil }
        distribution = Distribution(verdicts.compactMap(\.score), range: range)
        labels = Dictionary(grouping: verdicts.compactMap(\.label)) { $0 }.map { ($0.key, $0.value.count) }
            .sorted { ($1.1, $0.0) < ($0.1, $1.0) }
        examples = Self.examples(verdicts)
    }

    private static func examples(_ verdicts: [Verdict]) -> [(Place, Verdict)] {
        let scored = verdicts.filter { $0.score != nil }.enumerated().sorted {
            ($0.element.score ?? 0, $0.offset) < ($1.element.score ?? 0, $1.offset)
        }.map(\.element)
        guard !scored.isEmpty else {
            var seen: Set<String> = []
            return verdicts.filter { $0.label.map { seen.insert($0).inserted } ?? false }.map { (.low, $0) }
        }
        // Of few verdicts each is an example once.
        let ends = min(exampleLimit, (scored.count + 2) / 3)
        let middle = max(0, min(exampleLimit, scored.count - 2 * ends))
        let start = (scored.count - middle) / 2
        return scored.prefix(ends).map { (.low, $0) }
            + (middle > 0 ? scored[start..<start + middle].map { (.middle, $0) } : [])
            + scored.suffix(min(ends, scored.count - ends)).map { (.high, $0) }
    }

    /// Equal when they say the same.
    package static func == (left: ScoreSummary, right: ScoreSummary) -> Bool {
        left.scorer == right.scorer && left.count == right.count && left.traces == right.traces
            && left.failed == right.failed && left.distribution == right.distribution
            && left.labels.elementsEqual(right.labels, by: ==)
            && left.examples.elementsEqual(right.examples, by: ==)
    }
}
