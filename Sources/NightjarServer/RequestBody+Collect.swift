import HTTPTypes
import Hummingbird
import NIOCore
import NightjarOTLP
import NightjarSignals

extension Request {
    /// The whole body, inflated.
    /// - Throws: ``Problem`` 413 beyond a limit, 429 where all bodies together take too much, 415 for an encoding that is not
    ///   known, 400 for one that is broken.
    func wholeBody(upTo limit: Int) async throws -> Payload {
        let tooLarge = Problem(
            .contentTooLarge,
            "the body is larger than \(limit) bytes; send smaller batches"
        )
        guard headers[.contentLength].flatMap({ Int($0) }) ?? 0 <= limit else { throw tooLarge }
        let scope = RequestScope.current
        let sent: Payload
        do {
            // One of stated length came as a whole, and nothing of it here.
            let pieces = try await body.collect(upTo: limit)
            sent = scope?.takeBody() ?? pieces.withUnsafeReadableBytes { Payload($0) }
        } catch is NIOTooManyBytesError {
            throw tooLarge
        }
        if scope?.isBodyRefused == true { throw Problem.noRoom }
        let name = headers[.contentEncoding] ?? "identity"
        guard let encoding = ContentEncoding(header: name) else {
            throw Problem(
                .unsupportedMediaType,
                "Content-Encoding \(name) is not understood; use gzip, deflate or none"
            )
        }
        guard encoding != .identity else { return sent }
        var inflater = ContentInflater()
        if let scope {
            inflater.inflatedBytes = scope.inflatedBytes
            inflater.takesRoom = { scope.grow(by: $0) }
        }
        do throws(OTLPError) {
            // The bytes are the payload's: it has to outlive their use.
            defer { withExtendedLifetime(sent) {} }
            return try inflater.inflate(sent.bytes, encoding: encoding)
        } catch {
            switch error.code {
            case .overloaded: throw Problem.noRoom
            case .tooLarge: throw Problem(.contentTooLarge, "\(error)")
            case .malformed: throw Problem(.badRequest, "\(error)")
            }
        }
    }

    /// The body as JSON.
    func jsonBody(upTo limit: Int) async throws -> Value {
        let payload = try await wholeBody(upTo: limit)
        defer { withExtendedLifetime(payload) {} }
        try JSONBounds.check(payload.bytes)
        do throws(JSONError) {
            return try Value(jsonBytes: Array(payload.bytes))
        } catch {
            throw Problem(.badRequest, "the body is not JSON: \(error)")
        }
    }
}

extension Problem {
    /// All bodies together take what they may; it is counted where it is found.
    static var noRoom: Problem {
        var problem = Problem(.tooManyRequests, "too many bytes of requests are in flight; send again later")
        problem.retryAfterSeconds = 1
        return problem
    }
}
