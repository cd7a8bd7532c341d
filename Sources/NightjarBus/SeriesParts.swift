import NightjarSignals

/// What a worker has added to one series within one window since the last hand-over.
struct SeriesPart: BitwiseCopyable {
    fileprivate let start: Int64
    fileprivate(set) var count: UInt64 = 0
    /// The sum of the values.
    fileprivate(set) var sum = 0.0
    fileprivate(set) var least = Double.infinity
    fileprivate(set) var greatest = -Double.infinity
    /// The last value of a gauge.
    fileprivate(set) var last = 0.0
    /// The time of the last observation, in nanoseconds since 1970.
    fileprivate(set) var time = Int64.min
    /// The place of the series, and the part of the same one that was begun before, −1 where there is none.
    fileprivate let series: Int32
    fileprivate let next: Int32
    /// What a histogram or an example needs.
    fileprivate(set) var place = SeriesDetails.Place()
    /// The bucket of the last value of a histogram.
    fileprivate var bucket: Int32 = 0
    /// The keys of values of a histogram that are not in a sketch yet: where they lie, how many, and for how many there is room.
    fileprivate var keys: Int32 = 0
    fileprivate var keyCount: Int32 = 0
    fileprivate var keyRoom: Int32 = 0
    /// The place of the sketch of those that are, −1 where there is none.
    fileprivate var sketch: Int32 = -1

    fileprivate init(series: Int32, next: Int32, time: Int64) {
        (self.series, self.next) = (series, next)
        let instant = Timestamp(unixNano: time)
        start = WindowResolution.fine.start(of: WindowResolution.fine.window(of: instant)).unixNano
    }

    /// Whether an instant lies in its window.
    fileprivate func contains(_ time: Int64) -> Bool {
        UInt64(bitPattern: time &- start) < UInt64(WindowResolution.fine.nanoseconds)
    }

    fileprivate mutating func add(_ value: Double) {
        count += 1
        sum += value
        if value < least { least = value }
        if value > greatest { greatest = value }
    }
}

/// Adds observations up by series and window until they are handed over. What the steps cost is what every metric of every
/// span costs, so all of it lies in plain rows. Belongs to one worker.
final class SeriesParts {
    private struct Series: BitwiseCopyable {
        let id: Int32
        /// The part that was begun last, −1 where nothing was added.
        var part: Int32 = -1
        let firstBound: Int32
        let boundCount: Int32
        let isHistogram: Bool
        let isGauge: Bool
        let hasExemplars: Bool
    }

    /// So many keys of a part are kept before they become a sketch, so that its memory does not grow with its values.
    private static let keyLimit: Int32 = 1024

    private let series = PlainRows<Series>()
    private let bounds = PlainRows<Double>()
    private let parts = PlainRows<SeriesPart>()
    private let buckets = PlainRows<UInt64>()
    private let keys = PlainRows<Int32>()
    private let exemplars = PlainRows<PlainExemplar>()
    // Fields are unchecked as in TraceState: one thread at a time, and no access lasts over a call that comes back to it.
    @exclusivity(unchecked) private var sketches: [QuantileSketch] = []
    /// Where the bounds of histograms lie: those of one metric are the same.
    @exclusivity(unchecked) private var boundPlaces: [[Double]: Int32] = [:]

    /// An example as a plain row.
    private struct PlainExemplar: BitwiseCopyable {
        let high: UInt64
        let low: UInt64
        let value: Double
        let time: Int64
        let bucket: Int32

        var exemplar: Exemplar {
            Exemplar(
                traceID: TraceID(high: high, low: low),
                value: value,
                time: Timestamp(unixNano: time),
                bucket: bucket
            )
        }
    }

    /// How many series there are.
    var seriesCount: Int { series.count }

    /// Whether nothing was added since the last hand-over.
    var isEmpty: Bool { parts.count == 0 }

