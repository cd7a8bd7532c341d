/// FNV-1a of 128 bits: short, and the same in every process and version, which `Hasher` is not.
package struct StableHash {
    /// What was added so far, as a number.
    package private(set) var value: UInt128 = 0x6C62_272E_07BB_0142_62B8_2175_6295_C58D

    /// A hash of nothing.
    package init() {}

    /// Adds a field with its length, so that neighbours cannot trade letters; an absent one differs from an empty one.
    package mutating func add(_ field: String?) {
        add(UInt64(field.map { $0.utf8.count + 1 } ?? 0))
        for byte in (field ?? "").utf8 { add(byte) }
    }

    private mutating func add(_ number: UInt64) {
        for shift in stride(from: 0, to: 64, by: 8) {
            add(UInt8(truncatingIfNeeded: number >> UInt64(shift)))
        }
    }

    private mutating func add(_ byte: UInt8) {
        value = (value ^ UInt128(byte)) &* 0x0000_0000_0100_0000_0000_0000_0000_013B
    }
}
