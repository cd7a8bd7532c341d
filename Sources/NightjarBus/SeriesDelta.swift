package import NightjarSignals

/// What observations have added to one series since the last hand-over; what crosses from a worker to the ledger.
///
/// Numbers alone, and a reference to what histograms and examples need beside them, which all deltas of a hand-over share: a
/// copy costs one reference count.
package struct SeriesDelta: Sendable {
    /// The series.
    package var series: SeriesID
    /// How observations of the series add up.
    package var type: MetricType
    /// The sum of the values; of a gauge the last value.
    package var sum: Double
    /// How many observations there were.
    package var count: UInt64
    /// The event time of the last observation; decides which value of a gauge stays.
    package var time: Timestamp
    /// The least value; +∞ where it is not known.
    package var least: Double
    /// The greatest value; −∞ where it is not known.
    package var greatest: Double
    /// The sum of the values of a gauge.
    private var gaugeSum = 0.0
    private var details: SeriesDetails?
    private var place = SeriesDetails.Place()

    /// How many values fell into each bucket, `+Inf` last; empty but for histograms.
    package var buckets: [UInt64] {
        get { withBuckets { Array($0) } }
        set { change { $0.buckets = newValue } }
    }

    /// One of the observations, where a trace is known for it.
    package var exemplar: Exemplar? {
        get { place.exemplar < 0 ? nil : details?.exemplars[Int(place.exemplar)] }
        set { change { $0.exemplar = newValue } }
    }

    /// How the values are distributed, where that came with them.
    package var sketch: QuantileSketch? {
        get { details?.sketch }
        set { change { $0.sketch = newValue } }
    }

    /// What was observed, for the window that `time` lies in: all observations of a delta lie in one.
    package var values: WindowValues {
        var values = WindowValues()
        add(to: &values)
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
        let values = values ?? WindowValues(count: count, sum: sum)
        (least, greatest) = (values.least, values.greatest)
        if type == .gauge { gaugeSum = values.sum }
        let isKnown = type == .histogram && !values.sketch.isEmpty && (count > 1 || least != sum)
        guard isKnown || !buckets.isEmpty else { return }
        change {
            $0.buckets = buckets
            if isKnown { $0.distribution = values.sketch }
        }
    }

    /// The delta of what a worker has added to a series within a window.
    @inline(__always)
    init(_ part: SeriesPart, _ series: SeriesID, _ type: MetricType, _ details: SeriesDetails?) {
        self.series = series
        self.type = type
        sum = type == .gauge ? part.last : part.sum
        count = part.count
        time = Timestamp(unixNano: part.time)
        (least, greatest) = (part.least, part.greatest)
        if type == .gauge { gaugeSum = part.sum }
        self.details = details
        place = part.place
    }

    /// Adds what was observed to that of the window that `time` lies in.
    package func add(to values: inout WindowValues) {
        withUnsafePointer(to: self) { Self.add($0, to: &values) }
    }

    /// The same of a delta where it lies: to call a method of it there copies it, and counts a reference up and down.
    static func add(_ delta: UnsafePointer<SeriesDelta>, to values: inout WindowValues) {
        let (type, sum) = (delta.pointee.type, delta.pointee.sum)
        let (least, greatest) = (delta.pointee.least, delta.pointee.greatest)
        values.add(delta.pointee.count, type == .gauge ? delta.pointee.gaugeSum : sum, least, greatest)
        if type == .gauge { values.add(last: sum, at: delta.pointee.time) }
        guard type == .histogram else { return }
        if let distribution = delta.pointee.details?.distribution {
            values.sketch.merge(distribution)
        } else if delta.pointee.place.runCount > 0, let details = delta.pointee.details {
            values.sketch.add(details.runs[delta.pointee.place.runs])
            values.sketch.widen(sum: sum, min: least, max: greatest)
        } else if delta.pointee.count == 1, least == sum {
            values.sketch.add(sum)
        }
    }

    /// Calls `body` with what `buckets` are, without a list of their own.
    private func withBuckets<Result>(_ body: (ArraySlice<UInt64>) -> Result) -> Result {
        withUnsafePointer(to: self) { Self.withBuckets($0, body) }
    }

    /// The same of a delta where it lies.
    static func withBuckets<Result>(
        _ delta: UnsafePointer<SeriesDelta>,
        _ body: (ArraySlice<UInt64>) -> Result
    ) -> Result {
        guard delta.pointee.place.bucketCount > 0, let details = delta.pointee.details else {
            return body([])
        }
        return body(details.buckets[delta.pointee.place.buckets])
    }

    /// Whether a delta is one observation of a histogram, which its sum says all of.
    static func isSingleOfHistogram(_ delta: UnsafePointer<SeriesDelta>) -> Bool {
        delta.pointee.type == .histogram && delta.pointee.count == 1
            && delta.pointee.least == delta.pointee.sum && delta.pointee.greatest == delta.pointee.sum
            && delta.pointee.place.runCount == 0 && delta.pointee.details?.distribution == nil
    }

    /// The sketch of a delta where it lies.
    static func sketch(_ delta: UnsafePointer<SeriesDelta>) -> QuantileSketch? {
        delta.pointee.details?.sketch
    }

    /// Says how the values are distributed.
    mutating func setDistribution(_ distribution: QuantileSketch) {
        change { $0.distribution = distribution }
    }

    /// Gives the delta details of its own.
    private mutating func change(_ body: (inout OwnDetails) -> Void) {
        var own = OwnDetails(
            buckets: buckets,
            runs: details.map { Array($0.runs[place.runs]) } ?? [],
            exemplar: exemplar,
            sketch: sketch,
            distribution: details?.distribution
        )
        body(&own)
        details = SeriesDetails(
            buckets: own.buckets,
            runs: own.runs,
            exemplars: own.exemplar.map { [$0] } ?? [],
            sketch: own.sketch,
            distribution: own.distribution
        )
        place = SeriesDetails.Place()
        place.bucketCount = UInt32(own.buckets.count)
        place.runCount = UInt32(own.runs.count)
        place.exemplar = own.exemplar == nil ? -1 : 0
    }
}