    /// Makes room for a series; its place. `bounds` are those of a histogram; without `hasExemplars` it gets no examples.
    func addSeries(_ id: SeriesID, _ type: MetricType, bounds: [Double], hasExemplars: Bool) -> Int32 {
        let row = Series(
            id: id.index,
            firstBound: bounds.isEmpty ? 0 : place(of: bounds),
            boundCount: Int32(bounds.count),
            isHistogram: type == .histogram,
            isGauge: type == .gauge,
            hasExemplars: hasExemplars
        )
        return Int32(series.append(row))
    }

    private func place(of bounds: [Double]) -> Int32 {
        if let place = boundPlaces[bounds] { return place }
        let place = Int32(self.bounds.count)
        for bound in bounds { self.bounds.append(bound) }
        boundPlaces[bounds] = place
        return place
    }

    /// Forgets all series; only while nothing waits to be handed over.
    func removeSeries() {
        series.removeAll()
        bounds.removeAll()
        boundPlaces.removeAll()
    }

    /// Adds an observation of a series.
    /// - Returns: The place of the part that it went into, for ``show(_:_:_:in:)``; valid until the next one is added.
    @inline(__always)
    @discardableResult
    func add(_ value: Double, to place: Int32, at time: Int64) -> Int {
        let (index, row) = part(of: place, at: time)
        let part = parts.base + index
        if row.isHistogram {
            record(value, part, row)
        } else if row.isGauge, time >= part.pointee.time {
            part.pointee.last = value
        }
        part.pointee.add(value)
        if time > part.pointee.time { part.pointee.time = time }
        return index
    }

    /// Takes the value that was added last to a part for its example.
    func show(_ value: Double, _ part: Int, at time: Int64, in trace: TraceID) {
        guard series[Int(parts[part].series)].hasExemplars else { return }
        let row = PlainExemplar(
            high: trace.high,
            low: trace.low,
            value: value,
            time: time,
            bucket: parts[part].bucket
        )
        let at = parts[part].place.exemplar
        if at >= 0 {
            exemplars[Int(at)] = row
        } else {
            (parts.base + part).pointee.place.exemplar = Int32(exemplars.append(row))
        }
    }

    /// The part of a series for an instant, the one that was added to last being looked at first. Bounded by the observations
    /// of a batch: each makes one part at most.
    @inline(__always)
    private func part(of place: Int32, at time: Int64) -> (Int, Series) {
        let row = series[Int(place)]
        var (at, steps) = (row.part, 0)
        // What is found no sooner is begun again, and added up where it is stored.
        while at >= 0, steps < 8 {
            let part = parts.base + Int(at)
            if part.pointee.contains(time) { return (Int(at), row) }
            at = part.pointee.next
            steps += 1
        }
        return (begin(place, row, at: time), row)
    }

    @inline(never)
    private func begin(_ place: Int32, _ row: Series, at time: Int64) -> Int {
        var part = SeriesPart(series: place, next: row.part, time: time)
        if row.isHistogram {
            part.place.bucketCount = UInt32(row.boundCount + 1)
            part.place.firstBucket = UInt32(buckets.append(repeating: 0, count: Int(row.boundCount) + 1))
        }
        let index = parts.append(part)
        (series.base + Int(place)).pointee.part = Int32(index)
        return index
    }

    private func record(_ value: Double, _ part: UnsafeMutablePointer<SeriesPart>, _ row: Series) {
        let bounds = bounds.base + Int(row.firstBound)
        // Looked at all: that is quicker than to guess where to stop.
        var bucket: Int32 = 0
        for place in 0..<Int(row.boundCount) where value > bounds[place] { bucket &+= 1 }
        buckets.base[Int(part.pointee.place.firstBucket) + Int(bucket)] += 1
        part.pointee.bucket = bucket
        // One value is its own distribution: with many series most have no more.
        guard part.pointee.count > 0 else { return }
        if part.pointee.count == 1 { keep(SketchKey(part.pointee.sum).number, part) }
        keep(SketchKey(value).number, part)
    }

    private func keep(_ key: Int32, _ part: UnsafeMutablePointer<SeriesPart>) {
        if part.pointee.keyCount == part.pointee.keyRoom { makeRoom(part) }
        keys.base[Int(part.pointee.keys + part.pointee.keyCount)] = key
        part.pointee.keyCount += 1
    }

