import ArgumentParser
import Foundation
import Logging
import Nightjar
import NightjarSignals

/// `nightjar import`.
struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Take in what nightjar export wrote.",
        discussion: """
            The files hold one event a line, gzip or not: an export, or what the JSON exporter writes. What is there just so \
            already is passed over, so that a file may be imported again. Metrics, ends of traces and losses are passed over too: \
            they come about anew. Retention counts from the import.

            At a line that cannot be read it stops; what stands before it is taken. Mend the line and import the file again.
            """
    )

    @Argument(help: "Files; - is standard input.")
    var files: [String]

    @Option(help: "A database file that no server has open; made if it is not there.")
    var db: String?

    @OptionGroup var options: ServerOptions

    @Flag(help: "Print JSON.")
    var json = false

    @Flag(help: "Show no progress.")
    var quiet = false

    func run() async throws {
        guard db == nil || options.server == nil else {
            complain("give one of --db and --server")
            throw Outcome.usage
        }
        let target = try await target()
        var outcome = ImportOutcome()
        let line = StatusLine(isQuiet: quiet)
        defer { line.clear() }
        var failure: (any Error)?
        do {
            for file in files { try await read(file, into: target, &outcome, line) }
        } catch {
            failure = error
        }
        // What was taken is finished, whatever came behind it.
        try await target.close()
        line.clear()
        tell(outcome)
        if let failure { throw failure }
    }

    private func target() async throws -> ImportTarget {
        guard let db else { return .server(try options.connection()) }
        var logger = Logger(label: "nightjar", factory: StreamLogHandler.standardError(label:))
        logger.logLevel = .warning
        do {
            return .database(try await DatabaseImport(path: db, logger: logger))
        } catch {
            complain((error as? EngineError)?.detail ?? "\(db): \(error)")
            throw Outcome.environment
        }
    }

    private func read(
        _ file: String,
        into target: ImportTarget,
        _ outcome: inout ImportOutcome,
        _ line: StatusLine
    ) async throws {
        var batch = ImportBatch(file: file)
        let source: LineSource
        do throws(EngineError) {
            source = try LineSource(path: file)
        } catch {
            complain(error.detail)
            throw Outcome.environment
        }
        while true {
            let fault: String
            do throws(EngineError) {
                guard let bytes = try source.next() else { break }
                if batch.isFull(before: bytes) {
                    outcome.add(try await sent(&batch, to: target))
                    line.show("\(file): \(source.number) lines, \(source.bytesRead >> 20) MiB")
                }
                do throws(EngineError) {
                    batch.add(try TransferLine(bytes, now: SystemClock().now()), bytes, source.number)
                    continue
                } catch {
                    fault = "\(source.name):\(source.number): \(error.detail)"
                }
            } catch {
                fault = error.detail
            }
            outcome.add(try await finished(&batch, to: target))
            line.clear()
            complain(fault)
            throw Outcome.failed
        }
        outcome.add(try await finished(&batch, to: target))
    }

    private func sent(_ batch: inout ImportBatch, to target: ImportTarget) async throws(EngineError)
        -> ImportOutcome
    {
        defer { batch.clear() }
        do {
            return try await target.take(batch)
        } catch let error as EngineError {
            throw EngineError(code: error.code, detail: "\(batch.place): \(error.detail)")
        } catch {
            throw EngineError(code: .unavailable, detail: "\(batch.place): nothing of these lines was taken")
        }
    }

    private func finished(_ batch: inout ImportBatch, to target: ImportTarget) async throws -> ImportOutcome {
        do throws(EngineError) {
            return batch.isEmpty ? ImportOutcome() : try await sent(&batch, to: target)
        } catch {
            complain(error.detail)
            throw Outcome.failed
        }
    }

    private func tell(_ outcome: ImportOutcome) {
        guard !json else { return print(outcome.json.json) }
        let counts = ImportOutcome.order.map { "\(outcome.taken[$0] ?? 0) \($0)" }.joined(separator: ", ")
        print("took \(counts); \(outcome.known) were there already")
        if outcome.refused > 0 {
            print("refused \(outcome.refused): too old, too large, or of a trace that is sampled out here")
        }
        if outcome.passedOver > 0 {
            print(
                "passed over \(outcome.passedOver) metrics, ends of traces and losses: they come about anew"
            )
        }
    }
}

/// Where lines go.
private enum ImportTarget {
    case database(DatabaseImport)
    case server(ServerConnection)

    func take(_ batch: ImportBatch) async throws -> ImportOutcome {
        switch self {
        case .database(let database): try await database.add(batch.lines)
        case .server(let server):
            ImportOutcome(
                json: try await server.post("api/import", batch.bytes, type: "application/x-ndjson")
            )
        }
    }

    func close() async throws {
        guard case .database(let database) = self else { return }
        do throws(EngineError) {
            try await database.close()
        } catch {
            complain(error.detail)
            throw Outcome.environment
        }
    }
}

/// Lines that are taken together.
private struct ImportBatch {
    private static let largestCount = 2000
    private static let largestBytes = 4 << 20

    let file: String
    private(set) var lines: [TransferLine] = []
    private(set) var bytes: [UInt8] = []
    private var last: [UInt8] = []
    private var numbers = (first: 0, last: 0)

    var isEmpty: Bool { lines.isEmpty }

    /// Which lines they are.
    var place: String { "\(file): lines \(numbers.first) to \(numbers.last)" }

    init(file: String) { self.file = file }

    /// Whether the next line begins another batch. Equal lines stay together: only so it is known how many of them there are.
    func isFull(before next: [UInt8]) -> Bool {
        guard !isEmpty, next != last else { return false }
        return lines.count >= Self.largestCount || bytes.count + next.count > Self.largestBytes
    }

    mutating func add(_ line: TransferLine, _ text: [UInt8], _ number: Int) {
        if isEmpty { numbers.first = number }
        numbers.last = number
        lines.append(line)
        bytes += text
        bytes.append(UInt8(ascii: "\n"))
        last = text
    }

    mutating func clear() { self = ImportBatch(file: file) }
}
