/// The form in which sketches are stored. Version 1: the version, then sum, least and greatest as 8 little-endian bytes each,
/// then as varints the zeros and, for each sign, how many buckets are not empty, the first one's index (zigzag) and count, and
/// of every other the distance from the one before and the count.
extension QuantileSketch {
    private static let version: UInt8 = 1
    /// No double's magnitude is in a bucket beyond: ln(2^1074) / ln γ is less.
    private static let indexLimit = 40_000

    /// The sketch as bytes.
    package var encoded: [UInt8] {
        var bytes = [Self.version]
        for number in [sum, min, max] {
            withUnsafeBytes(of: number.bitPattern.littleEndian) { bytes += $0 }
        }
        Self.append(zeros, to: &bytes)
        for buckets in [positives, negatives] { Self.append(buckets, to: &bytes) }
        return bytes
    }

    /// Reads what `encoded` wrote; nil for bytes that it did not write.
    package init?(encoded bytes: [UInt8]) {
        var reader = SketchReader(bytes)
        guard reader.byte() == Self.version, let sum = reader.number(), let min = reader.number(),
            let max = reader.number(), let zeros = reader.varint(),
            let positives = reader.buckets(within: Self.indexLimit),
            let negatives = reader.buckets(within: Self.indexLimit), reader.isAtEnd
        else { return nil }
        self.init(sum: sum, min: min, max: max, zeros: zeros, positives, negatives)
        guard isEmpty ? self == QuantileSketch() : min.isFinite && max.isFinite && min <= max && sum.isFinite
        else { return nil }
    }

    private static func append(_ value: UInt64, to bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private static func append(_ buckets: SketchBuckets, to bytes: inout [UInt8]) {
        append(UInt64(buckets.counts.count { $0 > 0 }), to: &bytes)
        var previous: Int?
        for (step, count) in buckets.counts.enumerated() where count > 0 {
            let index = buckets.lowest + step
            append(previous.map { UInt64(index - $0) } ?? zigzag(index), to: &bytes)
            append(count, to: &bytes)
            previous = index
        }
    }

    private static func zigzag(_ value: Int) -> UInt64 {
        UInt64(bitPattern: Int64(value << 1 ^ value >> (Int.bitWidth - 1)))
    }
}

/// Reads an encoded sketch; every read is nil at the end of the bytes and for what cannot be.
private struct SketchReader {
    private let bytes: [UInt8]
    private var at = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { at == bytes.count }

    mutating func byte() -> UInt8? {
        guard at < bytes.count else { return nil }
        defer { at += 1 }
        return bytes[at]
    }

    mutating func number() -> Double? {
        guard bytes.count - at >= 8 else { return nil }
        defer { at += 8 }
        return Double(bitPattern: bytes[at..<at + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) })
    }

    mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = byte() else { return nil }
            let part = UInt64(byte & 0x7F)
            // The tenth byte has room for one bit.
            if shift == 63, part > 1 { return nil }
            value |= part << shift
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }

    mutating func buckets(within limit: Int) -> SketchBuckets? {
        guard let count = varint(), count <= QuantileSketch.bucketLimit else { return nil }
        var buckets = SketchBuckets()
        var (first, index) = (0, 0)
        for place in 0..<count {
            guard let step = varint(), let count = varint(), count > 0 else { return nil }
            if place == 0 {
                guard step <= 2 * UInt64(limit) else { return nil }
                index = Int(step >> 1) ^ -Int(step & 1)
                first = index
            } else {
                guard step > 0, step < QuantileSketch.bucketLimit else { return nil }
                index += Int(step)
            }
            guard abs(index) <= limit, index - first < QuantileSketch.bucketLimit else { return nil }
            buckets.add(index, count)
        }
        return buckets
    }
}
