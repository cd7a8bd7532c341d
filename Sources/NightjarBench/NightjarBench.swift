import CNightjarBench
import Foundation

/// The benchmarks. Each is a check of correctness too: a wrong count ends the program with 1.
@main
struct NightjarBench {
    private static let all: [(name: String, run: @Sendable (BenchOptions) async throws -> [BenchRow])] = [
        ("decode", { options in try await onLargeThread { try DecodeBenchmark.run(options) } }),
        ("extraction", { options in try await onLargeThread { try ExtractionBenchmark.run(options) } }),
        ("label-filter", { options in try await onLargeThread { try LabelFilterBenchmark.run(options) } }),
        ("aggregation", { options in try await onLargeThread { try AggregationBenchmark.run(options) } }),
        ("span-life", { options in try await SpanLifeBenchmark.run(options) }),
        ("rule", { options in try await onLargeThread { try RuleBenchmark.run(options) } }),
        ("store-insert", { options in try await onLargeThread { try StoreInsertBenchmark.run(options) } }),
        ("path", { options in try await PathBenchmark.run(options) }),
        ("memory", { options in try await onLargeThread { try MemoryBenchmark.run(options) } }),
        ("one-trace", { options in try await LoneTraceBenchmark.run(options) }),
        ("serve", { options in try await ServeBenchmark.run(options) }),
        ("scaling", { options in try await ScalingBenchmark.run(options) }),
        ("reload", { options in try await ReloadBenchmark.run(options) }),
        ("stored", { options in try await StoredBenchmark.run(options) }),
        ("trace-fetch", { options in try await StoredBenchmark.fetch(options) }),
        ("metric-query", { options in try await MetricQueryBenchmark.run(options) }),
    ]
    /// What another benchmark measures too is left out where all run.
    private static let contained: Set<String> = ["trace-fetch"]

    private static let usage = """
        usage: scripts/bench [--quick] [--runs N] [--spans N] [NAME...]
               scripts/bench --check [--write] [PATH...]
               scripts/bench --profile FILE.svg
        Measures, and checks every count. NAME, else all of: \(all.map(\.name).joined(separator: ", ")).
        --runs: how often each is measured, 5 unless said. --spans: how many are stored before queries are measured, 1,000,000
        unless said; 10,000,000 take about 16 GB of disk.
        --check counts instructions, allocations and retains under valgrind, which other work on the machine does not change, and
        fails where a path has become more than 5 % dearer than scripts/bench-counts.txt says. --write renews that file.
        PATH, else all of: \(CountedPath.all.map(\.name).joined(separator: ", ")).
        --profile draws where the processor time of a serving server goes.
        """

    /// Waits on a lock: valgrind does not survive how an asynchronous `main` waits, which hands the kernel a constant that valgrind
    /// writes to.
    static func main() {
        let command = BenchCommand(
            Array(CommandLine.arguments.dropFirst()),
            benchmarks: all.map(\.name),
            paths: CountedPath.all.map(\.name)
        )
        if case .count = command { stop_time(1_790_000_000) }
        // It ends the process, so nobody has to own it.
        Task.detached {
            do {
                exit(try await run(command))
            } catch {
                print("bench: \(error)")
                exit(1)
            }
        }
        DispatchSemaphore(value: 0).wait()
    }

    /// Does what was asked; the exit code.
    private static func run(_ command: BenchCommand?) async throws -> Int32 {
        switch command {
        case nil:
            print(usage)
            return 2
        case .help: print(usage)
        case .measure(let options): return await measure(options)
        case .count(let name, let rounds): print(try await CountedPath.run(name, rounds: rounds))
        case .check(let names, let file, let writes):
            return try await CountCheck(file: file).run(names, writes: writes) ? 0 : 1
        case .profile(let file, let options): try await ServedProfile.draw(into: file, options)
        }
        return 0
    }

    private static func measure(_ options: BenchOptions) async -> Int32 {
        var report = BenchReport()
        var failures: [String] = []
        let names = options.names.isEmpty ? all.map(\.name).filter { !contained.contains($0) } : options.names
        for benchmark in all where names.contains(benchmark.name) {
            do {
                report.add(try await benchmark.run(options))
            } catch {
                failures.append("bench: \(benchmark.name) failed: \(error)")
                print(failures.last ?? "")
            }
        }
        report.printTable()
        guard !failures.isEmpty else { return 0 }
        print("\n\(failures.joined(separator: "\n"))")
        return 1
    }
}
