import ArgumentParser
import Foundation
import NightjarSignals

extension PluginsCommand {
    /// `nightjar plugins logs`.
    struct Logs: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "logs",
            abstract: "The last errors of a plugin, the oldest first.",
            discussion: """
                The server keeps the last 20 different errors of each plugin, equal ones as one with their number. With \
                --follow, errors are printed as they come, until the command is interrupted.
                """
        )

        @Argument(help: "The plugin.")
        var name: String

        @OptionGroup var server: ServerOptions

        @Flag(name: .shortAndLong, help: "Go on with new errors as they come.")
        var follow = false

        @Flag(help: "Print each error as a line of JSON.")
        var json = false

        /// So often is the server asked for news.
        private static let pause = Duration.seconds(1)

        func run() async throws {
            try checkPluginName(name)
            let connection = try server.connection()
            var log = ErrorLog()
            var isFirst = true
            while true {
                let answer = try await connection.get("api/plugins")
                let plugin = answer["plugins"]?.array?.first { $0["name"]?.string == name }
                // Where it is followed, its file may be gone for a while.
                guard plugin != nil || !isFirst else {
                    complain("there is no plugin '\(name)'")
                    throw Outcome.failed
                }
                for error in log.news(plugin) { show(json ? error.json + "\n" : ErrorLog.text(error)) }
                guard follow else { break }
                isFirst = false
                // The server is asked again and again; an interrupt ends the process.
                try await Task.sleep(for: Self.pause)
            }
        }
    }
}

/// Which errors of a plugin have been printed.
struct ErrorLog {
    private struct Key: Hashable {
        let rule: String
        let message: String
    }

    private var seen: [Key: String] = [:]

    /// What is new since the last call, the oldest first: errors that were not there, and those that came again.
    mutating func news(_ plugin: Value?) -> [Value] {
        var now: [Key: String] = [:]
        var news: [Value] = []
        for error in loadError(plugin) + (plugin?["errors"]?.array ?? []) {
            let key = Key(rule: error.text("rule"), message: error.text("message"))
            now[key] = error.text("count") + error.text("lastSeen")
            if now[key] != seen[key] { news.append(error) }
        }
        // Only what the server still keeps: it is bounded there.
        if plugin != nil { seen = now }
        return news
    }

    /// That the newest file does not load is an error too.
    private func loadError(_ plugin: Value?) -> [Value] {
        guard let plugin, let fault = plugin["loadError"] else { return [] }
        return [
            [
                "rule": "load", "message": fault, "lastSeen": plugin["lastLoad"] ?? "", "count": 1,
                "isLimit": false,
            ]
        ]
    }

    /// An error for people, with its traceback indented below.
    static func text(_ error: Value) -> String {
        let count = error["count"]?.number ?? 1
        var line = "\(error.text("lastSeen"))  \(error.text("rule"))  \(error.text("message"))"
        if count > 1 { line += " (\(error.text("count")) times)" }
        if let trace = error["traceId"]?.string { line += "  trace \(trace)" }
        let traceback = (error["traceback"]?.string ?? "").split(separator: "\n").map {
            "    " + TextTable.clean(String($0)).trimmingCharacters(in: .whitespaces) + "\n"
        }
        return TextTable.clean(line) + "\n" + traceback.joined()
    }
}

/// Writes to standard output at once, also where that is a pipe.
func show(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }
