import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// Verdicts for summaries, those that were replaced among them.
struct VerdictTests {
    private func judged(
        _ id: String,
        _ value: Double,
        at time: Int64,
        version: String? = nil,
        _ scorer: String = "tone"
    ) -> Score {
        var judged = score(id, trace: 1, value)
        (judged.timestamp, judged.scorerVersion, judged.scorerName) = (
            Timestamp(unixNano: time), version, scorer
        )
        return judged
    }

    @Test func `what was replaced is among them, the newest first`() throws {
        let fixture = try Fixture()
        try fixture.submit(scores: [judged("a", 0.1, at: 10, version: "1"), judged("b", 0.5, at: 15)])
        try fixture.submit(scores: [judged("a", 0.2, at: 20, version: "2")])
        let (verdicts, cutAt) = try fixture.store.verdicts(VerdictQuery())
        #expect(verdicts.map(\.score) == [0.2, 0.5, 0.1])
        #expect(verdicts.map(\.version) == ["2", nil, "1"])
        #expect(verdicts.map(\.isReplaced) == [false, false, true])
        #expect(verdicts.first?.target == StoredVerdict.Target(trace: traceID(1)))
        #expect(cutAt == nil)
    }

    @Test func `time, scorer and experiment hold`() throws {
        let fixture = try Fixture()
        var trial = judged("c", 0.3, at: 30)
        trial.experiment = "e"
        try fixture.submit(scores: [judged("a", 0.1, at: 10), judged("b", 0.2, at: 20, "other"), trial])
        func scores(_ change: (inout VerdictQuery) -> Void) throws -> [Double?] {
            var query = VerdictQuery()
            change(&query)
            return try fixture.store.verdicts(query).verdicts.map(\.score)
        }
        #expect(try scores { $0.from = Timestamp(unixNano: 20) } == [0.3, 0.2])
        #expect(try scores { $0.to = Timestamp(unixNano: 20) } == [0.1])
        #expect(try scores { $0.scorers = ["other"] } == [0.2])
        #expect(try scores { $0.scorers = ["other", "tone"] }.count == 3)
        #expect(try scores { $0.experiment = "e" } == [0.3])
    }

    @Test func `beyond the limit all that is given is whole from a time on`() throws {
        let fixture = try Fixture()
        try fixture.submit(scores: (1...6).map { judged("\($0)", Double($0), at: Int64($0) * 10) })
        try fixture.submit(scores: [judged("6", 7, at: 70)])
        var query = VerdictQuery()
        query.limit = 3
        let (verdicts, cutAt) = try fixture.store.verdicts(query)
        #expect(cutAt == Timestamp(unixNano: 40))
        #expect(verdicts.map(\.score) == [7, 6, 5, 4])
    }

    @Test func `feedback is given from a time on, as much as is asked for`() throws {
        let fixture = try Fixture()
        var later = feedback("b")
        later.timestamp = Timestamp(unixNano: 20)
        try fixture.submit(feedback: [feedback("a"), later])
        let all = try fixture.store.feedback(from: nil, experiment: nil, limit: 10)
        #expect(all.feedback.map(\.id) == ["b", "a"] && !all.isCut)
        let some = try fixture.store.feedback(from: Timestamp(unixNano: 20), experiment: nil, limit: 10)
        #expect(some.feedback == [later])
        #expect(try fixture.store.feedback(from: nil, experiment: nil, limit: 1).isCut)
    }
}
