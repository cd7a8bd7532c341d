import GRDB
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Synchronization
import Testing

/// Retention by receive time (signals contract, section 12). The store's clock stands at 5,000 ns.
struct RetentionTests {
    private static let patience = Duration.seconds(30)

    /// A trace that is over: a chunk, its record, a log, a score that was replaced, and feedback.
    private func add(_ fixture: Fixture, trace: UInt64, at time: Int64) throws {
        let id = "\(trace)"
        let receipt = try fixture.submit(
            chunks: [chunk(trace)],
            scores: [score(id, trace: trace), score(id, trace: trace)],
            feedback: [feedback(id, trace: trace)],
            at: time
        )
        let series = try fixture.series("scores_total")
        try fixture.commit {
            $0.progress = [0: receipt.sequences.last ?? 0]
            $0.traces = [ended(trace, at: time)]
            $0.logs = [line(trace)]
            $0.counts = [.init(kind: .score, id: id, first: fixture.delta(series), again: nil)]
            $0.counts += [.init(kind: .feedback, id: id, first: fixture.delta(series), again: nil)]
        }
    }

    private func ended(_ trace: UInt64, at time: Int64) -> TraceRecord {
        var record = record(trace, receivedAt: time, start: time)
        record.isOpen = false
        return record
    }

    private func line(_ trace: UInt64?) -> Log {
        var log = Log(timestamp: Timestamp(unixNano: 1), level: .info, message: "x")
        log.traceID = trace.map(traceID)
        return log
    }

    private func plan(_ signals: Set<RetainedSignal>, before time: Int64, keepsScores: Bool = false)
        -> SweepPlan
    {
        SweepPlan(signals, before: Timestamp(unixNano: time), keepsScores: keepsScores)
    }

    @Test func `a trace that is too old goes with everything that belongs to it`() throws {
        let fixture = try Fixture()
        for trace in [1, 2] as [UInt64] { try add(fixture, trace: trace, at: Int64(trace) * 1_000) }
        let forecast = try fixture.store.forecast(plan([.traces], before: 2_000), atMost: Self.patience)
        let count = try fixture.store.sweep(plan([.traces], before: 2_000), atMost: Self.patience)
        #expect((count.traces, count.logs, count.scores, count.feedback) == (1, 1, 1, 1))
        #expect((forecast.traces, forecast.logs, forecast.scores, forecast.feedback) == (1, 1, 1, 1))
        #expect(count.sweeps == 1)
        #expect(try fixture.store.trace(traceID(1)) == nil)
        #expect(try fixture.store.chunks(of: traceID(1)).isEmpty)
        #expect(try fixture.store.history(ofScore: "1").isEmpty)
        #expect(try fixture.store.scores(ScoreQuery()).records.map(\.score.id) == ["2"])
        #expect(try fixture.store.feedback(FeedbackQuery()).records.map(\.feedback.id) == ["2"])
        #expect(try fixture.store.logs(of: traceID(2)).count == 1)
        #expect(try fixture.store.history(ofScore: "2").count == 1)
        #expect(try fixture.store.chunks(of: traceID(2)).count == 1)
    }

    @Test func `scores and feedback stay where they are kept longer`() throws {
        let fixture = try Fixture()
        try add(fixture, trace: 1, at: 1_000)
        let plan = plan([.traces], before: 2_000, keepsScores: true)
        #expect(try fixture.store.forecast(plan, atMost: Self.patience).scores == 0)
        let count = try fixture.store.sweep(plan, atMost: Self.patience)
        #expect((count.traces, count.scores, count.feedback) == (1, 0, 0))
        #expect(try fixture.store.scores(of: traceID(1)).count == 1)
        #expect(try fixture.store.history(ofScore: "1").count == 1)
        #expect(try fixture.store.feedback(of: traceID(1)).count == 1)
    }

    @Test func `what is still under way stays, and what comes late does not bring anything back`() throws {
        let fixture = try Fixture()
        // Open; over but not counted; over but with a chunk that is not processed.
        try fixture.submit(chunks: [chunk(1), chunk(2), chunk(3)])
        var waiting = ended(2, at: 1_000)
        waiting.pending = [SpanID(value: 5)]
        try fixture.commit { [waiting] in
            $0.traces = [record(1), waiting, ended(3, at: 1_000)]
            $0.progress = [0: 2]
        }
        try add(fixture, trace: 4, at: 1_000)
        try fixture.submit(chunks: [chunk(3)])
        #expect(try fixture.store.sweep(plan([.traces], before: 9_000), atMost: Self.patience).traces == 1)
        #expect(try fixture.store.traces(TraceQuery()).traces.count == 3)
        #expect(try fixture.replayed().map(\.traceID) == [traceID(3)])
        try fixture.commit {
            $0.traces = [ended(4, at: 1_000)]
            $0.logs = [line(4)]
        }
        #expect(try fixture.store.trace(traceID(4)) == nil)
        #expect(try fixture.store.logs(of: traceID(4)).isEmpty)
    }

