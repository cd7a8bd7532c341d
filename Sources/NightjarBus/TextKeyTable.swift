package import CNightjarSignals

#if canImport(Glibc)
import Glibc
#endif

/// Remembers a number for a list of texts: open addressing over copied bytes, so that a look-up of what is known allocates
/// nothing and makes no `String`. A cache: it may be emptied at any time. Belongs to one worker.
package final class TextKeyTable {
    private struct Slot: BitwiseCopyable {
        var hash: UInt64 = 0
        var offset: Int32 = -1
        var length: Int32 = 0
        var value: Int32 = -1
    }

    /// The table is full as well when its keys take so many bytes: labels may be long before they are cut.
    private static let byteLimit = 8 << 20
    private static let leastSlots = 256

    private let slots = PlainRows<Slot>(capacity: leastSlots)
    private let bytes = PlainRows<UInt8>(capacity: 4096)
    /// Mixed into every hash, so that nobody outside can make keys that collide.
    private let seed: UInt64
    // Fields are unchecked as in TraceState: one thread at a time, and no access lasts over a call that comes back to it.
    /// How many keys there are.
    @exclusivity(unchecked) package private(set) var count = 0
    /// At most so many keys; the owner empties the table when it is full.
    package let limit: Int

    /// An empty table for at most `limit` keys.
    package init(limit: Int = 65_536) {
        self.limit = limit
        seed = UInt64.random(in: 0 ... .max)
        clear(Self.leastSlots)
    }

    /// Whether `limit` is reached.
    package var isFull: Bool { count >= limit || bytes.count >= Self.byteLimit }

    /// The number of a key; nil where it has none. `tag` is part of the key.
    package func find(tag: UInt64, _ texts: UnsafeBufferPointer<nj_text>) -> Int32? {
        let hash = hash(tag, texts)
        let (rows, mask) = (slots.base, slots.count - 1)
        var at = Int(truncatingIfNeeded: hash) & mask
        while rows[at].offset >= 0 {
            if rows[at].hash == hash, isEqual(rows[at], tag, texts) { return rows[at].value }
            at = (at + 1) & mask
        }
        return nil
    }

    /// Remembers a number for a key that is not known yet.
    package func insert(tag: UInt64, _ texts: UnsafeBufferPointer<nj_text>, _ value: Int32) {
        if (count + 1) * 2 > slots.count { grow() }
        let offset = Int32(bytes.count)
        append(tag, texts)
        let slot = Slot(
            hash: hash(tag, texts),
            offset: offset,
            length: Int32(bytes.count) - offset,
            value: value
        )
        place(slot)
        count += 1
    }

    /// Forgets everything.
    package func removeAll() {
        clear(Self.leastSlots)
        bytes.removeAll()
        count = 0
    }

    private func clear(_ count: Int) {
        slots.removeAll(keeping: count)
        _ = slots.append(repeating: Slot(), count: count)
    }

    private func place(_ slot: Slot) {
        let mask = slots.count - 1
        var at = Int(truncatingIfNeeded: slot.hash) & mask
        while slots[at].offset >= 0 { at = (at + 1) & mask }
        slots[at] = slot
    }

    private func grow() {
        let old = slots.array
        clear(old.count * 2)
        for slot in old where slot.offset >= 0 { place(slot) }
    }

    /// A key's stored form: the tag, then for each text its length (-1: absent) and bytes.
    private func append(_ tag: UInt64, _ texts: UnsafeBufferPointer<nj_text>) {
        withUnsafeBytes(of: tag) { bytes.append(contentsOf: $0) }
        for text in texts {
            let length = text.bytes == nil ? Int32(-1) : Int32(clamping: text.length)
            withUnsafeBytes(of: length) { bytes.append(contentsOf: $0) }
            if let start = text.bytes {
                bytes.append(contentsOf: UnsafeRawBufferPointer(start: start, count: Int(text.length)))
            }
        }
    }

    private func isEqual(_ slot: Slot, _ tag: UInt64, _ texts: UnsafeBufferPointer<nj_text>) -> Bool {
        var at = UnsafeRawPointer(bytes.base + Int(slot.offset))
        let end = at + Int(slot.length)
        guard at.loadUnaligned(as: UInt64.self) == tag else { return false }
        at += 8
        for text in texts {
            guard at + 4 <= end else { return false }
            let length = at.loadUnaligned(as: Int32.self)
            at += 4
            guard let start = text.bytes else {
                if length != -1 { return false }
                continue
            }
            guard length == Int32(clamping: text.length),
                Self.isEqual(at, UnsafeRawPointer(start), Int(length))
            else { return false }
            at += Int(length)
        }
        return at == end
    }

    /// Whether so many bytes are the same. Names are short: a call for each would take longer than to compare them.
    private static func isEqual(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ count: Int) -> Bool {
        guard count >= 8 else { return short(left, count) == short(right, count) }
        guard count <= 32 else { return memcmp(left, right, count) == 0 }
        var at = 0
        while at + 8 < count {
            guard word(left, at) == word(right, at) else { return false }
            at += 8
        }
        return word(left, count - 8) == word(right, count - 8)
    }

    private func hash(_ tag: UInt64, _ texts: UnsafeBufferPointer<nj_text>) -> UInt64 {
        var hash = Self.mix(seed, tag)
        for text in texts {
            guard let start = text.bytes else {
                hash = Self.mix(hash, .max)
                continue
            }
            let (bytes, count) = (UnsafeRawPointer(start), Int(text.length))
            hash ^= UInt64(truncatingIfNeeded: count)
            guard count >= 8 else {
                hash = Self.mix(hash, Self.short(bytes, count))
                continue
            }
            var at = 0
            while at + 8 < count {
                hash = Self.mix(hash, Self.word(bytes, at))
                at += 8
            }
            hash = Self.mix(hash, Self.word(bytes, count - 8))
        }
        return hash
    }

    @inline(__always)
    private static func mix(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        // Both halves of the product, so that every bit of the key reaches those that choose the slot.
        let product = (hash ^ word).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return product.high ^ product.low
    }

    @inline(__always)
    private static func word(_ bytes: UnsafeRawPointer, _ at: Int) -> UInt64 {
        bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)
    }

    /// Fewer than 8 bytes as a number, of which those of the same count differ if the bytes do.
    @inline(__always)
    private static func short(_ bytes: UnsafeRawPointer, _ count: Int) -> UInt64 {
        if count >= 4 {
            let low = bytes.loadUnaligned(as: UInt32.self)
            let high = bytes.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)
            return UInt64(high) << 32 | UInt64(low)
        }
        guard count > 0 else { return 0 }
        let first = bytes.load(as: UInt8.self)
        let middle = bytes.load(fromByteOffset: count >> 1, as: UInt8.self)
        let last = bytes.load(fromByteOffset: count - 1, as: UInt8.self)
        return UInt64(first) << 16 | UInt64(middle) << 8 | UInt64(last)
    }
}
