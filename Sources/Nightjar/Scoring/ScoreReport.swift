package import NightjarSignals
package import NightjarStore

/// What scorers said within a time, by scorer and version; how they agree with one another and with people.
package struct ScoreReport: Sendable, Equatable {
    /// What a version of a scorer said.
    package struct Version: Sendable, Equatable {
        /// The version; nil for verdicts that state none.
        package let version: String?
        /// How many targets it judged, failures included.
        package let count: Int
        /// On how many of them it failed.
        package let failed: Int
        /// How the numbers are spread, in bars that all versions of the scorer share; nil where there are none.
        package let distribution: Distribution?
        /// How often each label was given, the most frequent first.
        package let labels: [LabelCount]
        /// How it went over time, the earliest first; parts without a verdict are left out.
        package let trend: [TrendPoint]
        /// Its first verdict.
        package let first: Timestamp
        /// Its last verdict.
        package let last: Timestamp
    }

    /// A label and how often it was given.
    package struct LabelCount: Sendable, Equatable {
        /// The label.
        package let label: String
        /// How often.
        package let count: Int
    }

    /// The verdicts of a part of the time.
    package struct TrendPoint: Sendable, Equatable {
        /// Where the part begins: a multiple of the step since 1970.
        package let time: Timestamp
        /// How many verdicts there are, failures included.
        package let count: Int
        /// How many of them are failures.
        package let failed: Int
        /// The mean of the numbers; nil where there are none.
        package let mean: Double?
    }

    /// What a scorer said.
    package struct Scorer: Sendable, Equatable {
        /// The scorer.
        package let name: String
        /// Its versions, the one with the newest verdict first.
        package let versions: [Version]
        /// The newest version beside the one before it; nil where there is one only.
        package let comparison: ScoreComparison?
        /// What all its verdicts of the period before came to; nil where no period was asked for, or there was none.
        package let before: Before?
    }

    /// What the period before came to.
    package struct Before: Sendable, Equatable {
        /// How many verdicts there were.
        package let count: Int
        /// The mean of the numbers.
        package let mean: Double?
    }

    /// The scorers by name.
    package let scorers: [Scorer]
    /// How the newest version of each agrees with feedback.
    package let feedback: [FeedbackAgreement]
    /// How the two scorers agree that were asked for; nil where they were not.
    package let agreement: ScorerAgreement?
    /// How long a part of the trend is: as asked for, or longer where there would be more than a thousand.
    package let step: Duration
    /// From which time on the report is whole, where not everything that was asked for was looked at.
    package let cutAt: Timestamp?
    /// Whether not all feedback was looked at.
    package let isFeedbackCut: Bool
}

extension ScoreReport {
    /// The report of verdicts in whatever order; of several of one version on one target the latest counts.
    package init(
        _ verdicts: [StoredVerdict],
        before: [StoredVerdict] = [],
        feedback: [Feedback] = [],
        agreement pair: (String, String)? = nil,
        step: Duration? = nil,
        cutAt: Timestamp? = nil,
        isFeedbackCut: Bool = false
    ) {
        let latest = Self.latest(verdicts)
        let step = Self.step(latest, step)
        let byScorer = Dictionary(grouping: latest, by: \.scorer)
        let earlier = Dictionary(grouping: Self.latest(before), by: \.scorer)
        scorers = byScorer.keys.sorted().map { name in
            Scorer(name, byScorer[name] ?? [], before: earlier[name] ?? [], step: step)
        }
        let newest = byScorer.mapValues { Self.byVersion($0).first?.verdicts ?? [] }
        self.feedback = Self.agreements(newest.values.flatMap(\.self), feedback)
        agreement = pair.map { left, right in
            ScorerAgreement(left, newest[left] ?? [], right, newest[right] ?? [])
        }
        self.step = step
        self.cutAt = cutAt
        self.isFeedbackCut = isFeedbackCut
    }

    /// A trend has at most so many parts where nobody says how long they are.
    private static let trendParts = 100
    private static let steps: [Duration] = [
        .seconds(60), .seconds(300), .seconds(900), .seconds(3600), .seconds(3 * 3600), .seconds(6 * 3600),
        .seconds(86_400), .seconds(7 * 86_400), .seconds(28 * 86_400),
    ]

    private static func step(_ verdicts: [StoredVerdict], _ wanted: Duration?) -> Duration {
        let (first, last) = (verdicts.first?.timestamp ?? .zero, verdicts.last?.timestamp ?? .zero)
        let (difference, overflow) = last.unixNano.subtractingReportingOverflow(first.unixNano)
        let span = overflow ? Int64.max : difference
        if let wanted {
            var step = wanted
            while span / max(step.nanoseconds, 1) > 1_000 { step *= 2 }
            return step
        }
        return steps.first { $0.nanoseconds >= span / Int64(trendParts) } ?? steps[steps.count - 1]
    }

