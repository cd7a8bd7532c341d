import NightjarOTLP
import NightjarSignals
import NightjarTesting
import Testing

/// Requests taken apart into one message a span.
struct SpanMessagesTests {
    private func decoded(_ payload: [UInt8]) throws -> [Span] {
        let request = try TraceRequest.decode(
            payload,
            encoding: .protobuf,
            receivedAt: Timestamp(unixNano: 1),
            workers: 1
        )
        let reader = OTLPSpanReader()
        return request.slabs.flatMap { entry in
            (0..<entry.slab.count).map { reader.span(SpanReference(slab: entry.slab, index: $0)) }
        }
    }

    private func bodies(_ name: String) throws -> [[UInt8]] {
        try Captures.named(name).traceRequests.map { request in
            try TraceRequest.protobuf(request.inflated(), encoding: request.isJSON ? .json : .protobuf).array
        }
    }

    @Test(arguments: [
        "genai-openai", "langfuse", "oi-langchain", "otel-eval", "pydantic-ai", "synth-mastra", "traceloop",
    ])
    func `recorded requests say one span after the other what they said`(name: String) throws {
        for capture in try bodies(name) {
            let messages = try SpanMessages.split(Payload(capture))
            #expect(try decoded(Array(messages.joined())) == decoded(capture))
            for message in messages { #expect(try SpanMessages.split(Payload(message)) == [message]) }
        }
    }

    @Test func `what is not known here is carried along`() throws {
        // Resource spans with a schema URL (3) and a field 99 behind the scopes; scope spans with a schema URL; a span with
        // a field 77.
        let span: [UInt8] = [0x0A, 0x01, 0x61, 0xEA, 0x04, 0x01, 0x7A]
        let scope: [UInt8] = [0x12, 0x07] + span + [0x1A, 0x01, 0x73]
        let resource: [UInt8] =
            [0x12, UInt8(scope.count)] + scope + [0x1A, 0x01, 0x72, 0x9A, 0x06, 0x01, 0x78]
        let request: [UInt8] = [0x0A, UInt8(resource.count)] + resource
        let messages = try SpanMessages.split(Payload(request))
        #expect(messages.count == 1)
        let moved: [UInt8] =
            [0x1A, 0x01, 0x72, 0x9A, 0x06, 0x01, 0x78, 0x12, 0x0C, 0x1A, 0x01, 0x73, 0x12, 0x07] + span
        #expect(messages.first == [0x0A, UInt8(moved.count)] + moved)
    }

    @Test func `what is no request is refused, and never read beyond its end`() throws {
        #expect(throws: OTLPError.self) { try SpanMessages.split(Payload([0x0A, 0x05, 0x12])) }
        #expect(try SpanMessages.split(Payload([])) == [])
        let whole = try #require(bodies("genai-openai").first)
        for end in stride(from: 0, to: whole.count, by: 37) {
            // Whatever comes of it, it ends.
            _ = try? SpanMessages.split(Payload(whole[..<end]))
        }
    }
}

/// gzip as a stream.
struct GzipReaderTests {
    private func inflated(_ pieces: [[UInt8]]) throws -> [UInt8] {
        let reader = GzipReader()
        var out: [UInt8] = []
        for piece in pieces { try reader.inflate(piece) { out.append(contentsOf: $0) } }
        try reader.end()
        return out
    }

    @Test func `members one behind the other are one stream, however they are cut`() throws {
        let parts = [[UInt8](repeating: 7, count: 700_000), Array("end\n".utf8)]
        let bytes = try parts.flatMap { try #require(ContentDeflater.gzip($0)) }
        let whole = Array(parts.joined())
        #expect(try inflated([bytes]) == whole)
        #expect(try inflated(bytes.map { [$0] }) == whole)
        #expect(GzipReader.isGzip(bytes))
    }

    @Test func `an end that comes too early and bytes that are damaged are told`() throws {
        let bytes = try #require(ContentDeflater.gzip(Array("hello".utf8)))
        #expect(throws: OTLPError.self) { try inflated([Array(bytes.dropLast(3))]) }
        var damaged = bytes
        damaged[damaged.count - 6] ^= 0xFF
        #expect(throws: OTLPError.self) { try inflated([damaged]) }
    }
}
