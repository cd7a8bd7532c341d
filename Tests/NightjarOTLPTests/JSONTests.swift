import CNightjarSignals
import NightjarOTLP
import NightjarSignals
import Testing

/// OTLP's JSON means what the protobuf means.
struct JSONTests {
    private static func decode(_ json: String) throws -> TraceRequest {
        try TraceRequest.decode(
            Array(json.utf8),
            encoding: .json,
            receivedAt: Timestamp(unixNano: 1),
            workers: 1
        )
    }

    private static func spans(_ request: TraceRequest) -> [Span] {
        request.references.map { OTLPSpanReader().span($0) }
    }

    /// One span in JSON, `fields` beside its ids.
    private static func request(_ fields: String, ids: String? = nil) -> String {
        let ids = ids ?? #""traceId":"a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1","spanId":"0102030405060708""#
        return
            #"{"resourceSpans":[{"scopeSpans":[{"spans":[{\#(ids)\#(fields.isEmpty ? "" : ",")\#(fields)}]}]}]}"#
    }

    @Test func `JSON and protobuf of the same spans are equal`() throws {
        let json = #"""
            {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "test"}, "spans": [{
              "traceId": "A1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1", "spanId": "0102030405060708", "parentSpanId": "0a0b0c0d0e0f0102",
              "name": "chat \u00fc \"x\"", "kind": 1, "startTimeUnixNano": "1000000000", "endTimeUnixNano": 2000000000,
              "unknownField": {"deep": [1, 2, {"x": null}]},
              "attributes": [
                {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
                {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "120"}},
                {"key": "number", "value": {"intValue": -5}},
                {"key": "double", "value": {"doubleValue": 0.5}},
                {"key": "flag", "value": {"boolValue": true}},
                {"key": "list", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {"stringValue": "b"}]}}}],
              "events": [{"timeUnixNano": "1500000000", "name": "exception",
                "attributes": [{"key": "exception.type", "value": {"stringValue": "ValueError"}}]}],
              "status": {"message": "failed", "code": 2}}]}],
              "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "tests"}}]}}]}
            """#
        var span = TestSpan(parent: [10, 11, 12, 13, 14, 15, 1, 2], name: "chat ü \"x\"")
        span.attributes = [
            ("gen_ai.operation.name", "chat"), ("gen_ai.usage.input_tokens", 120), ("number", -5),
            ("double", 0.5),
            ("flag", true), ("list", ["a", "b"]),
        ]
        span.events = [("exception", 1_500_000_000, [("exception.type", "ValueError")])]
        span.statusMessage = "failed"
        span.statusCode = 2
        let protobuf = try TraceRequest.decode(
            body([span]),
            encoding: .protobuf,
            receivedAt: Timestamp(unixNano: 1),
            workers: 1
        )
        let decoded = try Self.decode(json)
        #expect(Self.spans(decoded) == Self.spans(protobuf))
        #expect(Self.spans(decoded).first?.errorInfo?.id == "ValueError")
        #expect(decoded.references.first?.row.pointee.input_tokens == 120)
    }

    @Test(arguments: [
        (#""kind":"SPAN_KIND_CLIENT""#, SpanKind.client), (#""kind":3"#, .client), (#""kind":"3""#, .client),
        (#""kind":77"#, .internal), (#""kind":null"#, .internal),
    ])
    func `enumerations are numbers or names`(_ field: String, _ kind: SpanKind) throws {
        #expect(try Self.spans(Self.decode(Self.request(field))).first?.kind == kind)
    }

    @Test(arguments: [
        ("1e9", UInt64(1_000_000_000)), ("\"1000000000\"", 1_000_000_000), ("1000000000.0", 1_000_000_000),
        ("\"18446744073709551615\"", .max), ("0", 0),
    ])
    func `64-bit numbers are numbers or text`(_ text: String, _ value: UInt64) throws {
        let request = try Self.decode(Self.request(#""start_time_unix_nano":\#(text)"#))
        #expect(request.references.first?.row.pointee.start_nano == value)
    }

    @Test func `bytes are base64 of either alphabet`() throws {
        let field =
            #""attributes":[{"key":"a","value":{"bytesValue":"+/8="}},{"key":"b","value":{"bytesValue":"-_8"}}]"#
        let span = try #require(try Self.spans(Self.decode(Self.request(field))).first)
        #expect(span.attributes["a"] == .bytes([0xFB, 0xFF]))
        #expect(span.attributes["b"] == .bytes([0xFB, 0xFF]))
    }

    @Test func `maps and special numbers are read`() throws {
        let field = #"""
            "attributes":[{"key":"m","value":{"kvlistValue":{"values":[{"key":"x","value":{"doubleValue":"Infinity"}}]}}},
            {"key":"empty","value":{}}]
            """#
        let span = try #require(try Self.spans(Self.decode(Self.request(field))).first)
        #expect(span.attributes["m"] == ["x": .double(.infinity)])
        #expect(span.attributes["empty"] == .null)
    }

    @Test(arguments: [
        #""traceId":"xyz","spanId":"0102030405060708""#,
        #""traceId":"a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1","spanId":"0102030405060708""#,
        #""traceId":"a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1","spanId":"""#,
        #""traceId":"a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1","spanId":"01","parentSpanId":"no hex""#,
        #""spanId":"0102030405060708""#,
    ])
    func `an id that is no hex or too long rejects its span alone`(_ ids: String) throws {
        let request = try Self.decode(Self.request("", ids: ids))
        #expect(request.rejected == 1)
        #expect(request.spanCount == 0)
    }

    @Test(arguments: [
        ("[]", 0), ("{\"resourceSpans\":{}", 19),
        ("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[7]}]}]}", 43),
        ("{} x", 3),
        ("{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"value\":{\"intValue\":\"1.5\"}}]}}]}", 71),
    ])
    func `malformed JSON is refused with its place`(_ json: String, _ offset: Int) throws {
        let error = #expect(throws: OTLPError.self) { try Self.decode(json) }
        #expect(error?.offset == offset)
    }

    @Test func `an error in JSON names the message it lies in`() throws {
        let error = #expect(throws: OTLPError.self) { try Self.decode(Self.request(#""name":5"#)) }
        #expect(error?.path == "resourceSpans[0].scopeSpans[0].spans[0]")
    }

    /// Attributes in every form that goes the short way or only just not.
    private static let attributeForms: [(json: String, value: Value?)] = [
        (#"{"key":"a","value":{"stringValue":"x"}}"#, "x"),
        (#"{"key":"a","value":{"stringValue":""}}"#, ""),
        (#"{ "key" : "a" , "value" : { "stringValue" : "x" } }"#, "x"),
        (#"{"value":{"stringValue":"x"},"key":"a"}"#, "x"),
        (#"{"key":"a","value":{"stringValue":"x"},"later":[{}]}"#, "x"),
        (#"{"key":"a","value":{"later":1,"stringValue":"x"}}"#, "x"),
        (#"{"key":"a","value":{"intValue":"1","stringValue":"x"}}"#, "x"),
        (#"{"\u006bey":"\u0061","value":{"string\u0056alue":"x"}}"#, "x"),
        (#"{"key":"a","value":{"string_value":"x"}}"#, "x"),
        (
            #"{"key":"a","value":{"stringValue":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\ud800"}}"#,
            "\"\\/\u{8}\u{c}\n\r\té😀\u{FFFD}"
        ),
        (#"{"key":"a","value":{"intValue":"-9223372036854775808"}}"#, .int(.min)),
        (#"{"key":"a","value":{"intValue":9007199254740993}}"#, 9_007_199_254_740_993),
        (#"{"key":"a","value":{"doubleValue":-0.25}}"#, .double(-0.25)),
        (#"{"key":"a","value":{"doubleValue":3}}"#, .double(3)),
        (#"{"key":"a","value":{"doubleValue":"1e-7"}}"#, .double(1e-7)),
        (#"{"key":"a","value":{"doubleValue":0.1234567890123456789}}"#, .double(0.1234567890123456789)),
        (#"{"key":"a","value":{"boolValue":true}}"#, true),
        (#"{"key":"a","value":{"boolValue":false}}"#, false),
        (#"{"key":"a","value":{"stringValue":null}}"#, .null),
        (#"{"key":"a","value":null}"#, .null),
        (#"{"key":"a"}"#, .null),
    ]

    @Test(arguments: attributeForms)
    func `an attribute is read in every form`(_ form: (json: String, value: Value?)) throws {
        for around in ["[\(form.json)]", "[ \(form.json), \(form.json) ]"] {
            let span = try #require(
                try Self.spans(Self.decode(Self.request(#""attributes":\#(around)"#))).first
            )
            #expect(span.attributes["a"] == form.value)
        }
    }

    @Test(arguments: [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 100, 126, 127, 128, 129, 16_380, 16_384, 70_000])
    func `texts of any length and with escapes anywhere are read`(_ length: Int) throws {
        let plain = String(repeating: "ab", count: length).prefix(length)
        for escape in ["", #"\n"#, #"\u0041"#] {
            let resolved = escape.isEmpty ? "" : escape == #"\n"# ? "\n" : "A"
            for (written, meant) in [
                ("\(plain)\(escape)", "\(plain)\(resolved)"), ("\(escape)\(plain)", "\(resolved)\(plain)"),
                ("\(plain)\(escape)\(plain)", "\(plain)\(resolved)\(plain)"),
            ] {
                let json =
                    #""name":"\#(written)","attributes":[{"key":"k\#(plain.prefix(300))","value":{"stringValue":"\#(written)"}}]"#
                let span = try #require(try Self.spans(Self.decode(Self.request(json))).first)
                #expect(span.name == meant)
                #expect(span.attributes["k\(plain.prefix(300))"] == .string(meant))
            }
        }
    }

    @Test(arguments: [
        #"{"key":"a","value":{"stringValue":"\x"}}"#, #"{"key":"a","value":{"stringValue":"\u12"}}"#,
        #"{"key":"a","value":{"stringValue":"x}}"#, #"{"key":"a","value":{"intValue":"1.5"}}"#,
        #"{"key":"a","value":{"intValue":18446744073709551616}}"#,
        #"{"key":"a","value":{"doubleValue":"1.2.3"}}"#,
        #"{"key":"a","value":{"boolValue":1}}"#, #"{"key":"a" "value":{}}"#,
        #"{"key":"a","value":{"stringValue":"x"}"#,
        "{\"key\":\"a\",\"value\":{\"stringValue\":\"x\u{1}y\"}}",
        #"{"key":"a","value":{"stringValue":"x",}}"#,
    ])
    func `a malformed attribute refuses the request and is named`(_ attribute: String) throws {
        let error = #expect(throws: OTLPError.self) {
            try Self.decode(Self.request(#""attributes":[{"key":"first","value":{}},\#(attribute)]"#))
        }
        #expect(error?.path.hasPrefix("resourceSpans[0].scopeSpans[0].spans[0].attributes[1]") == true)
    }

    @Test func `objects nested too deeply are refused, known or not`() throws {
        let lists = String(repeating: #"{"arrayValue":{"values":["#, count: 40)
        let known = #""attributes":[{"key":"a","value":\#(lists)"#
        let unknown = #""later":\#(String(repeating: "[", count: 80))"#
        for fields in [known, unknown] {
            let error = #expect(throws: OTLPError.self) { try Self.decode(Self.request(fields)) }
            #expect(error?.detail.contains("nested deeper") == true)
        }
    }
}
