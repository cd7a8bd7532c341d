import CNightjarSignals
import NightjarSignals

/// The form in which states are stored: the version, then a protobuf message with only what the next step needs.
extension CumulativeToDelta.State {
    private static let version: UInt8 = 1

    /// The state as bytes. Least and greatest of a distribution are left out: no step looks at them.
    package var encoded: [UInt8] {
        var writer = WireWriter(reserving: 32)
        if let startTime { writer.fixed64(1, UInt64(bitPattern: startTime.unixNano)) }
        writer.fixed64(2, UInt64(bitPattern: time.unixNano))
        switch reading {
        case .sum(let value, let isMonotonic): writer.fixed64(isMonotonic ? 3 : 4, value.bitPattern)
        case .gauge(let value): writer.fixed64(5, value.bitPattern)
        case .histogram(let histogram): writer.message(6) { histogram.write(to: &$0) }
        case .exponentialHistogram(let histogram): writer.message(7) { histogram.write(to: &$0) }
        // The quantiles that a sender made are never measured from.
        case .summary, nil: break
        }
        return [Self.version] + writer.bytes
    }

    /// Reads what `encoded` wrote; nil for bytes that are no state of this version.
    package init?(encoded bytes: [UInt8]) {
        guard bytes.first == Self.version else { return nil }
        let state = bytes.withUnsafeBytes { bytes -> Self? in
            do throws(WireError) {
                return try Self(reading: WireReader(UnsafeRawBufferPointer(rebasing: bytes[1...])))
            } catch {
                return nil
            }
        }
        guard let state else { return nil }
        self = state
    }

    private init?(reading message: WireReader) throws(WireError) {
        var reader = message
        var time: Timestamp?
        var startTime: Timestamp?
        var reading: OTLPMetricPoint.Reading?
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case NightjarOTLP.tag(1, .fixed64): startTime = try reader.instant()
            case NightjarOTLP.tag(2, .fixed64): time = try reader.instant()
            case NightjarOTLP.tag(3, .fixed64): reading = .sum(try reader.number(), isMonotonic: true)
            case NightjarOTLP.tag(4, .fixed64): reading = .sum(try reader.number(), isMonotonic: false)
            case NightjarOTLP.tag(5, .fixed64): reading = .gauge(try reader.number())
            case NightjarOTLP.tag(6, .bytes): reading = .histogram(try .init(reading: try reader.message()))
            case NightjarOTLP.tag(7, .bytes):
                reading = .exponentialHistogram(try .init(reading: try reader.message()))
            default: try reader.skip(tag)
            }
        }
        guard let time else { return nil }
        self.init(startTime: startTime, time: time, reading: reading)
    }
}

extension OTLPMetricPoint.Histogram {
    fileprivate func write(to writer: inout WireWriter) {
        writer.counts(1, counts)
        for bound in bounds { writer.fixed64(2, bound.bitPattern) }
        writer.varint(3, count)
        if let sum { writer.fixed64(4, sum.bitPattern) }
    }

    fileprivate init(reading message: WireReader) throws(WireError) {
        self.init()
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case NightjarOTLP.tag(1, .bytes): counts = try reader.counts()
            case NightjarOTLP.tag(2, .fixed64): bounds.append(try reader.number())
            case NightjarOTLP.tag(3, .varint): count = try reader.varint()
            case NightjarOTLP.tag(4, .fixed64): sum = try reader.number()
            default: try reader.skip(tag)
            }
        }
    }
}

extension OTLPMetricPoint.ExponentialHistogram {
    fileprivate func write(to writer: inout WireWriter) {
        writer.varint(1, UInt64(UInt32(bitPattern: scale)))
        writer.varint(2, zeroCount)
        writer.varint(3, count)
        if let sum { writer.fixed64(4, sum.bitPattern) }
        for (number, buckets) in [(5, positive), (6, negative)] as [(UInt32, Buckets)]
        where !buckets.counts.isEmpty {
            writer.message(number) { writer in
                writer.varint(1, UInt64(UInt32(bitPattern: buckets.offset)))
                writer.counts(2, buckets.counts)
            }
        }
    }

    fileprivate init(reading message: WireReader) throws(WireError) {
        self.init()
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case NightjarOTLP.tag(1, .varint): scale = try reader.int32()
            case NightjarOTLP.tag(2, .varint): zeroCount = try reader.varint()
            case NightjarOTLP.tag(3, .varint): count = try reader.varint()
            case NightjarOTLP.tag(4, .fixed64): sum = try reader.number()
            case NightjarOTLP.tag(5, .bytes): positive = try Buckets(reading: try reader.message())
            case NightjarOTLP.tag(6, .bytes): negative = try Buckets(reading: try reader.message())
            default: try reader.skip(tag)
            }
        }
    }
}

extension OTLPMetricPoint.ExponentialHistogram.Buckets {
    fileprivate init(reading message: WireReader) throws(WireError) {
        self.init()
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case NightjarOTLP.tag(1, .varint): offset = try reader.int32()
            case NightjarOTLP.tag(2, .bytes): counts = try reader.counts()
            default: try reader.skip(tag)
            }
        }
    }
}

extension WireWriter {
    fileprivate mutating func counts(_ number: UInt32, _ counts: [UInt64]) {
        let start = begin(number)
        for count in counts { varint(count) }
        end(start)
    }
}

extension WireReader {
    fileprivate mutating func instant() throws(WireError) -> Timestamp {
        Timestamp(unixNano: Int64(bitPattern: try fixed64()))
    }

    fileprivate mutating func number() throws(WireError) -> Double { Double(bitPattern: try fixed64()) }

    fileprivate mutating func int32() throws(WireError) -> Int32 {
        Int32(truncatingIfNeeded: try varint())
    }

    fileprivate mutating func counts() throws(WireError) -> [UInt64] {
        var reader = try message()
        var counts: [UInt64] = []
        while !reader.isAtEnd { counts.append(try reader.varint()) }
        return counts
    }
}
