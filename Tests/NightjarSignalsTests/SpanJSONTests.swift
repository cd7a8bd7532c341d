import NightjarSignals
import Testing

/// Signals, section 3, as `GET /api/traces/{id}` gives it.
@Suite struct SpanJSONTests {
    static let whole: Value = [
        "id": "00000000000000ab", "traceId": "000000000000000000000000000000cd",
        "parentSpanId": "00000000000000aa",
        "name": "chat", "kind": "client", "type": "model_generation", "entityType": "agent",
        "entityId": "a-1",
        "entityName": "helper", "startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T00:00:01.500Z",
        "isEvent": false, "status": "error", "durationMs": 1500.0, "agent": "helper", "model": "m",
        "responseModel": "m-1",
        "provider": "p", "tool": "t", "workflow": "w", "service": "s", "environment": "production",
        "usage": [
            "inputTokens": 10.0, "outputTokens": 20.0, "cacheReadTokens": 3.0, "cacheWriteTokens": 4.0,
            "reasoningTokens": 5.0, "cost": 0.5,
        ],
        "timeToFirstTokenMs": 12.5, "finishReason": "stop", "duplicateOf": "00000000000000ac",
        "derivedFrom": "00000000000000ad", "attributes": ["gen_ai.system": "p", "list": [1, "x", .null]],
        "events": [["name": "e", "time": "2026-01-01T00:00:00.000000001Z", "attributes": ["a": true]]],
        "links": [
            [
                "traceId": "000000000000000000000000000000ce", "spanId": "0000000000000001",
                "attributes": ["b": 1],
            ]
        ],
        "resource": ["service.name": "s"], "scope": ["name": "lib"], "metadata": ["userId": "u"],
        "tags": ["x", "y"],
        "input": ["messages": []], "output": "text",
        "errorInfo": ["message": "no", "id": "E1", "stack": "at"],
    ]

    @Test func `every field is written, under its name and in its place`() throws {
        let span = try Span(json: Self.whole)
        #expect(span.json == Self.whole)
        #expect(span.json.object?.entries.map(\.key) == Self.whole.object?.entries.map(\.key))
    }

    @Test func `what is written is read back from its text`() throws {
        let span = try Span(json: Self.whole)
        #expect(try Span(json: Value(json: span.json.json)).json.json == span.json.json)
    }

    @Test func `absent and empty fields are left out`() throws {
        let span = Span(
            id: SpanID(value: 1),
            traceID: TraceID(high: 0, low: 2),
            name: "n",
            startTime: Timestamp(unixNano: 0)
        )
        #expect(
            span.json == [
                "id": "0000000000000001", "traceId": "00000000000000000000000000000002", "name": "n",
                "kind": "internal",
                "type": "generic", "startTime": "1970-01-01T00:00:00Z", "isEvent": false, "status": "ok",
            ]
        )
        #expect(try Span(json: span.json) == span)
    }

    @Test func `numbers without a JSON form are left out`() throws {
        var span = try Span(json: Self.whole)
        span.usage?.cost = .nan
        span.timeToFirstTokenMilliseconds = .infinity
        #expect(span.json["usage"]?["cost"] == nil)
        #expect(span.json["timeToFirstTokenMs"] == nil)
    }

    @Test func `an unknown type is kept as it came`() throws {
        let span = try Span(json: ["id": "1", "traceId": "1", "startTime": 0, "type": "rag_lookup"])
        #expect(span.type == .generic)
        #expect(span.json["type"] == "rag_lookup")
    }

    @Test(
        arguments: [
            (["endTime": 1], .ok), ([:], .running), (["isEvent": true], .ok),
            (["errorInfo": ["message": "x"]], .error),
            (["endTime": 1, "status": "error"], .error),
            (["status": "ok", "errorInfo": ["message": "x"]], .error),
        ] as [(Value.Object, SpanStatus)]
    )
    func `the status follows from error information and end where it is not stated`(
        fields: Value.Object,
        expected: SpanStatus
    ) throws {
        let object = (["id": "1", "traceId": "1", "startTime": 0] as Value.Object).merging(fields)
        #expect(try Span(json: .object(object)).status == expected)
    }

    @Test func `snake_case, short ids and milliseconds are read as well`() throws {
        let span = try Span(
            json: [
                "span_id": "AB", "trace_id": "CD", "start_time": 1500, "end_time": 1500.5,
                "parent_span_id": "1",
            ]
        )
        #expect(span.id.description == "00000000000000ab")
        #expect(span.startTime.unixNano == 1_500_000_000)
        #expect(span.durationMilliseconds == 0.5)
        #expect(span.parentSpanID == SpanID(value: 1))
    }

    @Test func `every fault is told, with its place`() {
        let json: Value = [
            "id": "xyz", "startTime": "yesterday", "attributes": 1, "events": [["name": 2]], "links": [1],
            "tags": [1],
        ]
        let error = #expect(throws: InputErrors.self) { try Span(json: json, path: "spans[0]") }
        #expect(
            error?.errors.map(\.path).sorted() == [
                "spans[0].attributes", "spans[0].events[0].name", "spans[0].events[0].time", "spans[0].id",
                "spans[0].links[0]", "spans[0].links[0].spanId", "spans[0].links[0].traceId",
                "spans[0].startTime",
                "spans[0].tags[0]", "spans[0].traceId",
            ]
        )
    }

    @Test func `a log is written and read back`() throws {
        var log = Log(
            timestamp: Timestamp(unixNano: 1),
            level: .warn,
            message: "m",
            data: ["a": 1],
            metadata: ["userId": "u"]
        )
        log.traceID = TraceID("1")
        log.spanID = SpanID("2")
        #expect(
            log.json == [
                "timestamp": "1970-01-01T00:00:00.000000001Z", "level": "warn", "message": "m",
                "data": ["a": 1],
                "traceId": "00000000000000000000000000000001", "spanId": "0000000000000002",
                "metadata": ["userId": "u"],
            ]
        )
        #expect(try Log(json: log.json) == log)
        #expect(throws: InputErrors.self) { try Log(json: ["timestamp": 0, "level": "loud"]) }
    }
}
