/// How ids of scores and feedback are made where the caller gives none: 32 hex digits.
public enum AnnotationID: Sendable {
    /// A fresh random id.
    public static func fresh() -> String {
        var generator = SystemRandomNumberGenerator()
        return fresh(using: &generator)
    }

    /// A fresh random id from a given source.
    public static func fresh(using generator: inout some RandomNumberGenerator) -> String {
        TraceID(high: generator.next(), low: generator.next()).description
    }

    /// The id of a scorer's verdict on a target. The same everywhere and always, so that running a scorer again replaces what
    /// it said before.
    public static func derived(
        scorer: String,
        experiment: String?,
        traceID: TraceID?,
        spanID: SpanID?,
        sessionID: String? = nil
    ) -> String {
        var hash = StableHash()
        for field in [scorer, experiment, traceID?.description, spanID?.description, sessionID] {
            hash.add(field)
        }
        return TraceID(
            high: UInt64(truncatingIfNeeded: hash.value >> 64),
            low: UInt64(truncatingIfNeeded: hash.value)
        )
        .description
    }
}

/// FNV-1a of 128 bits: short, and the same in every process and version, which `Hasher` is not.
private struct StableHash {
    private(set) var value: UInt128 = 0x6C62_272E_07BB_0142_62B8_2175_6295_C58D

    /// Adds a field with its length, so that neighbours cannot trade letters; an absent one differs from an empty one.
    mutating func add(_ field: String?) {
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
