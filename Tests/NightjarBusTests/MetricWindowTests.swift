import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

/// Windows: how observations come into them, and how they are stored.
struct MetricWindowTests {
    private let start = Timestamp(unixNano: 1_767_225_600_000_000_000)

    private func at(_ seconds: Double) -> Timestamp {
        start.advanced(by: .nanoseconds(Int64(seconds * 1_000_000_000)))
    }

    @Test func `observations of a series make a delta for each window they lie in`() throws {
        let bench = try MetricBench()
        for (value, second) in [(1.0, 0.0), (2, 9.999), (4, 10), (8, 3), (16, 12)] {
            try bench.record("c", .counter, value, at: at(second - 60))
        }
        let deltas = bench.aggregator.take().filter { $0.values.count > 0 && $0.sum != 0 }
        #expect(deltas.map(\.sum).sorted() == [11, 20])
        #expect(deltas.map(\.values.least).sorted() == [1, 4])
        #expect(deltas.map(\.values.greatest).sorted() == [8, 16])
        #expect(bench.aggregator.take().isEmpty)
    }

    @Test func `the last value of a gauge by event time stays, in its window and in the total`() throws {
        let bench = try MetricBench()
        for (value, second) in [(5.0, 4.0), (3, 8), (9, 2), (1, 14), (7, 11)] {
            try bench.record("g", .gauge, value, at: at(second - 60))
        }
        let deltas = bench.aggregator.take()
        #expect(deltas.map(\.values.last).sorted() == [1, 3])
        #expect(deltas.map(\.values.sum).sorted() == [8, 17])
        bench.ledger.publish(bench.ledger.stage(deltas))
        #expect(bench.total("g") == ["": 1])
    }

    @Test func `windows far apart are told apart however many there are`() throws {
        let bench = try MetricBench()
        for round in 0..<2 {
            for window in 0..<50 {
                try bench.record("c", .counter, 1, at: at(Double(window * 10 - 900 + round)))
            }
        }
        var byWindow: [Int64: UInt64] = [:]
        for delta in bench.aggregator.take() {
            byWindow[WindowResolution.fine.window(of: delta.time), default: 0] += delta.values.count
        }
        #expect(byWindow.count == 50)
        #expect(byWindow.values.allSatisfy { $0 == 2 })
    }

    @Test(arguments: [Int64.min, -1, 0, 1, 9_999_999_999, 10_000_000_000, .max])
    func `an instant lies in the window that begins no later`(nano: Int64) {
        for resolution in WindowResolution.allCases {
            let time = Timestamp(unixNano: nano)
            let window = resolution.window(of: time)
            #expect(resolution.start(of: window) <= time)
            if nano < .max - resolution.nanoseconds { #expect(resolution.start(of: window + 1) > time) }
        }
        let fine = WindowResolution.fine.window(of: Timestamp(unixNano: nano))
        #expect(
            WindowResolution.coarse.window(ofFine: fine)
                == WindowResolution.coarse.window(of: Timestamp(unixNano: nano))
        )
    }

    /// Values of a window of one type, none of them too.
    private func random(_ type: MetricType, _ generator: inout SeededGenerator) -> WindowValues {
        func number() -> Double {
            let whole = Double(Int64(truncatingIfNeeded: generator.next()) >> 20)
            return generator.next() % 2 == 0 ? whole : whole / 1024.5
        }
        var sketch = QuantileSketch()
        var sum = 0.0
        let count = generator.next() % 5
        for _ in 0..<count {
            let value = number()
            sum += value
            sketch.add(value)
        }
        guard type != .histogram else { return WindowValues(sketch) }
        var values = WindowValues(count: count, sum: sum)
        guard count > 0 else { return values }
        (values.least, values.greatest) = (sketch.min, sketch.max)
        if type == .gauge { values.add(last: sketch.max, at: at(Double(generator.next() % 10))) }
        return values
    }

