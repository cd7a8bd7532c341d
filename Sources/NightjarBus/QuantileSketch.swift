#if canImport(Glibc)
import Glibc
#endif

/// A distribution whose quantiles are known to 1 %: counts in buckets whose bounds grow by a constant factor (as DDSketch
/// does). Merging is exact: the sketch of two lots of values is the merged sketch of both, bucket for bucket.
package struct QuantileSketch: Sendable, Equatable {
    /// How far a quantile may be from the true one, as a part of it.
    package static let relativeError = 0.01
    /// At most so many buckets of either sign; beyond it those of the smallest magnitude become one. Values may spread over a
    /// factor of 10^17 before that happens.
    package static let bucketLimit = 2048

    static let gamma = (1 + relativeError) / (1 - relativeError)
    static let logGamma = log(gamma)

    /// How many values there are, at most 2^64 − 1.
    package internal(set) var count: UInt64 = 0
    /// The sum of the values, held at the ends of the range.
    package private(set) var sum = 0.0
    /// The least value; +∞ where there is none.
    package private(set) var min = Double.infinity
    /// The greatest value; −∞ where there is none.
    package private(set) var max = -Double.infinity

    private(set) var zeros: UInt64 = 0
    var positives = SketchBuckets()
    /// By magnitude.
    var negatives = SketchBuckets()

    /// A sketch of no values.
    package init() {}

    /// Whether there are no values.
    package var isEmpty: Bool { count == 0 }

    /// Adds a value so many times; what is not finite is left out.
    package mutating func add(_ value: Double, count added: UInt64 = 1) {
        guard value.isFinite, added > 0 else { return }
        place(value, added)
        sum = finite(sum + finite(value * Double(added)))
        min = Swift.min(min, value)
        max = Swift.max(max, value)
    }

    /// Adds the values of another sketch.
    package mutating func merge(_ other: QuantileSketch) {
        positives.merge(other.positives)
        negatives.merge(other.negatives)
        zeros = saturating(zeros, other.zeros)
        count = saturating(count, other.count)
        sum = finite(sum + other.sum)
        min = Swift.min(min, other.min)
        max = Swift.max(max, other.max)
    }

    /// Adds values that are zero.
    mutating func addZeros(_ added: UInt64) {
        zeros = saturating(zeros, added)
        count = saturating(count, added)
    }

    /// Takes note of values that were added to buckets by their index.
    mutating func addCount(_ added: UInt64) { count = saturating(count, added) }

    /// Takes note of sum, least and greatest of values that were added by their buckets.
    mutating func widen(sum added: Double, min low: Double, max high: Double) {
        guard !isEmpty else { return }
        sum = finite(sum + added)
        min = Swift.min(min, low)
        max = Swift.max(max, high)
    }

    /// The value below which a part `q` of the values lies, `q` from 0 to 1; nil where there are no values.
    package func quantile(_ q: Double) -> Double? {
        guard !isEmpty, !q.isNaN else { return nil }
        if q <= 0 { return min }
        if q >= 1 { return max }
        let rank = q * Double(count - 1)
        return Swift.min(Swift.max(estimate(rank), min), max)
    }

    /// The value at a place, counted from 0, in their order.
    private func estimate(_ rank: Double) -> Double {
        var seen: UInt64 = 0
        func passes(_ added: UInt64) -> Bool {
            seen = saturating(seen, added)
            return Double(seen) > rank
        }
        for place in negatives.counts.indices.reversed() where passes(negatives.counts[place]) {
            return -Self.value(negatives.lowest + place)
        }
        if passes(zeros) { return 0 }
        for place in positives.counts.indices where passes(positives.counts[place]) {
            return Self.value(positives.lowest + place)
        }
        return max
    }

    private mutating func place(_ value: Double, _ added: UInt64) {
        count = saturating(count, added)
        if value == 0 {
            zeros = saturating(zeros, added)
        } else if value > 0 {
            positives.add(SketchIndex.of(value), added)
        } else {
            negatives.add(SketchIndex.of(-value), added)
        }
    }

    /// The value that is equally far, relatively, from both bounds of a bucket.
    private static func value(_ index: Int) -> Double {
        exp(Double(index) * logGamma) * 2 / (gamma + 1)
    }
}

extension QuantileSketch {
    /// A bucket run of an OTLP exponential histogram: counts from an offset on.
    package struct ExponentialBuckets: Sendable {
        /// The index of the first count.
        package var offset: Int32
        /// How many values lie in each bucket, (base^index, base^(index+1)].
        package var counts: [UInt64]

        /// A run of buckets.
        package init(offset: Int32 = 0, counts: [UInt64] = []) {
            self.offset = offset
            self.counts = counts
        }
    }

