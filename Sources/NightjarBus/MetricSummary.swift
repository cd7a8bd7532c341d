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
            summaries[name] = summary
        }
        for (name, names) in labels { summaries[name]?.labelNames = names.sorted() }
        for entry in report.entries(counting: series) { summaries[entry.metric]?.drops.append(entry) }
        return summaries.values.sorted { $0.instrument.name < $1.instrument.name }
    }

    /// As the API gives it.
    package var json: Value {
        var object: Value.Object = [
            "name": .string(instrument.name), "metricType": .string(instrument.type.rawValue),
        ]
        if !instrument.unit.isEmpty { object["unit"] = .string(instrument.unit) }
        if !instrument.help.isEmpty { object["help"] = .string(instrument.help) }
        if let buckets = instrument.buckets { object["buckets"] = .array(buckets.map(Value.double)) }
        object["labelNames"] = .array(labelNames.map(Value.string))
        object["seriesCount"] = .int(Int64(seriesCount))
        object["overflowed"] = .bool(overflowCount != nil)
        if let overflowCount { object["overflowCount"] = .int(Int64(clamping: overflowCount)) }
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
