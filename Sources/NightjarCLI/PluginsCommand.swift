import ArgumentParser
import Foundation
import NightjarPlugins
import NightjarSignals

/// `nightjar plugins`.
struct PluginsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plugins",
        abstract: "Ask a running server about its plugins, and control them.",
        subcommands: [
            List.self, Reload.self, Disable.self, Enable.self, RollBack.self, Logs.self,
        ]
    )

    /// `nightjar plugins list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Every plugin with its state, its calls and errors, and what it costs."
        )

        @OptionGroup var server: ServerOptions

        @Flag(help: "Print the server's answer, JSON.")
        var json = false

        func run() async throws {
            let answer = try await server.connection().get("api/plugins")
            print(json ? answer.json + "\n" : PluginReport(answer).list, terminator: "")
        }
    }

    /// `nightjar plugins reload`.
    struct Reload: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "reload",
            abstract: "Load a plugin once more, whether or not its file changed."
        )

        @OptionGroup var control: PluginControl

        func run() async throws { try await control.perform("reload") }
    }

    /// `nightjar plugins disable`.
    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "disable",
            abstract: "Switch a plugin off, also after a restart."
        )

        @OptionGroup var control: PluginControl

        func run() async throws { try await control.perform("disable") }
    }

    /// `nightjar plugins enable`.
    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "enable",
            abstract: "Switch a plugin on again."
        )

        @OptionGroup var control: PluginControl

        func run() async throws { try await control.perform("enable") }
    }

    /// `nightjar plugins rollback`.
    struct RollBack: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rollback",
            abstract: "Go back to the content before the running one, until the file changes."
        )

        @OptionGroup var control: PluginControl

        func run() async throws { try await control.perform("rollback") }
    }
}

/// Which plugin is to be controlled.
struct PluginControl: ParsableArguments {
    @Argument(help: "The plugin.")
    var name: String

    @OptionGroup var server: ServerOptions

    @Flag(help: "Print the server's answer, JSON.")
    var json = false

    /// Tells the server to do something with the plugin, and says how it is then.
    /// - Throws: As ``ServerConnection/post(_:_:)``.
    func perform(_ action: String) async throws {
        try checkPluginName(name)
        let answer = try await server.connection().post("api/plugins/\(name)/\(action)")
        if json { return print(answer.json) }
        print(PluginReport(["plugins": [answer]]).summary, terminator: "")
    }
}

/// Refuses what no plugin can be called: it would be another path of the server.
/// - Throws: ``Outcome/usage`` after a line that says so.
func checkPluginName(_ name: String) throws {
    guard PluginSource.isName(name) else {
        complain("'\(name)' is no name of a plugin")
        throw Outcome.usage
    }
}

/// What `GET /api/plugins` says, for people.
struct PluginReport {
    private let plugins: [Value]

    /// The report of an answer; what it does not have is empty.
    init(_ answer: Value) { plugins = answer["plugins"]?.array ?? [] }

    /// Every plugin, then the mistakes of those whose newest file does not load.
    var list: String {
        guard !plugins.isEmpty else { return "no plugins\n" }
        let rows = plugins.map { plugin -> [String] in
            let errors = (plugin["rules"]?.array ?? []).reduce(0) { $0 + ($1["errors"]?.number ?? 0) }
            return [
                plugin.text("name"), state(plugin), plugin.text("version"), plugin.text("generation"),
                "\(plugin["rules"]?.array?.count ?? 0)", plugin.text("matches"), plugin.text("calls"),
                Value.int(Int64(errors)).json, Figure.share(plugin["share"]),
                Figure.bytes(plugin["memoryBytes"]), plugin.text("since"),
            ]
        }
        return "\(plugins.count) \(plugins.count == 1 ? "plugin" : "plugins")\n"
            + TextTable.text(
                [
                    "PLUGIN", "STATE", "VERSION", "GEN", "RULES", "MATCHES", "CALLS", "ERRORS", "CPU",
                    "MEMORY",
                    "SINCE",
                ],
                rows
            ) + faults
    }

    /// A line for each plugin: how it is now.
    var summary: String {
        plugins.map { plugin in
            "\(plugin.text("name")): \(state(plugin)), generation \(plugin.text("generation"))"
                + (plugin["hash"]?.string.map { ", content \($0.prefix(12))" } ?? "") + "\n"
        }.joined() + faults
    }

    private func state(_ plugin: Value) -> String {
        plugin.text("state") + (plugin["pinned"] == true ? ", pinned" : "")
    }

    private var faults: String {
        TextTable.text(
            ["PLUGIN", "DOES NOT LOAD"],
            plugins.compactMap { plugin in
                plugin["loadError"]?.string.map { [plugin.text("name"), $0] }
            }
        )
    }
}

extension Value {
    /// The text or number of a key as a cell of a table; a dash where it has none.
    func text(_ key: String) -> String {
        guard let value = self[key] else { return "-" }
        return value.string ?? value.json
    }
}

/// Figures for people.
enum Figure {
    /// A share of one core as a percentage; a dash where none is known.
    static func share(_ value: Value?) -> String {
        value?.number.map { String(format: "%.2f %%", $0 * 100) } ?? "-"
    }

    /// Microseconds with one digit behind the point; a dash where none are known.
    static func microseconds(_ value: Value?) -> String {
        value?.number.map { String(format: "%.1f µs", $0) } ?? "-"
    }

    /// Bytes in the largest unit that leaves a digit before the point.
    static func bytes(_ value: Value?) -> String {
        guard var number = value?.number else { return "-" }
        var unit = 0
        let units = ["B", "KiB", "MiB", "GiB"]
        while number >= 1024, unit < units.count - 1 {
            number /= 1024
            unit += 1
        }
        return String(format: unit == 0 ? "%.0f %@" : "%.1f %@", number, units[unit])
    }
}
