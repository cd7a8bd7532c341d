import HTTPTypes
import Hummingbird
import Nightjar
import NightjarSignals
import NightjarStore

/// An error answer of the API (RFC 9457, `application/problem+json`).
struct Problem: Error, HTTPResponseError {
    /// A fault of one place in the request.
    struct Fault: Sendable {
        let path: String
        let message: String
    }

    let status: HTTPResponse.Status
    let detail: String
    var faults: [Fault] = []
    var retryAfterSeconds: Int?
    /// The methods that the path takes, where the method was what was wrong.
    var allowed: [String] = []
    /// Why a client was sent away, for counting; nil where that is not counted, or counted elsewhere.
    var reason: String?

    init(_ status: HTTPResponse.Status, _ detail: String) {
        self.status = status
        self.detail = detail
    }

    /// What a refusal of the engine means over HTTP.
    init(_ error: EngineError) {
        switch error.code {
        case .malformed: self.init(.badRequest, error.detail)
        case .tooLarge: self.init(.contentTooLarge, error.detail)
        case .sampledOut: self.init(.conflict, error.detail)
        case .overloaded:
            self.init(.tooManyRequests, error.detail)
            retryAfterSeconds = 1
        case .unavailable, .closed:
            self.init(.serviceUnavailable, error.detail)
            retryAfterSeconds = 5
        }
        if error.isRetryable || error.code == .tooLarge { reason = error.code.rawValue }
    }

    /// What a failure of the store means over HTTP.
    init(_ error: StoreError) {
        switch error.code {
        case .timeout:
            self.init(
                .serviceUnavailable,
                "\(error.detail); ask for less, such as a shorter time or fewer entries, or raise query.timeout"
            )
        case .overloaded: self.init(.tooManyRequests, error.detail)
        default: self.init(.serviceUnavailable, "\(error)")
        }
        reason = error.code == .timeout ? "query_timeout" : error.code.rawValue
        if error.isRetryable { retryAfterSeconds = error.code == .overloaded ? 1 : 5 }
    }

    /// All faults of an input at once.
    init(_ errors: InputErrors) {
        self.init(.badRequest, errors.errors.first.map { "\($0)" } ?? "the input is not valid")
        faults = errors.errors.map { Fault(path: $0.path, message: $0.message) }
    }

    var json: Value {
        var object: Value.Object = [
            "type": "about:blank", "title": .string(status.reasonPhrase), "status": .int(Int64(status.code)),
            "detail": .string(detail),
        ]
        if !faults.isEmpty {
            object["errors"] = .array(
                faults.map { ["path": .string($0.path), "message": .string($0.message)] }
            )
        }
        return .object(object)
    }

    func response(from request: Request, context: some RequestContext) throws -> Response {
        RequestScope.current?.load.note(self)
        var response = Response.json(json, status: status, type: "application/problem+json")
        if let retryAfterSeconds { response.headers[.retryAfter] = "\(retryAfterSeconds)" }
        if !allowed.isEmpty { response.headers[.allow] = allowed.joined(separator: ", ") }
        return response
    }
}

extension Response {
    /// An answer of JSON.
    static func json(
        _ value: Value,
        status: HTTPResponse.Status = .ok,
        type: String = "application/json"
    ) -> Response {
        var writer = JSONWriter()
        writer.write(value)
        return bytes(writer.bytes, status: status, type: type)
    }

    /// An answer of bytes.
    static func bytes(_ bytes: [UInt8], status: HTTPResponse.Status = .ok, type: String) -> Response {
        Response(
            status: status,
            headers: [.contentType: type],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }
}
