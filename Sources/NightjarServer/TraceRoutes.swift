import HTTPTypes
import Hummingbird
import Nightjar
import NightjarBus
import NightjarOTLP
import NightjarSignals
import NightjarStore

/// Reading traces back, and deleting them.
struct TraceRoutes {
    let engine: Engine

    func add(to router: APIRouter) {
        router.get("/api/traces", .listTraces) { request, _ in try await list(request) }
        router.get("/api/traces/{id}", .getTrace) { request, context in
            try await one(context.parameters.require("id"), query: request.uri.query)
        }
        router.get("/api/traces/{id}/rules", .explainTrace) { _, context in
            try await rules(context.parameters.require("id"))
        }
        router.delete("/api/traces/{id}", .delete("Trace")) { _, context in
            let id = try TraceID(parameter: context.parameters.require("id"))
            return try await engine.deleted { [engine] _ in try engine.deleteTrace(id) }
        }
    }

    private func list(_ request: Request) async throws -> Response {
        guard let store = engine.store else { throw Problem.nothingStored }
        let parameters = try QueryParameters(
            request.uri.query,
            known: TraceQuery.parameters,
            lists: ["tag"]
        )
        let query = try TraceQuery(parameters)
        let page =
            if let text = parameters.text("q") {
                try await engine.traces(query, holding: text)
            } else {
                try await engine.reads.run { try store.traces(query) }
            }
        var object: Value.Object = ["traces": .array((page?.traces ?? []).map(\.json))]
        object.setPage(next: page?.next, scannedUntil: page?.scannedUntil)
        return .json(.object(object))
    }

    private func one(_ text: String, query: String?) async throws -> Response {
        let id = try TraceID(parameter: text)
        guard engine.store != nil else { throw Problem.nothingStored }
        let parameters = try QueryParameters(query, known: ["format"])
        let format =
            try parameters.choice(
                "format",
                [
                    "flat": TraceFormat.flat, "tree": .tree, "otlp": .otlp, "protobuf": .protobuf,
                ]
            ) ?? .flat
        switch format {
        case .flat, .tree:
            guard let trace = try await engine.trace(id) else {
                throw Problem(.notFound, "no trace \(id) is stored")
            }
            return .json(format == .tree ? trace.tree : trace.json)
        case .otlp: return .json(try OTLPJSON.traces(try await payload(of: id)))
        case .protobuf: return .bytes(try await payload(of: id), type: "application/x-protobuf")
        }
    }

    private func payload(of id: TraceID) async throws -> [UInt8] {
        guard let payload = try await engine.reads.run({ [engine] in try engine.otlp(of: id) }) else {
            throw Problem(.notFound, "no trace \(id) is stored")
        }
        return payload
    }
}

/// How one trace is given.
private enum TraceFormat {
    /// Spans in a list.
    case flat
    /// Spans nested.
    case tree
    /// OTLP's JSON.
    case otlp
    /// OTLP's protobuf, as it is stored.
    case protobuf
}

extension Value.Object {
    /// Says where the next page begins, and how far a search got that did not fill its own.
    mutating func setPage(next: (some CustomStringConvertible)?, scannedUntil: Timestamp?) {
        self["nextCursor"] = next.map { .string($0.description) }
        self["scannedUntil"] = scannedUntil.map { .string($0.description) }
    }
}

extension TraceRoutes {
    /// What every plugin rule did for a trace, or why it did nothing.
    private func rules(_ text: String) async throws -> Response {
        let id = try TraceID(parameter: text)
        guard let rules = try await engine.reads.run({ [engine] in try engine.explanations(of: id) }) else {
            throw engine.store == nil ? Problem.nothingStored : Problem(.notFound, "no trace \(id) is stored")
        }
        return .json(["traceId": .string(id.description), "rules": .array(rules.map(\.json))])
    }
}

extension Problem {
    static let nothingStored = Problem(.notFound, "nothing is stored: the server runs with --db none")
}

extension TraceID {
    /// The id in a path.
    /// - Throws: ``Problem`` 400 where it is none.
    init(parameter text: String) throws(Problem) {
        guard let id = TraceID(text) else {
            throw Problem(.badRequest, "\(text) is no trace id; it has 1 to 32 hex digits")
        }
        self = id
    }
}

extension SpanID {
    /// The id in a path.
    /// - Throws: ``Problem`` 400 where it is none.
    init(parameter text: String) throws {
        guard let id = SpanID(text) else {
            throw Problem(.badRequest, "\(text) is no span id; it has 1 to 16 hex digits")
        }
        self = id
    }
}

extension Engine {
    /// Deletes something: 204 whether or not it was there.
    func deleted(_ delete: @escaping @Sendable (SQLiteStore) throws -> Bool) async throws -> Response {
        guard let store else { throw Problem.nothingStored }
        _ = try await reads.run { try delete(store) }
        return Response(status: .noContent)
    }
}
