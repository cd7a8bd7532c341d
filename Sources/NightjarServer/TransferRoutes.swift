import HTTPTypes
import Hummingbird
import NIOCore
package import Nightjar
import NightjarSignals
import NightjarStore

/// `GET /api/export` and `POST /api/import`: everything that is stored as lines, and back.
struct TransferRoutes {
    /// More in one request are refused.
    private static let lineLimit = 10_000
    /// Lines are sent in pieces of about this size.
    private static let pieceBytes = 256 << 10

    let engine: Engine
    let bodyBytes: Int

    func add(to router: APIRouter) {
        router.get("/api/export", .export) { request, _ in try export(request) }
        router.post("/api/import", .take) { request, _ in try await take(request) }
    }

    private func take(_ request: Request) async throws -> Response {
        let body = try await request.wholeBody(upTo: bodyBytes)
        let lines = try withExtendedLifetime(body) { try parsed(Array(body.bytes)) }
        let outcome: ImportOutcome
        do throws(EngineError) {
            outcome = try await engine.ingest(lines)
        } catch {
            throw Problem(error)
        }
        return .json(outcome.json)
    }

    /// `trace`, which may be given several times, or the filters of `GET /api/traces`. An answer that cannot be finished is cut off.
    private func export(_ request: Request) throws -> Response {
        guard let store = engine.store else { throw Problem.nothingStored }
        let selection = try ExportSelection(query: request.uri.query)
        let piece = ExportPieces(TraceExport(store, selection))
        let reads = engine.reads
        return Response(
            status: .ok,
            headers: [.contentType: "application/x-ndjson"],
            body: ResponseBody { writer in
                while let bytes = try await reads.run({ try piece.next(Self.pieceBytes) }) {
                    try await writer.write(ByteBuffer(bytes: bytes))
                }
                try await writer.finish(nil)
            }
        )
    }

    /// - Throws: ``Problem`` with every fault of every line.
    private func parsed(_ bytes: [UInt8]) throws -> [TransferLine] {
        var lines: [TransferLine] = []
        var faults: [InputError] = []
        let now = engine.now
        for (place, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .enumerated() where line.contains(where: { $0 > 0x20 })
        {
            do throws(EngineError) {
                lines.append(try TransferLine(Array(line), now: now))
            } catch {
                faults.append(InputError(path: "line \(place + 1)", message: error.detail))
            }
        }
        guard faults.isEmpty else { throw Problem(InputErrors(faults)) }
        guard lines.count <= Self.lineLimit else {
            throw Problem(
                .contentTooLarge,
                "\(lines.count) lines, at most \(Self.lineLimit) fit; send several requests"
            )
        }
        return lines
    }
}

extension ExportSelection {
    /// What chooses: `trace`, which may stand several times, and the filters of `GET /api/traces` without those of a page.
    private static let filters =
        ["trace"] + TraceQuery.parameters.filter { !["q", "sort", "limit", "cursor"].contains($0) }

    /// Reads the filters of an address.
    /// - Throws: ``Problem`` 400 that names what is not known or not valid.
    init(query: String?) throws(Problem) {
        try self.init(QueryParameters(query, known: Self.filters, lists: ["trace", "tag"]))
    }

    /// Reads filters.
    /// - Throws: ``EngineError`` `malformed` that names what is not known or not valid.
    package init(filters: [(key: String, value: String)]) throws(EngineError) {
        do throws(Problem) {
            let pairs = filters.map { (name: $0.key, value: $0.value) }
            try self.init(QueryParameters(pairs, known: Self.filters, lists: ["trace", "tag"]))
        } catch {
            throw EngineError(code: .malformed, detail: error.detail)
        }
    }

    private init(_ parameters: QueryParameters) throws(Problem) {
        self.init()
        for text in parameters.texts("trace") { traces.append(try TraceID(parameter: text)) }
        query = try TraceQuery(parameters)
    }
}

/// An export, a piece at a time.
private final class ExportPieces: @unchecked Sendable {
    // Unchecked: the next piece is only asked for once the one before was given.
    private let export: TraceExport

    init(_ export: TraceExport) { self.export = export }

    /// At least so many bytes unless it is the end; nil there.
    func next(_ least: Int) throws -> [UInt8]? {
        var piece: [UInt8] = []
        while piece.count < least, let lines = try export.next() { piece += lines }
        return piece.isEmpty ? nil : piece
    }
}
