import NightjarSignals

/// Which buckets a histogram gets when none are declared (signals contract, section 6). All bounds are upper bounds,
/// `+Inf` is implied.
package enum HistogramBuckets {
    /// For durations in milliseconds.
    static let milliseconds: [Double] = [
        10, 50, 100, 500, 1000, 5000, 15_000, 60_000, 300_000, 900_000, 3_600_000,
    ]
    /// For token counts: 128·4^k up to 134,217,728.
    static let tokens: [Double] = (0...10).map { 128 * Double(1 << (2 * $0)) }
    /// For sizes in bytes: 256·4^k up to 268,435,456.
    static let bytes: [Double] = (0...10).map { 256 * Double(1 << (2 * $0)) }

    /// The bounds of a histogram: its own, ten equal ones over its range, or those of its name's unit suffix.
    package static func resolve(_ descriptor: InstrumentDescriptor) -> [Double] {
        if let own = descriptor.buckets { return own }
        if let range = descriptor.range {
            let width = (range.upperBound - range.lowerBound) / 10
            return (1...10).map { range.lowerBound + width * Double($0) }
        }
        if descriptor.name.hasSuffix("_tokens") { return tokens }
        if descriptor.name.hasSuffix("_bytes") { return bytes }
        return milliseconds
    }
}

extension MetricRegistry {
    /// What an id stands for, with the bounds of a histogram's buckets filled in.
    package func resolvedDescriptor(_ id: InstrumentID) -> InstrumentDescriptor {
        var descriptor = descriptor(id)
        if descriptor.type == .histogram { descriptor.buckets = HistogramBuckets.resolve(descriptor) }
        return descriptor
    }
}
