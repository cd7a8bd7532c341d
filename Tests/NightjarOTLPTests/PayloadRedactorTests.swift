import NightjarBus
import NightjarOTLP
import NightjarSignals
import NightjarTesting
import Testing

@Suite struct PayloadRedactorTests {
    private func redactor(
        _ style: RedactionConfiguration.Style = .full,
        isEnabled: Bool = true,
        valueBytes: Int = 1 << 20
    ) -> PayloadRedactor {
        var configuration = RedactionConfiguration()
        configuration.style = style
        configuration.isEnabled = isEnabled
        var limits = PayloadRedactor.Limits()
        limits.valueBytes = valueBytes
        var generator = SeededGenerator(seed: 1)
        return PayloadRedactor(RedactionRules(configuration, using: &generator), limits: limits)
    }

    /// The rewritten bytes, nil where they stay.
    private func redact(_ body: [UInt8], _ redactor: PayloadRedactor? = nil) throws -> [UInt8]? {
        try body.withUnsafeBytes { try (redactor ?? self.redactor()).redacted($0)?.array }
    }

    /// A request of one span with these attributes.
    private func request(_ attributes: [(String, TestValue)]) -> [UInt8] {
        body([TestSpan(attributes: attributes)])
    }

    private func list(_ values: [[UInt8]]) -> TestValue {
        var message = Message()
        message.message(5) { list in for value in values { list.data(1, value) } }
        return .raw(message.bytes)
    }

    private func map(_ pairs: [(String, TestValue)]) -> TestValue {
        var message = Message()
        message.message(6) { map in
            for (key, value) in pairs { map.message(1) { $0.attribute(key, value) } }
        }
        return .raw(message.bytes)
    }

    private static let protobufRequests = Captures.all.flatMap(\.traceRequests).filter { !$0.isJSON }

    @Test func `recordings, which hold no secrets, stay the bytes that came`() throws {
        #expect(Self.protobufRequests.count > 40)
        for request in Self.protobufRequests {
            #expect(try redactor().redacted(request.inflated()) == nil, "\(request.file)")
        }
    }

    @Test func `recordings decode to as many spans once they are rewritten, and are rewritten once`() throws {
        var configuration = RedactionConfiguration()
        configuration.keys = ["content", "model", "name", "value", "type", "messages"]
        let redactor = PayloadRedactor(RedactionRules(configuration))
        for request in Self.protobufRequests {
            let payload = try request.inflated()
            guard let new = try redactor.redacted(payload) else { continue }
            #expect(try decode(new).spanCount == decode(payload).spanCount)
            #expect(try redactor.redacted(new) == nil, "\(request.file)")
        }
    }

    private func decode(_ payload: Payload) throws -> TraceRequest {
        try TraceRequest.decode(payload, encoding: .protobuf, receivedAt: Timestamp(unixNano: 1), workers: 1)
    }

    @Test(
        arguments: [
            "password", "app.password", "tool.parameters.api_key", "http.request.header.authorization",
            "API-Key",
            "client.secret", "x.auth.0", "x.token.12.3",
        ]
    )
    func `an attribute is hidden by its whole key or its last segment`(_ key: String) throws {
        for value in ["s", 7, -7, 1.5, true, .raw([]), .raw([0x3A, 1, 2])] as [TestValue] {
            let found = try redact(request([("a", 1), (key, value), ("z", "y")]))
            #expect(found == request([("a", 1), (key, "[REDACTED]"), ("z", "y")]))
            #expect(try redact(try #require(found)) == nil)
        }
    }

    @Test(
        arguments: [
            "fastmcp.component.key", "aws.s3.key", "gen_ai.usage.input_tokens", "llm.token_count.prompt",
            "gen_ai.token.type", "password.length",
            "auth.user", "x.tokens", "monkey", "session.id", "a.1", "1", ".", "", "x.key2",
        ]
    )
    func `other keys are not`(_ key: String) throws {
        #expect(try redact(request([(key, "secret")])) == nil)
    }

