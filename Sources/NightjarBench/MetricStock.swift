import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Synchronization

/// A database with windows of 300 series: 90 days of 5 min, of the last 10 days 10 s too.
final class MetricStock {
    /// When it ends.
    static let end = Timestamp(unixNano: 1_790_000_400_000_000_000)
    static let seriesOfEach = 150
    private static let models = 10

    let days: (fine: Int, all: Int)
    let registry = MetricRegistry()
    let store: SQLiteStore
    private let folder: TemporaryFolder
    private let table = SeriesTable()
    private let ledger: SeriesLedger
    private let clock: Clock
    private var counters: [SeriesID] = []
    private var histograms: [SeriesID] = []
    private var random = SeededGenerator(seed: 1)
    /// What every increment of the counter came to.
    private(set) var counted = 0.0
    private var commits = 0

    /// The store's clock: that of the data, so that blocks are written as they would be.
    private final class Clock: Sendable {
        private let nano = Atomic<Int64>(0)
        var now: Timestamp { Timestamp(unixNano: nano.load(ordering: .relaxed)) }
        func set(_ time: Timestamp) { nano.store(time.unixNano, ordering: .relaxed) }
    }

    init(_ options: BenchOptions) throws {
        days = options.isQuick ? (2, 15) : (10, 90)
        folder = try TemporaryFolder()
        ledger = SeriesLedger(table: table)
        let clock = Clock()
        self.clock = clock
        var settings = StoreSettings()
        settings.now = { clock.now }
        settings.flushPatience = .seconds(600)
        store = try SQLiteStore(.file(folder.path("nightjar.db")), ledger: ledger, settings: settings)
        for index in 0..<Self.seriesOfEach {
            counters.append(try series("bench_requests_total", .counter, index))
            histograms.append(try series("bench_duration_ms", .histogram, index))
        }
    }

    private func series(_ name: String, _ type: MetricType, _ index: Int) throws -> SeriesID {
        let instrument = try registry.instrument(InstrumentDescriptor(name: name, type: type))
        let labels = [
            Label("agent", "agent-\(index / Self.models)"), Label("model", "model-\(index % Self.models)"),
        ]
        return table.admit(
            instrument,
            registry.resolvedDescriptor(instrument),
            labels: labels,
            limit: 1000
        ).id
    }

    /// Writes everything, the oldest first.
    func fill() throws {
        let start = Self.end.unixNano - Int64(days.all) * 86_400_000_000_000
        let fineStart = Self.end.unixNano - Int64(days.fine) * 86_400_000_000_000
        for time in stride(from: start, to: fineStart, by: Int(300_000_000_000 * 30)) {
            let times = stride(
                from: time,
                to: min(time + 300_000_000_000 * 30, fineStart),
                by: 300_000_000_000
            )
            try write(Array(times), values: 90)
        }
        for time in stride(from: fineStart, to: Self.end.unixNano, by: 300_000_000_000) {
            let times = stride(
                from: time,
                to: min(time + 300_000_000_000, Self.end.unixNano),
                by: 10_000_000_000
            )
            try write(Array(times), values: 3)
        }
        try store.flush()
    }

    /// One commit: so many values of each series at each time.
    private func write(_ times: [Int64], values: Int) throws {
        var effects = Effects()
        effects.deltas.reserveCapacity(times.count * Self.seriesOfEach * 2)
        for nano in times {
            let time = Timestamp(unixNano: nano)
            for series in counters {
                effects.deltas.append(
                    SeriesDelta(series: series, sum: Double(values), count: UInt64(values), time: time)
                )
                counted += Double(values)
            }
            for series in histograms { effects.deltas.append(distribution(of: series, time, values)) }
        }
        clock.set(Timestamp(unixNano: times.last ?? 0))
        store.commit(effects) {}
        // Each takes some MB while it waits.
        commits += 1
        if commits % 16 == 0 { try store.flush() }
    }

    /// Durations from 200 ms to some 20 s, most of them short.
    private func distribution(of series: SeriesID, _ time: Timestamp, _ count: Int) -> SeriesDelta {
        var sketch = QuantileSketch()
        for _ in 0..<count {
            let part = Double(random.next() >> 11) / 9_007_199_254_740_992
            sketch.add(200 + 20_000 * part * part * part * part)
        }
        return SeriesDelta(
            series: series,
            sum: sketch.sum,
            count: sketch.count,
            time: time,
            type: .histogram,
            values: WindowValues(sketch)
        )
    }
}
