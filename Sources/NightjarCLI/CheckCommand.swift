import ArgumentParser
import Foundation
import NightjarPlugins
import NightjarSignals

/// `nightjar check`.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract:
            "Load every plugin of a folder, report each error with file and line, and what is probably not meant.",
        discussion: "Errors end it with 1; warnings alone do not, unless --strict is given."
    )

    @Argument(help: "The folder of plugins, or one plugin's file.")
    var folder = "plugins"

    @Flag(help: "Count warnings as errors.")
    var strict = false

    @Flag(help: "Print one JSON object a finding instead of text.")
    var json = false

    func run() throws {
        let (sources, unreadable) = try PluginFiles.sources(of: folder)
        let found = PluginCheck.check(sources)
        let faults = unreadable + found.faults
        if json {
            for fault in faults { print(line("error", fault.plugin, fault.detail, nil)) }
            for lint in found.lints { print(line("warning", lint.file, lint.message, lint)) }
        } else {
            for fault in faults { complain("\(fault)") }
            for lint in found.lints { complain("warning: \(lint)") }
        }
        guard faults.isEmpty, !strict || found.lints.isEmpty else { throw Outcome.failed }
        guard !json else { return }
        let names = sources.map(\.name).sorted()
        let count = "\(names.count) \(names.count == 1 ? "plugin" : "plugins")"
        print(names.isEmpty ? "no plugins in \(folder)" : "\(count) fine: \(names.joined(separator: ", "))")
    }

    private func line(_ level: String, _ subject: String, _ message: String, _ lint: PluginLint?) -> String {
        var object: Value.Object = ["level": .string(level), "message": .string(message)]
        object[lint == nil ? "plugin" : "file"] = .string(subject)
        object["line"] = lint.flatMap { $0.line > 0 ? .int(Int64($0.line)) : nil }
        object["code"] = lint.map { .string($0.code.rawValue) }
        return Value.object(object).json
    }
}