    @Test(arguments: UInt64(0)..<20)
    func `a block gives back what was merged into it, a window at a time`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let type = MetricType.allCases[Int(seed % 3)]
        let resolution: WindowResolution = seed % 2 == 0 ? .fine : .coarse
        let number = resolution.block(of: resolution.window(of: start))
        let block = WindowBlock(resolution, block: number)
        var expected: [Int64: WindowValues] = [:]
        var stored: [UInt8] = []
        for _ in 0..<12 {
            var added: [Int64: WindowValues] = [:]
            for _ in 0..<generator.next() % 6 {
                let place = Int64(generator.next() % UInt64(resolution.windowsInBlock))
                added[number * resolution.windowsInBlock + place] = random(type, &generator)
            }
            for (window, values) in added { expected[window, default: WindowValues()].add(values) }
            stored = block.merged(
                stored,
                added.sorted { $0.key < $1.key }.map { (window: $0.key, values: $0.value) }
            )
        }
        var found: [Int64: WindowValues] = [:]
        stored.withUnsafeBytes { bytes in
            block.forEach(bytes) { window, add in
                #expect(found[window] == nil)
                add(&found[window, default: WindowValues()], true)
            }
        }
        #expect(found == expected)
    }

    @Test(arguments: UInt64(0)..<20)
    func `recent windows come back, and cut or changed bytes do no harm`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var windows: [WindowKey: WindowValues] = [:]
        for _ in 0..<20 {
            let key = WindowKey(
                series: Int32(truncatingIfNeeded: generator.next() >> 33),
                window: Int64(generator.next() % 1000) - 500
            )
            windows[key] = random(MetricType.allCases[Int(generator.next() % 3)], &generator)
        }
        var table = WindowTable()
        for (key, values) in windows { table.add(to: key) { $0.add(values) } }
        var row = PackedWriter()
        RecentWindows.append(table, to: &row)
        let bytes = row.array
        #expect(read(bytes) == windows)
        for _ in 0..<200 {
            var broken = bytes
            broken[Int(generator.next() % UInt64(broken.count))] = UInt8(truncatingIfNeeded: generator.next())
            _ = read(Array(broken.prefix(Int(generator.next() % UInt64(broken.count + 1)))))
        }
    }

    /// What a row of windows says, those of one key added up.
    private func read(_ bytes: [UInt8]) -> [WindowKey: WindowValues] {
        var found: [WindowKey: WindowValues] = [:]
        bytes.withUnsafeBytes { bytes in
            RecentWindows.forEach(bytes) { key, add in add(&found[key, default: WindowValues()], true) }
        }
        return found
    }

    @Test(arguments: UInt64(0)..<20)
    func `a table and the row of what it took add up what comes, and the oldest windows go first`(
        seed: UInt64
    ) {
        var generator = SeededGenerator(seed: seed)
        var (table, expected) = (WindowTable(), [WindowKey: WindowValues]())
        for _ in 0..<30 {
            var row = PackedWriter()
            var added: [WindowKey: WindowValues] = [:]
            for _ in 0..<generator.next() % 40 {
                let delta = delta(&generator)
                withUnsafePointer(to: delta) {
                    table.add($0, to: delta.series.index)
                    RecentWindows.append($0, of: delta.series.index, to: &row)
                }
                let window = WindowResolution.fine.window(of: delta.time)
                let key = WindowKey(series: delta.series.index, window: window)
                expected[key, default: WindowValues()].add(delta.values)
                added[key, default: WindowValues()].add(delta.values)
            }
            #expect(read(row.array) == added)
            guard generator.next() % 3 == 0 else { continue }
            let order = expected.keys.sorted { ($0.window, $0.series) < ($1.window, $1.series) }
            let oldest = table.removeOldest(Int(generator.next() % 30))
            #expect(oldest.map(\.key) == Array(order.prefix(oldest.count)))
            for (key, values) in oldest { #expect(expected.removeValue(forKey: key) == values) }
            #expect(table.count == expected.count)
        }
        for (key, values) in expected { #expect(table[key] == values) }
        table.removeAll()
        #expect(table.isEmpty && expected.keys.allSatisfy { table[$0] == WindowValues() })
    }

    /// An observation or two of whole numbers, whose sums are exact in any order.
    private func delta(_ generator: inout SeededGenerator) -> SeriesDelta {
        let type = MetricType.allCases[Int(generator.next() % 3)]
        var sketch = QuantileSketch()
        for _ in 0..<1 + generator.next() % 2 { sketch.add(Double(generator.next() % 1000) - 100) }
        return SeriesDelta(
            series: SeriesID(index: Int32(generator.next() % 20)),
            sum: type == .gauge ? sketch.max : sketch.sum,
            count: sketch.count,
            time: at(Double(generator.next() % 50)),
            type: type,
            values: WindowValues(sketch)
        )
    }

    @Test(arguments: UInt64(0)..<8)
    func `a quantile of merged windows is within 1 % of the value at its place`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var (all, values) = (WindowValues(), [Double]())
        for _ in 0..<40 {
            var sketch = QuantileSketch()
            for _ in 0..<1 + generator.next() % 50 {
                let magnitude = Double(generator.next() % 1_000_000) / 97
                let value = generator.next() % 5 == 0 ? -magnitude : magnitude
                sketch.add(value)
                values.append(value)
            }
            let block = WindowBlock(.fine, block: 0).merged([], [(window: 0, values: WindowValues(sketch))])
            block.withUnsafeBytes { WindowBlock(.fine, block: 0).forEach($0) { _, add in add(&all, true) } }
        }
        values.sort()
        #expect(all.count == UInt64(values.count))
        for part in [0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999] {
            let exact = values[Int(part * Double(values.count - 1))]
            let found = all.sketch.quantile(part) ?? .nan
            #expect(abs(found - exact) <= abs(exact) * 0.01 + 1e-9, "\(part): \(found) for \(exact)")
        }
    }

    @Test func `a histogram with stated bounds has its quantiles in the right buckets`() {
        let sketch = QuantileSketch(bounds: [10, 100, 1000], counts: [5, 90, 3, 2], sum: 7000, max: 1500)
        #expect(sketch.count == 100)
        #expect(sketch.sum == 7000)
        #expect(sketch.max == 1500)
        #expect((10...100).contains(sketch.quantile(0.5) ?? 0))
        #expect((100...1000).contains(sketch.quantile(0.97) ?? 0))
        #expect((1000...1500).contains(sketch.quantile(0.999) ?? 0))
        let huge = QuantileSketch(bounds: [0], counts: [.max, .max])
        #expect(huge.count == .max)
        #expect(QuantileSketch(bounds: [], counts: [3]).isEmpty)
    }

    // MARK: - Plans

    private func plan(
        _ type: MetricType = .counter,
        _ aggregation: MetricAggregation = .sum,
        _ change: (inout MetricQuery) -> Void = { _ in }
    ) throws -> MetricPlan {
        var query = MetricQuery(name: "m", aggregation: aggregation)
        (query.from, query.to) = (at(0), at(86_400))
        change(&query)
        return try MetricPlan(query, InstrumentDescriptor(name: "m", type: type), now: at(86_400))
    }

    @Test func `a day is read at 5 min, an hour and fine steps at 10 s, old times at 5 min`() throws {
        #expect(try plan().resolution == .coarse)
        #expect(try plan().stepSeconds == 300)
        #expect(try plan { $0.stepSeconds = 60 }.resolution == .fine)
        #expect(try plan { $0.from = self.at(82_800) }.resolution == .fine)
        #expect(try plan { $0.from = self.at(82_800) }.stepSeconds == 30)
        let old = try plan { query in
            (query.from, query.to) = (self.at(-20 * 86_400), self.at(-20 * 86_400 + 3600))
            query.stepSeconds = 60
        }
        #expect(old.resolution == .coarse)
        #expect(old.stepSeconds == 300)
    }

    @Test func `buckets begin at multiples of the step since 1970, and rates use what lies in the range`()
        throws
    {
        let plan = try plan { query in
            query.from = self.at(1800 + 5)
            query.stepSeconds = 3600
        }
        #expect(plan.start(ofBucket: 0) == start)
        #expect(plan.from == at(1800))
        #expect(plan.bucketCount == 24)
        let week = try self.plan { query in
            (query.from, query.stepSeconds) = (self.at(-8 * 86_400), 604_800)
        }
        // A week since 1970 begins on a Thursday.
        #expect(week.start(ofBucket: 0).description == "2025-12-18T00:00:00Z")
    }

    @Test(arguments: [
        (MetricType.counter, MetricAggregation.p95, "m is a counter, which has no p95; use one of sum, avg"),
        (.gauge, .rate, "m is a gauge, which has no rate; use one of"),
        (.histogram, .last, "m is a histogram, which has no last"),
    ])
    func `an aggregation that a type does not have is refused with those that it has`(
        type: MetricType,
        aggregation: MetricAggregation,
        message: String
    ) throws {
        let error = #expect(throws: MetricQueryError.self) { try plan(type, aggregation) }
        #expect(error?.description.hasPrefix(message) == true, "\(error?.description ?? "")")
    }

    @Test func `what does not fit together is refused with what to write`() throws {
        func refusal(_ change: (inout MetricQuery) -> Void) -> String {
            let error = #expect(throws: MetricQueryError.self) { try plan(.counter, .sum, change) }
            return error?.description ?? ""
        }
        #expect(refusal { $0.to = $0.from } == "from must lie before to")
        #expect(refusal { $0.stepSeconds = 15 }.hasPrefix("step must be a multiple of 10s"))
        #expect(refusal { $0.stepSeconds = 0 }.hasPrefix("step must be"))
        #expect(refusal { $0.stepSeconds = .max }.hasPrefix("step must be"))
        #expect(
            refusal { $0.stepSeconds = 10 }.contains(
                "8640 points, at most 2000 are given; use a step of 60 s"
            )
        )
        #expect(refusal { $0.groupBy = (0..<9).map(String.init) }.hasPrefix("at most 8 labels"))
        #expect(refusal { $0.from = Timestamp(unixNano: .min) }.hasPrefix("from and to"))
    }

    @Test func `groups beyond the limit are left out, the highest stay, and the total has all`() throws {
        let plan = try plan { query in
            (query.groupBy, query.groupLimit) = (["k"], 2)
        }
        var tally = MetricTally(plan)
        for value in [3.0, 1, 7] {
            tally.add(window: plan.windows.lowerBound) { sum, _ in
                sum.add(WindowValues(count: 1, sum: value))
            }
            tally.endSeries()
            tally.endGroup([Label("k", "\(Int(value))")])
        }
        let answer = tally.answer(completeUntil: at(86_400))
        #expect(answer.groups.map { $0.labels.map(\.value) } == [["7"], ["3"]])
        #expect(answer.groupCount == 3)
        #expect(answer.total == 11)
        #expect(answer.json["truncated"] == true)
    }
}
