import ArgumentParser
import Foundation
import NightjarBus
import NightjarPlugins

/// `nightjar check`.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Load every plugin of a folder and report each error with file and line."
    )

    @Argument(help: "The folder of plugins.")
    var folder = "plugins"

    func run() throws {
        guard FileManager.default.fileExists(atPath: folder) else {
            complain("\(folder) is not there; give the folder of plugins")
            throw Outcome.environment
        }
        let registry = MetricRegistry()
        var names: [String] = []
        var hasFaults = false
        for (name, entry) in PluginFiles.entries(of: folder).sorted(by: { $0.key < $1.key }) {
            switch entry {
            case .unreadable(let fault):
                complain("\(fault)")
                hasFaults = true
            case .source(let source):
                if isFine(source, registry) { names.append(name) } else { hasFaults = true }
            }
        }
        if hasFaults { throw Outcome.failed }
        let count = "\(names.count) \(names.count == 1 ? "plugin" : "plugins")"
        print(names.isEmpty ? "no plugins in \(folder)" : "\(count) fine: \(names.joined(separator: ", "))")
    }

    private func isFine(_ source: PluginSource, _ registry: MetricRegistry) -> Bool {
        do throws(PluginFaults) {
            _ = try PluginFiles.load(source: source, registry: registry)
            return true
        } catch {
            for fault in error.faults { complain("\(fault)") }
            return false
        }
    }
}
