import ArgumentParser
import Foundation
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
        subcommands: [
            ServeCommand.self, RunCommand.self, ScoreCommand.self, CheckCommand.self, TestCommand.self,
            NewCommand.self, TypesCommand.self, PluginsCommand.self, TopCommand.self, ExplainCommand.self,
            TailCommand.self, TracesCommand.self, ScoresCommand.self, FeedbackCommand.self,
            MetricsCommand.self, CleanupCommand.self, ExportCommand.self, ImportCommand.self,
            VersionCommand.self,
        ]
    )

    /// Runs the command; wrong usage ends with 2, which the argument parser itself would end with 64.
    static func main() async {
        do {
            var command = try parseAsRoot()
            if var waiting = command as? any AsyncParsableCommand {
                try await waiting.run()
            } else {
                try command.run()
            }
        } catch {
            guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
            FileHandle.standardError.write(Data((fullMessage(for: error) + "\n").utf8))
            exit(withError: Outcome.usage)
        }
    }
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
