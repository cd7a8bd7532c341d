#if canImport(Glibc)
import Glibc
#endif

/// Finds the buckets of a ``QuantileSketch``.
package enum SketchIndex {
    /// The reciprocal and the logarithm, to base γ, of the middle of each of the parts that mantissas are divided into.
    private struct Part: Sendable {
        let reciprocal: Double
        let logarithm: Double
    }

    private static let partBits: UInt64 = 7
    /// Logarithms are found to 1e-9 at least, with magnitudes up to 40,000: what lies nearer to a bound is looked at again.
    private static let doubt = 1e-7

    private static let tables = Tables()

    private struct Tables: Sendable {
        let parts: [Part]
        /// The logarithms of 2 and of e.
        let two: Double
        let e: Double

        init() {
            let logGamma = QuantileSketch.logGamma
            parts = (0..<(1 << partBits)).map { part in
                let middle = 1 + (Double(part) + 0.5) / Double(1 << partBits)
                return Part(reciprocal: 1 / middle, logarithm: log(middle) / logGamma)
            }
            two = log(2) / logGamma
            e = 1 / logGamma
        }
    }

    /// The bucket of a magnitude: the one whose upper bound γ^index is the first not below it. A logarithm costs 20 ns; this
    /// takes it from a table and four terms of its series, and asks for the real one only next to a bound, so that both always
    /// say the same.
    package static func of(_ magnitude: Double) -> Int {
        let bits = magnitude.bitPattern
        let exponent = Int(bits >> 52)
        // Subnormal numbers have another form.
        guard exponent > 0 else { return exact(magnitude) }
        let tables = tables
        let mantissa = Double(bitPattern: bits & 0x000F_FFFF_FFFF_FFFF | 0x3FF0_0000_0000_0000)
        let part = tables.parts[Int(bits >> (52 - partBits)) & ((1 << partBits) - 1)]
        let rest = mantissa * part.reciprocal - 1
        let series = rest * (1 - rest * (0.5 - rest * (1.0 / 3 - rest * 0.25)))
        let logarithm = Double(exponent - 1023) * tables.two + part.logarithm + series * tables.e
        let index = logarithm.rounded(.up)
        let above = index - logarithm
        guard above > doubt, above < 1 - doubt else { return exact(magnitude) }
        return Int(index)
    }

    /// The same by the definition.
    package static func exact(_ magnitude: Double) -> Int {
        Int((log(magnitude) / QuantileSketch.logGamma).rounded(.up))
    }
}

/// The bucket of a value with its sign in one number: 0 for zero, above it for positive values, below it for negative ones.
struct SketchKey: Equatable, Comparable {
    /// No bucket of a double lies so far from that of 1.
    private static let middle = 1 << 16

    let number: Int32

    /// The bucket of a finite value.
    init(_ value: Double) {
        guard value != 0 else {
            number = 0
            return
        }
        let index = Int32(truncatingIfNeeded: SketchIndex.of(abs(value)) + Self.middle)
        number = value > 0 ? index : -index
    }

    init(number: Int32) { self.number = number }

    /// The bucket among those of its sign.
    var index: Int { Int(number.magnitude) - Self.middle }

    static func < (left: SketchKey, right: SketchKey) -> Bool { left.number < right.number }
}

/// Values in one bucket.
struct SketchRun: Sendable, Equatable {
    /// The number of the bucket's ``SketchKey``.
    var key: Int32
    /// How many values.
    var count: UInt32
}

extension QuantileSketch {
    /// Adds values by their buckets, which are ordered by their keys; sum, least and greatest are still to be said.
    mutating func add(_ runs: ArraySlice<SketchRun>) {
        if let last = runs.last, last.key > 0, let first = runs.first(where: { $0.key > 0 }) {
            positives.reserve(SketchKey(number: first.key).index...SketchKey(number: last.key).index)
        }
        if let first = runs.first, first.key < 0, let last = runs.last(where: { $0.key < 0 }) {
            negatives.reserve(SketchKey(number: last.key).index...SketchKey(number: first.key).index)
        }
        for run in runs {
            let (key, added) = (SketchKey(number: run.key), UInt64(run.count))
            if run.key == 0 {
                addZeros(added)
            } else {
                if run.key > 0 { positives.add(key.index, added) } else { negatives.add(key.index, added) }
                addCount(added)
            }
        }
    }
}
