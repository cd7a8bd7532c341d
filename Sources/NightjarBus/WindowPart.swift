import NightjarSignals

/// What a worker has added to one series within one window since the last hand-over.
struct WindowPart {
    /// The place of the series.
    let place: Int32
    /// The part of the same series that was begun before, −1 where there is none.
    let next: Int32
    private let start: Int64
    private var count: UInt64 = 0
    /// The sum of the values.
    private var sum = 0.0
    private var least = Double.infinity
    private var greatest = -Double.infinity
    /// The last value of a gauge.
    private var last = 0.0
    private var time = Timestamp(unixNano: .min)
    private var buckets: [UInt64]
    private var sketch = QuantileSketch()
    /// The bucket of the last value of a histogram.
    private var bucket: Int32 = 0
    private var exemplar: Exemplar?

    init(place: Int32, next: Int32, time: Timestamp, buckets: Int) {
        (self.place, self.next) = (place, next)
        start = WindowResolution.fine.start(of: WindowResolution.fine.window(of: time)).unixNano
        self.buckets = buckets == 0 ? [] : Array(repeating: 0, count: buckets)
    }

    /// Whether an instant lies in its window.
    func contains(_ time: Timestamp) -> Bool {
        UInt64(bitPattern: time.unixNano &- start) < UInt64(WindowResolution.fine.nanoseconds)
    }

    /// Adds the increment of a counter.
    mutating func count(_ value: Double, at time: Timestamp) {
        add(value)
        if time > self.time { self.time = time }
    }

    /// Sets the value of a gauge; the last by event time holds.
    mutating func set(_ value: Double, at time: Timestamp) {
        add(value)
        guard time >= self.time else { return }
        (last, self.time) = (value, time)
    }

    /// Adds a value of a histogram.
    mutating func record(_ value: Double, at time: Timestamp, bounds: [Double]) {
        // One value is its own distribution: with many series most have no more.
        if count == 1 { sketch.add(sum) }
        if count > 0 { sketch.add(value) }
        add(value)
        if time > self.time { self.time = time }
        var bucket = 0
        while bucket < bounds.count, value > bounds[bucket] { bucket += 1 }
        buckets[bucket] += 1
        self.bucket = Int32(bucket)
    }

    /// Takes the value that was added last for the example.
    mutating func show(_ value: Double, at time: Timestamp, in trace: TraceID) {
        exemplar = Exemplar(traceID: trace, value: value, time: time, bucket: bucket)
    }

    private mutating func add(_ value: Double) {
        count += 1
        sum += value
        if value < least { least = value }
        if value > greatest { greatest = value }
    }

    func delta(of series: SeriesID, _ type: MetricType) -> SeriesDelta {
        var values = WindowValues()
        (values.sum, values.least, values.greatest, values.sketch) = (sum, least, greatest, sketch)
        var delta = SeriesDelta(
            series: series,
            sum: type == .gauge ? last : sum,
            count: count,
            time: time,
            buckets: buckets,
            type: type,
            values: values
        )
        delta.exemplar = exemplar
        return delta
    }
}
