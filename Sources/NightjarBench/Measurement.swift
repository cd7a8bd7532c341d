import Foundation

/// What the user asked for.
struct BenchOptions: Sendable, Equatable {
    /// The benchmarks to run; empty: all.
    var names: [String] = []
    var isQuick = false
    /// How many spans are stored where queries are measured.
    var storedSpans = 1_000_000
    /// How often each is measured, after one warm-up.
    var runs = 5

    /// A number of spans or events: a sixth of it in a quick run.
    func scaled(_ count: Int) -> Int { isQuick ? count / 6 : count }
}

/// The middle of some figures, and how far they lie apart.
struct Spread: Sendable {
    let median: Double
    let low: Double
    let high: Double

    init(_ figures: [Double]) {
        let sorted = figures.sorted()
        median = sorted.isEmpty ? .nan : sorted[sorted.count / 2]
        low = sorted.first ?? .nan
        high = sorted.last ?? .nan
    }

    private init(_ median: Double, _ low: Double, _ high: Double) {
        (self.median, self.low, self.high) = (median, low, high)
    }

    /// The same in another unit.
    func scaled(_ factor: Double) -> Spread { Spread(median * factor, low * factor, high * factor) }
}

/// One line of the report.
struct BenchRow: Sendable {
    let name: String
    let unit: String
    let spread: Spread
    var note = ""

    /// How long answers took, and the processor time of one, in milliseconds.
    static func answers(_ name: String, _ times: [Double], spent: Double, note: String) -> BenchRow {
        let sorted = times.sorted()
        func share(_ part: Double) -> Double {
            sorted.isEmpty ? .nan : (sorted[Int(Double(sorted.count - 1) * part)] * 100).rounded() / 100
        }
        return BenchRow(
            name: name,
            unit: "ms",
            spread: Spread(times),
            note: "p50 \(share(0.5)), p95 \(share(0.95)), p99 \(share(0.99)); CPU "
                + "\((spent * 100).rounded() / 100); \(note)"
        )
    }
}

/// Why a benchmark's figures are worth nothing: what was measured did not do its work.
struct BenchFailure: Error, CustomStringConvertible {
    let description: String
}

/// The processor time of the calling thread, in nanoseconds.
func threadNanoseconds() -> Int64 { clockNanoseconds(CLOCK_THREAD_CPUTIME_ID) }

/// The time that has passed, in nanoseconds.
func wallNanoseconds() -> Int64 { clockNanoseconds(CLOCK_MONOTONIC) }

/// The processor time of this process, all its threads, in nanoseconds.
func processNanoseconds() -> Int64 {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return [usage.ru_utime, usage.ru_stime].reduce(0) {
        $0 + Int64($1.tv_sec) * 1_000_000_000 + Int64($1.tv_usec) * 1000
    }
}

/// What a clock shows, in nanoseconds.
func clockNanoseconds(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

/// Holds the calling thread.
func pause(microseconds: Int) { usleep(UInt32(microseconds)) }

/// The processor time of `body` on this thread for each of `count` things, over several runs after one to warm up.
func measure(runs: Int, count: Int, _ body: () throws -> Void) rethrows -> Spread {
    try measure(runs: runs, count: count, prepare: {}, body: body)
}

/// The same with something made anew before every run, which is not measured.
func measure<Input>(
    runs: Int,
    count: Int,
    prepare: () throws -> Input,
    body: (Input) throws -> Void
) rethrows -> Spread {
    var figures: [Double] = []
    for run in 0...runs {
        let input = try prepare()
        let start = threadNanoseconds()
        try body(input)
        let spent = threadNanoseconds() - start
        if run > 0 { figures.append(Double(spent) / Double(count)) }
    }
    return Spread(figures)
}

/// Runs on a thread with a stack as large as a worker's.
func onLargeThread<Result: Sendable>(
    _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        let thread = Thread { continuation.resume(with: Swift.Result { try body() }) }
        thread.stackSize = 16 << 20
        thread.start()
    }
}
