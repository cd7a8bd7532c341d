/// The last three bytes that names may have: two loads and a shift tell nearly every other key apart.
struct KeyEndings {
    /// For each byte 0 where it is no letter or digit of ASCII, else 1–31: the same for both cases of a letter.
    let folded: UnsafeMutablePointer<UInt8>
    /// One bit for each triple of folded bytes that a name may end with. In front of a 0 any byte may stand: what is no letter or
    /// digit may be no part of the name.
    let bits: UnsafeMutablePointer<UInt64>

    private static let count = 1 << 15

    init(_ names: Set<String>) {
        folded = .allocate(capacity: 256)
        for byte in UInt8.min...UInt8.max { folded[Int(byte)] = Self.fold(byte) }
        bits = .allocate(capacity: Self.count / 64)
        bits.initialize(repeating: 0, count: Self.count / 64)
        // A last byte that may be left out tells nothing.
        for place in 0..<Self.count where place & 31 == 0 { set(place) }
        for name in names {
            let last = name.utf8.reversed().prefix(3).map { Int(folded[Int($0)]) } + [0, 0]
            for other in 0..<32 { set(other << 10 | last[0]) }
            set(last[1] << 5 | last[0])
            set(last[2] << 10 | last[1] << 5 | last[0])
        }
    }

    func deallocate() {
        folded.deallocate()
        bits.deallocate()
    }

    /// Whether a key that ends with these bytes may be a name.
    @inline(__always)
    func mayHave(_ third: UInt8, _ second: UInt8, _ last: UInt8) -> Bool {
        let place =
            UInt64(folded[Int(third)]) << 10 | UInt64(folded[Int(second)]) << 5 | UInt64(folded[Int(last)])
        return bits[Int(place >> 6)] >> (place & 63) & 1 != 0
    }

    private func set(_ place: Int) { bits[place >> 6] |= 1 << UInt64(place & 63) }

    private static func fold(_ byte: UInt8) -> UInt8 {
        switch byte | 0x20 {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): (byte | 0x20) - UInt8(ascii: "a") + 1
        case UInt8(ascii: "0")...UInt8(ascii: "9") where byte & 0x10 != 0 && byte & 0x20 != 0: 27 + byte % 5
        default: 0
        }
    }
}
