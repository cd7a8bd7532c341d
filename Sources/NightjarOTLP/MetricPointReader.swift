import NightjarSignals

/// One data point of any kind as it came; what it says depends on the kind of its metric.
struct MetricPointReader {
    /// More buckets or quantiles are refused: senders have up to a few hundred.
    private static let listLimit = 65_536

    private(set) var attributes = Value.Object()
    private(set) var startNano: UInt64 = 0
    private(set) var timeNano: UInt64 = 0
    private var flags: UInt64 = 0
    private var number: Double?
    private var histogram = OTLPMetricPoint.Histogram()
    private var exponential = OTLPMetricPoint.ExponentialHistogram()
    private var summary = OTLPMetricPoint.Summary()
    private let kind: MetricKind
    private var isTooLong = false

    init(_ kind: MetricKind, _ message: WireReader) throws(WireError) {
        self.kind = kind
        let own = PointTag(kind)
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case own.attribute: try reader.readAttribute(into: &attributes)
            case PointTag.start: startNano = try reader.fixed64()
            case PointTag.time: timeNano = try reader.fixed64()
            case own.flags: flags = try reader.varint()
            default:
                switch kind {
                case .gauge, .sum: try readNumber(tag, &reader)
                case .histogram: try readHistogram(tag, &reader)
                case .exponentialHistogram: try readExponential(tag, &reader)
                case .summary: try readSummary(tag, &reader)
                }
            }
        }
    }

    /// Whether the sender says that nothing was recorded: the series has stopped.
    var hasNoValue: Bool { flags & 1 != 0 }

    /// What was measured; nil where a part is missing or the parts do not fit each other.
    func reading(isMonotonic: Bool) -> OTLPMetricPoint.Reading? {
        guard !isTooLong else { return nil }
        switch kind {
        case .gauge: return number.map { .gauge($0) }
        case .sum: return number.map { .sum($0, isMonotonic: isMonotonic) }
        case .histogram: return isWhole(histogram) ? .histogram(histogram) : nil
        case .exponentialHistogram: return .exponentialHistogram(exponential)
        case .summary: return .summary(summary)
        }
    }

    private func isWhole(_ histogram: OTLPMetricPoint.Histogram) -> Bool {
        let (bounds, counts) = (histogram.bounds, histogram.counts)
        guard counts.count == bounds.count + 1 || (counts.isEmpty && bounds.isEmpty) else { return false }
        return zip(bounds, bounds.dropFirst()).allSatisfy(<) && !bounds.contains { $0.isNaN }
    }

    private mutating func readNumber(_ tag: UInt32, _ reader: inout WireReader) throws(WireError) {
        switch tag {
        case PointTag.double: number = Double(bitPattern: try reader.fixed64())
        case PointTag.int: number = Double(Int64(bitPattern: try reader.fixed64()))
        default: try reader.skip(tag)
        }
    }

    private mutating func readHistogram(_ tag: UInt32, _ reader: inout WireReader) throws(WireError) {
        switch tag {
        case PointTag.count: histogram.count = try reader.fixed64()
        case PointTag.sum: histogram.sum = Double(bitPattern: try reader.fixed64())
        case PointTag.countsOne, PointTag.counts:
            try Self.readList(tag, &reader, .fixed64, into: &histogram.counts, &isTooLong) { $0 }
        case PointTag.boundsOne, PointTag.bounds:
            try Self.readList(tag, &reader, .fixed64, into: &histogram.bounds, &isTooLong) {
                Double(bitPattern: $0)
            }
        case PointTag.min: histogram.min = Double(bitPattern: try reader.fixed64())
        case PointTag.max: histogram.max = Double(bitPattern: try reader.fixed64())
        default: try reader.skip(tag)
        }
    }

    private mutating func readExponential(_ tag: UInt32, _ reader: inout WireReader) throws(WireError) {
        switch tag {
        case PointTag.count: exponential.count = try reader.fixed64()
        case PointTag.sum: exponential.sum = Double(bitPattern: try reader.fixed64())
        case PointTag.scale: exponential.scale = zigzag(try reader.varint())
        case PointTag.zeroCount: exponential.zeroCount = try reader.fixed64()
        case PointTag.positive: exponential.positive = try readBuckets(try reader.message())
        case PointTag.negative: exponential.negative = try readBuckets(try reader.message())
        case PointTag.exponentialMin: exponential.min = Double(bitPattern: try reader.fixed64())
        case PointTag.exponentialMax: exponential.max = Double(bitPattern: try reader.fixed64())
        default: try reader.skip(tag)
        }
    }

    private mutating func readBuckets(
        _ message: WireReader
    ) throws(WireError) -> OTLPMetricPoint.ExponentialHistogram.Buckets {
        var reader = message
        var buckets = OTLPMetricPoint.ExponentialHistogram.Buckets()
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case PointTag.offset: buckets.offset = zigzag(try reader.varint())
            case PointTag.bucketCountsOne, PointTag.bucketCounts:
                try Self.readList(tag, &reader, .varint, into: &buckets.counts, &isTooLong) { $0 }
            default: try reader.skip(tag)
            }
        }
        return buckets
    }

    private mutating func readSummary(_ tag: UInt32, _ reader: inout WireReader) throws(WireError) {
        switch tag {
        case PointTag.count: summary.count = try reader.fixed64()
        case PointTag.sum: summary.sum = Double(bitPattern: try reader.fixed64())
        case PointTag.quantile:
            var message = try reader.message()
            var quantile = OTLPMetricPoint.Summary.Quantile(quantile: 0, value: 0)
            while !message.isAtEnd {
                let tag = try message.tag()
                switch tag {
                case PointTag.quantileRank: quantile.quantile = Double(bitPattern: try message.fixed64())
                case PointTag.quantileValue: quantile.value = Double(bitPattern: try message.fixed64())
                default: try message.skip(tag)
                }
            }
            if summary.quantiles.count < Self.listLimit {
                summary.quantiles.append(quantile)
            } else {
                isTooLong = true
            }
        default: try reader.skip(tag)
        }
    }

    /// Reads a repeated number, packed or one at a time: a reader must take both.
    private static func readList<Element>(
        _ tag: UInt32,
        _ reader: inout WireReader,
        _ type: WireReader.WireType,
        into list: inout [Element],
        _ isTooLong: inout Bool,
        _ element: (UInt64) -> Element
    ) throws(WireError) {
        let isPacked = tag & 7 == UInt32(WireReader.WireType.bytes.rawValue)
        var packed = isPacked ? try reader.message() : reader
        repeat {
            if isPacked, packed.isAtEnd { break }
            let value = type == .varint ? try packed.varint() : try packed.fixed64()
            if list.count < listLimit { list.append(element(value)) } else { isTooLong = true }
        } while isPacked
        if !isPacked { reader = packed }
    }

    private func zigzag(_ value: UInt64) -> Int32 {
        let bits = UInt32(truncatingIfNeeded: value)
        return Int32(bitPattern: bits >> 1) ^ -Int32(bitPattern: bits & 1)
    }
}

