import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

/// How observations and series are kept: the same as by the plain way, whatever comes.
struct SeriesStorageTests {
    @Test(arguments: UInt64(0)..<8)
    func `a bucket found by a table is the one of the definition`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let gamma = (1 + QuantileSketch.relativeError) / (1 - QuantileSketch.relativeError)
        var values: [Double] = [
            1, 2, 0.5, .leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude,
        ]
        for _ in 0..<5000 {
            let any = Double(bitPattern: generator.next() & 0x7FFF_FFFF_FFFF_FFFF)
            if any.isFinite, any > 0 { values.append(any) }
            values.append(Double(generator.next() % 1_000_000) / 7 + 0.001)
        }
        var bound = 1.0
        for _ in 0..<2000 {
            bound *= gamma
            values += [
                bound, bound.nextUp, bound.nextDown, 1 / bound, (1 / bound).nextUp, (1 / bound).nextDown,
            ]
        }
        let wrong = values.filter { SketchIndex.of($0) != SketchIndex.exact($0) }
        #expect(wrong.isEmpty)
    }

    @Test(arguments: [1, 2, 3, 5, 1024, 1025, 1026, 5000])
    func `a histogram has the distribution of its values, few or many`(count: Int) throws {
        let bench = try MetricBench()
        let histogram = try bench.registry.instrument(
            InstrumentDescriptor(name: "h_ms", type: .histogram, buckets: [0, 10, 100])
        )
        var generator = SeededGenerator(seed: UInt64(count))
        for _ in 0..<2 {
            var (sketch, buckets) = (QuantileSketch(), [UInt64](repeating: 0, count: 4))
            for _ in 0..<count {
                let value = Double(Int(generator.next() % 400)) - 100
                sketch.add(value)
                buckets[value <= 0 ? 0 : value <= 10 ? 1 : value <= 100 ? 2 : 3] += 1
                bench.add(histogram, value)
            }
            let deltas = bench.aggregator.take()
            #expect(deltas.count == 1)
            #expect(deltas.first?.values.sketch == sketch)
            #expect(deltas.first?.buckets == buckets)
            #expect(deltas.first?.sum == sketch.sum)
            var (window, expected) = (WindowValues(sketch), WindowValues(sketch))
            deltas.first?.add(to: &window)
            expected.add(deltas.first?.values ?? WindowValues())
            #expect(window == expected)
        }
    }

    @Test func `what is changed of one delta stays its own`() throws {
        let bench = try MetricBench()
        let histogram = try bench.registry.instrument(InstrumentDescriptor(name: "h_ms", type: .histogram))
        for value in [1.0, 20, 300] { bench.add(histogram, value, ["a": "1"]) }
        bench.add(histogram, 7, ["a": "2"])
        var deltas = bench.aggregator.take()
        let before = deltas
        deltas[0].exemplar = Exemplar(traceID: TraceID(high: 1, low: 2), value: 3, time: MetricBench.now)
        #expect(deltas[0].buckets == before[0].buckets)
        #expect(deltas[0].values == before[0].values)
        #expect(deltas[0] != before[0])
        #expect(deltas[1] == before[1])
        deltas[0].buckets = [1, 2]
        #expect(deltas[0].exemplar?.value == 3)
        #expect(before[0].buckets.reduce(0, +) == 3)
    }

    @Test(arguments: UInt64(0)..<6)
    func `places of series are found as in a dictionary`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var places = SeriesPlaces()
        var expected: [String: Int32] = [:]
        func key(_ name: String) -> SeriesKey { SeriesKey(Int32(name.utf8.count % 3), [Label("l", name)]) }
        for number in 0..<3000 {
            let name = "\(generator.next() % 400)"
            if generator.next() % 3 == 0 {
                places.remove(key(name))
                expected[name] = nil
            } else {
                places.set(Int32(number), for: key(name))
                expected[name] = Int32(number)
            }
        }
        for name in (0..<400).map(String.init) { #expect(places.find(key(name)) == expected[name]) }
    }

    @Test func `blocked names are blocked whatever their case and length`() {
        let long = String(repeating: "a", count: 70)
        var configuration = CardinalityConfiguration()
        configuration.blockedLabels = ["Straße", long, "id"]
        configuration.allowedLabels = ["ID"]
        let filter = LabelFilter(configuration)
        var policy = LabelPolicy()
        policy.block = ["Region"]
        let uuid = "01234567-89ab-cdef-0123-456789abcdef"
        let names = ["STRASSE", "straße", long.uppercased(), long, "region", "REGION", "id", "Id", "zone"]
        let (kept, dropped) = filter.apply(
            names.map { Label($0, uuid) } + [Label("zone", "1")],
            policy: policy
        )
        #expect(kept.map(\.name) == ["id", "Id", "zone"])
        #expect(
            dropped.map(\.reason) == [.uuid, .blocked, .blocked, .blocked, .blocked, .blocked, .uuid]
        )
    }

    @Test func `a help text given later is that of series made later`() throws {
        let bench = try MetricBench()
        let counter = try bench.registry.instrument(InstrumentDescriptor(name: "c", type: .counter))
        bench.add(counter, 1, ["a": "1"])
        _ = try bench.registry.instrument(InstrumentDescriptor(name: "c", type: .counter, help: "Things"))
        bench.add(counter, 1, ["a": "2"])
        bench.commit()
        #expect(bench.series("c").map(\.instrument.help) == ["", "Things"])
    }
}
