import HTTPTypes
import Hummingbird
import Nightjar
import NightjarBus
import NightjarOTLP
import NightjarSignals
import NightjarStore

/// `POST /v1/traces`, and reading traces back.
struct TraceRoutes {
    let engine: Engine
    let bodyBytes: Int

    func add(to router: Router<BasicRequestContext>) {
        // The aliases are where clients of Langfuse and LangSmith send to.
        for path in ["/v1/traces", "/api/public/otel/v1/traces", "/otel/v1/traces"] {
            router.post(RouterPath(path)) { request, _ in await export(request) }
        }
        router.get("/api/traces") { request, _ in try await list(request) }
        router.get("/api/traces/{id}") { request, context in
            try await one(context.parameters.require("id"), format: request.uri.queryParameters["format"])
        }
    }

    /// OTLP answers in the request's own encoding, errors too.
    private func export(_ request: Request) async -> Response {
        let mediaType = request.headers[.contentType].map { String($0.prefix { $0 != ";" }) } ?? ""
        let encoding: TraceEncoding
        switch mediaType.lowercased().trimmingSpaces() {
        case "application/x-protobuf", "application/protobuf": encoding = .protobuf
        case "application/json": encoding = .json
        default:
            let problem = Problem(
                .unsupportedMediaType,
                "Content-Type \(mediaType.isEmpty ? "(none)" : mediaType) is not understood; "
                    + "use application/x-protobuf or application/json"
            )
            return answer(problem, .json)
        }
        do {
            let body = try await request.wholeBody(upTo: bodyBytes)
            let outcome = try await engine.ingest(body, encoding: encoding)
            let response = ExportResponse.accepted(
                .traces,
                rejected: outcome.rejected,
                message: outcome.message,
                encoding: encoding.response
            )
            return .bytes(response, type: encoding.mediaType)
        } catch let error as EngineError {
            return answer(Problem(error), encoding)
        } catch let problem as Problem {
            return answer(problem, encoding)
        } catch {
            return answer(Problem(.badRequest, "the body could not be read: \(error)"), encoding)
        }
    }

    private func answer(_ problem: Problem, _ encoding: TraceEncoding) -> Response {
        let body = ExportResponse.refused(
            code: problem.statusCode,
            message: problem.detail,
            encoding: encoding.response
        )
        var response = Response.bytes(
            body,
            status: problem.status,
            type: encoding.mediaType
        )
        if let seconds = problem.retryAfterSeconds { response.headers[.retryAfter] = "\(seconds)" }
        return response
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
        guard let id = TraceID(text) else {
            throw Problem(.badRequest, "\(text) is no trace id; it has 1 to 32 hex digits")
        }
        guard engine.store != nil else { throw Problem.nothingStored }
        guard let trace = try await engine.trace(id) else {
            throw Problem(.notFound, "no trace \(id) is stored")
        }
        switch format {
        case nil, "flat": return .json(trace.json)
        case "tree": return .json(trace.tree)
        default: throw Problem(.badRequest, "format \(format ?? "") is not known; use flat or tree")
        }
    }
}

extension Problem {
    static let nothingStored = Problem(.notFound, "nothing is stored: the server runs with --db none")

    /// The code of google.rpc.Status that fits.
    var statusCode: Int {
        switch status.code {
        case 400, 413, 415: 3  // INVALID_ARGUMENT
        case 429: 8  // RESOURCE_EXHAUSTED
        case 503: 14  // UNAVAILABLE
        default: 13  // INTERNAL
        }
    }
}

extension TraceEncoding {
    var mediaType: String { self == .json ? "application/json" : "application/x-protobuf" }
    var response: TraceRequest.Encoding { self == .json ? .json : .protobuf }
}

extension String {
    fileprivate func trimmingSpaces() -> String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
