import NightjarSignals

/// One trace of a hundred thousand spans: what a span costs must not grow with how many of its trace are there.
enum LoneTraceBenchmark {
    private static let spans = 100_000
    /// The last tenth may take so many times what the first took: with a cost that grows with the number of spans it would be
    /// nineteen times.
    private static let mostGrowth = 3.0

    /// What a run took for a span, in microseconds.
    private struct Run {
        let all: Double
        let first: Double
        let last: Double
        /// From the root's arrival on, where it came last; else the trace's end.
        let end: Double
    }

    static func run(_ options: BenchOptions) async throws -> [BenchRow] {
        let (last, first) = (
            Load(oneTraceOf: options.scaled(spans)), Load(oneTraceOf: options.scaled(spans), rootFirst: true)
        )
        let rows = try await onLargeThread {
            [
                try row("one trace, in process", processed(last, options), last),
                try row("  its root first", processed(first, options), first),
            ]
        }
        return rows + [try row("one trace, served and stored", try await served(last, options), last)]
    }

    private static func row(_ name: String, _ runs: [Run], _ load: Load) throws -> BenchRow {
        let ratio = Spread(runs.map { $0.last / $0.first })
        let (first, last) = (Spread(runs.map(\.first)).median, Spread(runs.map(\.last)).median)
        func text(_ value: Double) -> String { String((value * 100).rounded() / 100) }
        let row = BenchRow(
            name: name,
            unit: "µs/span",
            spread: Spread(runs.map(\.all)),
            note: "last tenth / first tenth \(text(ratio.median)) (\(text(first)) -> \(text(last)) µs), "
                + "its end \(text(Spread(runs.map(\.end)).median)) µs/span; \(load.spanCount) spans"
        )
        guard ratio.low <= mostGrowth else {
            throw BenchFailure(description: "one-trace: the cost of a span grows: \(row.name) \(row.note)")
        }
        return row
    }

    /// The requests before the last, which has the root where it comes last, cut into ten.
    private static func tenths(_ count: Int) -> (first: Range<Int>, last: Range<Int>) {
        let tenth = max(1, (count - 1) / 10)
        return (0..<tenth, count - 1 - tenth..<count - 1)
    }

    // MARK: - In process

    private static func processed(_ load: Load, _ options: BenchOptions) throws -> [Run] {
        let pass = try CorePass(.effects)
        let (first, last) = tenths(load.bodies.count)
        var runs: [Run] = []
        for run in 0...options.runs {
            pass.restart()
            let requests = try load.decoded()
            var spent: [Double] = []
            for (place, slabs) in requests.enumerated() {
                let start = threadNanoseconds()
                pass.take(slabs)
                if place == requests.count - 1 { pass.endTraces(after: Load.receivedAt) }
                spent.append(Double(threadNanoseconds() - start) / 1000)
            }
            func share(_ range: Range<Int>) -> Double {
                spent[range].reduce(0, +) / Double(load.bodies[range].reduce(0) { $0 + $1.spanCount })
            }
            guard run > 0 else { continue }
            let end = (spent.last ?? 0) / Double(load.spanCount)
            runs.append(Run(all: share(0..<spent.count), first: share(first), last: share(last), end: end))
        }
        let wrong = pass.totals.differences(from: load.totals.leavingOutPlugins(), times: options.runs + 1)
        guard wrong.isEmpty else { throw failure(wrong) }
        return runs
    }

    // MARK: - Served

    private static func served(_ load: Load, _ options: BenchOptions) async throws -> [Run] {
        var load = load
        let server = try await MeasuredServer(
            stores: true,
            plugins: BenchRules.files,
            environment: ["NIGHTJAR_TRACE_IDLEPERIOD": "100ms"]
        )
        let (first, last) = tenths(load.bodies.count)
        let ends = [first.upperBound, last.lowerBound, last.upperBound, load.bodies.count]
        var runs: [Run] = []
        for run in 0...options.runs {
            load.renew()
            var parts: [Double] = []
            var start = 0
            for end in ends {
                parts.append(try await spent(on: load.bodies[start..<end], server))
                start = end
            }
            guard run > 0 else { continue }
            func spans(_ range: Range<Int>) -> Double {
                Double(load.bodies[range].reduce(0) { $0 + $1.spanCount })
            }
            runs.append(
                Run(
                    all: parts.reduce(0, +) / Double(load.spanCount),
                    first: parts[0] / spans(first),
                    last: parts[2] / spans(last),
                    end: parts[3] / Double(load.spanCount)
                )
            )
        }
        let wrong = try await server.totals().differences(from: load.totals, times: options.runs + 1)
        try await server.stop()
        guard wrong.isEmpty else { throw failure(wrong) }
        return runs
    }

    /// The server's processor time for requests, until it rests, in microseconds.
    private static func spent(on bodies: ArraySlice<LoadBody>, _ server: MeasuredServer) async throws
        -> Double
    {
        let start = try server.nanoseconds()
        let (next, refused) = (Counter(), Counter())
        _ = try await onLargeThread { try ServeBenchmark.sendShare(Array(bodies), next, refused, server) }
        // Longer than a trace has to be quiet to end.
        try await Task.sleep(for: .milliseconds(500))
        try await server.rest()
        return Double(try server.nanoseconds() - start) / 1000
    }

    private static func failure(_ differences: [String]) -> BenchFailure {
        BenchFailure(description: "one-trace: wrong counts:\n\(differences.joined(separator: "\n"))")
    }
}
