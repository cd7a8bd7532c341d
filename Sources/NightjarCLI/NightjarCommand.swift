import ArgumentParser
import Nightjar

/// The command line of Nightjar.
@main
struct NightjarCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nightjar",
        abstract: "A programmable observability engine for AI agents.",
        discussion: """
            Point an OpenTelemetry SDK at the server (http://localhost:4318), drop Lua files into the plugins folder, \
            and read metrics, traces and scores.
            """,
        version: NightjarVersion.text,
        subcommands: [ServeCommand.self, RunCommand.self, CheckCommand.self, VersionCommand.self]
    )
}

/// `nightjar version`.
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

    @Flag(help: "Print it as JSON.")
    var json = false

    func run() {
        print(json ? "{\"version\":\"\(NightjarVersion.text)\"}" : "nightjar \(NightjarVersion.text)")
    }
}
