package import NightjarSignals

/// What there is to know of one metric: a line of `GET /api/metrics`.
package struct MetricSummary: Sendable, Equatable {
    /// What it is, with the bounds of its buckets resolved.
    package var instrument: InstrumentDescriptor
    /// The names of its labels, sorted.
    package var labelNames: [String] = []
    /// How many series have counted anything, the overflow series left out.
    package var seriesCount = 0
    /// How many observations went into the overflow series; nil where it has none.
    package var overflowCount: UInt64?
    /// When any of its series was last added to; nil where none was.
    package var lastSeen: Timestamp?
    /// How the values of all its series are distributed; nil where that is not known of every one of them.
    package var sketch: QuantileSketch?
    /// Which labels cardinality protection dropped.
    package var drops: [CardinalityReport.Entry] = []

    /// Every metric that was declared or has counted anything, by name.
    package static func all(
        registry: MetricRegistry,
        series: [StoredSeries],
        report: CardinalityReport
    ) -> [MetricSummary] {
        var summaries: [String: MetricSummary] = [:]
        for descriptor in registry.resolvedDescriptors {
            summaries[descriptor.name] = MetricSummary(instrument: descriptor)
        }
        var labels: [String: Set<String>] = [:]
        for one in series {
            let name = one.instrument.name
            var summary = summaries[name] ?? MetricSummary(instrument: one.instrument)
            if one.labels == [SeriesTable.overflowLabel] {
                summary.overflowCount = one.total.count
            } else {
                summary.seriesCount += 1
                labels[name, default: []].formUnion(one.labels.lazy.map(\.name))
            }
            if one.total.count > 0 { summary.lastSeen = max(summary.lastSeen, one.total.lastActive) }
            summaries[name] = summary
        }
        for (name, names) in labels { summaries[name]?.labelNames = names.sorted() }
        for entry in report.entries(counting: series) { summaries[entry.metric]?.drops.append(entry) }
        for (name, sketch) in sketches(series) { summaries[name]?.sketch = sketch }
        return summaries.values.sorted {
            ($0.instrument.shownName, $0.instrument.name) < ($1.instrument.shownName, $1.instrument.name)
        }
    }

    /// The sketches of metrics all of whose values are in one.
    private static func sketches(_ series: [StoredSeries]) -> [String: QuantileSketch] {
        var sketches: [String: QuantileSketch] = [:]
        var partial: Set<String> = []
        for one in series where one.instrument.type == .histogram && one.total.count > 0 {
            guard let sketch = one.total.sketch, sketch.count == one.total.count else {
                partial.insert(one.instrument.name)
                continue
            }
            sketches[one.instrument.name, default: QuantileSketch()].merge(sketch)
        }
        return sketches.filter { !partial.contains($0.key) }
    }

    /// As the API gives it.
    package var json: Value {
        var object: Value.Object = [
            "name": .string(instrument.shownName), "origin": .string(instrument.origin.rawValue),
            "metricType": .string(instrument.type.rawValue),
        ]
        if !instrument.unit.isEmpty { object["unit"] = .string(instrument.unit) }
        if !instrument.help.isEmpty { object["help"] = .string(instrument.help) }
        if let buckets = instrument.buckets { object["buckets"] = .array(buckets.map(Value.double)) }
        if let sketch, let (p50, p95, p99) = sketch.shownQuantiles {
            object["quantiles"] = ["p50": .double(p50), "p95": .double(p95), "p99": .double(p99)]
        }
        object["labelNames"] = .array(labelNames.map(Value.string))
        object["seriesCount"] = .int(Int64(seriesCount))
        object["overflowed"] = .bool(overflowCount != nil)
        if let overflowCount { object["overflowCount"] = .int(Int64(clamping: overflowCount)) }
        object["lastSeen"] = lastSeen.map { .string($0.description) }
        object["dropped"] = .array(
            drops.map { drop in
                [
                    "label": .string(drop.label), "reason": .string(drop.reason),
                    "count": .int(Int64(clamping: drop.count)),
                    "samples": .array(drop.samples.map(Value.string)),
                ]
            }
        )
        return .object(object)
    }
}

extension QuantileSketch {
    fileprivate var shownQuantiles: (Double, Double, Double)? {
        guard let p50 = quantile(0.5), let p95 = quantile(0.95), let p99 = quantile(0.99) else { return nil }
        return (p50, p95, p99)
    }
}

/// The later of two instants, one of which may not be known.
private func max(_ left: Timestamp?, _ right: Timestamp) -> Timestamp {
    left.map { Swift.max($0, right) } ?? right
}
