import Foundation
import NightjarTesting

/// Where the processor time of a server goes that takes spans with three rules and stores them, sampled by Linux' perf.
enum ServedProfile {
    private static let frequency = 199
    private static let kernelFrames = 5
    private static let patience = Duration.seconds(600)

    /// Sends the load, and draws what was sampled.
    static func draw(into file: String, _ options: BenchOptions) async throws {
        var load = Load(spans: options.scaled(120_000))
        let server = try await MeasuredServer(
            stores: true,
            plugins: BenchRules.files,
            environment: ["NIGHTJAR_TRACE_IDLEPERIOD": "100ms"]
        )
        let folder = try TemporaryFolder()
        try await ServeBenchmark.sendAll(load, to: server)
        let data = folder.path("perf.data")
        let recorder = try RunningProcess(
            URL(fileURLWithPath: "/usr/bin/env"),
            [
                "perf", "record", "-F", "\(frequency)", "--call-graph", "dwarf,16384", "-p", "\(server.id)",
                "-o", data,
            ]
        )
        for _ in 0..<options.runs {
            load.renew()
            try await ServeBenchmark.sendAll(load, to: server)
        }
        recorder.signal(SIGINT)
        _ = try await recorder.exitCode(limit: patience)
        try await server.stop()
        let text = folder.path("stacks.txt")
        try await shell("perf script -i \"$0\" --no-inline -F comm,ip,sym,dso > \"$1\"", data, text, recorder)
        let samples = StackSamples(try String(contentsOfFile: text, encoding: .utf8))
        guard !samples.stacks.isEmpty else {
            throw BenchFailure(description: "perf took no samples:\n\(recorder.errorOutput)")
        }
        let tree = tree(of: samples, try await demangled(samples, folder))
        let title =
            "Processor time of a server: OTLP over HTTP, 3 rules, SQLite; \(samples.stacks.count) samples"
        try FlameGraph(title: title, tree: tree).svg.write(toFile: file, atomically: true, encoding: .utf8)
        print("bench: \(file)")
    }

    private static func tree(of samples: StackSamples, _ names: [String: String]) -> CallTree {
        let tree = CallTree("all", .other)
        for stack in samples.stacks {
            var path: [(name: String, part: ProfilePart)] = [(stack.role, .other)]
            var kernel = 0
            for frame in stack.frames.drop(while: { !$0.isOurs }) {
                // What the kernel does below its entry is its own affair.
                if frame.isKernel { kernel += 1 }
                let name = names[frame.symbol] ?? frame.symbol
                // What calls itself, or passes a call on to a form of itself, is shown once.
                guard let short = FunctionName.short(name), short != path.last?.name, kernel <= kernelFrames
                else {
                    continue
                }
                path.append((short, ProfilePart(frame)))
            }
            tree.add(path)
        }
        return tree
    }

    /// The names of Swift's functions by their symbols.
    private static func demangled(
        _ samples: StackSamples,
        _ folder: TemporaryFolder
    ) async throws -> [String: String] {
        let symbols = Set(samples.stacks.flatMap { $0.frames.map(\.symbol) }.filter { $0.hasPrefix("$s") })
            .sorted()
        let mangled = try folder.write(symbols.joined(separator: "\n") + "\n", to: "symbols.txt")
        let result = folder.path("names.txt")
        try await shell("swift demangle --simplified --compact < \"$0\" > \"$1\"", mangled, result, nil)
        let names = try String(contentsOfFile: result, encoding: .utf8).split(separator: "\n").map(
            String.init
        )
        guard names.count == symbols.count else {
            throw BenchFailure(description: "\(symbols.count) symbols have \(names.count) names")
        }
        return Dictionary(uniqueKeysWithValues: zip(symbols, names))
    }

    private static func shell(
        _ command: String,
        _ input: String,
        _ output: String,
        _ before: RunningProcess?
    ) async throws {
        let process = try RunningProcess(
            URL(fileURLWithPath: "/bin/sh"),
            ["-c", command, input, output]
        )
        guard try await process.exitCode(limit: patience) == 0 else {
            throw BenchFailure(description: "\(command)\n\(process.errorOutput)\(before?.errorOutput ?? "")")
        }
    }
}
