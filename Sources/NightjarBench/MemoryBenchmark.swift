import CNightjarBench
import NightjarBus
import NightjarOTLP
import NightjarSignals

/// What an open trace and a series hold of memory, by how much more the process holds afterwards.
enum MemoryBenchmark {
    private static let spans = 120_000
    private static let metrics = 20
    private static let seriesOfEach = 2000

    static func run(_ options: BenchOptions) throws -> [BenchRow] {
        try traces(options) + [
            try series("a series, counter", .counter, observations: 1),
            try series("  histogram, 100 values", .histogram, observations: 100),
        ]
    }

    /// Spans that wait for no more than the end of their traces.
    private static func traces(_ options: BenchOptions) throws -> [BenchRow] {
        let load = Load(spans: options.scaled(spans))
        let pass = try CorePass(.effects)
        // What is made only once does not count.
        if let first = load.bodies.first { try take(first, pass) }
        let before = Int(heap_bytes())
        for body in load.bodies.dropFirst() { try take(body, pass) }
        let held = Double(Int(heap_bytes()) - before)
        let count = load.spanCount - (load.bodies.first?.spanCount ?? 0)
        let traces = Set(load.bodies.dropFirst().flatMap { body in (0..<body.spanCount).map(body.traceID) })
        let payload = load.bodies.dropFirst().reduce(0) { $0 + $1.bytes.count }
        guard pass.openSpans >= count else {
            throw BenchFailure(description: "memory: \(pass.openSpans) of \(count) spans are held")
        }
        return [
            BenchRow(
                name: "an open trace",
                unit: "B",
                spread: Spread([held / Double(traces.count)]),
                note: "\(traces.count) traces; what was asked for and not given back, as below"
            ),
            BenchRow(
                name: "  a span of it",
                unit: "B",
                spread: Spread([held / Double(count)]),
                note: "\(payload / count) B of them the span as it came; \(count) spans"
            ),
        ]
    }

    private static func take(_ body: LoadBody, _ pass: CorePass) throws {
        let request = try TraceRequest.decode(
            Payload(body.bytes),
            encoding: .protobuf,
            receivedAt: Load.receivedAt,
            workers: 1
        )
        pass.take(request.slabs.map(\.slab))
    }

    private static func series(_ name: String, _ type: MetricType, observations: Int) throws -> BenchRow {
        let registry = MetricRegistry()
        let table = SeriesTable()
        let ledger = SeriesLedger(table: table)
        let aggregator = try MetricAggregator(
            registry: registry,
            table: table,
            configuration: CardinalityConfiguration(),
            report: CardinalityReport { _ in }
        )
        let sets = LabelTexts(
            (0..<seriesOfEach).map {
                [("agent", "agent_\($0)"), ("model", "model_\($0 % 7)"), ("status", "ok")]
            }
        )
        let before = Int(heap_bytes())
        for metric in 0..<metrics {
            let instrument = try registry.instrument(
                InstrumentDescriptor(name: "bench_\(type)_\(metric)", type: type)
            )
            for set in 0..<seriesOfEach {
                for number in 1...observations {
                    aggregator.record(
                        instrument,
                        value: Double(number * number),
                        labels: sets[set],
                        at: Load.receivedAt
                    )
                }
            }
            ledger.publish(ledger.stage(aggregator.take()))
        }
        let held = Double(Int(heap_bytes()) - before)
        let count = ledger.snapshot().count
        guard count == metrics * seriesOfEach else {
            throw BenchFailure(description: "memory: \(count) series are there")
        }
        return BenchRow(
            name: name,
            unit: "B",
            spread: Spread([held / Double(count)]),
            note: "\(count) series of three labels; worker's and ledger's part"
        )
    }
}
