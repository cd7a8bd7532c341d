import NightjarBus
import NightjarOTLP
import NightjarSignals

/// What one received point adds to one series.
struct ReceivedObservation {
    var descriptor: InstrumentDescriptor
    var labels: [String: String]
    var sum: Double
    var count: UInt64 = 1
    /// The bounds and the counts of its own buckets.
    var buckets: OTLPMetricPoint.Histogram?
    var sketch: QuantileSketch?

    /// What it adds to the window of its time; nil where that follows from the sum. The values of an exponential histogram are
    /// as exact as its buckets are, and 1 % less; those of one with stated bounds lie in the right bucket.
    var values: WindowValues? {
        guard descriptor.type == .histogram else { return nil }
        var values = WindowValues(count: count, sum: sum)
        if let sketch {
            values.sketch = sketch
        } else if let buckets {
            values.sketch = QuantileSketch(
                bounds: buckets.bounds,
                counts: buckets.counts,
                sum: sum,
                min: buckets.min,
                max: buckets.max
            )
        }
        if !values.sketch.isEmpty {
            (values.least, values.greatest) = (values.sketch.min, values.sketch.max)
        }
        return values
    }

    /// The counts by the bounds of the series: each where the upper bound of its bucket lies.
    func counts(by bounds: [Double]) -> [UInt64] {
        guard let buckets, !buckets.counts.isEmpty, !bounds.isEmpty else { return [] }
        if buckets.bounds == bounds { return buckets.counts }
        var counts = [UInt64](repeating: 0, count: bounds.count + 1)
        var place = 0
        for (index, count) in buckets.counts.enumerated() {
            let upper = index < buckets.bounds.count ? buckets.bounds[index] : .infinity
            while place < bounds.count, bounds[place] < upper { place += 1 }
            counts[place] =
                counts[place].addingReportingOverflow(count).overflow ? .max : counts[place] + count
        }
        return counts
    }
}

extension OTLPMetricPoint {
    /// The point from which the next step is made. Count and sum of a summary add up since its start; a distribution without
    /// buckets adds up the same way.
    var measured: OTLPMetricPoint {
        guard case .summary(let summary) = reading else { return self }
        var totals = Histogram()
        (totals.count, totals.sum) = (summary.count, summary.sum)
        var point = self
        (point.reading, point.temporality) = (.histogram(totals), .cumulative)
        return point
    }

    /// What the point adds, `increment` being what it adds to what it says.
    func observations(_ increment: Reading) -> [ReceivedObservation] {
        if case .summary(let summary) = reading { return observations(summary, increment) }
        switch increment {
        case .sum(let value, let isMonotonic):
            return [observation(isMonotonic ? .counter : .gauge, sum: value)]
        case .gauge(let value): return [observation(.gauge, sum: value)]
        case .histogram(let histogram):
            var one = observation(.histogram, sum: histogram.sum ?? 0, bounds: histogram.bounds)
            (one.count, one.buckets) = (histogram.count, histogram)
            return [one]
        case .exponentialHistogram(let histogram):
            var one = observation(.histogram, sum: histogram.sum ?? 0)
            let sketch = QuantileSketch(histogram)
            (one.count, one.sketch) = (histogram.count, sketch.isEmpty ? nil : sketch)
            return [one]
        case .summary: return []
        }
    }

    /// Each quantile is a gauge of its own, for quantiles cannot be added up; what can, count and sum, are counters.
    private func observations(_ summary: Summary, _ increment: Reading) -> [ReceivedObservation] {
        guard case .histogram(let added) = increment else { return [] }
        var count = observation(.counter, suffix: ".count", sum: Double(added.count))
        count.descriptor.unit = ""
        // Of no values there are no quantiles, and some senders say so with a number that is none.
        let quantiles = summary.quantiles.filter(\.value.isFinite).map { quantile in
            var one = observation(.gauge, sum: quantile.value)
            one.labels["quantile"] = Value.double(quantile.quantile).json
            return one
        }
        return [count, observation(.counter, suffix: ".sum", sum: added.sum ?? 0)] + quantiles
    }

    private func observation(
        _ type: MetricType,
        suffix: String = "",
        sum: Double,
        bounds: [Double] = []
    ) -> ReceivedObservation {
        ReceivedObservation(
            descriptor: .received(
                name + suffix,
                type: type,
                help: description,
                unit: unit,
                buckets: bounds.isEmpty ? nil : bounds
            ),
            labels: seriesLabels,
            sum: sum
        )
    }

    /// Its attributes, and where it comes from as far as they do not say it.
    private var seriesLabels: [String: String] {
        var labels = labels
        for (key, value) in [("service.name", service), ("deployment.environment.name", environment)] {
            if let value, labels[key] == nil { labels[key] = value }
        }
        return labels
    }
}

extension OTLPMetricPoint.Reading {
    /// The reading of a series to which nothing has been added; nil for one that stands for itself.
    var nothing: Self? {
        switch self {
        case .sum(_, true): return .sum(0, isMonotonic: true)
        case .histogram(let histogram):
            var empty = OTLPMetricPoint.Histogram()
            (empty.bounds, empty.counts) = (histogram.bounds, histogram.counts.map { _ in 0 })
            return .histogram(empty)
        case .exponentialHistogram: return .exponentialHistogram(OTLPMetricPoint.ExponentialHistogram())
        case .sum(_, false), .gauge, .summary: return nil
        }
    }

    /// The number that stands for all of it: one that is none makes the reading worthless.
    var number: Double {
        switch self {
        case .sum(let value, _), .gauge(let value): value
        case .histogram(let histogram): histogram.sum ?? 0
        case .exponentialHistogram(let histogram): histogram.sum ?? 0
        case .summary(let summary): summary.sum
        }
    }

    /// About what it holds in memory.
    var approximateBytes: Int {
        switch self {
        case .sum, .gauge: 0
        case .histogram(let histogram): (histogram.bounds.count + histogram.counts.count) * 8 + 64
        case .exponentialHistogram(let histogram):
            (histogram.positive.counts.count + histogram.negative.counts.count) * 8 + 64
        case .summary(let summary): summary.quantiles.count * 16 + 32
        }
    }
}

extension QuantileSketch {
    fileprivate init(_ histogram: OTLPMetricPoint.ExponentialHistogram) {
        self.init(
            scale: histogram.scale,
            zeroCount: histogram.zeroCount,
            positive: ExponentialBuckets(
                offset: histogram.positive.offset,
                counts: histogram.positive.counts
            ),
            negative: ExponentialBuckets(
                offset: histogram.negative.offset,
                counts: histogram.negative.counts
            ),
            sum: histogram.sum,
            min: histogram.min,
            max: histogram.max
        )
    }
}
