import Nightjar
import NightjarSignals
import Testing

@Suite struct ScoreStatisticsTests {
    @Test func `equal values share the mean of their ranks`() {
        #expect(ScoreStatistics.ranks([10, 20, 20, 5]) == [2, 3.5, 3.5, 1])
        #expect(ScoreStatistics.ranks([1, 1, 1]) == [2, 2, 2])
        #expect(ScoreStatistics.ranks([]).isEmpty)
    }

    @Test func `quantiles lie between neighbours in proportion`() {
        let values: [Double] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
        #expect(ScoreStatistics.quantile(0.5, ofSorted: values) == 5.5)
        #expect(abs((ScoreStatistics.quantile(0.9, ofSorted: values) ?? 0) - 9.1) < 1e-12)
        #expect(ScoreStatistics.quantile(1, ofSorted: values) == 10)
        #expect(ScoreStatistics.quantile(0.9, ofSorted: [3]) == 3)
        #expect(ScoreStatistics.quantile(0.5, ofSorted: []) == nil)
    }

    @Test func `Pearson's correlation of known values`() {
        // By hand: 6 / sqrt(10 * 6).
        let known = ScoreStatistics.pearson([1, 2, 3, 4, 5], [2, 4, 5, 4, 5]) ?? 0
        #expect(abs(known - 0.774_596_669_241_483) < 1e-12)
        #expect(ScoreStatistics.pearson([1, 2, 3], [3, 2, 1]) == -1)
        #expect(ScoreStatistics.pearson([1, 2, 3], [4, 4, 4]) == nil)
        #expect(ScoreStatistics.pearson([1], [1]) == nil)
    }

    @Test func `Spearman's correlation counts order alone, and ties by mean rank`() {
        // A curve that only rises is perfect order.
        #expect(ScoreStatistics.spearman([1, 2, 3, 4], [1, 10, 100, 1000]) == 1)
        // By hand: ranks 1, 2.5, 2.5, 4 against 1, 2, 3.5, 3.5 give 3.75 / sqrt(4.5 * 4.5).
        let tied = ScoreStatistics.spearman([1, 2, 2, 3], [1, 2, 3, 3]) ?? 0
        #expect(abs(tied - 3.75 / 4.5) < 1e-12)
    }

    @Test func `the area under the curve is the share of pairs in the right order, ties half`() {
        // Of the 3 * 2 pairs of good and bad, four are in order, one is not, one is tied.
        let area = ScoreStatistics.areaUnderCurve(
            [0.9, 0.8, 0.3, 0.5, 0.3],
            [true, true, true, false, false]
        )
        #expect(abs((area ?? 0) - 4.5 / 6) < 1e-12)
        #expect(ScoreStatistics.areaUnderCurve([1, 2, 3], [false, true, true]) == 1)
        #expect(ScoreStatistics.areaUnderCurve([1, 2], [true, false]) == 0)
        #expect(ScoreStatistics.areaUnderCurve([5, 5], [true, false]) == 0.5)
        #expect(ScoreStatistics.areaUnderCurve([1, 2], [true, true]) == nil)
    }

    @Test func `the best threshold is where most answers are right`() {
        let best = ScoreStatistics.bestThreshold([0.1, 0.4, 0.35, 0.8], [false, false, true, true])
        // From 0.225 on yes: wrong for 0.4 alone.
        #expect(best?.accuracy == 0.75)
        #expect(abs((best?.threshold ?? 0) - 0.225) < 1e-12)
        let never = ScoreStatistics.bestThreshold([1, 2, 3], [true, false, false])
        #expect(never?.threshold == .infinity)
        #expect(never.map { abs($0.accuracy - 2 / 3) < 1e-12 } == true)
        #expect(ScoreStatistics.bestThreshold([1, 2], [true, true])?.threshold == -.infinity)
        #expect(ScoreStatistics.bestThreshold([], []) == nil)
    }

    @Test func `equal scores are never on both sides of a threshold`() {
        let best = ScoreStatistics.bestThreshold([1, 1, 1, 2], [false, true, false, true])
        #expect(best?.threshold == 1.5)
        #expect(best?.accuracy == 0.75)
    }

    @Test func `labels are worth the most frequent answer of each`() {
        let accuracy = ScoreStatistics.bestAccuracy(
            byCategory: ["a", "a", "a", "b", "b"],
            [true, true, false, false, false]
        )
        #expect(accuracy == 0.8)
    }

