/// The form in which sketches are stored. Version 1: the version, then sum, least and greatest as 8 little-endian bytes each,
/// then as varints the zeros and, for each sign, how many buckets are not empty, the first one's index (zigzag) and count, and
/// of every other the distance from the one before and the count.
extension QuantileSketch {
    private static let version: UInt8 = 1
    /// No double's magnitude is in a bucket beyond: ln(2^1074) / ln γ is less.
    private static let indexLimit = 40_000

    /// The sketch as bytes.
    package var encoded: [UInt8] {
        var bytes = PackedWriter()
        append(to: &bytes)
        return bytes.array
    }

    /// Appends what `encoded` is.
    func append(to bytes: inout PackedWriter) {
        bytes.append(Self.version)
        bytes.append(number: sum)
        bytes.append(number: min)
        bytes.append(number: max)
        appendBuckets(to: &bytes)
    }

    /// Reads what `encoded` wrote; nil for bytes that it did not write.
    package init?(encoded bytes: [UInt8]) {
        self.init()
        let stated = bytes.withUnsafeBytes { bytes -> (sum: Double, min: Double, max: Double)? in
            var reader = PackedReader(bytes)
            guard reader.byte() == Self.version, let sum = reader.number(), let min = reader.number(),
                let max = reader.number(), addBuckets(&reader, sum: sum, min: min, max: max), reader.isAtEnd
            else { return nil }
            return (sum, min, max)
        }
        guard let stated else { return nil }
        let isSound =
            isEmpty
            ? stated == (0, .infinity, -.infinity)
            : stated.sum.isFinite && stated.min.isFinite && stated.max.isFinite && stated.min <= stated.max
        guard isSound else { return nil }
    }

    /// Appends what is in the buckets; sum, least and greatest stand elsewhere.
    func appendBuckets(to bytes: inout PackedWriter) {
        bytes.append(varint: zeros)
        positives.append(to: &bytes)
        negatives.append(to: &bytes)
    }

    /// Adds what `appendBuckets` wrote, of values with this sum, least and greatest; false for other bytes, of which some may be
    /// added by then.
    mutating func addBuckets(_ reader: inout PackedReader, sum: Double, min: Double, max: Double) -> Bool {
        guard let zeros = reader.varint() else { return false }
        addZeros(zeros)
        var added: UInt64 = 0
        let isRead =
            positives.add(&reader, within: Self.indexLimit, &added)
            && negatives.add(&reader, within: Self.indexLimit, &added)
        count = saturating(count, added)
        widen(sum: sum, min: min, max: max)
        return isRead
    }
}

extension SketchBuckets {
    fileprivate func append(to bytes: inout PackedWriter) {
        counts.withUnsafeBufferPointer { counts in
            bytes.append(varint: UInt64(counts.count { $0 > 0 }))
            var previous: Int?
            for (step, count) in counts.enumerated() where count > 0 {
                let index = lowest + step
                if let previous {
                    bytes.append(varint: UInt64(index - previous))
                } else {
                    bytes.append(zigzag: Int64(index))
                }
                bytes.append(varint: count)
                previous = index
            }
        }
    }

    /// Adds stored buckets; `total` grows by their counts.
    fileprivate mutating func add(
        _ reader: inout PackedReader,
        within limit: Int,
        _ total: inout UInt64
    ) -> Bool {
        guard let buckets = reader.varint(), buckets <= QuantileSketch.bucketLimit else { return false }
        var (first, index) = (0, 0)
        for place in 0..<buckets {
            if place == 0 {
                guard let start = reader.zigzag(), start.magnitude <= limit else { return false }
                index = Int(start)
                first = index
            } else {
                guard let step = reader.varint(), step > 0, step < QuantileSketch.bucketLimit else {
                    return false
                }
                index += Int(step)
            }
            guard let count = reader.varint(), count > 0, abs(index) <= limit,
                index - first < QuantileSketch.bucketLimit
            else { return false }
            add(index, count)
            total = saturating(total, count)
        }
        return true
    }
}
