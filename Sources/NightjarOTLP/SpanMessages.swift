package import NightjarSignals

/// Takes trace requests apart and puts them together again without a loss: what is not known here is carried along.
package enum SpanMessages {
    /// Each span of a request as a request of its own, in their order, with everything that the request said around it. Taken apart
    /// again, such a message is itself; one behind the other, they say what the request said.
    /// - Throws: ``OTLPError`` for bytes that are no trace request.
    package static func split(_ request: Payload) throws(OTLPError) -> [[UInt8]] {
        defer { withExtendedLifetime(request) {} }
        var messages: [[UInt8]] = []
        do throws(WireError) {
            try forEachMessage(RequestTag.resourceSpans, of: WireReader(request.bytes)) {
                resource throws(WireError) in
                let around = try Around(resource, without: RequestTag.scopeSpans)
                try forEachMessage(RequestTag.scopeSpans, of: resource) { scope throws(WireError) in
                    let inner = try Around(scope, without: RequestTag.span)
                    try forEachMessage(RequestTag.span, of: scope) { span throws(WireError) in
                        messages.append(message(span, inner, around))
                    }
                }
            }
        } catch {
            throw OTLPError(code: .malformed, offset: error.offset, path: "", detail: "\(error.detail)")
        }
        return messages
    }

    /// The fields of a message beside those that are taken out of it, as they came.
    private struct Around {
        var bytes: [UInt8] = []

        init(_ message: WireReader, without taken: UInt32) throws(WireError) {
            var reader = message
            while !reader.isAtEnd {
                let start = reader
                let tag = try reader.tag()
                try reader.skip(tag)
                if tag != taken { bytes.append(contentsOf: start.bytes(to: reader)) }
            }
        }
    }

    private static func message(_ span: WireReader, _ scope: Around, _ resource: Around) -> [UInt8] {
        var writer = WireWriter(reserving: span.remaining + scope.bytes.count + resource.bytes.count + 16)
        let whole = writer.begin(1)
        writer.append(resource.bytes)
        let group = writer.begin(2)
        writer.append(scope.bytes)
        writer.field(2, span.rest)
        writer.end(group)
        writer.end(whole)
        return writer.bytes
    }

    private static func forEachMessage(
        _ wanted: UInt32,
        of message: WireReader,
        _ body: (WireReader) throws(WireError) -> Void
    ) throws(WireError) {
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == wanted { try body(try reader.message()) } else { try reader.skip(tag) }
        }
    }
}
