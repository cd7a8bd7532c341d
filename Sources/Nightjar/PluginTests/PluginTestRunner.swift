import Foundation
package import NightjarPlugins
import NightjarSignals

/// Runs the tests that lie beside plugins (plugin contract, section 9).
package enum PluginTestRunner {
    /// How one test went.
    package struct Result: Sendable {
        /// The plugin.
        package let plugin: String
        /// What the test states.
        package let name: String
        /// Where it begins, as FILE:LINE.
        package let place: String
        /// Why it failed; nil where it passed.
        package let failure: PluginTestScript.Failure?
        /// How long it took.
        package let milliseconds: Double
    }

    /// How the tests of one plugin went.
    package struct Report: Sendable {
        /// The plugin.
        package let plugin: String
        /// The results, in the order of the file.
        package var results: [Result] = []
        /// Why there are none: the plugin's tests, or the plugin itself, do not load.
        package var fault: String?
        /// The lines of each file that ran, and those that can run; empty where they were not watched.
        package var coverage: [Coverage] = []
    }

    /// What ran of one file.
    package struct Coverage: Sendable {
        /// The file.
        package let file: String
        /// The lines that can run.
        package let executable: Set<Int>
        /// The lines that ran.
        package let covered: Set<Int>
    }

    /// The file of tests of a plugin, where there is one.
    package static func testFile(of plugin: PluginSource) -> String? {
        guard let folder = plugin.folder else { return nil }
        let isFolder = plugin.file.hasSuffix("init.lua")
        let path =
            (isFolder ? (folder as NSString).deletingLastPathComponent : folder) + "/\(plugin.name)_test.lua"
        let inner = folder + "/\(plugin.name)_test.lua"
        return [path, inner].first { FileManager.default.fileExists(atPath: $0) }
    }

    /// Runs the tests of a plugin; nil where it has none. Blocks until they are done.
    package static func run(
        _ plugin: PluginSource,
        filter: String? = nil,
        isWatched: Bool = false
    ) -> Report? {
        guard let path = testFile(of: plugin) else { return nil }
        let outcome = LockedValue(Report(plugin: plugin.name))
        onLargeStack {
            let report = runOnThisThread(plugin, path, filter, isWatched)
            outcome.update { $0 = report }
        }
        return outcome.value
    }

    /// What fails of a plugin's own tests, a line each; empty where nothing does or there are none.
    package static func failures(of plugin: PluginSource) -> [String] {
        guard let report = run(plugin) else { return [] }
        if let fault = report.fault { return [fault] }
        return report.results.compactMap { result in
            result.failure.map { "\(result.name): \($0.message)" }
        }
    }

    private static func runOnThisThread(
        _ plugin: PluginSource,
        _ path: String,
        _ filter: String?,
        _ isWatched: Bool
    ) -> Report {
        var report = Report(plugin: plugin.name)
        guard let data = FileManager.default.contents(atPath: path) else {
            report.fault = "\(path) cannot be read"
            return report
        }
        let folder = (path as NSString).deletingLastPathComponent
        let bench = PluginTestBench(plugin: plugin, folder: folder, isWatched: isWatched)
        do throws(PluginFault) {
            let script = try PluginTestScript(
                PluginSource(
                    name: plugin.name,
                    file: (path as NSString).lastPathComponent,
                    text: Array(data)
                ),
                driver: bench,
                now: SystemClock().now()
            )
            for (index, test) in script.tests.enumerated() where filter.map(test.name.contains) ?? true {
                report.results.append(result(of: test, index, script, bench, plugin))
            }
        } catch {
            report.fault = error.detail
        }
        if isWatched { report.coverage = coverage(of: plugin, bench.coveredLines) }
        return report
    }

    private static func result(
        of test: PluginTestScript.Test,
        _ index: Int,
        _ script: PluginTestScript,
        _ bench: PluginTestBench,
        _ plugin: PluginSource
    ) -> Result {
        let started = ContinuousClock().now
        var failure: PluginTestScript.Failure?
        do throws(DeclarationFault) {
            try bench.begin(settings: test.settings)
            failure = script.run(index)
        } catch {
            failure = PluginTestScript.Failure(message: error.text, traceback: "")
        }
        bench.end()
        let elapsed = started.duration(to: ContinuousClock().now) / .milliseconds(1)
        return Result(
            plugin: plugin.name,
            name: test.name,
            place: test.place,
            failure: failure,
            milliseconds: elapsed
        )
    }

    private static func coverage(of plugin: PluginSource, _ lines: [String: Set<Int>]) -> [Coverage] {
        var sources = [(plugin.file, plugin.text)]
        for (name, text) in plugin.modules.sorted(by: { $0.key < $1.key }) {
            sources.append((name + ".lua", text))
        }
        return sources.compactMap { file, text in
            guard let executable = executableLines(of: text) else { return nil }
            let covered = (lines["@" + file] ?? []).intersection(executable)
            return Coverage(file: file, executable: executable, covered: covered)
        }
    }
}
