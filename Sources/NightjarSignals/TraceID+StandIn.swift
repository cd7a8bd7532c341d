/// Where log records are kept that tell of work which their own trace may send spans of: in a trace beside it, until it is known
/// whether those spans come.
extension TraceID {
    /// The instrumentation scope that such spans have.
    package static let standInScope: StaticString = "nightjar.logs"

    /// The trace that stands in for this one: always the same, in the same partition, and this one again for that one.
    package var standIn: TraceID {
        let factor: UInt64 = 0x9E37_79B9_7F4A_7C15
        let otherHigh = high ^ 0x6E6A_5F6C_6F67_7321
        // `mixed` begins with high × factor ^ low: where that is equal, so is the partition.
        return TraceID(high: otherHigh, low: low ^ (high &* factor) ^ (otherHigh &* factor))
    }
}
