package import NightjarSignals

/// The number of a series in the process's ``SeriesTable``: small, dense, the same number in the store.
package struct SeriesID: Hashable, Sendable {
    /// The number, from 0.
    package let index: Int32

    /// An id from its number.
    package init(index: Int32) {
        self.index = index
    }
}

/// One label of a series.
package struct Label: Hashable, Sendable {
    /// The label's name.
    package let name: String
    /// The label's value.
    package let value: String

    /// A label.
    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// What observations have added to one series since the last hand-over; what crosses from a worker to the ledger.
package struct SeriesDelta: Sendable, Equatable {
    /// The series.
    package var series: SeriesID
    /// The sum of the values; of a gauge the last value.
    package var sum: Double
    /// How many observations there were.
    package var count: UInt64
    /// The event time of the last observation; decides which value of a gauge stays.
    package var time: Timestamp
    /// How many values fell into each bucket, `+Inf` last; empty but for histograms.
    package var buckets: [UInt64]
    /// How observations of the series add up.
    package var type: MetricType
    /// The least value; +∞ where it is not known.
    package var least: Double
    /// The greatest value; −∞ where it is not known.
    package var greatest: Double
    /// The sum of the values of a gauge.
    private var gaugeSum = 0.0
    /// One of the observations, where a trace is known for it.
    package var exemplar: Exemplar?
    private var slot = SketchSlot.none
    private var distribution = SketchSlot.none

    /// How the values are distributed, where that came with them.
    package var sketch: QuantileSketch? {
        get { slot.sketch }
        set { slot = SketchSlot(newValue) }
    }

    /// What was observed, for the window that `time` lies in: all observations of a delta lie in one.
    package var values: WindowValues {
        var values = WindowValues()
        (values.count, values.sum) = (count, type == .gauge ? gaugeSum : sum)
        (values.least, values.greatest) = (least, greatest)
        if type == .gauge { values.add(last: sum, at: time) }
        guard type == .histogram else { return values }
        if let sketch = distribution.sketch {
            values.sketch = sketch
        } else if count == 1, least == sum {
            values.sketch.add(sum)
        }
        return values
    }

    /// A delta; of a counter, unless said otherwise. Without `values` it has those that follow from the rest.
    package init(
        series: SeriesID,
        sum: Double,
        count: UInt64,
        time: Timestamp,
        buckets: [UInt64] = [],
        type: MetricType = .counter,
        values: WindowValues? = nil
    ) {
        self.type = type
        self.series = series
        self.sum = sum
        self.count = count
        self.time = time
        self.buckets = buckets
        let values = values ?? WindowValues(count: count, sum: sum)
        (least, greatest) = (values.least, values.greatest)
        if type == .gauge { gaugeSum = values.sum }
        guard type == .histogram, !values.sketch.isEmpty, count > 1 || least != sum else { return }
        distribution = SketchSlot(values.sketch)
    }
}

/// Everything that a series has counted so far.
package struct SeriesTotal: Sendable, Equatable {
    /// The sum of the values; of a gauge the last value by event time.
    package var sum: Double = 0
    /// How many observations there were.
    package var count: UInt64 = 0
    /// The event time of the last observation.
    package var time = Timestamp(unixNano: .min)
    /// How many values fell into each bucket, not cumulative, `+Inf` last; empty but for histograms.
    package var buckets: [UInt64] = []

    private var slot = SketchSlot.none

    /// How the values are distributed, as far as that came with them.
    package var sketch: QuantileSketch? {
        get { slot.sketch }
        set { slot = SketchSlot(newValue) }
    }

    /// When the host last added to it; the start of time where that is not known.
    package var updated = Timestamp(unixNano: .min)

    /// Nothing counted.
    package init() {}

    /// When it was last active, for all that is known.
    package var lastActive: Timestamp { max(updated, time) }

    /// Adds a delta, by the rule of its type.
    package mutating func add(_ delta: SeriesDelta) {
        add(delta.sum, count: delta.count, time: delta.time, delta.buckets, delta.type)
        if let added = delta.sketch { merge(added) }
    }

    /// Adds what another series of the same metric has counted, by the rule of the metric's type.
    package mutating func add(_ other: SeriesTotal, type: MetricType) {
        add(other.sum, count: other.count, time: other.time, other.buckets, type)
        if let added = other.sketch { merge(added) }
        updated = max(updated, other.updated)
    }

    private mutating func add(
        _ sum: Double,
        count: UInt64,
        time: Timestamp,
        _ buckets: [UInt64],
        _ type: MetricType
    ) {
        // Counts may be what a stranger sent.
        self.count = saturating(self.count, count)
        if type == .gauge {
            // Of two at the same time the one that came later holds.
            if time >= self.time { self.sum = sum }
        } else {
            self.sum += sum
        }
        self.time = max(self.time, time)
        if self.buckets.count < buckets.count {
            self.buckets += Array(repeating: 0, count: buckets.count - self.buckets.count)
        }
        for (index, added) in buckets.enumerated() {
            self.buckets[index] = saturating(self.buckets[index], added)
        }
    }

    private mutating func merge(_ added: QuantileSketch) {
        var merged = sketch ?? QuantileSketch()
        merged.merge(added)
        sketch = merged
    }
}

/// Room for a sketch, as wide as a pointer: most series have none.
private enum SketchSlot: Sendable, Equatable {
    case none
    indirect case some(QuantileSketch)

    init(_ sketch: QuantileSketch?) {
        self = sketch.map { .some($0) } ?? .none
    }

    var sketch: QuantileSketch? {
        if case .some(let sketch) = self { sketch } else { nil }
    }
}

/// A series with its metric, labels and total: what is stored, and what `/metrics` shows.
package struct StoredSeries: Sendable, Equatable {
    /// The series' number.
    package var id: SeriesID
    /// The metric it belongs to, with the bounds of its buckets resolved.
    package var instrument: InstrumentDescriptor
    /// Its labels, sorted by name.
    package var labels: [Label]
    /// What it has counted.
    package var total: SeriesTotal

    /// A series.
    package init(id: SeriesID, instrument: InstrumentDescriptor, labels: [Label], total: SeriesTotal) {
        self.id = id
        self.instrument = instrument
        self.labels = labels
        self.total = total
    }
}
