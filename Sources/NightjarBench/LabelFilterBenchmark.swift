import CNightjarSignals
import NightjarBus
import NightjarSignals

/// What protection against too many label sets costs an observation: labels through an allow-list, blocked names, ids in
/// values, and the limit. Beside it the least that a filter can do: a set of names asked for each label.
enum LabelFilterBenchmark {
    private static let limit = 100
    private static let request = ("request_id", "req-#")
    private static let identifier = ("tenant", "01234567-89ab-cdef-0123-456789abcdef")

    static func run(_ options: BenchOptions) throws -> [BenchRow] {
        let count = options.scaled(120_000)
        return [
            row(
                "label filter: known labels, one blocked",
                try filtered(options, LabelSets(400, more: [("user_id", "u-1")]), count),
                "a series and the counter of the drop"
            ),
            row(
                "  new labels, one blocked",
                try filtered(options, LabelSets(options.scaled(24_000), more: [request])),
                "different for every observation"
            ),
            row(
                "  new labels, one left by the allow-list",
                try filtered(options, LabelSets(options.scaled(24_000), more: [request, identifier])) {
                    $0.perMetric["*"] = Self.allowing("agent")
                },
                "four of five are dropped"
            ),
            row(
                "  new labels, beyond the limit",
                try overflowing(options, LabelSets(options.scaled(24_000))),
                "all but \(limit) go to the overflow series"
            ),
            row("  a set of names for each label", try plain(options, count), "no values, no counters"),
        ]
    }

    private static func allowing(_ name: String) -> LabelPolicy {
        var policy = LabelPolicy()
        policy.allow = [name, "metric", "label", "reason"]
        return policy
    }

    private static func filtered(
        _ options: BenchOptions,
        _ sets: LabelSets,
        _ count: Int? = nil,
        _ configure: @escaping (inout CardinalityConfiguration) -> Void = { _ in }
    ) throws -> Spread {
        let count = count ?? sets.count
        let (spread, last) = try measured(options, sets, count, configure)
        guard let last else { return spread }
        let dropped = last.totals(of: "nightjar_labels_dropped_total").count
        let perObservation = sets.labels(0).count - 3
        let found = last.totals()
        guard found.count == count, dropped >= count * perObservation else {
            throw BenchFailure(description: "\(found) observations and \(dropped) drops of \(count)")
        }
        return spread
    }

    private static func overflowing(_ options: BenchOptions, _ sets: LabelSets) throws -> Spread {
        let (spread, last) = try measured(options, sets, sets.count) { $0.cardinalityLimit = limit }
        try last?.check(sum: Double(sets.count), count: sets.count, series: limit + 1)
        return spread
    }

    private static func measured(
        _ options: BenchOptions,
        _ sets: LabelSets,
        _ count: Int,
        _ configure: @escaping (inout CardinalityConfiguration) -> Void
    ) throws -> (Spread, AggregationBench?) {
        var last: AggregationBench?
        let spread = try measure(
            runs: options.runs,
            count: count,
            prepare: { try AggregationBench(.counter, configure) },
            body: { bench in
                for index in 0..<count {
                    bench.add(1, sets.labels(index % sets.count))
                    if index % 1000 == 999 { bench.handOver() }
                }
                bench.handOver()
                last = bench
            }
        )
        return (spread, last)
    }

    private static func plain(_ options: BenchOptions, _ count: Int) throws -> Spread {
        let sets = LabelSets(400, more: [("user_id", "u-1")])
        let blocked = CardinalityConfiguration.defaultBlockedLabels
        var passed = 0
        let spread = measure(runs: options.runs, count: count) {
            for index in 0..<count {
                for label in sets.labels(index % sets.count) where !blocked.contains(label.name.string ?? "")
                {
                    passed += 1
                }
            }
        }
        guard passed == count * 3 * (options.runs + 1) else {
            throw BenchFailure(description: "\(passed) labels passed the plain filter")
        }
        return spread
    }

    private static func row(_ name: String, _ spread: Spread, _ note: String) -> BenchRow {
        BenchRow(name: name, unit: "ns/observ.", spread: spread, note: note)
    }
}
