/// Bytes that grow: numbers as few bytes, as windows and sketches are stored. Memory of its own, so that a byte costs a comparison
/// and a store, and not a look at whether somebody shares an array. One thread at a time.
package struct PackedWriter: ~Copyable {
    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    /// How many bytes there are.
    package private(set) var count = 0

    /// No bytes, with room for so many.
    package init(reserving capacity: Int = 64) {
        self.capacity = max(capacity, 64)
        base = .allocate(byteCount: self.capacity, alignment: 1)
    }

    deinit { base.deallocate() }

    /// Whether there are none.
    package var isEmpty: Bool { count == 0 }

    /// A copy of the bytes.
    package var array: [UInt8] { withBytes { Array($0) } }

    /// Lends the bytes to `body`.
    package func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(start: base, count: count))
    }

    /// Forgets the bytes and keeps their memory.
    package mutating func removeAll() { count = 0 }

    mutating func append(_ byte: UInt8) {
        if count == capacity { grow(by: 1) }
        base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count += 1
    }

    /// Appends a whole number in groups of seven bits, the lowest first.
    mutating func append(varint value: UInt64) {
        if capacity - count < 10 { grow(by: 10) }
        var rest = value
        while rest >= 0x80 {
            base.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: count, as: UInt8.self)
            count += 1
            rest >>= 7
        }
        base.storeBytes(of: UInt8(rest), toByteOffset: count, as: UInt8.self)
        count += 1
    }

    /// Appends a whole number of either sign: small ones of both take one byte.
    mutating func append(zigzag value: Int64) {
        append(varint: UInt64(bitPattern: value << 1 ^ value >> 63))
    }

    /// Appends the 8 bytes of a number, the lowest first.
    mutating func append(number value: Double) {
        if capacity - count < 8 { grow(by: 8) }
        base.storeBytes(of: value.bitPattern.littleEndian, toByteOffset: count, as: UInt64.self)
        count += 8
    }

    /// Appends bytes as they are.
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        if capacity - count < bytes.count { grow(by: bytes.count) }
        (base + count).copyMemory(from: start, byteCount: bytes.count)
        count += bytes.count
    }

    /// Appends what `body` appends, behind its length.
    mutating func appendWithLength(_ body: (inout PackedWriter) -> Void) {
        let start = count
        append(0)
        body(&self)
        let length = count - start - 1
        guard length >= 0x80 else {
            base.storeBytes(of: UInt8(length), toByteOffset: start, as: UInt8.self)
            return
        }
        // The length takes more than the byte left for it.
        append(varint: UInt64(length))
        let head = count - start - 1 - length
        if capacity - count < head { grow(by: head) }
        (base + count).copyMemory(from: base + (count - head), byteCount: head)
        (base + start + head).copyMemory(from: base + start + 1, byteCount: length)
        (base + start).copyMemory(from: base + count, byteCount: head)
        count = start + head + length
    }

    private mutating func grow(by more: Int) {
        capacity = max(2 * capacity, count + more)
        let grown = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 1)
        grown.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = grown
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
    func passed(since start: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[start..<at])
    }
}
