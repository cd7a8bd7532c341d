package import NightjarSignals

/// How well a scorer agrees with what people said of the same traces.
package struct FeedbackAgreement: Sendable, Equatable {
    /// How the feedback of a type is read.
    package enum Kind: String, Sendable {
        /// Good or bad.
        case binary
        /// A number.
        case rating
    }

    /// The scorer.
    package let scorer: String
    /// The type of the feedback.
    package let feedbackType: String
    /// How it is read.
    package let kind: Kind
    /// How many pairs of verdict and feedback there are.
    package let count: Int
    /// How many of the pairs are good; of ratings nil.
    package let positives: Int?
    /// Of binary feedback: the score from which on a trace is taken for good; nil where the verdicts are labels.
    package let threshold: Double?
    /// Of binary feedback: the share of pairs that is right at the threshold, or with the best reading of each label.
    package let accuracy: Double?
    /// Of binary feedback: the chance that a good trace has the higher score.
    package let areaUnderCurve: Double?
    /// Of ratings: the correlation of the order.
    package let spearman: Double?
}

/// Pairs the verdicts of scorers with feedback, trace by trace.
package struct FeedbackPairs: Sendable {
    private struct Pair: Sendable {
        let score: Double?
        let label: String?
        let value: Value
    }

    private struct Key: Hashable, Comparable {
        let scorer: String
        let type: String

        static func < (left: Key, right: Key) -> Bool {
            (left.scorer, left.type) < (right.scorer, right.type)
        }
    }

    private var pairs: [Key: [Pair]] = [:]
    /// How many traces had feedback of people and a verdict.
    package private(set) var traces = 0

    /// No pairs.
    package init() {}

    /// Pairs what was said of one trace. Feedback on a span meets the verdict on that span; other feedback, and that on a span
    /// without one, the verdict on the trace, or the mean of those on its spans.
    package mutating func add(_ verdicts: [Verdict], _ feedback: [Feedback]) {
        let human = feedback.filter(\.isHuman)
        let scorers = Dictionary(grouping: verdicts.filter { $0.error == nil }, by: \.scorer)
        guard !human.isEmpty, !scorers.isEmpty else { return }
        traces += 1
        for (scorer, verdicts) in scorers {
            for item in human {
                guard let (score, label) = Self.verdict(verdicts, on: item.spanID) else { continue }
                pairs[Key(scorer: scorer, type: item.feedbackType), default: []]
                    .append(Pair(score: score, label: label, value: item.value))
            }
        }
    }

    /// What each scorer's verdicts are worth by each type of feedback, by name; types of which no value can be read are left out.
    package var agreements: [FeedbackAgreement] {
        pairs.sorted { $0.key < $1.key }.compactMap { key, pairs in
            let values = FeedbackValues(pairs.map(\.value))
            return values.isBinary
                ? Self.binary(key, pairs, values) : Self.rating(key, pairs, values)
        }
    }

    private static func verdict(_ verdicts: [Verdict], on span: SpanID?) -> (Double?, String?)? {
        if let span, let own = verdicts.last(where: { $0.span == span }) { return (own.score, own.label) }
        if let whole = verdicts.last(where: { $0.span == nil }) { return (whole.score, whole.label) }
        if let mean = ScoreStatistics.mean(verdicts.compactMap(\.score)) { return (mean, nil) }
        // Labels have no mean: one alone speaks for the trace.
        return verdicts.count == 1 ? (nil, verdicts[0].label) : nil
    }

    private static func binary(_ key: Key, _ pairs: [Pair], _ values: FeedbackValues) -> FeedbackAgreement? {
        let read = zip(pairs, values.answers).compactMap { pair, answer in answer.map { (pair, $0) } }
        let scored = read.filter { $0.0.score != nil }
        let isByLabel = scored.isEmpty
        let used = isByLabel ? read.filter { $0.0.label != nil } : scored
        guard !used.isEmpty else { return nil }
        let answers = used.map(\.1)
        let scores = used.compactMap(\.0.score)
        let best = ScoreStatistics.bestThreshold(scores, answers)
        let byLabel =
            isByLabel ? ScoreStatistics.bestAccuracy(byCategory: used.compactMap(\.0.label), answers) : nil
        return FeedbackAgreement(
            scorer: key.scorer,
            feedbackType: key.type,
            kind: .binary,
            count: used.count,
            positives: answers.count { $0 },
            threshold: isByLabel ? nil : best?.threshold,
            accuracy: isByLabel ? byLabel : best?.accuracy,
            areaUnderCurve: isByLabel ? nil : ScoreStatistics.areaUnderCurve(scores, answers),
            spearman: nil
        )
    }

    private static func rating(_ key: Key, _ pairs: [Pair], _ values: FeedbackValues) -> FeedbackAgreement? {
        let read = zip(pairs, values.numbers).compactMap { pair, number in
            pair.score.flatMap { score in number.map { (score: score, rating: $0) } }
        }
        guard !read.isEmpty else { return nil }
        return FeedbackAgreement(
            scorer: key.scorer,
            feedbackType: key.type,
            kind: .rating,
            count: read.count,
            positives: nil,
            threshold: nil,
            accuracy: nil,
            areaUnderCurve: nil,
            spearman: ScoreStatistics.spearman(read.map(\.score), read.map(\.rating))
        )
    }
}

/// The values of one type of feedback, read together: what a number means depends on the others.
private struct FeedbackValues {
    /// Each as a number, where it is one.
    let numbers: [Double?]
    /// Each as good or bad, where it is either.
    let answers: [Bool?]
    /// Whether all that can be read is good or bad.
    let isBinary: Bool

    private static let words: [String: Bool] = [
        "up": true, "down": false, "thumbs_up": true, "thumbs_down": false, "positive": true,
        "negative": false, "good": true, "bad": false, "like": true, "dislike": false, "yes": true,
        "no": false,
        "true": true, "false": false,
    ]

    init(_ values: [Value]) {
        numbers = values.map(\.number)
        let isSigned = numbers.contains(-1)
        // Where -1 occurs, 0 is neither good nor bad.
        let byNumber: [Double: Bool] = isSigned ? [1: true, -1: false] : [1: true, 0: false]
        answers = values.map { value in
            if let number = value.number { return byNumber[number] }
            if case .bool(let answer) = value { return answer }
            return value.string.flatMap { Self.words[$0.lowercased()] }
        }
        isBinary = numbers.allSatisfy { number in number.map { [-1, 0, 1].contains($0) } ?? true }
    }
}

extension Feedback {
    /// Whether a person said it, as far as can be told: not a plugin, and not the system.
    fileprivate var isHuman: Bool { metadata["plugin"] == nil && source != "system" }
}
