import Nightjar
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// Reports over stored verdicts.
struct ScoreReportTests {
    private func verdict(
        _ trace: UInt64,
        _ score: Double?,
        at seconds: Int64,
        scorer: String = "tone",
        version: String? = "1",
        label: String? = nil,
        isReplaced: Bool = false,
        isFailure: Bool = false
    ) -> StoredVerdict {
        StoredVerdict(
            scorer: scorer,
            version: version,
            target: StoredVerdict.Target(trace: TraceID(high: 1, low: trace)),
            score: score,
            label: label,
            isFailure: isFailure,
            timestamp: Timestamp(unixNano: seconds * 1_000_000_000),
            isReplaced: isReplaced
        )
    }

    @Test func `of one version the latest verdict on a target counts, replaced ones of other versions too`()
        throws
    {
        let report = ScoreReport([
            verdict(1, 0.2, at: 10, isReplaced: true), verdict(1, 0.4, at: 20, isReplaced: true),
            verdict(1, 0.9, at: 30, version: "2"), verdict(2, 0.6, at: 15, isReplaced: true),
            verdict(2, 0.8, at: 15), verdict(3, nil, at: 12, isFailure: true),
        ])
        let scorer = try #require(report.scorers.first)
        #expect(scorer.versions.map(\.version) == ["2", "1"])
        let first = try #require(scorer.versions.last)
        #expect(first.count == 3 && first.failed == 1)
        #expect(abs((first.distribution?.mean ?? 0) - 0.6) < 1e-12)
        #expect(scorer.versions.first?.distribution?.mean == 0.9)
        #expect(scorer.comparison?.count == 1)
        #expect(scorer.comparison?.onlyOld == 2)
        // All versions share their bars.
        #expect(scorer.versions.allSatisfy { $0.distribution?.histogram.last?.high == 0.9 })
    }

    @Test func `a trend lies on multiples of its step since 1970`() {
        let report = ScoreReport(
            [verdict(1, 1, at: 59), verdict(2, 0, at: 60), verdict(3, 1, at: 119), verdict(4, 1, at: -1)],
            step: .seconds(60)
        )
        let trend = report.scorers.first?.versions.first?.trend ?? []
        #expect(trend.map(\.time.unixNano) == [-60_000_000_000, 0, 60_000_000_000])
        #expect(trend.map(\.mean) == [1, 1, 0.5])
        let long = ScoreReport([verdict(1, 1, at: 0), verdict(2, 1, at: 100_000)], step: .seconds(1))
        #expect(long.step == .seconds(128))
        #expect(ScoreReport([verdict(1, 1, at: 0), verdict(2, 1, at: 80_000)]).step == .seconds(900))
    }

    @Test func `labels are counted, the most frequent first`() {
        let report = ScoreReport([
            verdict(1, nil, at: 1, label: "bad"), verdict(2, nil, at: 2, label: "good"),
            verdict(3, nil, at: 3, label: "good"), verdict(4, nil, at: 4, label: "also"),
        ])
        let labels = report.scorers.first?.versions.first?.labels ?? []
        #expect(labels.map(\.label) == ["good", "also", "bad"])
        #expect(labels.map(\.count) == [2, 1, 1])
    }

    @Test func `two scorers agree on the targets that both judged`() throws {
        let left = [
            verdict(1, 0.1, at: 1), verdict(2, 0.5, at: 2), verdict(3, 0.9, at: 3), verdict(4, 1, at: 4),
        ]
        let right = [
            verdict(1, 1, at: 1, scorer: "other"), verdict(2, 2, at: 2, scorer: "other"),
            verdict(3, 9, at: 3, scorer: "other"),
            verdict(4, nil, at: 3, scorer: "other", isFailure: true),
        ]
        let agreement = try #require(
            ScoreReport(left + right, agreement: ("tone", "other")).agreement
        )
        #expect(agreement.count == 3 && agreement.spearman == 1)
        #expect(try #require(agreement.pearson) < 1)
        #expect(agreement.kappa == nil && agreement.labelled == 0)
    }

    @Test func `labels agree beyond chance as Cohen has it`() {
        // 20 both yes, 15 both no, 5 and 10 apart: observed 0.7, by chance 0.5.
        let left = Array(repeating: "yes", count: 25) + Array(repeating: "no", count: 25)
        let right =
            Array(repeating: "yes", count: 20) + Array(repeating: "no", count: 5)
            + Array(repeating: "yes", count: 10) + Array(repeating: "no", count: 15)
        let kappa = ScoreStatistics.cohensKappa(left, right) ?? 0
        #expect(abs(kappa - 0.4) < 1e-12)
        #expect(ScoreStatistics.cohensKappa(["a"], ["a"]) == nil)
        #expect(ScoreStatistics.cohensKappa([], []) == nil)
        #expect(ScoreStatistics.cohensKappa(["a", "b"], ["b", "a"]) == -1)
    }

    @Test func `the newest version meets what people said`() throws {
        var said: [Feedback] = []
        for trace in UInt64(1)...4 {
            var feedback = Feedback(
                id: "\(trace)",
                timestamp: Timestamp(unixNano: 1),
                source: "user",
                feedbackType: "thumbs",
                value: trace > 2 ? 1 : 0
            )
            feedback.traceID = TraceID(high: 1, low: trace)
            said.append(feedback)
        }
        let verdicts = (UInt64(1)...4).flatMap { trace in
            [
                verdict(trace, 1 - Double(trace) / 10, at: 1, isReplaced: true),
                verdict(trace, Double(trace) / 10, at: 2, version: "2"),
            ]
        }
        let agreement = try #require(ScoreReport(verdicts, feedback: said).feedback.first)
        #expect(agreement.count == 4 && agreement.areaUnderCurve == 1 && agreement.accuracy == 1)
    }
}
