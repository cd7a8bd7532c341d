import HTTPTypes
import Hummingbird
import NIOCore
import NightjarOTLP
import NightjarSignals

extension Request {
    /// The whole body, inflated.
    /// - Throws: ``Problem`` 413 beyond a limit, 415 for an encoding that is not known, 400 for one that is broken.
    func wholeBody(upTo limit: Int) async throws -> Payload {
        let buffer: ByteBuffer
        do {
            buffer = try await body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw Problem(.contentTooLarge, "the body is larger than \(limit) bytes; send smaller batches")
        }
        let sent = buffer.withUnsafeReadableBytes { Payload($0) }
        let name = headers[.contentEncoding] ?? "identity"
        guard let encoding = ContentEncoding(header: name) else {
            throw Problem(
                .unsupportedMediaType,
                "Content-Encoding \(name) is not understood; use gzip, deflate or none"
            )
        }
        guard encoding != .identity else { return sent }
        do throws(OTLPError) {
            // The bytes are the payload's: it has to outlive their use.
            defer { withExtendedLifetime(sent) {} }
            return try ContentInflater().inflate(sent.bytes, encoding: encoding)
        } catch {
            throw Problem(error.code == .tooLarge ? .contentTooLarge : .badRequest, "\(error)")
        }
    }

    /// The body as JSON.
    func jsonBody(upTo limit: Int) async throws -> Value {
        let payload = try await wholeBody(upTo: limit)
        defer { withExtendedLifetime(payload) {} }
        do throws(JSONError) {
            return try Value(jsonBytes: Array(payload.bytes))
        } catch {
            throw Problem(.badRequest, "the body is not JSON: \(error)")
        }
    }
}
