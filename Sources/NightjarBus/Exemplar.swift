package import NightjarSignals

/// An observation that shows where a series' number comes from.
package struct Exemplar: Sendable, Equatable {
    /// The trace that it was made in.
    package var traceID: TraceID
    /// What was observed.
    package var value: Double
    /// When.
    package var time: Timestamp
    /// The bucket of a histogram that it fell into, `+Inf` being the last; 0 for a counter.
    package var bucket: Int32

    /// An exemplar.
    package init(traceID: TraceID, value: Double, time: Timestamp, bucket: Int32 = 0) {
        (self.traceID, self.value, self.time, self.bucket) = (traceID, value, time, bucket)
    }
}

/// The last exemplar of each series, of histograms of each of their buckets.
package struct Exemplars: Sendable, Equatable {
    private struct Key: Hashable {
        let series: Int32
        let bucket: Int32
    }

    private var byBucket: [Key: Exemplar] = [:]

    /// None.
    package init() {}

    /// That of a series' bucket; nil where there is none.
    package subscript(series: Int32, bucket: Int32) -> Exemplar? {
        byBucket[Key(series: series, bucket: bucket)]
    }

    /// Takes one for the last of its series' bucket.
    package mutating func add(_ exemplar: Exemplar, to series: Int32) {
        byBucket[Key(series: series, bucket: exemplar.bucket)] = exemplar
    }

    /// Forgets those of some series.
    mutating func remove(_ series: Set<Int32>) {
        guard !series.isEmpty, !byBucket.isEmpty else { return }
        byBucket = byBucket.filter { !series.contains($0.key.series) }
    }
}