/// The fields of data points.
private struct PointTag {
    /// The attributes and flags, whose numbers each kind has its own for.
    let attribute: UInt32
    let flags: UInt32

    init(_ kind: MetricKind) {
        switch kind {
        case .gauge, .sum, .summary: (attribute, flags) = (tag(7, .bytes), tag(8, .varint))
        case .histogram: (attribute, flags) = (tag(9, .bytes), tag(10, .varint))
        case .exponentialHistogram: (attribute, flags) = (tag(1, .bytes), tag(10, .varint))
        }
    }

    static let start = tag(2, .fixed64)
    static let time = tag(3, .fixed64)
    static let double = tag(4, .fixed64)
    static let int = tag(6, .fixed64)
    static let count = tag(4, .fixed64)
    static let sum = tag(5, .fixed64)
    static let counts = tag(6, .bytes)
    static let countsOne = tag(6, .fixed64)
    static let bounds = tag(7, .bytes)
    static let boundsOne = tag(7, .fixed64)
    static let min = tag(11, .fixed64)
    static let max = tag(12, .fixed64)
    static let scale = tag(6, .varint)
    static let zeroCount = tag(7, .fixed64)
    static let positive = tag(8, .bytes)
    static let negative = tag(9, .bytes)
    static let exponentialMin = tag(12, .fixed64)
    static let exponentialMax = tag(13, .fixed64)
    static let offset = tag(1, .varint)
    static let bucketCounts = tag(2, .bytes)
    static let bucketCountsOne = tag(2, .varint)
    static let quantile = tag(6, .bytes)
    static let quantileRank = tag(1, .fixed64)
    static let quantileValue = tag(2, .fixed64)
}