    @Test func `a histogram has ten bars over the declared range, the last bound included`() {
        let spread = Distribution([0, 0.05, 0.1, 0.95, 1], range: 0...1)
        #expect(spread?.histogram.map(\.count) == [2, 1, 0, 0, 0, 0, 0, 0, 0, 2])
        #expect(spread?.histogram.first?.low == 0)
        #expect(spread?.histogram.last?.high == 1)
        #expect(spread?.p50 == 0.1)
        #expect(spread.map { abs($0.mean - 0.42) < 1e-12 } == true)
        #expect(Distribution([0.55], range: 0...1)?.histogram.map(\.count) == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0])
        // A value outside of the range is seen.
        #expect(Distribution([2], range: 0...1)?.histogram.last?.count == 1)
        #expect(Distribution([3, 3])?.histogram.map(\.count) == [2])
        #expect(Distribution([]) == nil)
    }
}

@Suite struct ScoreSummaryTests {
    @Test func `examples come from both ends and the middle, each verdict once`() {
        let verdicts = (0..<100).map { verdict(trace: UInt64($0 + 1), Double($0) / 100) }
        let summary = ScoreSummary("tone", verdicts.reversed(), range: 0...1)
        let places = Dictionary(grouping: summary.examples, by: \.place)
            .mapValues { $0.compactMap(\.verdict.score) }
        #expect(places[.low] == [0, 0.01, 0.02, 0.03, 0.04])
        #expect(places[.middle] == [0.47, 0.48, 0.49, 0.5, 0.51])
        #expect(places[.high] == [0.95, 0.96, 0.97, 0.98, 0.99])
        for count in 1...14 {
            let few = ScoreSummary("tone", Array(verdicts.prefix(count))).examples.map(\.verdict.trace)
            #expect(Set(few).count == few.count)
            #expect(few.count == count)
        }
    }

    @Test func `labels are counted, and have an example each`() {
        let verdicts = ["good", "bad", "good", "good"].enumerated().map { place, label in
            verdict(trace: UInt64(place + 1), nil, label: label)
        }
        let summary = ScoreSummary("tone", verdicts)
        #expect(summary.distribution == nil)
        #expect(summary.labels.map(\.label) == ["good", "bad"])
        #expect(summary.labels.map(\.count) == [3, 1])
        #expect(summary.examples.map(\.verdict.label) == ["good", "bad"])
    }
}

@Suite struct ScoreComparisonTests {
    @Test func `agreement is the share of equal labels and close scores`() {
        let old = [
            verdict(trace: 1, 0.5), verdict(trace: 2, 0.5), verdict(trace: 3, 0.5), verdict(trace: 9, 1),
        ]
        let new = [
            verdict(trace: 1, 0.55), verdict(trace: 2, 0.56), verdict(trace: 3, 0.1), verdict(trace: 8, 1),
        ]
        let comparison = ScoreComparison("tone", old: old, new: new)
        #expect((comparison.count, comparison.onlyOld, comparison.onlyNew) == (3, 1, 1))
        #expect(comparison.agreement.map { abs($0 - 1 / 3) < 1e-12 } == true)
        #expect(comparison.differences.map(\.new.trace.low) == [3, 2, 1])
        // Of a range of ten, half a point is close.
        let wide = ScoreComparison(
            "tone",
            old: [verdict(trace: 1, 7)],
            new: [verdict(trace: 1, 7.5)],
            range: 0...10
        )
        #expect(wide.agreement == 1)
    }

    @Test func `labels that differ come first, and of each trace only the largest difference`() {
        let old = [
            verdict(trace: 1, span: 1, 0), verdict(trace: 1, span: 2, 0),
            verdict(trace: 2, nil, label: "good"),
        ]
        let new = [
            verdict(trace: 1, span: 1, 0.2), verdict(trace: 1, span: 2, 0.9),
            verdict(trace: 2, nil, label: "bad"),
        ]
        let comparison = ScoreComparison("tone", old: old, new: new)
        #expect(comparison.agreement == 0)
        #expect(comparison.differences.map(\.new.trace.low) == [2, 1])
        #expect(comparison.differences.last?.new.score == 0.9)
    }

    @Test func `at most ten traces are given`() {
        let old = (1...30).map { verdict(trace: $0, 0) }
        let new = (1...30).map { verdict(trace: $0, Double($0) / 30) }
        #expect(ScoreComparison("tone", old: old, new: new).differences.count == 10)
    }
}

@Suite struct FeedbackAgreementTests {
    @Test func `thumbs as numbers or words give accuracy and the area under the curve`() {
        for values: [Value] in [[1, 1, 0, 0], [1, 1, -1, -1], ["up", "up", "down", "down"]] {
            var pairs = FeedbackPairs()
            for (place, (value, score)) in zip(values, [0.9, 0.4, 0.5, 0.1]).enumerated() {
                let trace = UInt64(place + 1)
                pairs.add([verdict(trace: trace, score)], [feedback(trace: trace, value)])
            }
            let agreement = pairs.agreements.first
            #expect(pairs.traces == 4)
            #expect(agreement?.kind == .binary)
            #expect((agreement?.count, agreement?.positives) == (4, 2))
            #expect(agreement?.areaUnderCurve == 0.75)
            #expect(agreement?.accuracy == 0.75)
        }
    }

