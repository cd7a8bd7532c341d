import Foundation
import HTTPTypes
import Hummingbird
import Nightjar
import NightjarSignals
import NightjarStore

/// Sessions: the traces that belong together, with what they come to.
struct SessionRoutes {
    let engine: Engine

    func add(to router: APIRouter) {
        router.get("/api/sessions", .listSessions) { request, _ in try await list(request) }
        router.get("/api/sessions/{id}", .getSession) { request, context in
            try await one(request, context.parameters.decoded("id"))
        }
    }

    private func list(_ request: Request) async throws -> Response {
        guard let store = engine.store else { throw Problem.nothingStored }
        let parameters = try QueryParameters(
            request.uri.query,
            known: ["from", "to", "user", "environment", "service", "limit", "cursor"]
        )
        var query = SessionQuery()
        query.from = try parameters.instant("from")
        query.to = try parameters.instant("to")
        query.user = parameters.text("user")
        query.environment = parameters.text("environment")
        query.service = parameters.text("service")
        query.limit = try parameters.whole("limit", 1...TraceQuery.largestLimit) ?? query.limit
        query.cursor = try parameters.cursor(SessionCursor.self)
        let page = try await engine.reads.run { [query] in try store.sessions(query) }
        var object: Value.Object = ["sessions": .array(page.sessions.map { .object($0.json) })]
        object.setPage(next: page.next, scannedUntil: page.scannedUntil)
        return .json(.object(object))
    }

    private func one(_ request: Request, _ id: String) async throws -> Response {
        guard let store = engine.store else { throw Problem.nothingStored }
        let parameters = try QueryParameters(request.uri.query, known: ["limit", "cursor"])
        let limit = try parameters.whole("limit", 1...TraceQuery.largestLimit) ?? 50
        let cursor = try parameters.cursor(PageCursor.self)
        let session = try await engine.reads.run { try store.session(id, after: cursor, limit: limit) }
        guard let session else { throw Problem(.notFound, "no session \(id) is stored") }
        var object = session.record.json
        object["traces"] = .array(session.traces.map(\.json))
        object["scores"] = .array(session.scores.map(\.json))
        object["feedback"] = .array(session.feedback.map(\.json))
        object.setPage(next: session.next, scannedUntil: nil)
        return .json(.object(object))
    }
}

extension SessionRecord {
    /// The session with its sums.
    fileprivate var json: Value.Object {
        var object: Value.Object = [
            "sessionId": .string(id), "traceCount": .int(Int64(traces)), "spanCount": .int(Int64(spans)),
            "errorCount": .int(Int64(errors)), "runningCount": .int(Int64(running)),
            "firstTime": .string(first.description), "lastTime": .string(last.description),
        ]
        object["userId"] = user.map(Value.string)
        if isCut { object["isCut"] = true }
        var usage: Value.Object = [:]
        usage["inputTokens"] = inputTokens.map { .double($0) }
        usage["outputTokens"] = outputTokens.map { .double($0) }
        usage["cost"] = cost.map { .double($0) }
        if !usage.isEmpty { object["usage"] = .object(usage) }
        return object
    }
}

extension Parameters {
    /// A part of a path as it was meant.
    /// - Throws: ``Problem`` 400 where it is not percent-encoded UTF-8.
    func decoded(_ name: String) throws -> String {
        let text = try require(name)
        guard let decoded = text.removingPercentEncoding else {
            throw Problem(.badRequest, "\(text) is not percent-encoded UTF-8")
        }
        return decoded
    }
}