extension SeriesDelta: Equatable {
    /// Equal when the same was observed.
    package static func == (left: SeriesDelta, right: SeriesDelta) -> Bool {
        (left.series, left.type, left.sum, left.count) == (right.series, right.type, right.sum, right.count)
            && left.time == right.time && left.buckets == right.buckets && left.exemplar == right.exemplar
            && left.sketch == right.sketch && left.values == right.values
    }
}

/// What a delta has beside numbers.
private struct OwnDetails {
    var buckets: [UInt64]
    var runs: [SketchRun]
    var exemplar: Exemplar?
    var sketch: QuantileSketch?
    var distribution: QuantileSketch?
}

/// What deltas have beside numbers: of one, or of all of a hand-over.
final class SeriesDetails: Sendable {
    /// What of it is one delta's.
    struct Place: BitwiseCopyable {
        var firstBucket: UInt32 = 0
        var bucketCount: UInt32 = 0
        var firstRun: UInt32 = 0
        var runCount: UInt32 = 0
        var exemplar: Int32 = -1

        var isEmpty: Bool { bucketCount == 0 && exemplar < 0 }
        var buckets: Range<Int> { Int(firstBucket)..<Int(firstBucket) + Int(bucketCount) }
        var runs: Range<Int> { Int(firstRun)..<Int(firstRun) + Int(runCount) }
    }

    /// How many values fell into each bucket.
    let buckets: [UInt64]
    /// How the values are distributed; none of a single one.
    let runs: [SketchRun]
    let exemplars: [Exemplar]
    /// What came with a delta that was received.
    let sketch: QuantileSketch?
    /// In place of `runs`, where it came with the values or where they were many.
    let distribution: QuantileSketch?

    init(
        buckets: [UInt64],
        runs: [SketchRun],
        exemplars: [Exemplar],
        sketch: QuantileSketch? = nil,
        distribution: QuantileSketch? = nil
    ) {
        self.buckets = buckets
        self.runs = runs
        self.exemplars = exemplars
        self.sketch = sketch
        self.distribution = distribution
    }
}
