import NightjarSignals

/// Which buckets a histogram gets when none are declared (signals contract, section 6). All bounds are upper bounds,
/// `+Inf` is implied.
package enum HistogramBuckets {
    /// More bounds than these would make every scrape and every row of a series too long.
    package static let limit = 100

    /// For durations in milliseconds, and for what has no known unit.
    static let milliseconds: [Double] = [
        10, 50, 100, 500, 1000, 5000, 15_000, 60_000, 300_000, 900_000, 3_600_000,
    ]
    /// For token counts: 128·4^k up to 134,217,728.
    static let tokens: [Double] = (0...10).map { 128 * Double(1 << (2 * $0)) }
    /// For sizes in bytes: 256·4^k up to 268,435,456.
    static let bytes: [Double] = (0...10).map { 256 * Double(1 << (2 * $0)) }

    /// By the unit that a name ends with.
    private static let bySuffix = ["_ms": milliseconds, "_tokens": tokens, "_bytes": bytes]

    /// The bounds of a histogram: those configured for its name, its own, ten equal ones over its range, or those of its
    /// name's unit suffix.
    package static func resolve(
        _ descriptor: InstrumentDescriptor,
        _ configuration: BucketConfiguration = BucketConfiguration()
    ) -> [Double] {
        if let configured = configuration.bounds[descriptor.name] { return configured }
        if let own = descriptor.buckets { return own }
        if let range = descriptor.range { return equal(over: range) }
        let name = descriptor.name
        for place in name.utf8.indices where name.utf8[place] == UInt8(ascii: "_") {
            let suffix = String(name[place...])
            if let bounds = configuration.bounds[suffix] ?? bySuffix[suffix] { return bounds }
        }
        return milliseconds
    }

    /// The bounds of a histogram of a name that declares none itself.
    package static func bounds(of name: String, _ configuration: BucketConfiguration) -> [Double] {
        resolve(InstrumentDescriptor(name: name, type: .histogram), configuration)
    }

    /// What is wrong with a list of bounds; nil where nothing is.
    package static func fault(in bounds: [Double]) -> String? {
        if bounds.isEmpty { return "buckets must not be empty" }
        if bounds.count > limit { return "\(bounds.count) buckets are too many; at most \(limit)" }
        if !bounds.allSatisfy(\.isFinite) { return "buckets must be finite numbers; +Inf is implied" }
        if zip(bounds, bounds.dropFirst()).contains(where: { $0 >= $1 }) {
            return "buckets must be ascending"
        }
        return nil
    }

    /// What is wrong with what a histogram declares; nil where nothing is.
    static func fault(in descriptor: InstrumentDescriptor) -> String? {
        if let bounds = descriptor.buckets { return fault(in: bounds) }
        guard let range = descriptor.range, fault(in: equal(over: range)) != nil else { return nil }
        return "a range must be two finite numbers, the first less than the second"
    }

    private static func equal(over range: ClosedRange<Double>) -> [Double] {
        let width = (range.upperBound - range.lowerBound) / 10
        return (1...10).map { $0 == 10 ? range.upperBound : range.lowerBound + width * Double($0) }
    }
}

/// The buckets that users set, `metrics.buckets`.
public struct BucketConfiguration: Sendable, Equatable {
    /// Bounds by the name of a metric, or by the unit suffix of names (`_ms`); a name comes before what the metric declares,
    /// a suffix after it.
    public var bounds: [String: [Double]] = [:]

    /// Nothing set.
    public init() {}

    /// Bounds by name or suffix.
    public init(_ bounds: [String: [Double]]) {
        self.bounds = bounds
    }
}

extension MetricRegistry {
    /// What an id stands for, with the bounds of a histogram's buckets filled in.
    package func resolvedDescriptor(_ id: InstrumentID) -> InstrumentDescriptor {
        let (descriptor, buckets) = declaration(id)
        return descriptor.resolved(buckets)
    }

    /// Every metric that was declared, by name, with the bounds of histograms' buckets filled in.
    package var resolvedDescriptors: [InstrumentDescriptor] {
        let (descriptors, buckets) = declarations
        return descriptors.map { $0.resolved(buckets) }.sorted { $0.name < $1.name }
    }
}

extension InstrumentDescriptor {
    fileprivate func resolved(_ buckets: BucketConfiguration) -> InstrumentDescriptor {
        guard type == .histogram, origin == .nightjar else { return self }
        var resolved = self
        resolved.buckets = HistogramBuckets.resolve(self, buckets)
        return resolved
    }
}
