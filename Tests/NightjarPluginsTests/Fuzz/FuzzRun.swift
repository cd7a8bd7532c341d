import Foundation
import Glibc
import NightjarBus
import NightjarTesting
import Testing

/// The fuzz tests, one after the other: each keeps a processor busy. Case N is made from seed N alone.
///
/// - NIGHTJAR_FUZZ_SECONDS: for how long each runs; 20 where it is not set.
/// - NIGHTJAR_FUZZ_SEED: the first case, 1 where it is not set; without the other variable it is the only one.
@Suite(.serialized) struct FuzzTests {}

/// What one case came to.
struct FuzzOutcome: Sendable {
    /// What did not hold; empty where all did.
    var faults: [String] = []
    /// What took longer than it may.
    var delays: [String] = []
    /// What was run.
    var source: [UInt8] = []
    /// What happened, in a word: the run counts them.
    var kind = "ran"
    /// Every state holds on to the case's own registry, so that this is gone when all of them are. What they forget to free,
    /// the address sanitizer tells.
    weak var registry: MetricRegistry?
}

/// Runs cases until the time is over, on a thread of its own: tests that wait for others must not wait for this.
struct FuzzRun: Sendable {
    let name: String
    private let first: UInt64
    private let seconds: Double

    /// Cases that failed before a run ends early.
    private static let faultLimit = 3

    private struct Failure: Sendable {
        let seed: UInt64
        let outcome: FuzzOutcome
    }

    private struct Report: Sendable {
        var kinds: [String: Int] = [:]
        var failures: [Failure] = []
        var cases = 0
    }

    init(_ name: String) {
        self.name = name
        let environment = ProcessInfo.processInfo.environment
        let seed = environment["NIGHTJAR_FUZZ_SEED"].flatMap(UInt64.init)
        first = seed ?? 1
        seconds = environment["NIGHTJAR_FUZZ_SECONDS"].flatMap(Double.init) ?? (seed == nil ? 20 : 0)
    }

    /// Runs cases and records what did not hold, with seed and source.
    func run(_ body: @escaping @Sendable (UInt64) -> FuzzOutcome) async throws {
        let report = try await withCheckedThrowingContinuation { continuation in
            let thread = Thread { continuation.resume(with: Result { try cases(body) }) }
            // Rules want a stack of 8 MiB, and the sanitizer's frames are larger.
            thread.stackSize = 64 << 20
            thread.start()
        }
        let kinds = report.kinds.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        print("fuzz \(name): \(report.cases) cases from seed \(first): \(kinds.joined(separator: ", "))")
        for failure in report.failures {
            let source = try keep(failure)
            Issue.record(
                """
                \(failure.outcome.faults.joined(separator: "\n"))
                again: NIGHTJAR_FUZZ_SEED=\(failure.seed) scripts/test --filter NightjarPluginsTests.FuzzTests
                \(source)
                """
            )
        }
    }

    private func cases(_ body: (UInt64) -> FuzzOutcome) throws -> Report {
        // Others come first.
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
        let mark = try SeedMark(name)
        let started = ContinuousClock.now
        var report = Report()
        var seed = first
        repeat {
            mark.write(seed)
            var outcome = body(seed)
            // Where the machine itself was held up, its clocks tell of time that nobody used: a delay is one that comes again.
            for _ in 0..<3 where !outcome.delays.isEmpty { outcome = body(seed) }
            outcome.faults += outcome.delays
            if outcome.registry != nil {
                outcome.faults.append("something holds on to a state of the plugins")
            }
            report.kinds[outcome.kind, default: 0] += 1
            if !outcome.faults.isEmpty { report.failures.append(Failure(seed: seed, outcome: outcome)) }
            report.cases += 1
            seed += 1
        } while ContinuousClock.now - started < .seconds(seconds) && report.failures.count < Self.faultLimit
        return report
    }

    /// Writes the source of a case that failed to a file, because some are not for the eye; what a person may read.
    private func keep(_ failure: Failure) throws -> String {
        let file = FileManager.default.temporaryDirectory
            .appending(path: "nightjar-fuzz-\(name)-\(failure.seed).lua")
        try Data(failure.outcome.source).write(to: file)
        let shown = failure.outcome.source.prefix(12_000).map { byte in
            byte == 10 || (32..<127).contains(byte)
                ? String(UnicodeScalar(byte)) : "\\x" + String(byte, radix: 16)
        }
        return "source, also in \(file.path):\n\(shown.joined())"
    }
}

/// The number of the case that runs, in a file that a crash leaves behind: TMPDIR/nightjar-fuzz-NAME-PID.
private struct SeedMark: ~Copyable {
    private let descriptor: Int32
    private let path: String

    init(_ name: String) throws {
        path = NSTemporaryDirectory() + "/nightjar-fuzz-\(name)-\(getpid())"
        descriptor = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
        guard descriptor >= 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    func write(_ seed: UInt64) {
        let text = String(seed) + "\n"
        _ = text.utf8CString.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count - 1, 0) }
    }

    deinit {
        close(descriptor)
        unlink(path)
    }
}

/// How long a piece of work keeps a processor busy, in seconds: on a machine that others use, no clock on the wall tells.
struct BusyClock {
    private let clock: clockid_t

    /// The time of the calling thread.
    static let thread = BusyClock(clock: CLOCK_THREAD_CPUTIME_ID)
    /// The time of all threads of the process.
    static let process = BusyClock(clock: CLOCK_PROCESS_CPUTIME_ID)

    private init(clock: clockid_t) { self.clock = clock }

    func measure(_ body: () -> Void) -> Double {
        let before = now
        body()
        return now - before
    }

    private var now: Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

extension SeededGenerator {
    /// A number from 0 to `bound` - 1.
    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<max(bound, 1), using: &self) }

    /// True once in so many times.
    mutating func oneIn(_ bound: Int) -> Bool { below(bound) == 0 }

    /// One of the choices.
    mutating func pick<Choices: RandomAccessCollection>(_ choices: Choices) -> Choices.Element {
        choices[choices.index(choices.startIndex, offsetBy: below(choices.count))]
    }
}

/// What a message has that moves cursors, forges lines or turns text round; nil where it may be shown, "" where it is empty.
func unprintable(_ message: String) -> String? {
    guard !message.isEmpty else { return "" }
    let found = message.unicodeScalars.first { scalar in
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }
    return found.map { "U+" + String($0.value, radix: 16) }
}