    /// The latest of each scorer, version and target, the earliest of them first.
    private static func latest(_ verdicts: [StoredVerdict]) -> [StoredVerdict] {
        struct Key: Hashable {
            let scorer: String
            let version: String?
            let target: StoredVerdict.Target
        }
        // At one time the one that holds is later than those it replaced.
        let ordered = verdicts.sorted {
            ($0.timestamp, $0.isReplaced ? 0 : 1) < ($1.timestamp, $1.isReplaced ? 0 : 1)
        }
        var places: [Key: Int] = [:]
        for (place, verdict) in ordered.enumerated() {
            places[Key(scorer: verdict.scorer, version: verdict.version, target: verdict.target)] = place
        }
        return places.values.sorted().map { ordered[$0] }
    }

    /// Verdicts of one scorer by version, the one with the newest verdict first.
    fileprivate static func byVersion(
        _ verdicts: [StoredVerdict]
    ) -> [(version: String?, verdicts: [StoredVerdict])] {
        Dictionary(grouping: verdicts, by: \.version).map { (version: $0.key, verdicts: $0.value) }.sorted {
            let (left, right) = ($0.verdicts.last?.timestamp, $1.verdicts.last?.timestamp)
            return left == right
                ? ($0.version ?? "") > ($1.version ?? "") : (left ?? .zero) > (right ?? .zero)
        }
    }

    private static func agreements(
        _ verdicts: [StoredVerdict],
        _ feedback: [Feedback]
    ) -> [FeedbackAgreement] {
        let said = Dictionary(grouping: feedback) { $0.traceID }
        var pairs = FeedbackPairs()
        for (trace, verdicts) in Dictionary(grouping: verdicts, by: \.target.trace) {
            guard trace != nil, let feedback = said[trace] else { continue }
            pairs.add(verdicts.compactMap(Verdict.init), feedback)
        }
        return pairs.agreements
    }
}

extension Timestamp {
    fileprivate static let zero = Timestamp(unixNano: 0)
}

extension ScoreReport.Scorer {
    fileprivate init(
        _ name: String,
        _ verdicts: [StoredVerdict],
        before: [StoredVerdict],
        step: Duration
    ) {
        let versions = ScoreReport.byVersion(verdicts)
        let scores = verdicts.compactMap(\.score)
        let range = scores.min().flatMap { low in scores.max().map { low...$0 } }
        self.name = name
        self.versions = versions.map {
            ScoreReport.Version($0.version, $0.verdicts, range: range, step: step)
        }
        comparison =
            versions.count < 2
            ? nil
            : ScoreComparison(
                name,
                old: versions[1].verdicts.compactMap(Verdict.init),
                new: versions[0].verdicts.compactMap(Verdict.init),
                range: range
            )
        self.before =
            before.isEmpty
            ? nil
            : ScoreReport.Before(count: before.count, mean: ScoreStatistics.mean(before.compactMap(\.score)))
    }
}

extension ScoreReport.Version {
    /// What the verdicts of one version come to, which are in the order of time.
    fileprivate init(
        _ version: String?,
        _ verdicts: [StoredVerdict],
        range: ClosedRange<Double>?,
        step: Duration
    ) {
        self.version = version
        count = verdicts.count
        failed = verdicts.count { $0.isFailure }
        distribution = Distribution(verdicts.compactMap(\.score), range: range)
        labels = Dictionary(grouping: verdicts.compactMap(\.label)) { $0 }
            .map { ScoreReport.LabelCount(label: $0.key, count: $0.value.count) }
            .sorted { ($1.count, $0.label) < ($0.count, $1.label) }
        trend = Dictionary(grouping: verdicts) { $0.timestamp.aligned(to: step) }
            .map { time, verdicts in
                ScoreReport.TrendPoint(
                    time: time,
                    count: verdicts.count,
                    failed: verdicts.count { $0.isFailure },
                    mean: ScoreStatistics.mean(verdicts.compactMap(\.score))
                )
            }
            .sorted { $0.time < $1.time }
        first = verdicts.first?.timestamp ?? .zero
        last = verdicts.last?.timestamp ?? .zero
    }
}

extension Timestamp {
    /// The last multiple of a step since 1970 that is not later.
    fileprivate func aligned(to step: Duration) -> Timestamp {
        let step = max(step.nanoseconds, 1)
        let rest = unixNano % step
        return Timestamp(unixNano: unixNano - (rest < 0 ? rest + step : rest))
    }
}

extension Verdict {
    /// The verdict of a stored row; nil where it judges no trace.
    package init?(_ stored: StoredVerdict) {
        guard let trace = stored.target.trace else { return nil }
        self.init(
            scorer: stored.scorer,
            trace: trace,
            span: stored.target.span,
            score: stored.score,
            label: stored.label,
            error: stored.isFailure ? "" : nil
        )
    }
}