    @Test func `logs, scores and feedback go by their own receipt, a replaced score by its last`() throws {
        let time = Mutex(Int64(1_000))
        let fixture = try Fixture { $0.now = { Timestamp(unixNano: time.withLock { $0 }) } }
        try add(fixture, trace: 1, at: 1_000)
        try fixture.submit(scores: [score("uncounted", trace: nil)], at: 1_000)
        time.withLock { $0 = 3_000 }
        try fixture.commit { $0.logs = [line(nil)] }
        try add(fixture, trace: 2, at: 3_000)
        let all = plan([.logs, .scores], before: 2_000)
        let forecast = try fixture.store.forecast(all, atMost: Self.patience)
        let count = try fixture.store.sweep(all, atMost: Self.patience)
        #expect((count.traces, count.logs, count.scores, count.feedback) == (0, 1, 1, 1))
        #expect((forecast.traces, forecast.logs, forecast.scores, forecast.feedback) == (0, 1, 1, 1))
        #expect(try fixture.store.chunks(of: traceID(1)).count == 1)
        #expect(try fixture.store.logs(LogQuery()).records.count == 2)
        #expect(Set(try fixture.store.scores(ScoreQuery()).records.map(\.score.id)) == ["uncounted", "2"])
        try fixture.submit(scores: [score("2", trace: 2, 0.75)], at: 9_000)
        #expect(try fixture.store.sweep(plan([.scores], before: 5_000), atMost: Self.patience).scores == 0)
        #expect(try fixture.store.history(ofScore: "2").count == 1)
    }

