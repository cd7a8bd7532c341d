import CNightjarBench
import CNightjarSignals
import Foundation
import NightjarBus
import NightjarSignals

/// What an observation costs from its labels as texts to the ledger, and what a series costs in memory. Beside it what a
/// dictionary of label sets costs, which has no window, no bucket, no limit and no filter.
enum AggregationBenchmark {
    private static let seriesCount = 400
    /// Observations are handed over after so many, as a worker does after a request.
    private static let batch = 1000

    static func run(_ options: BenchOptions) throws -> [BenchRow] {
        let count = options.scaled(240_000)
        let sets = LabelSets(seriesCount)
        let counter = try known(options, .counter, sets, count)
        let histogram = try known(options, .histogram, sets, count)
        let plain = try dictionary(options, sets, count)
        let new = try [MetricType.counter, .histogram].map { type in
            row(
                "  \(type.rawValue), a new series each time",
                try fresh(options, type, options.scaled(24_000)),
                try SeriesMemory.note(type)
            )
        }
        return [
            row("aggregation: counter, known series", counter, "\(seriesCount) series, a batch of \(batch)"),
            row("  histogram, known series", histogram, ""),
            row("  plain dictionary of label sets", plain, "no windows, limits or filter"),
        ] + new
    }

    private static func known(
        _ options: BenchOptions,
        _ type: MetricType,
        _ sets: LabelSets,
        _ count: Int
    ) throws -> Spread {
        let bench = try AggregationBench(type)
        let spread = measure(runs: options.runs, count: count) {
            for index in 0..<count {
                bench.add(Double(index & 1023), sets.labels(index % sets.count))
                if index % batch == batch - 1 { bench.handOver() }
            }
            bench.handOver()
        }
        let sum = (0..<count).reduce(0.0) { $0 + Double($1 & 1023) } * Double(options.runs + 1)
        try bench.check(sum: sum, count: count * (options.runs + 1), series: sets.count)
        return spread
    }

    private static func fresh(_ options: BenchOptions, _ type: MetricType, _ count: Int) throws -> Spread {
        let sets = LabelSets(count)
        var last: AggregationBench?
        let spread = try measure(
            runs: options.runs,
            count: count,
            prepare: { try AggregationBench(type) },
            body: { bench in
                for index in 0..<count {
                    bench.add(1, sets.labels(index))
                    if index % batch == batch - 1 { bench.handOver() }
                }
                bench.handOver()
                last = bench
            }
        )
        try last?.check(sum: Double(count), count: count, series: count)
        return spread
    }

    private static func dictionary(
        _ options: BenchOptions,
        _ sets: LabelSets,
        _ count: Int
    ) throws -> Spread {
        var sums: [[String: String]: (sum: Double, count: Int)] = [:]
        let spread = measure(runs: options.runs, count: count) {
            for index in 0..<count {
                var labels: [String: String] = [:]
                for label in sets.labels(index % sets.count) {
                    labels[label.name.string ?? ""] = label.value.string ?? ""
                }
                sums[labels, default: (0, 0)].sum += Double(index & 1023)
                sums[labels, default: (0, 0)].count += 1
            }
        }
        guard sums.values.reduce(0, { $0 + $1.count }) == count * (options.runs + 1) else {
            throw BenchFailure(description: "the dictionary counted wrongly")
        }
        return spread
    }

    private static func row(_ name: String, _ spread: Spread, _ note: String) -> BenchRow {
        BenchRow(name: name, unit: "ns/observ.", spread: spread, note: note)
    }
}

/// An aggregator of one metric, with the table and the ledger behind it.
final class AggregationBench {
    static let now = Timestamp(unixNano: 1_790_000_500_000_000_000)

    let aggregator: MetricAggregator
    private let instrument: InstrumentID
    private let ledger: SeriesLedger
    private let name: String

