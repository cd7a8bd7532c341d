import CNightjarSignals
import NightjarSignals

/// Writes protobuf's wire format into a buffer.
struct WireWriter {
    /// What was written so far.
    private(set) var bytes: [UInt8] = []

    init(reserving capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func varint(_ number: UInt32, _ value: UInt64) {
        varint(UInt64(tag(number, .varint)))
        varint(value)
    }

    mutating func fixed64(_ number: UInt32, _ value: UInt64) {
        varint(UInt64(tag(number, .fixed64)))
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func fixed32(_ number: UInt32, _ value: UInt32) {
        varint(UInt64(tag(number, .fixed32)))
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func field(_ number: UInt32, _ content: UnsafeRawBufferPointer) {
        varint(UInt64(tag(number, .bytes)))
        varint(UInt64(content.count))
        bytes.append(contentsOf: content)
    }

    /// Appends fields that are written already.
    mutating func append(_ fields: [UInt8]) { bytes += fields }

    mutating func field(_ number: UInt32, _ text: nj_text) { field(number, text.buffer) }

    mutating func field(_ number: UInt32, _ text: String) {
        var text = text
        text.withUTF8 { field(number, UnsafeRawBufferPointer($0)) }
    }

    /// Starts a message or list field; give what it returns to `end` once its content is written.
    mutating func begin(_ number: UInt32) -> Int {
        varint(UInt64(tag(number, .bytes)))
        bytes.append(0)
        return bytes.count
    }

    /// Ends a field: its length, known only now, is put in front of its content.
    mutating func end(_ start: Int) {
        var length = bytes.count - start
        guard length >= 0x80 else {
            bytes[start - 1] = UInt8(length)
            return
        }
        var prefix: [UInt8] = []
        while length >= 0x80 {
            prefix.append(UInt8(truncatingIfNeeded: length) | 0x80)
            length >>= 7
        }
        prefix.append(UInt8(length))
        bytes.replaceSubrange(start - 1..<start, with: prefix)
    }
}

/// How many bytes a number takes as a varint.
@inline(__always)
func varintSize(_ value: UInt64) -> Int { (70 &- (value | 1).leadingZeroBitCount) / 7 }

/// How many bytes a length takes as a varint.
@inline(__always)
func varintSize(_ value: Int) -> Int { varintSize(UInt64(value)) }