    @Test func `totals of series are as they were`() throws {
        let fixture = try Fixture()
        try add(fixture, trace: 1, at: 1_000)
        func totals() throws -> [Double] { try fixture.numbers("SELECT sum FROM series ORDER BY id") }
        let (before, shown) = (try totals(), fixture.ledger.snapshot())
        #expect(
            try fixture.store.sweep(plan(Set(RetainedSignal.allCases), before: 9_000), atMost: Self.patience)
                .traces == 1
        )
        #expect(try totals() == before)
        #expect(fixture.ledger.snapshot() == shown)
        #expect(before.contains { $0 > 0 })
    }

    @Test
    func `a database that is too large loses its oldest traces until it is not, and gives the disk back`()
        throws
    {
        let fixture = try Fixture { $0.sweepStep = .seconds(1) }
        for number in 1...64 as ClosedRange<UInt64> {
            let receipt = try fixture.submit(
                chunks: [chunk(number, [UInt8](repeating: 7, count: 64 << 10))],
                at: Int64(number)
            )
            try fixture.commit {
                $0.progress = [0: receipt.sequences.last ?? 0]
                $0.traces = [ended(number, at: Int64(number))]
            }
        }
        var plan = SweepPlan()
        plan.maximumBytes = 2 << 20
        let count = try fixture.store.sweep(plan, atMost: Self.patience)
        #expect((33...50).contains(count.traces), "\(count.traces)")
        #expect(try fixture.store.trace(traceID(UInt64(count.traces))) == nil)
        #expect(try fixture.store.trace(traceID(UInt64(count.traces) + 1)) != nil)
        let bytes = try size(fixture.folder.path("nightjar.sqlite"))
        #expect(bytes <= 2 << 20, "\(bytes)")
        #expect(count.returnedBytes > 2 << 20)
        #expect(try size(fixture.folder.path("nightjar.sqlite-wal")) == 0)
        #expect(try fixture.store.sweep(plan, atMost: Self.patience).traces == 0)
    }

    private func size(_ path: String) throws -> Int {
        try FileSize.of(path)
    }

    @Test func `a file of before keeps its size, and what is free is written again`() throws {
        let folder = try TemporaryFolder()
        let old = try DatabaseQueue(path: folder.path("nightjar.sqlite"))
        try old.write { try $0.execute(sql: "CREATE TABLE older (a)") }
        try old.close()
        let fixture = try Fixture(folder)
        try add(fixture, trace: 1, at: 1_000)
        try fixture.submit(chunks: [chunk(1, [UInt8](repeating: 7, count: 1 << 20))])
        try fixture.commit {
            $0.progress = [0: 2]
            $0.traces = [ended(1, at: 1_000)]
        }
        let count = try fixture.store.sweep(plan([.traces], before: 2_000), atMost: Self.patience)
        #expect((count.traces, count.returnedBytes) == (1, 0))
        #expect(count.freeBytes >= 1 << 20)
        try fixture.submit(chunks: [chunk(2, [UInt8](repeating: 7, count: 1 << 20))])
        #expect(try fixture.numbers("PRAGMA freelist_count")[0] < 200)
    }

    @Test func `a sweep goes in steps, and inputs are taken between them`() throws {
        let fixture = try Fixture { $0.sweepStep = .zero }
        for trace in 1...20 as ClosedRange<UInt64> { try add(fixture, trace: trace, at: 1_000) }
        let (store, sweep) = (fixture.store, plan([.traces], before: 2_000))
        let first = try store.sweep(sweep, atMost: .zero)
        #expect((first.steps, first.sweeps) == (1, 0))
        try fixture.submit(chunks: [chunk(99)])
        let rest = try store.sweep(sweep, atMost: Self.patience)
        #expect(first.traces + rest.traces == 20)
        #expect(rest.sweeps == 1)
        #expect(rest.steps >= 20)
        #expect(store.status.swept.steps == first.steps + rest.steps)
        #expect(store.status.swept.traces == 20)
    }

    @Test func `the store looks by itself, once something is too old`() async throws {
        let time = Mutex(Int64(1_000))
        var retention = Retention()
        retention.traces = .nanoseconds(500)
        let fixture = try Fixture { [retention] in
            $0.now = { Timestamp(unixNano: time.withLock { $0 }) }
            ($0.retention, $0.sweepDelay, $0.sweepInterval) = (retention, .zero, .milliseconds(1))
        }
        try add(fixture, trace: 1, at: 1_000)
        try add(fixture, trace: 2, at: 2_000)
        let before = fixture.store.status.swept.sweeps
        try await wait(for: "two sweeps") { fixture.store.status.swept.sweeps >= before + 2 }
        #expect(fixture.store.status.swept.traces == 0)
        time.withLock { $0 = 2_000 }
        try await wait(for: "the first trace to go") { fixture.store.status.swept.traces == 1 }
        #expect(try fixture.store.trace(traceID(2)) != nil)
        fixture.store.setRetention(nil)
        time.withLock { $0 = 9_000 }
        let after = fixture.store.status.swept.sweeps
        try fixture.submit(chunks: [chunk(3)])
        #expect(fixture.store.status.swept.sweeps <= after + 1)
    }

    @Test func `blocks of metric windows go by their time, those of either length by its own`() throws {
        let fixture = try Fixture()
        let day = Timestamp(unixNano: 20_000 * 86_400_000_000_000)
        let key = { (resolution: WindowResolution, days: Int) in
            let time = day.advanced(by: .seconds(86_400 * days))
            return resolution.key(block: resolution.block(of: resolution.window(of: time)), series: 7)
        }
        try fixture.other().write { db in
            for days in -20..<20 {
                try db.execute(
                    sql: "INSERT INTO windows_fine VALUES (\(key(.fine, days)), x''); "
                        + "INSERT INTO windows_coarse VALUES (\(key(.coarse, days)), x'')"
                )
            }
        }
        var plan = SweepPlan()
        (plan.metrics, plan.longMetrics) = (day, day.advanced(by: .seconds(-86_400 * 10)))
        #expect(try fixture.store.forecast(plan, atMost: Self.patience).windows == 30)
        #expect(try fixture.store.sweep(plan, atMost: Self.patience).windows == 30)
        #expect(try fixture.numbers("SELECT count(*) FROM windows_fine") == [20])
        #expect(try fixture.numbers("SELECT count(*) FROM windows_coarse") == [30])
        #expect(
            try fixture.store.sweep(self.plan([.traces], before: 500), atMost: Self.patience).windows == 0
        )
    }

    @Test func `a step that fails is told, and the next sweep does it`() throws {
        let fixture = try Fixture()
        try add(fixture, trace: 1, at: 1_000)
        try fixture.other().write {
            try $0.execute(
                sql: "CREATE TRIGGER broken BEFORE DELETE ON traces BEGIN SELECT RAISE(ABORT, 'broken'); END"
            )
        }
        let sweep = plan([.traces], before: 2_000)
        #expect(throws: StoreError.self) { try fixture.store.sweep(sweep, atMost: Self.patience) }
        #expect(try fixture.store.chunks(of: traceID(1)).count == 1)
        #expect(fixture.store.status.swept.failures == 1)
        try fixture.other().write { try $0.execute(sql: "DROP TRIGGER broken") }
        #expect(try fixture.store.sweep(sweep, atMost: Self.patience).traces == 1)
    }

    @Test func `a closed store sweeps no more`() throws {
        let fixture = try Fixture()
        try fixture.store.close()
        let error = #expect(throws: StoreError.self) {
            try fixture.store.sweep(plan([.traces], before: 1), atMost: Self.patience)
        }
        #expect(error?.code == .closed)
    }
}