    init(_ type: MetricType, _ configure: (inout CardinalityConfiguration) -> Void = { _ in }) throws {
        var configuration = CardinalityConfiguration()
        configuration.cardinalityLimit = 1_000_000
        configure(&configuration)
        let registry = MetricRegistry()
        let table = SeriesTable()
        ledger = SeriesLedger(table: table)
        aggregator = try MetricAggregator(
            registry: registry,
            table: table,
            configuration: configuration,
            report: CardinalityReport { _ in }
        )
        name = type == .histogram ? "bench_duration_ms" : "bench_uses_total"
        instrument = try registry.instrument(InstrumentDescriptor(name: name, type: type))
    }

    func add(_ value: Double, _ labels: UnsafeBufferPointer<nj_label>) {
        aggregator.record(instrument, value: value, labels: labels, at: Self.now)
    }

    func handOver() { ledger.publish(ledger.stage(aggregator.take(), now: Self.now)) }

    /// What the ledger has of a metric: the sum and the count of all series, and how many there are.
    func totals(of metric: String? = nil) -> (sum: Double, count: Int, series: Int) {
        let series = ledger.snapshot().filter { $0.instrument.name == metric ?? name }
        return (
            series.reduce(0) { $0 + $1.total.sum }, series.reduce(0) { $0 + Int($1.total.count) },
            series.count
        )
    }

    func check(sum: Double, count: Int, series: Int) throws {
        let found = totals()
        guard found == (sum, count, series) else {
            throw BenchFailure(description: "\(name) has \(found), not \((sum, count, series))")
        }
    }
}

/// Label sets as an event has them: texts that lie somewhere else.
final class LabelSets {
    let count: Int
    private let bytes: UnsafeMutableRawPointer
    private let rows: UnsafeMutablePointer<nj_label>
    private let width: Int

    /// Sets of an agent, a model and a version, each different; `more` is added to each, `#` in it standing for its number.
    init(_ count: Int, more: [(String, String)] = []) {
        self.count = count
        width = 3 + more.count
        let texts: [String] = (0..<count).flatMap { index in
            let own = [
                "agent", "support-agent-\(index % 40)", "model", "vendor/model-\(index / 40 % 10)-large",
                "version", "2026.\(index / 400)",
            ]
            return own + more.flatMap { [$0.0, $0.1.replacingOccurrences(of: "#", with: "\(index)")] }
        }
        let size = texts.reduce(0) { $0 + $1.utf8.count }
        bytes = .allocate(byteCount: max(size, 1), alignment: 1)
        rows = .allocate(capacity: max(count * width, 1))
        var at = bytes
        var views: [nj_text] = []
        for var text in texts {
            text.withUTF8 { utf8 in
                if let start = utf8.baseAddress { at.copyMemory(from: start, byteCount: utf8.count) }
            }
            views.append(nj_text(UnsafeRawBufferPointer(start: at, count: text.utf8.count)))
            at += text.utf8.count
        }
        for row in 0..<count * width {
            (rows + row).initialize(to: nj_label(name: views[row * 2], value: views[row * 2 + 1]))
        }
    }

    deinit {
        rows.deallocate()
        bytes.deallocate()
    }

    /// The labels of a set.
    func labels(_ index: Int) -> UnsafeBufferPointer<nj_label> {
        UnsafeBufferPointer(start: rows + index * width, count: width)
    }
}

/// How many bytes a series takes.
enum SeriesMemory {
    private static let count = 20_000

    /// A line about the memory of a series of a type: at rest, and more for each window that waits to be handed over.
    static func note(_ type: MetricType) throws -> String {
        let sets = LabelSets(count)
        let bench = try AggregationBench(type)
        let start = heap_bytes()
        for index in 0..<count { bench.add(20, sets.labels(index)) }
        bench.handOver()
        let rest = heap_bytes()
        for index in 0..<count { bench.add(20, sets.labels(index)) }
        for index in 0..<count { bench.add(40, sets.labels(index)) }
        let busy = heap_bytes()
        try bench.check(sum: 20 * Double(count), count: count, series: count)
        bench.handOver()
        guard start > 0 else { return "" }
        return "\(Int(rest - start) / count) bytes a series, \(Int(busy - rest) / count) a window under way"
    }
}
