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

extension [Label] {
    /// The labels that a series has where these were given: by name, of those of one name the last, and none that is empty.
    var ofSeries: [Label] {
        var sorted: [Label] = []
        sorted.reserveCapacity(count)
        for label in self {
            var place = sorted.count
            // Most come in order, and they are few.
            while place > 0, label.name < sorted[place - 1].name { place -= 1 }
            if place > 0, sorted[place - 1].name == label.name {
                sorted[place - 1] = label
            } else {
                sorted.insert(label, at: place)
            }
        }
        return sorted.contains { $0.value.isEmpty } ? sorted.filter { !$0.value.isEmpty } : sorted
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

    private var box: SketchBox?

    /// How the values are distributed, as far as that came with them.
    package var sketch: QuantileSketch? {
        get { box?.sketch }
        set { box = newValue.map(SketchBox.init) }
    }

    /// When the host last added to it; the start of time where that is not known.
    package var updated = Timestamp(unixNano: .min)

    /// Nothing counted.
    package init() {}

    /// When it was last active, for all that is known.
    package var lastActive: Timestamp { max(updated, time) }

    /// Adds a delta, by the rule of its type.
    package mutating func add(_ delta: SeriesDelta) { withUnsafePointer(to: delta) { add($0) } }

    /// The same with a delta where it lies, which copies nothing of it.
    mutating func add(_ delta: UnsafePointer<SeriesDelta>) {
        add(delta.pointee.sum, count: delta.pointee.count, time: delta.pointee.time, delta.pointee.type)
        SeriesDelta.withBuckets(delta) { add($0) }
        if let added = SeriesDelta.sketch(delta) { merge(added) }
    }

    /// Adds what another series of the same metric has counted, by the rule of the metric's type.
    package mutating func add(_ other: SeriesTotal, type: MetricType) {
        add(other.sum, count: other.count, time: other.time, type)
        add(other.buckets[...])
        if let added = other.sketch { merge(added) }
        updated = max(updated, other.updated)
    }

    private mutating func add(_ sum: Double, count: UInt64, time: Timestamp, _ type: MetricType) {
        // Counts may be what a stranger sent.
        self.count = saturating(self.count, count)
        if type == .gauge {
            // Of two at the same time the one that came later holds.
            if time >= self.time { self.sum = sum }
        } else {
            self.sum += sum
        }
        self.time = max(self.time, time)
    }

    private mutating func add(_ added: ArraySlice<UInt64>) {
        guard !added.isEmpty else { return }
        if buckets.count < added.count {
            buckets += repeatElement(0, count: added.count - buckets.count)
        }
        buckets.withUnsafeMutableBufferPointer { buckets in
            for (index, count) in added.enumerated() { buckets[index] = saturating(buckets[index], count) }
        }
    }

    private mutating func merge(_ added: QuantileSketch) {
        var merged = sketch ?? QuantileSketch()
        merged.merge(added)
        sketch = merged
    }
}

/// A sketch behind a pointer: most series have none, and copying nothing costs nothing.
private final class SketchBox: Sendable, Equatable {
    let sketch: QuantileSketch

    init(_ sketch: QuantileSketch) { self.sketch = sketch }

    static func == (left: SketchBox, right: SketchBox) -> Bool { left.sketch == right.sketch }
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
