import NightjarSignals

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Writes protobuf's wire format into memory that becomes a payload without being copied. What is written is checked for room
/// once for each field.
struct WireBuffer: ~Copyable {
    private var start: UnsafeMutablePointer<UInt8>
    private var at: UnsafeMutablePointer<UInt8>
    private var end: UnsafeMutablePointer<UInt8>

    /// An empty buffer with room for so many bytes at first.
    init(reserving capacity: Int) {
        start = Self.memory(nil, max(capacity, 64))
        at = start
        end = start + max(capacity, 64)
    }

    deinit { free(start) }

    /// How many bytes are written.
    var count: Int { at - start }

    /// What was written.
    consuming func payload() -> Payload {
        let count = count
        // Gives the rest back; where that fails, the memory is what it was.
        let memory = realloc(start, max(count, 1)) ?? UnsafeMutableRawPointer(start)
        discard self
        return Payload(taking: memory, count: count)
    }

    // MARK: - Fields

    @inline(__always)
    mutating func varint(_ number: UInt32, _ value: UInt64) {
        reserve(16)
        put(UInt64(tag(number, .varint)))
        put(value)
    }

    @inline(__always)
    mutating func fixed64(_ number: UInt32, _ value: UInt64) {
        reserve(16)
        put(UInt64(tag(number, .fixed64)))
        UnsafeMutableRawPointer(at).storeBytes(of: value.littleEndian, as: UInt64.self)
        at += 8
    }

    @inline(__always)
    mutating func fixed32(_ number: UInt32, _ value: UInt32) {
        reserve(16)
        put(UInt64(tag(number, .fixed32)))
        UnsafeMutableRawPointer(at).storeBytes(of: value.littleEndian, as: UInt32.self)
        at += 4
    }

    @inline(__always)
    mutating func field(_ number: UInt32, _ content: UnsafeRawBufferPointer) {
        reserve(content.count + 16)
        put(UInt64(tag(number, .bytes)))
        put(UInt64(content.count))
        put(content)
    }

    /// Writes a field of bytes that `fill` writes, at most `limit` of them; nothing where it returns nil.
    @inline(__always)
    mutating func field(
        _ number: UInt32,
        upTo limit: Int,
        _ fill: (UnsafeMutablePointer<UInt8>) -> Int?
    ) -> Bool {
        reserve(limit + 16)
        let before = at
        put(UInt64(tag(number, .bytes)))
        let place = at
        let expected = varintSize(limit)
        guard let count = fill(place + expected) else {
            at = before
            return false
        }
        put(UInt64(count))
        if varintSize(count) != expected { at.update(from: place + expected, count: count) }
        at += count
        return true
    }

    /// Starts a message whose length will take `size` bytes if all goes as expected; give what it returns to `end`.
    @inline(__always)
    mutating func begin(_ number: UInt32, expecting size: Int) -> Int {
        reserve(16)
        put(UInt64(tag(number, .bytes)))
        at += size
        return at - start
    }

    /// Ends a message: its length, known only now, is put in front of its content. Returns how many bytes it takes.
    @inline(__always)
    mutating func end(_ content: Int, expecting size: Int) -> Int {
        let count = at - start - content
        let actual = varintSize(count)
        if actual != size {
            reserve(16)
            (start + content - size + actual).update(from: start + content, count: count)
        }
        at = start + content - size
        put(UInt64(count))
        at += count
        return actual
    }

    /// Writes an attribute whose value is one field that takes `size` bytes with its tag, of at most 15, and that `write` writes.
    @inline(__always)
    mutating func attribute(
        _ number: UInt32,
        key: UnsafeRawBufferPointer,
        valueBytes size: Int,
        _ write: (inout WireBuffer) -> Void
    ) {
        reserve(key.count + size + 48)
        beginAttribute(number, key, size)
        write(&self)
    }

