import HTTPTypes
import Hummingbird
import Nightjar
import NightjarOTLP
import NightjarSignals

/// `POST /v1/traces`, `/v1/logs` and `/v1/metrics`: answered as the OTLP specification says, in the request's own encoding,
/// errors too.
struct OTLPRoutes {
    let engine: Engine
    let bodyBytes: Int

    func add(to router: APIRouter) {
        // The aliases are where clients of Langfuse and LangSmith send to.
        for (path, client) in [
            ("/v1/traces", ""), ("/api/public/otel/v1/traces", "Langfuse"), ("/otel/v1/traces", "LangSmith"),
        ] {
            router.post(path, .export("Trace", alias: client)) { request, _ in
                await export(request, .traces) { try await engine.ingest($0, encoding: $1) }
            }
        }
        router.post("/v1/logs", .export("Logs")) { request, _ in
            await export(request, .logs) { try await engine.ingestLogs($0, encoding: $1) }
        }
        router.post("/v1/metrics", .export("Metrics")) { request, _ in
            await export(request, .metrics) { try await engine.ingestMetrics($0, encoding: $1) }
        }
    }

    private func export(
        _ request: Request,
        _ signal: ExportResponse.Signal,
        _ ingest: (Payload, BodyEncoding) async throws -> Engine.IngestOutcome
    ) async -> Response {
        let contentType = request.headers[.contentType] ?? ""
        guard let encoding = BodyEncoding(contentType: contentType) else {
            let mediaType = contentType.prefix { $0 != ";" }
            let problem = Problem(
                .unsupportedMediaType,
                "Content-Type \(mediaType.isEmpty ? "(none)" : mediaType) is not understood; "
                    + "use application/x-protobuf or application/json"
            )
            return answer(problem, .json)
        }
        do {
            let body = try await request.wholeBody(upTo: bodyBytes)
            let outcome = try await ingest(body, encoding)
            let response = ExportResponse.accepted(
                signal,
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

    private func answer(_ problem: Problem, _ encoding: BodyEncoding) -> Response {
        RequestScope.current?.load.note(problem)
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
}

extension Problem {
    /// The code of google.rpc.Status that fits.
    fileprivate var statusCode: Int {
        switch status.code {
        case 400, 413, 415: 3  // INVALID_ARGUMENT
        case 429: 8  // RESOURCE_EXHAUSTED
        case 503: 14  // UNAVAILABLE
        default: 13  // INTERNAL
        }
    }
}

extension BodyEncoding {
    /// What a Content-Type says; nil for another.
    fileprivate init?(contentType: String) {
        // As nearly all senders write it: letters of either case and parameters are not looked for in each request.
        switch contentType {
        case "application/x-protobuf": self = .protobuf
        case "application/json": self = .json
        default:
            let mediaType = contentType.lowercased().prefix { $0 != ";" }.split(separator: " ")
            guard mediaType.count == 1 else { return nil }
            switch mediaType[0] {
            case "application/x-protobuf", "application/protobuf": self = .protobuf
            case "application/json": self = .json
            default: return nil
            }
        }
    }

    fileprivate var mediaType: String { self == .json ? "application/json" : "application/x-protobuf" }
    fileprivate var response: TraceRequest.Encoding { self == .json ? .json : .protobuf }
}