    @Test func `attributes of events and links and status messages are redacted, resource and scope are not`()
        throws
    {
        func request(_ value: TestValue, _ text: String) -> [UInt8] {
            var span = TestSpan(attributes: [("ok", 1)])
            span.events = [("e", 5, [("token", value), ("n", 1)])]
            span.statusCode = 2
            span.statusMessage = text
            var link = Message()
            link.data(1, span.trace)
            link.data(2, span.id)
            link.message(4) { $0.attribute("x.secret", value) }
            link.number(5, 3)
            var extra = Message()
            extra.data(13, link.bytes)
            // A field that nobody knows.
            extra.text(99, "token")
            span.extra = extra.bytes
            return body([span, TestSpan()], resource: [("key", "r"), ("service.name", "s")])
        }
        let found = try redact(request("t", #"{"secret":1}"#))
        #expect(found == request("[REDACTED]", #"{"secret":"[REDACTED]"}"#))
    }

    @Test func `nested values are redacted by their own keys, lists under a sensitive key by element`() throws
    {
        func value(_ secret: TestValue) -> TestValue {
            map([("password", secret), ("a.key", "k"), ("l", list([map([("jwt", secret)]).encoded]))])
        }
        let found = try redact(
            request([("m", value("s")), ("auth", list([TestValue.text("x").encoded, value("s").encoded]))])
        )
        let hidden: TestValue = "[REDACTED]"
        #expect(
            found
                == request([
                    ("m", value(hidden)), ("auth", list([hidden.encoded, value(hidden).encoded])),
                ])
        )
    }

    @Test func `JSON text is redacted in texts and bytes, and lengths of several bytes grow with it`() throws
    {
        let padding = String(repeating: "x", count: 300)
        func request(_ secret: String) -> [UInt8] {
            let text = #"{"pad":"\#(padding)","api_key":\#(secret)}"#
            var bytes = Message()
            bytes.text(7, text)
            return self.request([("gen_ai.tool.call.arguments", .text(text)), ("raw", .raw(bytes.bytes))])
        }
        #expect(try redact(request("1")) == request(#""[REDACTED]""#))
    }

    @Test func `a body shrinks where what was hidden is longer than the mark`() throws {
        let secret = String(repeating: "s", count: 70_000)
        let found = try redact(
            body([TestSpan(), TestSpan(attributes: [("key", .text(secret))]), TestSpan()])
        )
        #expect(found == body([TestSpan(), TestSpan(attributes: [("key", "[REDACTED]")]), TestSpan()]))
    }

    @Test func `the order of the fields of a pair, a key sent twice and unknown fields hide nothing`() throws
    {
        var value = Message()
        value.text(1, "s3cret")
        value.data(9, Array("s3cret".utf8))
        var pair = Message()
        pair.data(2, value.bytes)
        pair.text(1, "password")
        pair.text(1, "harmless")
        var span = TestSpan()
        var extra = Message()
        extra.data(9, pair.bytes)
        span.extra = extra.bytes
        let found = try #require(try redact(body([span])))
        #expect(!String(decoding: found, as: UTF8.self).contains("s3cret"))
        #expect(try decode(Payload(found)).spanCount == 1)
    }

    @Test func `pseudonyms go by the trace of the span, wherever it is written`() throws {
        func token(_ trace: [UInt8], isLast: Bool = false) throws -> String {
            var span = TestSpan(trace: isLast ? [] : trace, attributes: [("token", "s"), ("x.Token", "s")])
            var extra = Message()
            extra.data(1, trace)
            span.extra = isLast ? extra.bytes : []
            let text = String(
                decoding: try #require(try redact(body([span]), redactor(.pseudonymise))),
                as: UTF8.self
            )
            let tokens = text.split(separator: "[token:").dropFirst().map { String($0.prefix(8)) }
            #expect(tokens.count == 2 && tokens[0] == tokens[1])
            return tokens.first ?? ""
        }
        let one = Array(repeating: UInt8(1), count: 16)
        #expect(try token(one) == token(one))
        #expect(try token(one) != token(Array(repeating: 2, count: 16)))
        let short = try token([7])
        #expect(try short == token(Array(repeating: 0, count: 15) + [7]))
    }

    @Test func `tokens agree with those of values`() throws {
        var configuration = RedactionConfiguration()
        configuration.style = .pseudonymise
        let rules = RedactionRules(configuration)
        let found = try #require(try redact(request([("key", 5)]), PayloadRedactor(rules)))
        let token = SensitiveDataFilter(rules).value(
            ["key": 5],
            trace: TraceID(high: 0xA1A1_A1A1_A1A1_A1A1, low: 0xA1A1_A1A1_A1A1_A1A1)
        )
        #expect(String(decoding: found, as: UTF8.self).contains(try #require(token["key"]?.string)))
    }

    @Test func `long values are cut on a boundary of UTF-8, once, even where nothing is hidden`() throws {
        let redactor = redactor(isEnabled: false, valueBytes: 10)
        #expect(try redact(request([("key", "1234567890"), ("a", 1)]), redactor) == nil)
        let long: [(String, String)] = [
            ("12345678901", "1234567890…[truncated]"), ("123456789é", "123456789…[truncated]"),
            ("1234567👩‍👩‍👧‍👦", "1234567…[truncated]"),
        ]
        for (text, expected) in long {
            let found = try redact(
                request([("a", list([TestValue.text(text).encoded])), ("b", .text(text))]),
                redactor
            )
            #expect(
                found == request([("a", list([TestValue.text(expected).encoded])), ("b", .text(expected))])
            )
            #expect(try redact(try #require(found), redactor) == nil)
        }
    }

    @Test func `a value is redacted before it is cut`() throws {
        let text = #"{"pad":"0123456789","key":"s3cret"}"#
        let found = try redact(request([("a", .text(text))]), redactor(valueBytes: 30))
        #expect(found == request([("a", #"{"pad":"0123456789","key":"[RE…[truncated]"#)]))
    }

    @Test func `what is nested too deeply to be examined is withheld`() throws {
        var deep = map([("password", "s3cret")]).encoded
        for _ in 0..<80 { deep = list([deep]).encoded }
        let found = try #require(try redact(request([("a", .raw(deep))])))
        #expect(!String(decoding: found, as: UTF8.self).contains("s3cret"))
        _ = try TraceRequest.decode(
            found,
            encoding: .protobuf,
            receivedAt: Timestamp(unixNano: 1),
            workers: 1
        )
        #expect(try redact(request([("a", .raw(deep))]), redactor(isEnabled: false)) == nil)
    }

    @Test func `malformed bytes are refused with their place`() {
        var bad = TestSpan()
        bad.extra = [0x4A, 0x02, 0x0A, 0x7F]
        let error = #expect(throws: OTLPError.self) { try redact(body([TestSpan(), bad])) }
        #expect(error?.code == .malformed)
        #expect(error?.path == "resource_spans[0].scope_spans[0].spans[1]")
        #expect(throws: OTLPError.self) { try redact([0x0A, 0x05, 0x01]) }
    }

    @Test func `an empty body stays`() throws {
        #expect(try redact([]) == nil)
    }
}
