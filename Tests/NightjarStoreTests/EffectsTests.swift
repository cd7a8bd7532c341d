import GRDB
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Synchronization
import Testing

struct EffectsTests {
    @Test(arguments: [false, true])
    func `a trace's record comes back whole`(inMemory: Bool) throws {
        let fixture = try Fixture(inMemory: inMemory)
        var whole = record(1, start: -5)
        whole.lastReceived = Timestamp(unixNano: 2_000)
        whole.isOpen = false
        whole.revision = 3
        whole.pending = [SpanID(value: .max), SpanID(value: 1)]
        whole.isPartial = false
        whole.name = "chät 🌊"
        whole.type = "agent_run"
        whole.status = .error
        whole.hasErrors = true
        whole.end = Timestamp(unixNano: .max)
        whole.spanCount = 12
        whole.inputTokens = 1.5
        whole.outputTokens = 0
        whole.cost = 1e-9
        whole.service = "checkout"
        whole.environment = ""
        whole.agent = "planner"
        whole.agents = FacetSet(["planner", "helper"])
        (whole.models, whole.tools, whole.tags) = (FacetSet(["m", "n"]), FacetSet(["t"]), FacetSet(["ä b"]))
        whole.workflow = "order"
        whole.user = "u"
        whole.session = "s"
        try fixture.commit { $0.traces = [record(1), whole, record(2)] }
        #expect(try fixture.store.trace(traceID(1)) == whole)
        #expect(try fixture.store.trace(traceID(2)) == record(2))
        // One that has ended is among them while spans of it wait to be counted.
        #expect(Set(try fixture.store.recover().openTraces.map(\.id)) == [traceID(1), traceID(2)])
        whole.pending = []
        try fixture.commit { $0.traces = [whole] }
        #expect(try fixture.store.recover().openTraces == [record(2)])
    }

    @Test func `logs come back in the order of their time`() throws {
        let fixture = try Fixture()
        var log = Log(
            timestamp: Timestamp(unixNano: 20),
            level: .warn,
            message: "slow",
            data: ["ms": 12, "why": ["disk"]],
            metadata: ["userId": "u"]
        )
        log.traceID = traceID(1)
        log.spanID = SpanID(value: 9)
        var earlier = Log(timestamp: Timestamp(unixNano: 10), level: .fatal, message: "")
        earlier.traceID = traceID(1)
        let loose = Log(timestamp: Timestamp(unixNano: 1), level: .info, message: "no trace")
        try fixture.commit { $0.logs = [log, loose, earlier] }
        let records = try fixture.store.logs(of: traceID(1))
        #expect(records.map(\.log) == [earlier, log])
        #expect(records.map(\.createdAt.unixNano) == [5_000, 5_000])
    }

    @Test func `totals and metrics come back, and counting goes on from them`() throws {
        let fixture = try Fixture()
        let counter = try fixture.series("runs_total", .counter, [Label("agent", "a\"b"), Label("zone", "")])
        let histogram = try fixture.series("seconds", .histogram)
        try fixture.commit {
            $0.deltas = [fixture.delta(counter, 2), fixture.delta(histogram, 0.3, buckets: [0, 1, 0, 0])]
        }
        try fixture.commit { $0.deltas = [fixture.delta(histogram, 9, buckets: [0, 0, 0, 1])] }
        let before = fixture.ledger.snapshot()
        #expect(before.map(\.total.sum) == [2, 9.3])
        try fixture.store.close()
        let next = try Fixture(fixture.folder)
        let recovery = try next.store.recover()
        #expect(recovery.series == before)
        #expect(recovery.series.last?.total.buckets == [0, 1, 0, 1])
        try next.table.restore(recovery.series, registry: next.registry)
        next.ledger.restore(recovery.series)
        try next.commit { $0.deltas = [next.delta(counter, 5)] }
        #expect(next.ledger.snapshot().map(\.total.sum) == [7, 9.3])
        #expect(try next.store.recover().series == next.ledger.snapshot())
    }

    @Test func `a metric's later help is stored`() throws {
        let fixture = try Fixture()
        let series = try fixture.series("runs_total")
        try fixture.commit { $0.deltas = [fixture.delta(series)] }
        try fixture.commit { $0.deltas = [fixture.delta(series)] }
        #expect(try fixture.store.recover().series.map(\.instrument.help) == ["What runs_total is."])
        #expect(try fixture.store.recover().series.map(\.total.count) == [2])
    }

