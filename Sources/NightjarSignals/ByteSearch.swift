/// Finds a run of bytes within others; ASCII letters of either case are the same. Looks at one in as many bytes as the run is long,
/// where they are unlike it (Horspool 1980).
package struct ByteSearch: Sendable {
    private let needle: [UInt8]
    /// How far the run moves on, by the byte that lies under its end.
    private let shifts: [Int]

    /// A search for some bytes.
    package init(_ bytes: [UInt8]) {
        let needle = bytes.map(Self.lowered)
        var shifts = [Int](repeating: max(needle.count, 1), count: 256)
        for (place, byte) in needle.dropLast().enumerated() {
            let shift = needle.count - 1 - place
            shifts[Int(byte)] = shift
            shifts[Int(Self.raised(byte))] = shift
        }
        self.needle = needle
        self.shifts = shifts
    }

    /// Whether the run occurs; one of no bytes always does.
    package func occurs(in bytes: UnsafeRawBufferPointer) -> Bool {
        let count = needle.count
        guard count > 0 else { return true }
        guard bytes.count >= count else { return false }
        return needle.withUnsafeBufferPointer { needle in
            shifts.withUnsafeBufferPointer { shifts in
                var end = count - 1
                while end < bytes.count {
                    var (at, left) = (end, count - 1)
                    while left >= 0, Self.lowered(bytes[at]) == needle[left] {
                        at -= 1
                        left -= 1
                    }
                    if left < 0 { return true }
                    end += shifts[Int(bytes[end])]
                }
                return false
            }
        }
    }

    @inline(__always)
    private static func lowered(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }

    private static func raised(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z") ? byte & 0xDF : byte
    }
}
