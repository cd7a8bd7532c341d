package import CNightjarSignals

#if canImport(Glibc)
import Glibc
#endif

/// Remembers a number for a list of texts: open addressing over copied bytes, so that a look-up of what is known allocates
/// nothing and makes no `String`. A cache: it may be emptied at any time. Belongs to one worker.
package struct TextKeyTable {
    private struct Slot {
        var hash: UInt64 = 0
        var offset: Int32 = -1
        var length: Int32 = 0
        var value: Int32 = -1
    }

    /// The table is full as well when its keys take so many bytes: labels may be long before they are cut.
    private static let byteLimit = 8 << 20

    private var slots: [Slot]
    private var bytes: [UInt8] = []
    private var scratch: [UInt8] = []
    /// How many keys there are.
    package private(set) var count = 0
    /// At most so many keys; the owner empties the table when it is full.
    package let limit: Int

    /// An empty table for at most `limit` keys.
    package init(limit: Int = 65_536) {
        self.limit = limit
        slots = Array(repeating: Slot(), count: 256)
    }

    /// Whether `limit` is reached.
    package var isFull: Bool { count >= limit || bytes.count >= Self.byteLimit }

    /// The number of a key; nil where it has none. `tag` is part of the key.
    package mutating func find(tag: UInt64, _ texts: UnsafeBufferPointer<nj_text>) -> Int32? {
        let hash = Self.hash(tag, texts)
        let mask = slots.count - 1
        var at = Int(truncatingIfNeeded: hash) & mask
        while slots[at].offset >= 0 {
            if slots[at].hash == hash, isEqual(slots[at], tag, texts) { return slots[at].value }
            at = (at + 1) & mask
        }
        return nil
    }

    /// Remembers a number for a key that is not known yet.
    package mutating func insert(tag: UInt64, _ texts: UnsafeBufferPointer<nj_text>, _ value: Int32) {
        if (count + 1) * 2 > slots.count { grow() }
        let offset = Int32(bytes.count)
        append(tag, texts)
        let slot = Slot(
            hash: Self.hash(tag, texts),
            offset: offset,
            length: Int32(bytes.count) - offset,
            value: value
        )
        place(slot)
        count += 1
    }

    /// Forgets everything.
    package mutating func removeAll() {
        slots = Array(repeating: Slot(), count: 256)
        bytes.removeAll()
        count = 0
    }

    private mutating func place(_ slot: Slot) {
        let mask = slots.count - 1
        var at = Int(truncatingIfNeeded: slot.hash) & mask
        while slots[at].offset >= 0 { at = (at + 1) & mask }
        slots[at] = slot
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: Slot(), count: old.count * 2)
        for slot in old where slot.offset >= 0 { place(slot) }
    }

    /// A key's stored form: the tag, then for each text its length (-1: absent) and bytes.
    private mutating func append(_ tag: UInt64, _ texts: UnsafeBufferPointer<nj_text>) {
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
        bytes.withUnsafeBytes { all in
            var at = Int(slot.offset)
            let end = at + Int(slot.length)
            guard all.loadUnaligned(fromByteOffset: at, as: UInt64.self) == tag else { return false }
            at += 8
            for text in texts {
                guard at + 4 <= end else { return false }
                let length = all.loadUnaligned(fromByteOffset: at, as: Int32.self)
                at += 4
                guard let start = text.bytes else {
                    if length != -1 { return false }
                    continue
                }
                guard length == Int32(clamping: text.length), let base = all.baseAddress,
                    memcmp(base + at, start, Int(text.length)) == 0
                else { return false }
                at += Int(text.length)
            }
            return at == end
        }
    }

    private static func hash(_ tag: UInt64, _ texts: UnsafeBufferPointer<nj_text>) -> UInt64 {
        var hash = tag &* 0x9E37_79B9_7F4A_7C15
        for text in texts {
            guard let start = text.bytes else {
                hash = hash &* 31 &+ 1
                continue
            }
            hash = mix(hash, UnsafeRawBufferPointer(start: start, count: Int(text.length)))
        }
        return hash ^ (hash >> 29)
    }

    private static func mix(_ seed: UInt64, _ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash = seed ^ UInt64(bytes.count)
        var at = 0
        while at + 8 <= bytes.count {
            hash = (hash ^ bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)) &* 0xFF51_AFD7_ED55_8CCD
            hash ^= hash >> 32
            at += 8
        }
        var tail: UInt64 = 0
        while at < bytes.count {
            tail = tail << 8 | UInt64(bytes[at])
            at += 1
        }
        hash = (hash ^ tail) &* 0xC4CE_B9FE_1A85_EC53
        return hash ^ (hash >> 32)
    }
}
