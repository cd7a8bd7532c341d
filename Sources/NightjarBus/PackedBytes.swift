/// Numbers as few bytes, as windows and sketches are stored.
extension [UInt8] {
    /// Appends a whole number in groups of seven bits, the lowest first.
    mutating func append(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }

    /// Appends a whole number of either sign: small ones of both take one byte.
    mutating func append(zigzag value: Int64) {
        append(varint: UInt64(bitPattern: value << 1 ^ value >> 63))
    }

    /// Appends the 8 bytes of a number, the lowest first.
    mutating func append(number value: Double) {
        Swift.withUnsafeBytes(of: value.bitPattern.littleEndian) { append(contentsOf: $0) }
    }

    /// Appends what `body` appends, behind its length.
    mutating func appendWithLength(_ body: (inout [UInt8]) -> Void) {
        let start = count
        append(0)
        body(&self)
        let length = count - start - 1
        guard length >= 0x80 else {
            self[start] = UInt8(length)
            return
        }
        var head: [UInt8] = []
        head.append(varint: UInt64(length))
        replaceSubrange(start...start, with: head)
    }
}

/// Reads what was packed, without copying it. Every read is nil at the end of the bytes and for what cannot be; the bytes have
/// to outlive it.
struct PackedReader {
    private let bytes: UnsafeRawBufferPointer
    private(set) var at = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { at == bytes.count }

    /// All bytes, whatever was read of them.
    var all: UnsafeRawBufferPointer { bytes }

    mutating func byte() -> UInt8? {
        guard at < bytes.count else { return nil }
        defer { at += 1 }
        return bytes[at]
    }

    mutating func number() -> Double? {
        guard bytes.count - at >= 8 else { return nil }
        defer { at += 8 }
        return Double(
            bitPattern: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
        )
    }

    mutating func varint() -> UInt64? {
        // Most are one byte.
        guard at < bytes.count else { return nil }
        let first = bytes[at]
        at += 1
        return first < 0x80 ? UInt64(first) : longVarint(UInt64(first & 0x7F))
    }

    private mutating func longVarint(_ start: UInt64) -> UInt64? {
        var value = start
        for shift in stride(from: UInt64(7), to: 64, by: 7) {
            guard let byte = byte() else { return nil }
            let part = UInt64(byte & 0x7F)
            // The tenth byte has room for one bit.
            if shift == 63, part > 1 { return nil }
            value |= part << shift
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }

    mutating func zigzag() -> Int64? {
        varint().map { Int64(bitPattern: $0 >> 1) ^ -Int64(bitPattern: $0 & 1) }
    }

    /// A reader of the next bytes, which are passed.
    mutating func part(_ count: UInt64) -> PackedReader? {
        guard count <= UInt64(bytes.count - at) else { return nil }
        defer { at += Int(count) }
        return PackedReader(UnsafeRawBufferPointer(rebasing: bytes[at..<at + Int(count)]))
    }

    /// The bytes from a place on up to where it stands.
    func passed(since start: Int) -> UnsafeRawBufferPointer.SubSequence { bytes[start..<at] }
}
