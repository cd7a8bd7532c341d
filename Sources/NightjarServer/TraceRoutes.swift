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
            try await one(context.parameters.require("id"), format: request.uri.queryParameters["format"])
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
        let query = try TraceQuery(request.uri.queryParameters)
        let page = try await engine.reads.run { try store.traces(query) }
        var object: Value.Object = ["traces": .array(page.traces.map(\.json))]
        if let next = page.next { object["nextCursor"] = .string(next.description) }
        return .json(.object(object))
    }

    private func one(_ text: String, format: Substring?) async throws -> Response {
        let id = try TraceID(parameter: text)
        guard engine.store != nil else { throw Problem.nothingStored }
        if format == "protobuf" {
            guard let payload = try await engine.reads.run({ [engine] in try engine.otlp(of: id) }) else {
                throw Problem(.notFound, "no trace \(id) is stored")
            }
            return .bytes(payload, type: "application/x-protobuf")
        }
        guard let trace = try await engine.trace(id) else {
            throw Problem(.notFound, "no trace \(id) is stored")
        }
        switch format {
        case nil, "flat": return .json(trace.json)
        case "tree": return .json(trace.tree)
        default: throw Problem(.badRequest, "format \(format ?? "") is not known; use flat, tree or protobuf")
        }
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
    init(parameter text: String) throws {
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
