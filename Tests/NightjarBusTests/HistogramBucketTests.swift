import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

@Suite struct HistogramBucketTests {
    private func histogram(
        _ name: String = "h",
        _ buckets: [Double]? = nil,
        range: ClosedRange<Double>? = nil
    ) -> InstrumentDescriptor {
        InstrumentDescriptor(name: name, type: .histogram, buckets: buckets, range: range)
    }

    @Test(
        arguments: [
            ("a_ms", 10, 3_600_000, 11), ("a_tokens", 128, 134_217_728, 11),
            ("a_bytes", 256, 268_435_456, 11),
            ("a", 10, 3_600_000, 11), ("x_bytes_ms", 10, 3_600_000, 11),
        ] as [(String, Double, Double, Int)]
    )
    func `a name's unit decides where nothing is declared`(
        name: String,
        first: Double,
        last: Double,
        count: Int
    ) {
        let bounds = HistogramBuckets.resolve(histogram(name))
        #expect((bounds.first, bounds.last, bounds.count) == (first, last, count))
    }

    @Test func `a declared range is cut into ten equal buckets`() {
        #expect(
            HistogramBuckets.resolve(histogram("a_ms", range: 0...1)).map { ($0 * 10).rounded() }
                == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
        )
        #expect(HistogramBuckets.resolve(histogram(range: -0.3...0.1)).last == 0.1)
    }

    @Test func `a configured name comes before what is declared, a configured suffix after it`() throws {
        let registry = MetricRegistry()
        try registry.setBuckets(
            BucketConfiguration(["named_ms": [1], "_ms": [2], "_call_ms": [3], "_s": [4]])
        )
        func bounds(_ descriptor: InstrumentDescriptor) throws -> [Double]? {
            try registry.resolvedDescriptor(registry.instrument(descriptor)).buckets
        }
        #expect(try bounds(histogram("named_ms", [9])) == [1])
        #expect(try bounds(histogram("own_ms", [9])) == [9])
        #expect(try bounds(histogram("any_ms")) == [2])
        #expect(try bounds(histogram("any_call_ms")) == [3])
        #expect(try bounds(histogram("any_s")) == [4])
        #expect(try bounds(histogram("any_tokens"))?.first == 128)
    }

    @Test(
        arguments: [
            [], [1, 1], [2, 1], [.nan], [1, .infinity], [-.infinity], (0...100).map(Double.init),
        ] as [[Double]]
    )
    func `bounds that cannot be are refused`(bounds: [Double]) throws {
        let registry = MetricRegistry()
        let error = #expect(throws: MetricError.self) { try registry.instrument(histogram("h", bounds)) }
        #expect(error?.code == .invalidBuckets)
        #expect(registry.conflict(histogram("h", bounds)) == error)
        #expect(throws: MetricError.self) { try registry.setBuckets(BucketConfiguration(["h": bounds])) }
        #expect(registry.resolvedDescriptors.isEmpty)
    }

    @Test(arguments: [1...1, 0...(.infinity)] as [ClosedRange<Double>])
    func `a range that cannot be is refused`(range: ClosedRange<Double>) {
        #expect(throws: MetricError.self) { try MetricRegistry().instrument(histogram(range: range)) }
    }

    @Test func `a hundred buckets are taken`() throws {
        _ = try MetricRegistry().instrument(histogram("h", (1...100).map(Double.init)))
    }

    @Test func `the same source may change its buckets, another may not while the first is there`() throws {
        let registry = MetricRegistry()
        let id = try registry.instrument(histogram("h", [1]), source: "a")
        _ = try registry.instrument(histogram("h", [1]), source: "b")
        #expect(registry.conflict(histogram("h", [2]), source: "b")?.code == .invalidBuckets)
        #expect(registry.conflict(histogram("h"), source: "c") == nil)
        registry.withdraw(source: "a")
        _ = try registry.instrument(histogram("h", [2]), source: "b")
        #expect(registry.descriptor(id).buckets == [2])
    }

    @Test func `new buckets start a new histogram, for every worker, and nothing is added to the old`() throws
    {
        let bench = try MetricBench()
        let other = try bench.anotherWorker()
        let id = try bench.registry.instrument(histogram("h", [1, 10]))
        bench.add(id, 5, ["v": "1"])
        bench.add(id, 5, ["v": "2"])
        bench.add(id, 5, ["v": "1"], by: other)
        bench.commit()
        #expect(bench.series("h").map(\.total.buckets) == [[0, 1, 0], [0, 1, 0]])
        _ = try bench.registry.instrument(histogram("h", [1, 3, 10]))
        bench.add(id, 5, ["v": "1"])
        // What another worker had in hand belongs to the histogram that is gone.
        bench.ledger.publish(bench.ledger.stage(other.take()))
        bench.commit()
        let series = bench.series("h")
        #expect(series.map(\.total.buckets) == [[0, 0, 1, 0]])
        #expect(series.map(\.total.count) == [1])
        #expect(series.first?.instrument.buckets == [1, 3, 10])
        bench.add(id, 2, ["v": "1"], by: other)
        bench.ledger.publish(bench.ledger.stage(other.take()))
        #expect(bench.series("h").map(\.total.buckets) == [[0, 1, 1, 0]])
    }

    @Test func `what is to be deleted of an old histogram is staged until it is published`() throws {
        let bench = try MetricBench()
        let id = try bench.registry.instrument(histogram("h", [1]))
        bench.add(id, 5)
        bench.commit()
        let old = try #require(bench.series("h").first?.id.index)
        _ = try bench.registry.instrument(histogram("h", [2]))
        bench.add(id, 5)
        let deltas = bench.aggregator.take()
        // The first was not committed.
        #expect(bench.ledger.stage(deltas).removed == [old])
        let staged = bench.ledger.stage(deltas)
        #expect(staged.removed == [old])
        #expect(staged.totals.keys.contains(old) == false)
        bench.ledger.publish(staged)
        #expect(bench.ledger.stage([]).removed.isEmpty)
    }

    @Test func `a restored histogram goes on with the same buckets and starts anew with others`() throws {
        let before = try MetricBench()
        before.add(try before.registry.instrument(histogram("h", [1, 10])), 5)
        before.commit()
        for (bounds, expected) in [([1, 10], [0, 2, 0]), ([1, 20], [0, 1, 0])] as [([Double], [UInt64])] {
            let after = try MetricBench(restoring: before.series("h"))
            #expect(after.series("h").map(\.total.buckets) == [[0, 1, 0]])
            after.add(try after.registry.instrument(histogram("h", bounds)), 5)
            after.commit()
            #expect(after.series("h").map(\.total.buckets) == [expected])
            #expect(after.series("h").map(\.instrument.buckets) == [bounds])
        }
    }

    @Test func `of two stored histograms with the same labels the later one goes on`() throws {
        let before = try MetricBench()
        before.add(try before.registry.instrument(histogram("h", [1])), 5)
        before.commit()
        let first = try #require(before.series("h").first)
        var second = first
        second.id = SeriesID(index: first.id.index + 7)
        let after = try MetricBench(restoring: [second, first])
        #expect(after.series("h").map(\.id) == [second.id])
    }

    @Test(arguments: 0..<20) func `histograms add up the same in any order and grouping`(seed: UInt64) throws
    {
        var generator = SeededGenerator(seed: seed)
        func some() -> SeriesTotal {
            var total = SeriesTotal()
            for _ in 0..<Int.random(in: 1...5, using: &generator) {
                total.add(
                    SeriesDelta(
                        series: SeriesID(index: 0),
                        // Whole numbers add up without rounding.
                        sum: Double(Int.random(in: -1000...1000, using: &generator)),
                        count: 3,
                        time: Timestamp(unixNano: .random(in: 0...9, using: &generator)),
                        buckets: (0..<4).map { _ in .random(in: 0...9, using: &generator) },
                        type: .histogram
                    )
                )
            }
            return total
        }
        func sum(_ totals: SeriesTotal...) -> SeriesTotal {
            totals.reduce(into: SeriesTotal()) { $0.add($1, type: .histogram) }
        }
        let (a, b, c) = (some(), some(), some())
        #expect(sum(a, b) == sum(b, a))
        #expect(sum(sum(a, b), c) == sum(a, sum(b, c)))
        #expect(sum(a, SeriesTotal()) == a)
    }
}
