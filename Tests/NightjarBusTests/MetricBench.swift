import CNightjarSignals
import NightjarBus
import NightjarSignals
import NightjarTesting
import Synchronization

/// An aggregator with everything behind it.
struct MetricBench {
    /// What was warned about.
    final class Warnings: Sendable {
        private let texts = Mutex<[String]>([])
        var all: [String] { texts.withLock { $0 } }
        func add(_ text: String) { texts.withLock { $0.append(text) } }
    }

    /// The time that everything happens at, unless said otherwise.
    static let now = Timestamp(unixNano: 1_767_225_600_000_000_000)

    let registry: MetricRegistry
    let table = SeriesTable()
    let ledger: SeriesLedger
    let warnings = Warnings()
    let report: CardinalityReport
    let aggregator: MetricAggregator
    private let configuration: CardinalityConfiguration

    init(
        registry: MetricRegistry = MetricRegistry(),
        restoring stored: [StoredSeries] = [],
        _ configure: (inout CardinalityConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = CardinalityConfiguration()
        configure(&configuration)
        self.configuration = configuration
        self.registry = registry
        report = CardinalityReport { [warnings] in warnings.add($0) }
        ledger = SeriesLedger(table: table)
        try table.restore(stored, registry: registry)
        ledger.restore(stored)
        aggregator = try MetricAggregator(
            registry: registry,
            table: table,
            configuration: configuration,
            report: report
        )
    }

    /// An aggregator of another worker over the same series.
    func anotherWorker() throws -> MetricAggregator {
        try MetricAggregator(registry: registry, table: table, configuration: configuration, report: report)
    }

    func add(
        _ instrument: InstrumentID,
        _ value: Double,
        _ labels: [String: String] = [:],
        at time: Timestamp = now,
        by worker: MetricAggregator? = nil
    ) {
        add(
            instrument,
            labels.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
            value,
            at: time,
            by: worker
        )
    }

    /// An observation with labels in this order.
    func add(
        _ instrument: InstrumentID,
        _ labels: [(String, String)],
        _ value: Double = 1,
        at time: Timestamp = now,
        by worker: MetricAggregator? = nil
    ) {
        let slab = Slab(Payload([]), receivedAt: time)
        let rows = labels.map {
            nj_label(name: SpanBuilder.text($0.0, in: slab), value: SpanBuilder.text($0.1, in: slab))
        }
        rows.withUnsafeBufferPointer {
            (worker ?? aggregator).record(instrument, value: value, labels: $0, at: time)
        }
        withExtendedLifetime(slab) {}
    }

    /// A direct observation.
    @discardableResult
    func record(
        _ name: String,
        _ type: MetricType = .counter,
        _ value: Double = 1,
        _ labels: [String: String] = [:],
        at time: Timestamp = now
    ) throws(MetricError) -> Metric {
        try aggregator.record(
            Metric(timestamp: time, name: name, type: type, value: value, labels: labels),
            receivedAt: Self.now
        )
    }

    func commit(now: Timestamp? = nil) { ledger.publish(ledger.stage(aggregator.take(), now: now)) }

    func series(_ metric: String) -> [StoredSeries] {
        ledger.snapshot().filter { $0.instrument.name == metric }
    }

    func total(_ metric: String) -> [String: Double] {
        series(metric).reduce(into: [:]) { totals, series in
            let labels = series.labels.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
            totals[labels] = series.total.sum
        }
    }
}
