import ArgumentParser
import Foundation
import Nightjar
import NightjarServer
import NightjarSignals

/// `nightjar export`.
struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write what is stored as JSON lines.",
        discussion: """
            Each line is an event as POST /api/events takes it and nightjar run reads it: spans as they came, with their traces' \
            logs, scores and feedback; without a filter beside --from and --to also what belongs to no stored trace. It can be \
            taken back without a loss by nightjar import. The order depends only on what is written.
            """
    )

    @Option(help: "Only this trace; may be given several times.")
    var trace: [String] = []

    @Option(
        help: "Only traces that began, and signals without a trace from, not before this instant (ISO 8601)."
    )
    var from: String?

    @Option(help: "The same, before this instant.")
    var to: String?

    @Option(help: "Only traces of this status: running, ok, error.")
    var status: String?

    @Option(help: "Only traces whose root has this name.")
    var name: String?

    @Option(help: "Only traces whose root has this type.")
    var type: String?

    @Option(help: "Only traces of this service.")
    var service: String?

    @Option(help: "Only traces of this environment.")
    var environment: String?

    @Option(help: "Only traces of this agent.")
    var agent: String?

    @Option(help: "Only traces of this workflow.")
    var workflow: String?

    @Option(help: "Only traces of this user.")
    var user: String?

    @Option(help: "Only traces of this session.")
    var session: String?

    @Option(name: .shortAndLong, help: "The file to write; - is standard output. (default: -)")
    var output = "-"

    @Flag(help: "Compress with gzip.")
    var gzip = false

    @Option(help: "A database file; a server may have it open.")
    var db: String?

    @OptionGroup var options: ServerOptions

    @Flag(help: "Show no progress.")
    var quiet = false

    func run() async throws {
        guard db == nil || options.server == nil else {
            complain("give one of --db and --server")
            throw Outcome.usage
        }
        let selection = try selection()
        let target = try OutputLines(output, gzip: gzip)
        let line = StatusLine(isQuiet: quiet || output == "-")
        defer { line.clear() }
        if let db {
            try write(db, selection, to: target) { line.show("\($0) traces") }
        } else {
            let items = filters.map { URLQueryItem(name: $0.key, value: $0.value) }
            let request = try options.connection().request("api/export", items)
            try await Download.run(request) { piece in
                try target.write(piece)
                line.show("\(target.lines) lines")
            }
        }
        try target.finish()
        line.clear()
        if output != "-", !quiet { print("wrote \(target.lines) lines to \(output)") }
    }

    private var filters: [(key: String, value: String)] {
        let given = [
            ("from", from), ("to", to), ("status", status), ("name", name), ("type", type),
            ("service", service),
            ("environment", environment), ("agent", agent), ("workflow", workflow), ("user", user),
            ("session", session),
        ]
        return trace.map { ("trace", $0) } + given.compactMap { key, value in value.map { (key, $0) } }
    }

    private func selection() throws -> ExportSelection {
        do throws(EngineError) {
            return try ExportSelection(filters: filters)
        } catch {
            complain(error.detail)
            throw Outcome.usage
        }
    }

    private func write(
        _ file: String,
        _ selection: ExportSelection,
        to target: OutputLines,
        progress: (Int) -> Void
    ) throws {
        do {
            let export = try TraceExport(database: file, selection)
            while let lines = try export.next() {
                try target.write(lines)
                progress(export.traces)
            }
        } catch let error as ExitCode {
            throw error
        } catch let error as EngineError {
            complain(error.detail)
            throw Outcome.environment
        } catch {
            complain("\(file): \(error)")
            throw Outcome.environment
        }
    }
}

/// Where lines are written: a file that is only there once it is whole, or standard output.
final class OutputLines: @unchecked Sendable {
    // Unchecked: one after the other writes, and who reads does so after the last.

    /// So much is compressed at once.
    private static let memberBytes = 1 << 20
    private let path: String?
    private let file: FileHandle
    private let isCompressed: Bool
    private var waiting: [UInt8] = []
    /// How many lines were written.
    private(set) var lines = 0

    private static func part(_ path: String) -> String { path + ".part" }

    /// - Throws: ``Outcome/environment`` after a line that says why it cannot be written.
    init(_ name: String, gzip: Bool) throws {
        isCompressed = gzip
        guard name != "-" else {
            (path, file) = (nil, .standardOutput)
            return
        }
        path = name
        guard FileManager.default.createFile(atPath: Self.part(name), contents: nil),
            let handle = FileHandle(forWritingAtPath: Self.part(name))
        else {
            complain("\(name) cannot be written; is its folder there?")
            throw Outcome.environment
        }
        file = handle
    }

    func write(_ bytes: [UInt8]) throws {
        lines += bytes.count { $0 == UInt8(ascii: "\n") }
        guard isCompressed else { return try put(bytes) }
        waiting += bytes
        if waiting.count >= Self.memberBytes { try compress() }
    }

    /// Ends the file.
    func finish() throws {
        // Nothing at all is no gzip.
        if isCompressed, !waiting.isEmpty || lines == 0 { try compress() }
        guard let path else { return }
        do {
            try file.close()
            if FileManager.default.fileExists(atPath: path) {
                try FileManager.default.removeItem(atPath: path)
            }
            try FileManager.default.moveItem(atPath: Self.part(path), toPath: path)
        } catch {
            complain("\(path) cannot be written: \(error.localizedDescription)")
            throw Outcome.environment
        }
    }

    private func compress() throws {
        let member: [UInt8]
        do throws(EngineError) {
            member = try GzipLines.member(waiting)
        } catch {
            complain(error.detail)
            throw Outcome.environment
        }
        waiting = []
        try put(member)
    }

    private func put(_ bytes: [UInt8]) throws {
        do {
            try file.write(contentsOf: Data(bytes))
        } catch {
            complain("\(path ?? "standard output") cannot be written: \(error.localizedDescription)")
            throw Outcome.environment
        }
    }
}