    /// Makes room for more keys: four times as many as before, or by making a sketch of those that there are.
    private func makeRoom(_ part: UnsafeMutablePointer<SeriesPart>) {
        let (first, count) = (Int(part.pointee.keys), Int(part.pointee.keyCount))
        guard part.pointee.keyRoom < Self.keyLimit else {
            if part.pointee.sketch < 0 {
                part.pointee.sketch = Int32(sketches.count)
                sketches.append(QuantileSketch())
            }
            sketches[Int(part.pointee.sketch)].add(runs(of: first, count)[...])
            part.pointee.keyCount = 0
            return
        }
        let room = max(4, part.pointee.keyRoom * 4)
        let new = keys.append(repeating: 0, count: Int(room))
        (keys.base + new).update(from: keys.base + first, count: count)
        (part.pointee.keys, part.pointee.keyRoom) = (Int32(new), room)
    }

    private func runs(of first: Int, _ count: Int) -> [SketchRun] {
        var runs: [SketchRun] = []
        appendRuns(of: first, count, to: &runs)
        return runs
    }

    /// Orders keys, and adds how many there are of each.
    private func appendRuns(of first: Int, _ count: Int, to runs: inout [SketchRun]) {
        var keys = UnsafeMutableBufferPointer(start: keys.base + first, count: count)
        keys.sort()
        var at = 0
        while at < count {
            let (key, start) = (keys[at], at)
            while at < count, keys[at] == key { at += 1 }
            runs.append(SketchRun(key: key, count: UInt32(at - start)))
        }
    }
}

extension SeriesParts {
    /// Hands over what was added since the last call: a delta for each series and window, in the order in which they were begun.
    func take() -> [SeriesDelta] {
        let count = parts.count
        guard count > 0 else { return [] }
        let details = takeDetails()
        var deltas = [SeriesDelta](unsafeUninitializedCapacity: count) { deltas, initialized in
            guard let base = deltas.baseAddress else { return }
            for index in 0..<count {
                let part = parts.base + index
                let row = series.base + Int(part.pointee.series)
                row.pointee.part = -1
                (base + index).initialize(
                    to: SeriesDelta(
                        part.pointee,
                        SeriesID(index: row.pointee.id),
                        row.pointee.isHistogram ? .histogram : row.pointee.isGauge ? .gauge : .counter,
                        part.pointee.place.isEmpty ? nil : details
                    )
                )
            }
            initialized = count
        }
        if !sketches.isEmpty { giveSketches(to: &deltas) }
        parts.removeAll()
        buckets.removeAll()
        keys.removeAll()
        exemplars.removeAll()
        return deltas
    }

    /// What the deltas share; nil where they are numbers alone.
    private func takeDetails() -> SeriesDetails? {
        var runs: [SketchRun] = []
        for index in 0..<parts.count where parts[index].keyCount > 0 {
            let part = parts.base + index
            let (first, count) = (Int(part.pointee.keys), Int(part.pointee.keyCount))
            guard part.pointee.sketch < 0 else {
                sketches[Int(part.pointee.sketch)].add(self.runs(of: first, count)[...])
                continue
            }
            part.pointee.place.firstRun = UInt32(runs.count)
            appendRuns(of: first, count, to: &runs)
            part.pointee.place.runCount = UInt32(runs.count) - part.pointee.place.firstRun
        }
        guard buckets.count > 0 || exemplars.count > 0 else { return nil }
        return SeriesDetails(
            buckets: buckets.array,
            runs: runs,
            exemplars: exemplars.array.map(\.exemplar)
        )
    }

    private func giveSketches(to deltas: inout [SeriesDelta]) {
        for index in deltas.indices where parts[index].sketch >= 0 {
            let part = parts[index]
            var sketch = sketches[Int(part.sketch)]
            sketch.widen(sum: part.sum, min: part.least, max: part.greatest)
            deltas[index].setDistribution(sketch)
        }
        sketches.removeAll()
    }
}
