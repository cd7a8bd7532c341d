import CNightjarSignals
import NightjarOTLP
import NightjarSignals
import NightjarTesting
import Testing

/// Bytes that are not what they should be: refused with their place, or read as far as they are right; never a crash.
struct WireTests {
    private static func decode(_ body: [UInt8], _ encoding: TraceRequest.Encoding = .protobuf) throws
        -> TraceRequest
    {
        try TraceRequest.decode(body, encoding: encoding, receivedAt: Timestamp(unixNano: 1), workers: 3)
    }

    /// Reads everything of a request, as a server would.
    private static func readAll(_ request: TraceRequest) {
        let reader = OTLPSpanReader()
        for reference in request.references {
            _ = reader.span(reference)
            _ = reader.messages(reference)
            _ = reader.inputText(reference)
            _ = reader.outputText(reference)
        }
    }

    @Test func `an empty body is a request of no spans`() throws {
        for encoding in [TraceRequest.Encoding.protobuf, .json] {
            let request = try Self.decode([], encoding)
            #expect(request.spanCount == 0)
            #expect(request.chunks().isEmpty)
        }
    }

    @Test(arguments: ["genai-openai", "oi-openai-agents", "otel-eval", "pydantic-ai"])
    func `a body cut off at any byte is refused or is whole in itself`(_ client: String) throws {
        let request = try #require(try Captures.named(client).traceRequests.first { !$0.isJSON })
        let whole = Array(try request.inflated().array.prefix(6000))
        for length in 0..<whole.count {
            guard let request = try? Self.decode(Array(whole[..<length])) else { continue }
            Self.readAll(request)
        }
    }

    @Test(arguments: ["otel-eval", "synth-vercel-ai"])
    func `a JSON body cut off at any byte is refused`(_ client: String) throws {
        let request = try #require(try Captures.named(client).traceRequests.first { $0.isJSON })
        let whole = try request.inflated().array
        for length in 1..<min(whole.count, 4000) {
            #expect(throws: OTLPError.self) { try Self.decode(Array(whole[..<length]), .json) }
        }
    }

    @Test(arguments: [UInt64(1), 2, 3, 4])
    func `changed bytes never crash the decoder`(_ seed: UInt64) throws {
        var random = SeededRandom(state: seed)
        let requests = Captures.all.flatMap(\.traceRequests)
        for round in 0..<1500 {
            let request = requests[(round * 7 + Int(seed)) % requests.count]
            var bytes = Array(try request.inflated().array.prefix(3000))
            for _ in 0..<(1 + Int(random.next() % 8)) {
                let place = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 4 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes[place] ^= 1 << UInt8(random.next() % 8)
                case 2: bytes.remove(at: place)
                default: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
                }
            }
            guard let decoded = try? Self.decode(bytes, request.isJSON ? .json : .protobuf) else { continue }
            Self.readAll(decoded)
            for chunk in decoded.chunks() {
                let again = try TraceRequest.decode(
                    chunk.payload,
                    encoding: .protobuf,
                    receivedAt: Timestamp(unixNano: 1),
                    workers: 1
                )
                #expect(again.spanCount == chunk.spanCount)
            }
        }
    }

    @Test(
        arguments: [
            ([0x0A, 0x05, 0x01], "length beyond the end at byte 2 in resource_spans[0]"),
            ([0x0A], "unexpected end at byte 1 in resource_spans[0]"),
            ([0x00, 0x01], "invalid field number at byte 1"),
            ([0x0F], "invalid wire type at byte 1"),
            ([0x0C], "invalid wire type at byte 1"),
            ([0x13, 0x0C], "group ended by another's end at byte 2"),
            ([0x13], "unexpected end at byte 1"),
            ([0x15, 0x01, 0x02], "unexpected end at byte 1"),
            (
                [0x10, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
                "number longer than ten bytes at byte 11"
            ),
        ] as [([UInt8], String)]
    )
    func `malformed bytes are refused with their place`(_ bytes: [UInt8], _ description: String) throws {
        let error = #expect(throws: OTLPError.self) { try Self.decode(bytes) }
        #expect(error?.description == description)
        #expect(error?.code == .malformed)
    }

    @Test func `an error names the span it lies in`() throws {
        let good = TestSpan()
        var bad = TestSpan()
        bad.extra = [0x4A, 0x02, 0x0A, 0x7F]
        let error = #expect(throws: OTLPError.self) { try Self.decode(body([good, bad])) }
        #expect(error?.path == "resource_spans[0].scope_spans[0].spans[1]")
    }

    @Test func `fields that nobody knows are skipped, groups among them`() throws {
        var span = TestSpan(name: "kept")
        // A number, eight bytes, four bytes, bytes and a group in a group, all under field numbers not in use.
        span.extra =
            [0xC8, 0x3E, 0x07] + [0xC9, 0x3E] + Array(repeating: 9, count: 8) + [0xCD, 0x3E, 1, 2, 3, 4]
        span.extra += [0xCA, 0x3E, 0x02, 0xFF, 0xFF] + [0xCB, 0x3E, 0x0B, 0x10, 0x01, 0x0C, 0xCC, 0x3E]
        let request = try Self.decode(body([span]) + [0x50, 0x01])
        #expect(request.references.map { $0.row.pointee.name.string } == ["kept"])
    }

    @Test func `a known field of another wire type is skipped`() throws {
        var span = TestSpan(name: "kept")
        span.extra = [0x28, 0x05]
        // The reference keeps the slab that the row lies in.
        let reference = try #require(try Self.decode(body([span])).references.first)
        #expect(withExtendedLifetime(reference) { reference.row.pointee.name.string } == "kept")
    }

    @Test func `lists nested too deeply are refused`() throws {
        var value = TestValue.text("x").encoded
        for _ in 0..<80 {
            var list = Message()
            list.message(5) { $0.data(1, value) }
            value = list.bytes
        }
        let span = TestSpan(attributes: [("deep", .raw(value))])
        #expect(throws: OTLPError.self) { try Self.decode(body([span])) }
    }
}

/// SplitMix64: the same numbers on every run.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
