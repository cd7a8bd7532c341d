import NightjarBus
import NightjarSignals

/// Slabs into metrics: putting traces together, the built-in metrics with cardinality, aggregation, the trace's end.
enum ExtractionBenchmark {
    static func run(_ options: BenchOptions) throws -> [BenchRow] {
        let load = Load(spans: options.scaled(24_000))
        let whole = try CorePass(.effects)
        let all = try pass(options, load, whole)
        let settling = try pass(options, load, try CorePass(.settling))
        let extraction = try pass(options, load, try CorePass(.extraction))
        let differences = whole.totals.differences(
            from: load.totals.leavingOutPlugins(),
            times: options.runs + 1
        )
        guard differences.isEmpty else {
            throw BenchFailure(description: "wrong counts:\n\(differences.joined(separator: "\n"))")
        }
        let counting = extraction.median - settling.median
        return [
            row("extraction with effects", all, "\(load.spanCount) spans, \(load.bodies.count) requests"),
            row("  settling and ends of traces", settling, ""),
            row("  and extraction", extraction, "extraction alone \(Int(counting)) ns"),
        ]
    }

    private static func pass(_ options: BenchOptions, _ load: Load, _ pass: CorePass) throws -> Spread {
        try measure(
            runs: options.runs,
            count: load.spanCount,
            prepare: {
                pass.restart()
                return try load.decoded()
            },
            body: { slabs in
                for request in slabs { pass.take(request) }
                pass.endTraces(after: Load.receivedAt)
            }
        )
    }

    private static func row(_ name: String, _ spread: Spread, _ note: String) -> BenchRow {
        BenchRow(name: name, unit: "µs/span", spread: spread.scaled(0.001), note: note)
    }
}
