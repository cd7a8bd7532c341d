import ArgumentParser
import Foundation
import Nightjar
import NightjarPlugins
import NightjarSignals

/// `nightjar test`.
struct TestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Run the tests that lie beside plugins (NAME_test.lua).",
        discussion: "Each test gets its plugin freshly loaded. Ends with 1 where one fails."
    )

    @Argument(help: "The folder of plugins, or one plugin's file.")
    var folder = "plugins"

    @Option(help: "Run only tests whose name contains this.")
    var filter: String?

    @Flag(help: "Say which lines of each plugin ran.")
    var coverage = false

    @Flag(help: "Print one JSON object a test instead of text.")
    var json = false

    func run() throws {
        let (sources, unreadable) = try PluginFiles.sources(of: folder)
        for fault in unreadable { complain("\(fault)") }
        var (passed, failed) = (0, unreadable.count)
        for source in sources.sorted(by: { $0.name < $1.name }) {
            guard let report = PluginTestRunner.run(source, filter: filter, isWatched: coverage) else {
                continue
            }
            if let fault = report.fault {
                failed += 1
                tell(source.name, fault)
            }
            for result in report.results {
                if result.failure == nil { passed += 1 } else { failed += 1 }
                tell(result)
            }
            for file in report.coverage { tell(file) }
        }
        if !json { print("\(passed) passed, \(failed) failed") }
        guard failed == 0 else { throw Outcome.failed }
    }

    private func tell(_ result: PluginTestRunner.Result) {
        if json {
            var object: Value.Object = [
                "plugin": .string(result.plugin), "test": .string(result.name),
                "place": .string(result.place),
                "passed": .bool(result.failure == nil), "milliseconds": .double(result.milliseconds),
            ]
            object["failure"] = result.failure.map { .string($0.message) }
            return print(Value.object(object).json)
        }
        let mark = result.failure == nil ? "ok  " : "FAIL"
        print("\(mark) \(result.plugin): \(result.name) (\(Int(result.milliseconds.rounded())) ms)")
        if let failure = result.failure { print("     \(failure.message)") }
    }

    private func tell(_ plugin: String, _ fault: String) {
        guard json else { return print("FAIL \(plugin): does not load\n     \(fault)") }
        let object: Value = ["plugin": .string(plugin), "passed": false, "failure": .string(fault)]
        print(object.json)
    }

    private func tell(_ file: PluginTestRunner.Coverage) {
        let missed = file.executable.subtracting(file.covered)
        let share = file.executable.isEmpty ? 100 : 100 * file.covered.count / file.executable.count
        if json {
            let object: Value = [
                "file": .string(file.file), "coverage": .int(Int64(share)),
                "missed": .array(missed.sorted().map { .int(Int64($0)) }),
            ]
            return print(object.json)
        }
        let rest = missed.isEmpty ? "" : "; not run: lines \(ranges(missed.sorted()))"
        print(
            "     \(file.file): \(file.covered.count) of \(file.executable.count) lines ran (\(share) %)\(rest)"
        )
    }

    /// "3, 7-9".
    private func ranges(_ lines: [Int]) -> String {
        var parts: [ClosedRange<Int>] = []
        for line in lines {
            if let last = parts.last, last.upperBound == line - 1 {
                parts[parts.count - 1] = last.lowerBound...line
            } else {
                parts.append(line...line)
            }
        }
        return parts.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            .joined(separator: ", ")
    }
}
