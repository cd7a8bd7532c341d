import CNightjarSignals

/// The symbols of the keys seen lately, in front of the process's table: senders repeat a few dozen keys, and finding one
/// here costs a quarter of finding it there. Used by one decoder at a time.
struct KeyCache {
    private struct Entry {
        /// The symbol's own text, which lives as long as the process.
        var bytes: UnsafePointer<CChar>?
        var length: UInt32 = 0
        var symbol: Int32 = -1
    }

    // 512 entries are 8 KB: all of a request's keys, and a quarter of the first-level cache.
    private static let bits = 9
    private let entries: UnsafeMutablePointer<Entry>

    init() {
        entries = .allocate(capacity: 1 << Self.bits)
        entries.initialize(repeating: Entry(), count: 1 << Self.bits)
    }

    func deallocate() { entries.deallocate() }

    /// The symbol of a key, made if it is new; -1 where the process's table has no room for it.
    @inline(__always)
    func symbol(_ bytes: UnsafePointer<CChar>, _ length: Int) -> Int32 {
        guard length >= 8 else { return nj_symbol_intern(bytes, length) }
        let place = slot(bytes, length)
        let entry = entries[place]
        if Int(entry.length) == length, let known = entry.bytes, Self.areEqual(known, bytes, length) {
            return entry.symbol
        }
        return intern(bytes, length, place)
    }

    /// Whether two texts of `length`, at least 8, are the same: by words, as keys are too short to be worth a call.
    @inline(__always)
    private static func areEqual(
        _ left: UnsafePointer<CChar>,
        _ right: UnsafePointer<CChar>,
        _ length: Int
    ) -> Bool {
        let left = UnsafeRawPointer(left)
        let right = UnsafeRawPointer(right)
        let last = length &- 8
        var difference =
            left.loadUnaligned(fromByteOffset: last, as: UInt64.self)
            ^ right.loadUnaligned(fromByteOffset: last, as: UInt64.self)
        var at = 0
        while at < last {
            difference |=
                left.loadUnaligned(fromByteOffset: at, as: UInt64.self)
                ^ right.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            at &+= 8
        }
        return difference == 0
    }

    /// From the length and three words of the key: front and back tell the names apart, the middle numbered lists.
    @inline(__always)
    private func slot(_ bytes: UnsafePointer<CChar>, _ length: Int) -> Int {
        let raw = UnsafeRawPointer(bytes)
        let front = raw.loadUnaligned(as: UInt64.self)
        let middle = raw.loadUnaligned(fromByteOffset: length >> 1 &- 4, as: UInt64.self)
        let back = raw.loadUnaligned(fromByteOffset: length &- 8, as: UInt64.self)
        let mixed = (front &+ UInt64(length)) ^ (middle &* 0x9E37_79B9_7F4A_7C15) ^ (back << 7 | back >> 57)
        return Int((mixed &* 0xFF51_AFD7_ED55_8CCD) >> UInt64(64 - Self.bits))
    }

    @inline(never)
    private func intern(_ bytes: UnsafePointer<CChar>, _ length: Int, _ place: Int) -> Int32 {
        let symbol = nj_symbol_intern(bytes, length)
        if symbol >= 0 {
            let text = nj_symbol_text(symbol)
            entries[place] = Entry(bytes: text.bytes, length: text.length, symbol: symbol)
        }
        return symbol
    }
}
