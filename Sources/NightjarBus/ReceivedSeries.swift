import NightjarSignals

/// Finds the series of received metrics. Their labels stay as they came but for the limits here and that of label sets, which
/// holds as for every metric.
package struct ReceivedSeries: Sendable {
    /// Longer names and values of labels, units and descriptions are cut to so many bytes, which a mark shows.
    package static let textBytes = 1024
    /// So many labels a series has; those that come later in the order of their names are left out.
    package static let labelLimit = 128

    /// A series that is ready to be added to.
    package struct Place: Sendable {
        /// Its number.
        package let series: SeriesID
        /// The bounds of its metric's buckets; none where it has no histogram with any.
        package let bounds: [Double]
    }

    private let registry: MetricRegistry
    private let table: SeriesTable
    private let filter: LabelFilter
    private let report: CardinalityReport

    /// The received series among all of the process.
    package init(
        registry: MetricRegistry,
        table: SeriesTable,
        configuration: CardinalityConfiguration,
        report: CardinalityReport
    ) {
        self.registry = registry
        self.table = table
        filter = LabelFilter(configuration)
        self.report = report
    }

    /// The series of a metric with these labels, made if it is new; the metric's overflow series where there are too many.
    /// - Throws: ``MetricError`` when the metric is of another type already, or one too many.
    package func place(
        _ descriptor: InstrumentDescriptor,
        labels: [String: String]
    ) throws(MetricError) -> Place {
        var descriptor = descriptor
        descriptor.unit = Self.cut(descriptor.unit)
        descriptor.help = Self.cut(descriptor.help)
        descriptor.buckets = descriptor.buckets.flatMap(Self.storable)
        let instrument = try registry.instrument(descriptor)
        let policy = filter.policy(of: descriptor.name, registry.policy(of: descriptor.name))
        let admitted = table.admit(
            instrument,
            registry.descriptor(instrument),
            labels: Self.sorted(labels),
            limit: filter.limit(policy)
        )
        if admitted.overflowed { report.overflowed(descriptor.name) }
        return Place(series: admitted.id, bounds: registry.descriptor(instrument).buckets ?? [])
    }

    private static func sorted(_ labels: [String: String]) -> [Label] {
        let kept = labels.map { Label(cut($0.key), cut($0.value)) }.sorted {
            ($0.name, $0.value) < ($1.name, $1.value)
        }
        return Array(kept.prefix(labelLimit))
    }

    private static func cut(_ text: String) -> String {
        guard text.utf8.count > textBytes else { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: textBytes - truncationMark.utf8.count)
        while end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
        return text[..<end] + truncationMark
    }

    /// The bounds that a metric of these can have: at most as many as any other's, every few of them where there are more.
    private static func storable(_ bounds: [Double]) -> [Double]? {
        let finite = bounds.filter(\.isFinite)
        let step = (finite.count + HistogramBuckets.limit - 1) / HistogramBuckets.limit
        guard step > 0 else { return nil }
        // Counted from the last: what lies beyond it is in no other bucket.
        return stride(from: (finite.count - 1) % step, to: finite.count, by: step).map { finite[$0] }
    }
}