    @Test func `where minus one occurs, zero is neither good nor bad`() {
        var pairs = FeedbackPairs()
        for (trace, value): (UInt64, Value) in [(1, 1), (2, 0), (3, -1), (4, -1)] {
            pairs.add([verdict(trace: trace, Double(trace))], [feedback(trace: trace, value)])
        }
        #expect(pairs.agreements.first?.count == 3)
        #expect(pairs.agreements.first?.areaUnderCurve == 0)
    }

    @Test func `ratings give a rank correlation, and each type is measured by itself`() {
        var pairs = FeedbackPairs()
        for (trace, rating): (UInt64, Value) in [(1, 2), (2, 3), (3, 5)] {
            pairs.add(
                [verdict(trace: trace, Double(trace) / 10)],
                [
                    feedback(trace: trace, rating, type: "rating"),
                    feedback(trace: trace, "fine", type: "comment"),
                ]
            )
        }
        #expect(pairs.agreements.map(\.feedbackType) == ["rating"])
        #expect(pairs.agreements.first?.spearman == 1)
        #expect(pairs.agreements.first?.areaUnderCurve == nil)
    }

    @Test func `feedback meets the verdict on its span, else that on the trace, else the mean`() {
        var pairs = FeedbackPairs()
        let spans = [verdict(trace: 1, span: 1, 0), verdict(trace: 1, span: 2, 1)]
        pairs.add(spans, [feedback(trace: 1, 4, type: "own", span: 2), feedback(trace: 1, 3, type: "mean")])
        pairs.add(spans + [verdict(trace: 1, 0.25)], [feedback(trace: 1, 2, type: "whole", span: 9)])
        for (type, score) in [("own", 1), ("mean", 0.5), ("whole", 0.25)] {
            // Two more pairs above and below in line with the one that is looked for: any other score would bend it.
            var more = pairs
            more.add([verdict(trace: 2, score - 1)], [feedback(trace: 2, 1, type: type)])
            more.add([verdict(trace: 3, score + 0.01)], [feedback(trace: 3, 9, type: type)])
            more.add([verdict(trace: 4, score - 0.01)], [feedback(trace: 4, 1.5, type: type)])
            let found = more.agreements.first { $0.feedbackType == type }
            #expect(found?.count == 4)
            #expect(found?.spearman == 1, "\(type)")
        }
    }

    @Test func `what a plugin or the system says is no feedback of people`() {
        var pairs = FeedbackPairs()
        var ofPlugin = feedback(trace: 1, 1)
        ofPlugin.metadata["plugin"] = "judge@1"
        var ofSystem = feedback(trace: 1, 1)
        ofSystem.source = "system"
        pairs.add([verdict(trace: 1, 1)], [ofPlugin, ofSystem])
        #expect(pairs.traces == 0)
        #expect(pairs.agreements.isEmpty)
    }

    @Test func `labels are measured by their best reading`() {
        var pairs = FeedbackPairs()
        for (trace, label, value): (UInt64, String, Value) in [
            (1, "fine", 1), (2, "fine", 1), (3, "poor", 0), (4, "poor", 1),
        ] {
            pairs.add([verdict(trace: trace, nil, label: label)], [feedback(trace: trace, value)])
        }
        #expect(pairs.agreements.first?.accuracy == 0.75)
        #expect(pairs.agreements.first?.threshold == nil)
    }
}

private func verdict(
    trace: UInt64,
    span: UInt64? = nil,
    _ value: Double?,
    label: String? = nil
) -> Verdict {
    var score = Score(id: "s", timestamp: Timestamp(unixNano: 0), scorerName: "tone")
    score.traceID = TraceID(high: 1, low: trace)
    score.spanID = span.map { SpanID(value: $0) }
    score.score = value
    score.label = label
    guard let verdict = Verdict(score) else { preconditionFailure("it has a trace") }
    return verdict
}

private func feedback(
    trace: UInt64,
    _ value: Value,
    type: String = "thumbs",
    span: UInt64? = nil
) -> Feedback {
    var feedback = Feedback(
        id: "f",
        timestamp: Timestamp(unixNano: 0),
        source: "user",
        feedbackType: type,
        value: value
    )
    feedback.traceID = TraceID(high: 1, low: trace)
    feedback.spanID = span.map { SpanID(value: $0) }
    return feedback
}
