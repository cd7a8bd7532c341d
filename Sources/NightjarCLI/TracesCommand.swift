import ArgumentParser
import Foundation
import NightjarBus
import NightjarSignals

/// `nightjar traces`.
struct TracesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "traces",
        abstract: "Read the stored traces of a running server.",
        subcommands: [List.self, Get.self]
    )

    /// `nightjar traces list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Stored traces, the newest first.",
            discussion: "The filters are those of GET /api/traces; a trace is listed where all of them hold."
        )

        @OptionGroup var server: ServerOptions
        @OptionGroup var facts: FactOptions

        @Option(
            help: ArgumentHelp("Begun at this time or later, ISO 8601 or milliseconds.", valueName: "time")
        )
        var from: String?

        @Option(help: ArgumentHelp("Begun before this time.", valueName: "time"))
        var to: String?

        @Option(help: ArgumentHelp("With a tag.", valueName: "tag"))
        var tag: [String] = []

        @Option(help: ArgumentHelp("That took at least so long.", valueName: "ms"))
        var minDuration: String?

        @Option(help: ArgumentHelp("That took at most so long.", valueName: "ms"))
        var maxDuration: String?

        @Option(help: ArgumentHelp("With a score of --scorer of at least so much.", valueName: "n"))
        var minScore: String?

        @Option(help: ArgumentHelp("With a score of --scorer of at most so much.", valueName: "n"))
        var maxScore: String?

        @Option(help: ArgumentHelp("With feedback of a type.", valueName: "type"))
        var feedback: [String] = []

        @Option(help: ArgumentHelp("With a text in names, inputs or outputs.", valueName: "text"))
        var q: String?

        @Option(help: ArgumentHelp("start, or received. (default: start)", valueName: "order"))
        var sort: String?

        @Option(help: ArgumentHelp("At most so many traces.", valueName: "n"))
        var limit = 50

        @Flag(help: "Print the server's answer, JSON.")
        var json = false

        /// The most that a server gives at once.
        private static let pageTraces = 500

        private var query: [URLQueryItem] {
            let own: [(String, [String?])] = [
                ("from", [from]), ("to", [to]), ("tag", tag), ("minDuration", [minDuration]),
                ("maxDuration", [maxDuration]), ("minScore", [minScore]), ("maxScore", [maxScore]),
                ("feedback", feedback), ("q", [q]), ("sort", [sort]),
            ]
            let items = own.flatMap { key, values in
                values.compactMap { value in value.map { URLQueryItem(name: key, value: $0) } }
            }
            return facts.query + items
        }

        func run() async throws {
            guard limit >= 1 else {
                complain("--limit is a whole number from 1 on")
                throw Outcome.usage
            }
            let connection = try server.connection()
            var traces: [Value] = []
            var answer: Value.Object = [:]
            var cursor: String?
            repeat {
                var page = query
                let room = min(limit - traces.count, Self.pageTraces)
                page.append(URLQueryItem(name: "limit", value: "\(room)"))
                if let cursor { page.append(URLQueryItem(name: "cursor", value: cursor)) }
                answer = try await connection.get("api/traces", page).object ?? [:]
                traces += answer["traces"]?.array ?? []
                cursor = answer["nextCursor"]?.string
            } while cursor != nil && traces.count < limit
            answer["traces"] = .array(traces)
            if json { return print(Value.object(answer).json) }
            print(TraceText.list(traces, hasMore: cursor != nil), terminator: "")
        }
    }

    /// `nightjar traces get`.
    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "get",
            abstract: "One stored trace: its spans as a tree, with scores, feedback and logs."
        )

        @Argument(help: "The trace.")
        var trace: String

        @OptionGroup var server: ServerOptions

        @Flag(help: "Print the server's answer, JSON, spans in a list.")
        var json = false

        @Flag(help: "Show the spans as a tree, also in JSON. (default without --json)")
        var tree = false

        func run() async throws {
            guard let id = TraceID(trace) else {
                complain("\(trace) is no trace id; it has 1 to 32 hex digits")
                throw Outcome.usage
            }
            let connection = try server.connection()
            let format = json && tree ? [URLQueryItem(name: "format", value: "tree")] : []
            let answer = try await connection.get("api/traces/\(id)", format)
            if json { return print(answer.json) }
            do throws(InputErrors) {
                print(TraceText.tree(try RecordedTrace(json: answer)), terminator: "")
            } catch {
                complain(
                    "the answer of \(connection.url.absoluteString) cannot be read: "
                        + "\(error.errors.first.map { "\($0)" } ?? "no trace")"
                )
                throw Outcome.environment
            }
        }
    }
}