    @Test func `effects and progress are taken together or not at all`() throws {
        let fixture = try Fixture { $0.flushPatience = .milliseconds(300) }
        try fixture.submit(chunks: [chunk(1)])
        let series = try fixture.series("runs_total")
        try fixture.breakTable("logs")
        let error = #expect(throws: StoreError.self) {
            try fixture.commit {
                var closed = record(1)
                closed.isOpen = false
                $0.traces = [closed]
                $0.progress = [0: 1]
                $0.deltas = [fixture.delta(series)]
                $0.logs = [Log(timestamp: Timestamp(unixNano: 1), level: .info, message: "x")]
            }
        }
        #expect(error?.code == .timeout)
        #expect(fixture.ledger.snapshot().isEmpty)
        #expect(fixture.store.status.lastError?.detail.contains("broken") == true)
        try fixture.store.close()
        let next = try Fixture(fixture.folder)
        let recovery = try next.store.recover()
        #expect(recovery.progress.isEmpty)
        #expect(recovery.series.isEmpty)
        #expect(recovery.openTraces == [record(1)])
        #expect(try next.replayed().map(\.sequence) == [1])
    }

    @Test func `effects that fail are kept while inputs go on, and committed once it is mended`() throws {
        let fixture = try Fixture { $0.longestBackoff = .milliseconds(60) }
        let series = try fixture.series("runs_total")
        try fixture.breakTable("logs")
        var effects = Effects()
        effects.deltas = [fixture.delta(series)]
        effects.logs = [Log(timestamp: Timestamp(unixNano: 1), level: .info, message: "x")]
        let committed = Atomic<Int>(0)
        try fixture.store.submit(Submission(receivedAt: Timestamp(unixNano: 1)) { _ in })
        fixture.store.commit(effects) { committed.add(1, ordering: .relaxed) }
        let outcome = Outcome()
        for trace in 0..<20 as Range<UInt64> {
            try fixture.store.submit(
                Submission(
                    chunks: [chunk(trace)],
                    receivedAt: Timestamp(unixNano: 1),
                    completion: outcome.add
                )
            )
        }
        try fixture.mend("logs")
        try fixture.store.flush()
        #expect(outcome.errors.isEmpty)
        #expect(outcome.results.count == 20)
        #expect(committed.load(ordering: .relaxed) == 1)
        #expect(fixture.ledger.snapshot().map(\.total.sum) == [1])
    }

    @Test func `totals are visible when the completion is called`() throws {
        let fixture = try Fixture()
        let series = try fixture.series("runs_total")
        let seen = Mutex<[Double]>([])
        for _ in 0..<3 {
            var effects = Effects()
            effects.deltas = [fixture.delta(series)]
            fixture.store.commit(effects) {
                seen.withLock { $0.append(fixture.ledger.snapshot().first?.total.sum ?? 0) }
            }
            try fixture.store.flush()
        }
        #expect(seen.withLock { $0 } == [1, 2, 3])
    }

    @Test func `effects beyond the queue's bound wait, then are queued and counted, and inputs are refused`()
        throws
    {
        let fixture = try Fixture {
            $0.queuedEffects = 2
            $0.effectsPatience = .milliseconds(20)
            $0.busyTimeout = .milliseconds(10)
            $0.flushPatience = .seconds(20)
        }
        let series = try fixture.series("runs_total")
        let other = try fixture.other()
        try other.writeWithoutTransaction { db in
            try db.beginTransaction(.immediate)
            for _ in 0..<3 {
                var effects = Effects()
                effects.deltas = [fixture.delta(series)]
                fixture.store.commit(effects) {}
            }
            #expect(fixture.store.status.delayedEffects == 1)
            let error = #expect(throws: StoreError.self) {
                try fixture.store.submit(
                    Submission(chunks: [chunk(1)], receivedAt: Timestamp(unixNano: 1)) { _ in }
                )
            }
            #expect(error?.code == .overloaded)
            try db.rollback()
        }
        try fixture.store.flush()
        #expect(fixture.ledger.snapshot().map(\.total.sum) == [3])
    }

    @Test func `effects of too many bytes are refused room as too many batches are`() throws {
        let fixture = try Fixture {
            $0.effectBytes = 100_000
            $0.effectsPatience = .milliseconds(20)
            $0.busyTimeout = .milliseconds(10)
            $0.flushPatience = .seconds(20)
        }
        let other = try fixture.other()
        try other.writeWithoutTransaction { db in
            try db.beginTransaction(.immediate)
            for number in 1...2 {
                var effects = Effects()
                let text = String(repeating: "x", count: 120_000)
                effects.logs = [
                    Log(timestamp: Timestamp(unixNano: Int64(number)), level: .info, message: text)
                ]
                fixture.store.commit(effects) {}
            }
            #expect(fixture.store.status.delayedEffects == 1)
            #expect(fixture.store.status.queuedEffectBytes > 240_000)
            let error = #expect(throws: StoreError.self) {
                try fixture.store.submit(
                    Submission(chunks: [chunk(1)], receivedAt: Timestamp(unixNano: 1)) { _ in }
                )
            }
            #expect(error?.code == .overloaded)
            try db.rollback()
        }
        try fixture.store.flush()
        #expect(fixture.store.status.queuedEffectBytes == 0)
    }

    @Test func `names and labels may be any text`() throws {
        let fixture = try Fixture()
        let name = "http.server.duration/ü\u{0}\"🌊"
        let labels = [Label("", "x"), Label("http.route\n", "/a/{b}\u{0}"), Label("ключ", "")]
        let instrument = InstrumentDescriptor(name: name, type: .counter)
        let series = fixture.table.admit(InstrumentID(index: 9), instrument, labels: labels, limit: 10).id
        try fixture.commit { $0.deltas = [fixture.delta(series)] }
        let stored = try fixture.store.recover().series
        #expect(stored.map(\.instrument) == [instrument])
        #expect(stored.map(\.labels) == [labels])
    }

    @Test func `a series that is removed is gone after a start`() throws {
        let fixture = try Fixture()
        let (idle, overflow) = (try fixture.series("a_total"), try fixture.series("b_total"))
        try fixture.commit { $0.deltas = [fixture.delta(idle, 5), fixture.delta(overflow)] }
        try fixture.commit {
            $0.deltas = [fixture.delta(overflow, 5)]
            $0.seriesRemovals = [idle]
        }
        let stored = try fixture.store.recover().series
        #expect(stored.map(\.id) == [overflow])
        #expect(stored.map(\.total.sum) == [6])
    }
}
