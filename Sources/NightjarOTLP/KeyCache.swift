import CNightjarSignals

/// The symbols of the keys seen lately, in front of the process's table: senders repeat a few dozen keys in the same order, so
/// that the key which followed another one last time is looked at first. Used by one decoder at a time.
struct KeyCache {
    /// A key that was seen.
    struct Entry {
        /// The symbol's own text, which lives as long as the process.
        fileprivate let bytes: UnsafePointer<CChar>?
        fileprivate let length: Int
        fileprivate let symbol: Int32
        /// The key that followed it last.
        fileprivate var next: UnsafeMutablePointer<Entry>
    }

    // 512 entries are 16 KB: all of a request's keys, and a third of the first-level cache.
    private static let bits = 9
    private let entries: UnsafeMutablePointer<Entry>
    /// Stands before the first key of a span and, its length being that of no key, for every key that is not known.
    let start: UnsafeMutablePointer<Entry>

    init() {
        let count = 1 << Self.bits
        entries = .allocate(capacity: count + 1)
        start = entries + count
        entries.initialize(
            repeating: Entry(bytes: nil, length: -1, symbol: -1, next: start),
            count: count + 1
        )
    }

    func deallocate() { entries.deallocate() }

    /// The symbol of a key, made if it is new; -1 where the process's table has no room for it. `previous` is what the call for
    /// the key before left there, ``start`` at first.
    @inline(__always)
    func symbol(
        _ bytes: UnsafePointer<CChar>,
        _ length: Int,
        after previous: inout UnsafeMutablePointer<Entry>
    ) -> Int32 {
        let expected = previous.pointee.next
        if expected.pointee.length == length, let known = expected.pointee.bytes,
            Self.areEqual(known, bytes, length)
        {
            previous = expected
            return expected.pointee.symbol
        }
        return find(bytes, length, after: &previous)
    }

    @inline(never)
    private func find(
        _ bytes: UnsafePointer<CChar>,
        _ length: Int,
        after previous: inout UnsafeMutablePointer<Entry>
    ) -> Int32 {
        let entry = entries + slot(bytes, length)
        if entry.pointee.length != length || !Self.areEqual(entry.pointee.bytes ?? bytes, bytes, length) {
            let symbol = nj_symbol_intern(bytes, length)
            guard symbol >= 0 else { return symbol }
            let text = nj_symbol_text(symbol)
            entry.pointee = Entry(bytes: text.bytes, length: Int(text.length), symbol: symbol, next: start)
        }
        previous.pointee.next = entry
        previous = entry
        return entry.pointee.symbol
    }

    /// Whether two texts of one length are the same: by words, as keys are too short to be worth a call.
    @inline(__always)
    private static func areEqual(
        _ left: UnsafePointer<CChar>,
        _ right: UnsafePointer<CChar>,
        _ length: Int
    ) -> Bool {
        let left = UnsafeRawPointer(left)
        let right = UnsafeRawPointer(right)
        guard length >= 16 else { return areEqualShort(left, right, length) }
        let last = length &- 16
        var difference = words(left, last) ^ words(right, last)
        var at = 0
        while at < last {
            difference |= words(left, at) ^ words(right, at)
            at &+= 16
        }
        return difference.x | difference.y == 0
    }

    @inline(__always)
    private static func words(_ bytes: UnsafeRawPointer, _ at: Int) -> SIMD2<UInt64> {
        bytes.loadUnaligned(fromByteOffset: at, as: SIMD2<UInt64>.self)
    }

    @inline(__always)
    private static func areEqualShort(
        _ left: UnsafeRawPointer,
        _ right: UnsafeRawPointer,
        _ length: Int
    ) -> Bool {
        let names = (
            ShortName(UnsafeRawBufferPointer(start: left, count: length)),
            ShortName(UnsafeRawBufferPointer(start: right, count: length))
        )
        return names.0 == names.1
    }

    /// From the length and three words of the key: front and back tell the names apart, the middle numbered lists.
    @inline(__always)
    private func slot(_ bytes: UnsafePointer<CChar>, _ length: Int) -> Int {
        let raw = UnsafeRawBufferPointer(start: bytes, count: length)
        let name = ShortName(raw)
        let middle = length >= 8 ? raw.loadUnaligned(fromByteOffset: length >> 1 &- 4, as: UInt64.self) : 0
        let mixed =
            (name.front &+ UInt64(length)) ^ (middle &* 0x9E37_79B9_7F4A_7C15)
            ^ (name.back << 7 | name.back >> 57)
        return Int((mixed &* 0xFF51_AFD7_ED55_8CCD) >> UInt64(64 - Self.bits))
    }
}
