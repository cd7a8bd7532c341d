import NightjarBus
import NightjarSignals
import Testing

@Suite struct SeriesExpiryTests {
    private func hours(_ count: Int64) -> Timestamp { MetricBench.now.advanced(by: .seconds(count * 3600)) }

    private func full() throws -> (bench: MetricBench, id: InstrumentID) {
        let bench = try MetricBench { $0.cardinalityLimit = 2 }
        let id = try bench.registry.instrument(InstrumentDescriptor(name: "c", type: .counter))
        bench.add(id, 1, ["v": "1"])
        bench.add(id, 2, ["v": "2"])
        bench.commit(now: hours(0))
        return (bench, id)
    }

    private func expire(_ bench: MetricBench, at time: Timestamp) -> SeriesLedger.Staged {
        let staged = bench.ledger.expire(now: time)
        bench.ledger.publish(staged)
        return staged
    }

    @Test func `a series idle for a day frees its place and keeps its total`() throws {
        let (bench, id) = try full()
        _ = expire(bench, at: hours(24))
        bench.add(id, 5, ["v": "3"])
        bench.commit(now: hours(24))
        #expect(bench.total("c") == ["v=1": 1, "v=2": 2, "otel_metric_overflow=true": 5])
        let staged = expire(bench, at: hours(25))
        #expect(staged.isEmpty)
        bench.add(id, 5, ["v": "3"])
        bench.commit(now: hours(25))
        #expect(bench.total("c") == ["v=1": 1, "v=2": 2, "v=3": 5, "otel_metric_overflow=true": 5])
    }

    @Test func `a series that comes again goes on from its total where there is room, else overflows`() throws
    {
        let (bench, id) = try full()
        _ = expire(bench, at: hours(25))
        bench.add(id, 5, ["v": "3"])
        bench.add(id, 10, ["v": "1"])
        bench.add(id, 20, ["v": "2"])
        bench.commit(now: hours(25))
        #expect(bench.total("c") == ["v=1": 11, "v=2": 2, "v=3": 5, "otel_metric_overflow=true": 20])
    }

    @Test func `another worker that knows the series is admitted anew too`() throws {
        let (bench, id) = try full()
        let other = try bench.anotherWorker()
        bench.add(id, 0, ["v": "1"], by: other)
        _ = other.take()
        _ = expire(bench, at: hours(25))
        bench.add(id, 5, ["v": "3"])
        bench.add(id, 5, ["v": "4"])
        bench.add(id, 7, ["v": "1"], by: other)
        bench.ledger.publish(bench.ledger.stage(other.take(), now: hours(25)))
        bench.commit(now: hours(25))
        #expect(bench.total("c")["otel_metric_overflow=true"] == 7)
    }

    @Test func `what was in hand when the place was freed takes it back`() throws {
        let (bench, id) = try full()
        bench.add(id, 10, ["v": "1"])
        _ = expire(bench, at: hours(25))
        bench.commit(now: hours(25))
        #expect(bench.total("c")["v=1"] == 11)
        bench.add(id, 1, ["v": "3"])
        bench.add(id, 1, ["v": "4"])
        bench.commit(now: hours(25))
        #expect(bench.total("c")["otel_metric_overflow=true"] == 1)
    }

    @Test func `after ninety days a series is folded into the overflow series, and no total is lost`() throws
    {
        let (bench, id) = try full()
        let old = bench.series("c").map(\.id.index)
        bench.add(id, 4)
        bench.commit(now: hours(0))
        bench.add(id, 1, ["v": "2"])
        bench.commit(now: hours(24 * 60))
        let staged = expire(bench, at: hours(24 * 90 + 1))
        #expect(staged.removed == [old[0]])
        #expect(staged.totals.count == 1)
        #expect(bench.total("c") == ["v=2": 3, "otel_metric_overflow=true": 5])
        #expect(bench.total("c").values.reduce(0, +) == 8)
    }

    @Test func `a series without labels is never folded`() throws {
        let bench = try MetricBench()
        try bench.record("c")
        bench.commit()
        #expect(expire(bench, at: hours(24 * 365)).isEmpty)
        #expect(bench.total("c") == ["": 1])
    }

    @Test func `what was in hand for a folded series goes where its total went`() throws {
        let (bench, id) = try full()
        bench.add(id, 10, ["v": "1"])
        _ = expire(bench, at: hours(24 * 91))
        bench.commit(now: hours(24 * 91))
        #expect(bench.total("c") == ["otel_metric_overflow=true": 13])
        bench.add(id, 1, ["v": "1"])
        bench.commit(now: hours(24 * 91))
        #expect(bench.total("c") == ["otel_metric_overflow=true": 13, "v=1": 1])
    }

    @Test func `nothing changes before what expired is published`() throws {
        let (bench, id) = try full()
        _ = bench.ledger.expire(now: hours(24 * 91))
        #expect(bench.total("c") == ["v=1": 1, "v=2": 2])
        bench.add(id, 1, ["v": "3"])
        bench.commit()
        #expect(bench.total("c")["otel_metric_overflow=true"] == 1)
    }

    @Test func `histograms are folded bucket by bucket, gauges by their time`() throws {
        let bench = try MetricBench()
        for (value, second) in [(5, 2), (20, 1)] as [(Double, Int64)] {
            let time = MetricBench.now.advanced(by: .seconds(second))
            try bench.record("h", .histogram, value, ["v": "\(value)"], at: time)
            try bench.record("g", .gauge, value, ["v": "\(value)"], at: time)
        }
        bench.commit()
        _ = expire(bench, at: hours(24 * 91))
        #expect(bench.total("g") == ["otel_metric_overflow=true": 5])
        let histogram = try #require(bench.series("h").first)
        #expect(bench.series("h").count == 1)
        #expect(histogram.total.sum == 25)
        #expect(histogram.total.buckets.prefix(3) == [1, 1, 0])
    }

    @Test func `when a series was last active outlives a restart`() throws {
        let (bench, id) = try full()
        bench.add(id, 1, ["v": "1"])
        bench.commit(now: hours(100))
        let after = try MetricBench(restoring: bench.series("c")) { $0.cardinalityLimit = 2 }
        _ = expire(after, at: hours(101))
        let again = try after.registry.instrument(InstrumentDescriptor(name: "c", type: .counter))
        for value in 3...4 { after.add(again, 1, ["v": "\(value)"]) }
        after.add(again, 1, ["v": "1"])
        after.commit(now: hours(101))
        #expect(after.total("c") == ["v=1": 3, "v=2": 2, "v=3": 1, "otel_metric_overflow=true": 1])
    }

    @Test func `the limit holds for the whole process`() throws {
        let (bench, id) = try full()
        let other = try bench.anotherWorker()
        bench.add(id, 1, ["v": "3"], by: other)
        bench.ledger.publish(bench.ledger.stage(other.take()))
        #expect(bench.total("c").count == 3)
        #expect(bench.total("c")["otel_metric_overflow=true"] == 1)
    }
}
