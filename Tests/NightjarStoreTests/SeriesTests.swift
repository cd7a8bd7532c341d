import GRDB
import NightjarBus
import NightjarSignals
import NightjarStore
import Synchronization
import Testing

struct SeriesTests {
    private func received(_ fixture: Fixture, _ buckets: [Double]?, _ label: String) throws -> SeriesID {
        let descriptor = InstrumentDescriptor.received("wait", type: .histogram, unit: "s", buckets: buckets)
        let instrument = try fixture.registry.instrument(descriptor)
        return fixture.table.admit(
            instrument,
            fixture.registry.descriptor(instrument),
            labels: [Label("k", label)],
            limit: 100
        ).id
    }

    private func reopened(_ fixture: Fixture) throws -> Fixture {
        try fixture.store.close()
        let next = try Fixture(fixture.folder)
        let recovery = try next.store.recover()
        try next.table.restore(recovery.series, registry: next.registry)
        next.ledger.restore(recovery.series)
        return next
    }

    @Test func `a sketch comes back whole, and what comes later is merged into it`() throws {
        let fixture = try Fixture()
        let series = try received(fixture, nil, "a")
        var sketch = QuantileSketch()
        for value in 1...100 { sketch.add(Double(value)) }
        var delta = fixture.delta(series)
        delta.type = .histogram
        delta.sketch = sketch
        try fixture.commit { $0.deltas = [delta] }
        let next = try reopened(fixture)
        #expect(next.ledger.snapshot() == fixture.ledger.snapshot())
        #expect(next.ledger.snapshot().map(\.total.sketch) == [sketch])
        try next.commit { $0.deltas = [delta] }
        sketch.merge(sketch)
        #expect(try next.store.recover().series.map(\.total.sketch) == [sketch])
    }

    @Test func `totals that are newer than their rows come back, and a minute later are in them`() throws {
        let time = Mutex<Int64>(0)
        let fixture = try Fixture { $0.now = { Timestamp(unixNano: time.withLock { $0 }) } }
        let counter = try fixture.series("a")
        let histogram = try fixture.series("b", .histogram)
        func rows() throws -> [Double] { try fixture.numbers("SELECT sum FROM series ORDER BY id") }
        func add(after seconds: Int64) throws {
            time.withLock { $0 += seconds * 1_000_000_000 }
            var wide = fixture.delta(histogram, -2.5, buckets: [1, 0, 300, 0])
            wide.type = .histogram
            try fixture.commit { $0.deltas = [fixture.delta(counter, .infinity), wide] }
            #expect(try fixture.store.recover().series.map(\.total) == fixture.ledger.snapshot().map(\.total))
        }
        try add(after: 0)
        for _ in 0..<3 { try add(after: 1) }
        #expect(try rows().last == -2.5)
        #expect(try fixture.numbers("SELECT count(*) FROM series_recent") == [3])
        // One that is new has its row at once; one that is no more is not made again by what is left of it.
        let late = try fixture.series("c")
        try fixture.commit { $0.deltas = [fixture.delta(late, 7)] }
        #expect(try rows().last == 7)
        try fixture.commit { $0.seriesRemovals = [counter] }
        #expect(try fixture.store.recover().series.map(\.id) == [histogram, late])
        let next = try reopened(fixture)
        try next.commit { $0.deltas = [next.delta(late, 1)] }
        #expect(try fixture.numbers("SELECT sum FROM series ORDER BY id") == [-10, 8])
        #expect(try fixture.numbers("SELECT count(*) FROM series_recent") == [0])
    }

    @Test func `totals that cannot be read are an error that says so`() throws {
        let fixture = try Fixture()
        try fixture.other().write {
            try $0.execute(sql: "INSERT INTO series_recent (totals) VALUES (X'0005')")
        }
        let error = #expect(throws: StoreError.self) { try fixture.store.recover() }
        #expect(error?.code == .corrupt)
    }

    @Test func `when a series was last added to comes back`() throws {
        let fixture = try Fixture()
        let series = try fixture.series("a")
        try fixture.commit { $0.deltas = [fixture.delta(series)] }
        let updated = try #require(fixture.ledger.snapshot().first).total.updated
        #expect(updated > Timestamp(unixNano: 0))
        #expect(try reopened(fixture).ledger.snapshot().map(\.total.updated) == [updated])
    }

    @Test func `a received metric is stored beside one of ours with the same name`() throws {
        let fixture = try Fixture()
        let ours = try fixture.series("wait", .counter)
        let theirs = try received(fixture, [1], "a")
        try fixture.commit {
            $0.deltas = [fixture.delta(ours, 2), fixture.delta(theirs, 3, buckets: [0, 1])]
        }
        let found = try reopened(fixture).ledger.snapshot().map(\.instrument)
        #expect(found.map(\.shownName) == ["wait", "wait"])
        #expect(found.map(\.origin) == [.nightjar, .otlp])
        #expect(found.map(\.type) == [.counter, .histogram])
    }

    @Test func `the first bounds of a received metric are stored, whichever series they come to`() throws {
        let fixture = try Fixture()
        let series = try received(fixture, nil, "a")
        try fixture.commit { $0.deltas = [fixture.delta(series)] }
        #expect(try received(fixture, [1, 2], "a") == series)
        try fixture.commit { $0.deltas = [fixture.delta(series, buckets: [0, 1, 0])] }
        let next = try reopened(fixture)
        #expect(next.ledger.snapshot().map(\.instrument.buckets) == [[1, 2]])
        // Later ones change nothing.
        #expect(try received(next, [7], "a") == series)
        #expect(next.ledger.snapshot().map(\.instrument.buckets) == [[1, 2]])
    }
}