    /// The values of an OTLP exponential histogram, each at the relative middle of its bucket: as exact as the buckets are, and
    /// 1 % less. What its data point does not state of sum, least and greatest is estimated.
    package init(
        scale: Int32,
        zeroCount: UInt64 = 0,
        positive: ExponentialBuckets,
        negative: ExponentialBuckets = ExponentialBuckets(),
        sum statedSum: Double? = nil,
        min statedMin: Double? = nil,
        max statedMax: Double? = nil
    ) {
        self.init()
        add(0, count: zeroCount)
        for (sign, buckets) in [(1.0, positive), (-1.0, negative)] {
            for (step, count) in buckets.counts.enumerated() where count > 0 {
                add(sign * Self.middle(Int(buckets.offset) + step, scale: scale), count: count)
            }
        }
        guard !isEmpty else { return }
        state(sum: statedSum, min: statedMin, max: statedMax)
    }

    /// Takes what a data point states for what was estimated.
    mutating func state(sum statedSum: Double?, min statedMin: Double?, max statedMax: Double?) {
        if let statedSum, statedSum.isFinite { sum = statedSum }
        let (low, high) = (statedMin ?? min, statedMax ?? max)
        if low.isFinite, high.isFinite, low <= high { (min, max) = (low, high) }
    }

    private static func middle(_ index: Int, scale: Int32) -> Double {
        // Beyond these scales a bucket is wider than all doubles, or narrower than any two.
        let width = exp2(-Double(Swift.max(-12, Swift.min(64, scale))))
        let lower = exp2(Swift.max(-1074, Swift.min(1023.999, Double(index) * width)))
        let upper = exp2(Swift.max(-1074, Swift.min(1023.999, Double(index + 1) * width)))
        return lower * (2 / (1 + lower / upper))
    }
}

/// The sum, held at the end of the range: counts may be what a stranger sent.
func saturating(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? .max : sum
}

/// The number, held at the ends of the range: an infinite sum would make everything after it none.
private func finite(_ number: Double) -> Double {
    max(-.greatestFiniteMagnitude, min(.greatestFiniteMagnitude, number))
}

/// Counts of a run of buckets, without empty ones at its ends.
struct SketchBuckets: Sendable, Equatable {
    /// The index of the first count; 0 where there is none.
    private(set) var lowest = 0
    private(set) var counts: [UInt64] = []

    mutating func add(_ index: Int, _ count: UInt64) {
        guard count > 0 else { return }
        let known = index - lowest
        if known >= 0, known < counts.count {
            counts[known] = saturating(counts[known], count)
            return
        }
        let place = makeRoom(index...index, at: index)
        counts[place] = saturating(counts[place], count)
    }

    /// Makes room for values of all of these buckets, both of the ends among them, where there is none yet.
    mutating func reserve(_ range: ClosedRange<Int>) {
        guard counts.isEmpty else { return }
        lowest = Swift.max(range.lowerBound, range.upperBound - QuantileSketch.bucketLimit + 1)
        counts = Array(repeating: 0, count: range.upperBound - lowest + 1)
    }

    mutating func merge(_ other: SketchBuckets) {
        guard !other.counts.isEmpty else { return }
        let last = other.lowest + other.counts.count - 1
        _ = makeRoom(other.lowest...last, at: other.lowest)
        for (step, count) in other.counts.enumerated() {
            let place = Swift.max(other.lowest + step, lowest) - lowest
            counts[place] = saturating(counts[place], count)
        }
    }

    /// Widens the run so that it holds the buckets of `range`, as far as the limit allows; what lies below it is the lowest
    /// bucket's. Returns the place of `index`.
    private mutating func makeRoom(_ range: ClosedRange<Int>, at index: Int) -> Int {
        if counts.isEmpty { (lowest, counts) = (range.upperBound, [0]) }
        let last = Swift.max(lowest + counts.count - 1, range.upperBound)
        let first = Swift.max(Swift.min(lowest, range.lowerBound), last - QuantileSketch.bucketLimit + 1)
        if first > lowest {
            let spill = Swift.min(first - lowest, counts.count)
            let spilled = counts[..<spill].reduce(0, saturating)
            counts.removeFirst(spill)
            if counts.isEmpty { counts = [0] }
            counts[0] = saturating(counts[0], spilled)
        } else if first < lowest {
            counts.insert(contentsOf: repeatElement(0, count: lowest - first), at: 0)
        }
        lowest = first
        let missing = last - lowest + 1 - counts.count
        if missing > 0 { counts += repeatElement(0, count: missing) }
        return Swift.max(index, lowest) - lowest
    }
}
