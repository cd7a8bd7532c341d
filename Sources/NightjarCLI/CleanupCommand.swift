import ArgumentParser
import Foundation
import Nightjar
import NightjarSignals

/// `nightjar cleanup`.
struct CleanupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cleanup",
        abstract: "Delete what was received long ago.",
        discussion: """
            A server does this by itself every hour, by the keys below `retention`. Traces go with their spans, logs, scores and \
            feedback; those that are under way stay. What metrics count for Prometheus stays as it is.

            Through a server, or on a database file that no server has open. A file of a version that could not give \
            pages back keeps its size, and what is free in it is written again; --compact writes it anew.
            """
    )

    @Argument(help: "traces, logs, metrics or scores (with feedback), or several. (default: all)")
    var signals: [String] = []

    @Option(help: "How long ago: 12h, 10d, ...")
    var olderThan: String

    @Option(help: "A database file that no server has open.")
    var db: String?

    @OptionGroup var options: ServerOptions

    @Flag(help: "Delete nothing, and tell how much there is.")
    var dryRun = false

    @Flag(
        help: "Write the database file anew afterwards, which takes as much room beside it; only with --db."
    )
    var compact = false

    @Flag(help: "Print JSON.")
    var json = false

    @Flag(help: "Show no progress.")
    var quiet = false

    func run() async throws {
        let request = try request()
        if let db {
            try await clean(request, file: db)
        } else {
            guard !compact else {
                complain("--compact is for --db: a server gives back what is free by itself")
                throw Outcome.usage
            }
            let server = try options.connection()
            let outcome = try await repeated {
                CleanupOutcome(json: try await server.post("api/cleanup", Array(request.json.json.utf8)))
            }
            tell(outcome, request)
        }
    }

    private func request() throws -> CleanupRequest {
        guard let age = Duration(written: olderThan) else {
            complain("--older-than \(olderThan) is no duration; write 12h or 10d")
            throw Outcome.usage
        }
        guard db == nil || options.server == nil else {
            complain("give one of --db and --server")
            throw Outcome.usage
        }
        do throws(EngineError) {
            return CleanupRequest(
                try CleanupRequest.signals(signals),
                before: SystemClock().now().advanced(by: .zero - age),
                isDryRun: dryRun
            )
        } catch {
            complain(error.detail)
            throw Outcome.usage
        }
    }

    private func clean(_ request: CleanupRequest, file: String) async throws {
        do {
            let database = try DatabaseCleanup(path: file)
            var outcome = try await repeated { try database.cleanup(request) }
            if compact, !dryRun { outcome.returned(try database.compact()) }
            try database.close()
            tell(outcome, request)
        } catch let error as EngineError {
            complain(error.detail)
            throw Outcome.environment
        } catch let error as ExitCode {
            throw error
        } catch {
            complain("\(file): \(error)")
            throw Outcome.environment
        }
    }

    /// Goes on until all is done.
    private func repeated(_ step: () async throws -> CleanupOutcome) async throws -> CleanupOutcome {
        let line = StatusLine(isQuiet: quiet)
        defer { line.clear() }
        var outcome = CleanupOutcome()
        repeat {
            outcome.add(try await step())
            line.show("deleted \(counts(outcome))")
        } while !outcome.isDone
        return outcome
    }

    private func tell(_ outcome: CleanupOutcome, _ request: CleanupRequest) {
        guard !json else {
            var object = outcome.json.object ?? [:]
            object["before"] = .string(request.before.description)
            object["dryRun"] = .bool(dryRun)
            return print(Value.object(object).json)
        }
        print("\(dryRun ? "would delete" : "deleted") \(counts(outcome)), received before \(request.before)")
        guard !dryRun else { return }
        print(
            "the file is \(size(outcome.returnedBytes)) smaller; \(size(outcome.freeBytes)) in it are free to be written again"
        )
    }

    private func counts(_ outcome: CleanupOutcome) -> String {
        CleanupOutcome.order.map { name in
            "\(outcome.deleted[name] ?? 0) \(name == "metrics" ? "metric windows" : name)"
        }.joined(separator: ", ")
    }

    private func size(_ bytes: Int) -> String {
        let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        guard let unit = units.first(where: { bytes >= $0.1 }) else { return "\(bytes) bytes" }
        return "\(Double(bytes * 10 / unit.1) / 10) \(unit.0)"
    }
}

/// What a command is doing, on one line of a terminal's standard error; elsewhere nothing.
final class StatusLine {
    private let isShown: Bool
    private var isThere = false

    init(isQuiet: Bool) { isShown = !isQuiet && isatty(2) == 1 }

    /// Shows a text instead of the one before.
    func show(_ text: String) {
        guard isShown else { return }
        isThere = true
        FileHandle.standardError.write(Data("\r\(text)\u{1B}[K".utf8))
    }

    /// Takes the line away.
    func clear() {
        guard isThere else { return }
        isThere = false
        FileHandle.standardError.write(Data("\r\u{1B}[K".utf8))
    }
}
