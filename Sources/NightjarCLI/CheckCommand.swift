import ArgumentParser
import Nightjar
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
        do {
            let names = try PluginLoading.check(folder: folder, registry: MetricRegistry())
            print(
                "\(names.count) \(names.count == 1 ? "plugin" : "plugins") fine: \(names.joined(separator: ", "))"
            )
        } catch let error as PluginLoadFailure {
            for line in error.lines { complain(line) }
            throw Outcome.failed
        }
    }
}