    /// Writes an attribute of a text that has escapes; false, and nothing is written, where one is malformed.
    mutating func attribute(_ number: UInt32, key: UnsafeRawBufferPointer, text: JSONReader.Text) -> Bool {
        let limit = text.raw.count
        reserve(key.count + limit + 48)
        // Where the text belongs if no escape makes it shorter; it is moved by a few bytes where its length takes fewer.
        let size = 1 + varintSize(limit) + limit
        let content = 2 + varintSize(key.count) + key.count + varintSize(size) + size
        let place = at + (varintSize(Int(tag(number, .bytes))) + varintSize(content) + content - limit)
        guard let count = text.unescape(into: place) else { return false }
        beginAttribute(number, key, 1 + varintSize(count) + count)
        put(UInt64(CommonTag.string))
        put(UInt64(count))
        if at != place { at.update(from: place, count: count) }
        at += count
        return true
    }

    @inline(__always)
    private mutating func beginAttribute(_ number: UInt32, _ key: UnsafeRawBufferPointer, _ size: Int) {
        put(UInt64(tag(number, .bytes)))
        put(UInt64(2 + varintSize(key.count) + key.count + varintSize(size) + size))
        put(UInt64(CommonTag.key))
        put(UInt64(key.count))
        put(key)
        put(UInt64(CommonTag.value))
        put(UInt64(size))
    }

    // MARK: - Bytes

    @inline(__always)
    private mutating func put(_ value: UInt64) {
        if value < 0x80 {
            at.pointee = UInt8(truncatingIfNeeded: value)
            at += 1
        } else if value < 1 << 14 {
            at[0] = UInt8(truncatingIfNeeded: value) | 0x80
            at[1] = UInt8(truncatingIfNeeded: value >> 7)
            at += 2
        } else {
            putLong(value)
        }
    }

    private mutating func putLong(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            at.pointee = UInt8(truncatingIfNeeded: rest) | 0x80
            at += 1
            rest >>= 7
        }
        at.pointee = UInt8(truncatingIfNeeded: rest)
        at += 1
    }

    /// Copies bytes: short ones by words, as most are too short to be worth a call.
    @inline(__always)
    private mutating func put(_ content: UnsafeRawBufferPointer) {
        guard let source = content.baseAddress else { return }
        let count = content.count
        let place = UnsafeMutableRawPointer(at)
        switch count {
        case 33...: place.copyMemory(from: source, byteCount: count)
        case 16...: copyEnds(SIMD2<UInt64>.self, source, place, count)
        case 8...: copyEnds(UInt64.self, source, place, count)
        case 4...: copyEnds(UInt32.self, source, place, count)
        default: for index in 0..<count { at[index] = content[index] }
        }
        at += count
    }

    /// Copies the first and the last word, which overlap.
    @inline(__always)
    private func copyEnds<Word: BitwiseCopyable>(
        _ word: Word.Type,
        _ source: UnsafeRawPointer,
        _ place: UnsafeMutableRawPointer,
        _ count: Int
    ) {
        let last = count &- MemoryLayout<Word>.size
        let (front, back) = (
            source.loadUnaligned(as: word), source.loadUnaligned(fromByteOffset: last, as: word)
        )
        place.storeBytes(of: front, as: word)
        place.storeBytes(of: back, toByteOffset: last, as: word)
    }

    /// Makes room for so many bytes more.
    @inline(__always)
    private mutating func reserve(_ count: Int) {
        if end - at < count { grow(count) }
    }

    @inline(never)
    private mutating func grow(_ count: Int) {
        let written = at - start
        let capacity = max(written + count, (end - start) * 2)
        start = Self.memory(start, capacity)
        at = start + written
        end = start + capacity
    }

    private static func memory(_ old: UnsafeMutablePointer<UInt8>?, _ count: Int) -> UnsafeMutablePointer<
        UInt8
    > {
        guard let memory = realloc(old, count) else {
            // As every allocation of Swift's own ends: requests are bounded, so nothing else is left to give back.
            fatalError("no memory for \(count) bytes of a request")
        }
        return memory.assumingMemoryBound(to: UInt8.self)
    }
}
