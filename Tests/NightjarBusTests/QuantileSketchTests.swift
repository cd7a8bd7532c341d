import Foundation
import NightjarBus
import NightjarTesting
import Testing

@Suite struct QuantileSketchTests {
    enum Distribution: CaseIterable {
        case uniform, logNormal, pareto, signed, constant, tiny

        func value(_ generator: inout SeededGenerator) -> Double {
            let uniform = Double.random(in: 0.000_001..<1, using: &generator)
            func normal() -> Double {
                (-2 * log(uniform)).squareRoot() * cos(2 * .pi * Double.random(in: 0..<1, using: &generator))
            }
            switch self {
            case .uniform: return uniform * 10_000
            case .logNormal: return exp(normal() * 3 + 2)
            case .pareto: return pow(uniform, -1 / 0.8)
            case .signed: return Int.random(in: 0...4, using: &generator) == 0 ? 0 : normal() * 100
            case .constant: return 42.5
            case .tiny: return uniform * 1e-300
            }
        }
    }

    private static func sketch(_ values: some Sequence<Double>) -> QuantileSketch {
        values.reduce(into: QuantileSketch()) { $0.add($1) }
    }

    private static let quantiles = [0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1]

    @Test(arguments: Distribution.allCases, [1, 2, 10, 5000])
    func `quantiles are within one percent of the true ones`(distribution: Distribution, count: Int) throws {
        for seed in 0..<5 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let values = (0..<count).map { _ in distribution.value(&generator) }
            let sketch = Self.sketch(values)
            let sorted = values.sorted()
            #expect(sketch.count == UInt64(count))
            #expect((sketch.min, sketch.max) == (try #require(sorted.first), try #require(sorted.last)))
            #expect(abs(sketch.sum - values.reduce(0, +)) <= 1e-9 * values.map(abs).reduce(0, +))
            for q in Self.quantiles {
                let exact = sorted[Int(q * Double(count - 1))]
                let found = try #require(sketch.quantile(q))
                #expect(abs(found - exact) <= abs(exact) * 0.01 * (1 + 1e-9), "q \(q) seed \(seed)")
            }
        }
    }

    /// Whole numbers, so that their sum is exact whatever the order.
    private static func whole(_ generator: inout SeededGenerator) -> QuantileSketch {
        var sketch = QuantileSketch()
        for _ in 0..<Int.random(in: 0...300, using: &generator) {
            let magnitude = Double(UInt64(1) << UInt64.random(in: 0..<40, using: &generator))
            let sign = Double(Int.random(in: -1...1, using: &generator))
            sketch.add(sign * magnitude, count: .random(in: 0...3, using: &generator))
        }
        // Far apart, so that the lowest buckets collapse.
        if Bool.random(using: &generator) { sketch.add(.random(in: -1e-300...1e-300, using: &generator)) }
        return sketch
    }

    @Test(arguments: 0..<50) func `merging does not depend on order or grouping`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let (a, b, c) = (Self.whole(&generator), Self.whole(&generator), Self.whole(&generator))
        func sum(_ sketches: QuantileSketch...) -> QuantileSketch {
            sketches.reduce(into: QuantileSketch()) { $0.merge($1) }
        }
        #expect(sum(a, b) == sum(b, a))
        #expect(sum(sum(a, b), c) == sum(a, sum(b, c)))
        #expect(sum(a, QuantileSketch()) == a)
    }

    @Test(arguments: Distribution.allCases) func `merged parts are the sketch of the whole`(
        distribution: Distribution
    ) {
        var generator = SeededGenerator(seed: 7)
        let values = (0..<1000).map { _ in distribution.value(&generator).rounded() }
        var merged = Self.sketch(values[..<300])
        merged.merge(Self.sketch(values[300...]))
        #expect(merged == Self.sketch(values))
        #expect(Self.sketch(values.shuffled(using: &generator)) == Self.sketch(values))
    }

    @Test func `values too far apart cost the smallest their exactness only, and no count`() throws {
        var sketch = QuantileSketch()
        for exponent in -300...300 {
            for sign in [1.0, -1] { sketch.add(sign * pow(10, Double(exponent))) }
        }
        sketch.add(0, count: 5)
        #expect(sketch.count == 1207)
        #expect(sketch.encoded.count < 2 * QuantileSketch.bucketLimit * 2)
        #expect(abs(try #require(sketch.quantile(0.999)) / 1e299 - 1) < 1.1)
        #expect((sketch.quantile(0), sketch.quantile(1)) == (-1e300, 1e300))
        #expect(sketch.quantile(0.5) == 0)
    }

    @Test func `what is not finite is left out, and an empty sketch has no quantiles`() {
        var sketch = QuantileSketch()
        for value in [Double.nan, .infinity, -.infinity] { sketch.add(value) }
        sketch.add(1, count: 0)
        #expect(sketch == QuantileSketch())
        #expect(sketch.isEmpty)
        #expect(sketch.quantile(0.5) == nil)
        sketch.add(1)
        #expect(sketch.quantile(.nan) == nil)
    }

    @Test func `the ends of the range of numbers are values like others`() throws {
        for value in [Double.greatestFiniteMagnitude, .leastNonzeroMagnitude, -.greatestFiniteMagnitude] {
            var sketch = QuantileSketch()
            sketch.add(value, count: .max)
            sketch.add(value, count: .max)
            #expect(sketch.count == .max)
            #expect(sketch.quantile(0.5) == value)
            #expect(sketch.sum.isFinite)
            #expect(QuantileSketch(encoded: sketch.encoded) == sketch)
        }
    }

    @Test(arguments: 0..<50) func `what was encoded reads back the same`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var sketch = Self.whole(&generator)
        #expect(QuantileSketch(encoded: sketch.encoded) == sketch)
        for distribution in Distribution.allCases {
            for _ in 0..<100 { sketch.add(distribution.value(&generator)) }
        }
        #expect(QuantileSketch(encoded: sketch.encoded) == sketch)
    }

    @Test func `an empty sketch takes thirty bytes at most`() {
        #expect(QuantileSketch().encoded.count <= 30)
        #expect(QuantileSketch(encoded: QuantileSketch().encoded) == QuantileSketch())
    }

    @Test(arguments: 0..<20) func `hostile bytes are refused or read, and never crash`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let bytes = Self.whole(&generator).encoded
        for length in 0..<bytes.count { #expect(QuantileSketch(encoded: Array(bytes[..<length])) == nil) }
        #expect(QuantileSketch(encoded: bytes + [0]) == nil)
        for _ in 0..<100 {
            var changed = bytes
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                changed[Int.random(in: 0..<changed.count, using: &generator)] = .random(
                    in: 0...255,
                    using: &generator
                )
            }
            if let read = QuantileSketch(encoded: changed) {
                #expect(QuantileSketch(encoded: read.encoded) == read)
                _ = read.quantile(0.5)
            }
            let noise = [1] + (0..<60).map { _ in UInt8.random(in: 0...255, using: &generator) }
            _ = QuantileSketch(encoded: noise)
        }
    }

    @Test func `an exponential histogram's quantiles are as exact as its buckets`() throws {
        for scale in [Int32(5), 8, 20] {
            let base = exp2(exp2(-Double(scale)))
            var generator = SeededGenerator(seed: 3)
            let values = (0..<2000).map { _ in Double.random(in: 1..<1.02, using: &generator) * 500 }
            let indexes = values.map { Int((log($0) / log(base)).rounded(.up)) - 1 }
            let first = try #require(indexes.min())
            var counts = [UInt64](repeating: 0, count: (try #require(indexes.max())) - first + 1)
            for index in indexes { counts[index - first] += 1 }
            let buckets = QuantileSketch.ExponentialBuckets(offset: Int32(first), counts: counts)
            let negative = QuantileSketch.ExponentialBuckets(offset: Int32(first), counts: [4])
            let sketch = QuantileSketch(
                scale: scale,
                zeroCount: 3,
                positive: buckets,
                negative: negative,
                sum: 7
            )
            #expect((sketch.count, sketch.sum) == (2007, 7))
            #expect(try #require(sketch.quantile(0)) < 0)
            let exact = values.sorted()[1000]
            let found = try #require(sketch.quantile((1000 + 7) / 2006))
            #expect(abs(found / exact - 1) <= 0.011 + (base - 1), "scale \(scale)")
        }
    }

    @Test func `an exponential histogram of any scale and offset is taken`() {
        for scale in [Int32.min, -11, -10, 0, 20, .max] {
            for offset in [Int32.min, -1, 0, .max] {
                let buckets = QuantileSketch.ExponentialBuckets(offset: offset, counts: [1, 0, .max])
                let sketch = QuantileSketch(scale: scale, positive: buckets, min: 5, max: .nan)
                #expect(sketch.count == .max)
                #expect(sketch.quantile(0.5)?.isFinite == true)
                #expect(QuantileSketch(encoded: sketch.encoded) == sketch)
            }
        }
    }
}
