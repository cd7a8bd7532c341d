import NightjarOTLP
import NightjarSignals
import NightjarTesting
import Testing

/// Stored protobuf as OTLP's JSON.
struct OTLPJSONTests {
    /// The JSON read again as protobuf, and what its spans say.
    private func spans(_ bytes: [UInt8], _ encoding: TraceRequest.Encoding) throws -> [Span] {
        let request = try TraceRequest.decode(
            bytes,
            encoding: encoding,
            receivedAt: Timestamp(unixNano: 1),
            workers: 1
        )
        return withExtendedLifetime(request) { request.references.map { OTLPSpanReader().span($0) } }
    }

    @Test(arguments: Captures.names)
    func `a recording says the same in JSON as in protobuf`(name: String) throws {
        for request in try Captures.named(name).requests
        where request.signal == "traces" {
            let payload = try TraceRequest.protobuf(
                try request.inflated(),
                encoding: request.isJSON ? .json : .protobuf
            )
            let bytes = Array(payload.bytes)
            let json = try OTLPJSON.traces(bytes)
            #expect(try spans(Array(json.json.utf8), .json) == spans(bytes, .protobuf))
        }
    }

    @Test func `numbers, ids and lists are written as OTLP has them`() throws {
        var span = TestSpan(parent: [10, 11, 12, 13, 14, 15, 1, 2], name: "x")
        span.attributes = [("int", -5), ("double", .double(.infinity)), ("list", ["a"]), ("flag", true)]
        span.statusCode = 2
        let json = try OTLPJSON.traces(body([span]))
        let written = try #require(
            json["resourceSpans"]?.array?[0]["scopeSpans"]?.array?[0]["spans"]?.array?[0]
        )
        #expect(written["parentSpanId"] == "0a0b0c0d0e0f0102")
        #expect(written["startTimeUnixNano"]?.string != nil)
        #expect(written["status"]?["code"] == 2)
        let values = (written["attributes"]?.array ?? []).reduce(into: [String: Value]()) {
            $0[$1["key"]?.string ?? ""] = $1["value"]
        }
        #expect(values["int"] == ["intValue": "-5"])
        #expect(values["double"] == ["doubleValue": "Infinity"])
        #expect(values["list"] == ["arrayValue": ["values": [["stringValue": "a"]]]])
        #expect(values["flag"] == ["boolValue": true])
    }

    @Test func `of a span that came twice the last copy is given`() throws {
        let (early, late) = (TestSpan(name: "early"), TestSpan(name: "late"))
        let json = try OTLPJSON.traces(body([early]) + body([late]))
        #expect(try spans(Array(json.json.utf8), .json).map(\.name) == ["late"])
    }

    @Test func `bytes that are no request are refused, none give an empty document`() throws {
        #expect(throws: OTLPError.self) { try OTLPJSON.traces([0x0A, 0xFF, 0x01]) }
        #expect(try OTLPJSON.traces([]) == ["resourceSpans": []])
    }
}
