import Foundation

/// The benchmarks. Each is a check of correctness too: a wrong count ends the program with 1.
@main
struct NightjarBench {
    private static let all: [(name: String, run: @Sendable (BenchOptions) async throws -> [BenchRow])] = [
        ("decode", { options in try await onLargeThread { try DecodeBenchmark.run(options) } }),
        ("extraction", { options in try await onLargeThread { try ExtractionBenchmark.run(options) } }),
        ("rule", { options in try await onLargeThread { try RuleBenchmark.run(options) } }),
        ("path", { options in try await PathBenchmark.run(options) }),
        ("serve", { options in try await ServeBenchmark.run(options) }),
        ("reload", { options in try await ReloadBenchmark.run(options) }),
        ("stored", { options in try await StoredBenchmark.run(options) }),
        ("metric-query", { options in try await MetricQueryBenchmark.run(options) }),
    ]

    private static let usage = """
        usage: NightjarBench [--quick] [--runs N] [--spans N] [NAME...]
        NAME is one of \(all.map(\.name).joined(separator: ", ")); without one all run.
        """

    static func main() async {
        guard let options = options(CommandLine.arguments.dropFirst()) else {
            print(usage)
            exit(2)
        }
        var report = BenchReport()
        var failures: [String] = []
        for benchmark in all where options.names.isEmpty || options.names.contains(benchmark.name) {
            do {
                report.add(try await benchmark.run(options))
            } catch {
                failures.append("bench: \(benchmark.name) failed: \(error)")
                print(failures.last ?? "")
            }
        }
        report.printTable()
        guard failures.isEmpty else {
            print("\n\(failures.joined(separator: "\n"))")
            exit(1)
        }
    }

    private static func options(_ arguments: ArraySlice<String>) -> BenchOptions? {
        var options = BenchOptions()
        var rest = arguments
        while let argument = rest.popFirst() {
            switch argument {
            case "--quick": options.isQuick = true
            case "--spans":
                guard let spans = rest.popFirst().flatMap({ Int($0) }), spans > 0 else { return nil }
                options.storedSpans = spans
            case "--runs":
                guard let runs = rest.popFirst().flatMap({ Int($0) }), runs > 0 else { return nil }
                options.runs = runs
            default:
                guard all.contains(where: { $0.name == argument }) else { return nil }
                options.names.append(argument)
            }
        }
        return options
    }
}
