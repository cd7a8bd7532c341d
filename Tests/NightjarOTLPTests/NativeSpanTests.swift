import CNightjarSignals
import NightjarOTLP
import NightjarSignals
import Testing

/// Spans of our own: written as OTLP and read back.
struct NativeSpanTests {
    private static func decoded(_ body: [UInt8]) throws -> [SpanReference] {
        try TraceRequest.decode(
            body,
            encoding: .protobuf,
            receivedAt: Timestamp(unixNano: 1),
            workers: 1
        ).references
    }

    private static func reference(_ span: Span, hasEnded: Bool = true) throws -> SpanReference {
        try #require(try decoded(SpanEncoder.request([(span, hasEnded)])).first)
    }

    private static func back(_ span: Span, hasEnded: Bool = true) throws -> Span {
        OTLPSpanReader().span(try reference(span, hasEnded: hasEnded))
    }

    private static func span(_ type: SpanType = .generic, _ change: (inout Span) -> Void = { _ in }) -> Span {
        var span = Span(
            id: SpanID(value: 1),
            traceID: TraceID(high: 1, low: 2),
            name: "span",
            startTime: Timestamp(unixNano: 1_700_000_000_000_000_000)
        )
        span.type = type
        span.typeName = type.name
        span.endTime = Timestamp(unixNano: 1_700_000_001_000_000_000)
        change(&span)
        return span
    }

    @Test func `any span comes back as it was written`() throws {
        for seed in UInt64(1)...20 {
            var random = RandomSpan(seed: seed)
            let spans = (0..<30).map { _ in random.span() }
            let body = SpanEncoder.request(spans.map { ($0, $0.status != .running) })
            let slabs = try Self.decoded(body)
            #expect(slabs.count == spans.count)
            for (reference, span) in zip(slabs, spans) {
                let found = OTLPSpanReader().span(reference)
                #expect(found == span, "seed \(seed): \(found.json.json) for \(span.json.json)")
                #expect(reference.row.pointee.hasEnded == (span.status != .running) || span.status == .error)
            }
        }
    }

    @Test func `any span comes back from its JSON`() throws {
        for seed in UInt64(1)...20 {
            var random = RandomSpan(seed: seed, forJSON: true)
            for _ in 0..<30 {
                let span = random.span()
                let found = try Span(json: try Value(json: span.json.json))
                #expect(found == span, "seed \(seed): \(found.json.json) for \(span.json.json)")
            }
        }
    }

    @Test func `neighbours of one resource and scope share them`() throws {
        var other = Self.span()
        other.id = SpanID(value: 2)
        other.resource = ["service.name": "other"]
        let one = SpanEncoder.request([(Self.span(), true), (Self.span(), true)])
        let two = SpanEncoder.request([(Self.span(), true), (other, true), (Self.span(), true)])
        #expect(try Self.decoded(one).map { $0.row.pointee.context } == [0, 0])
        #expect(try Self.decoded(two).map { $0.row.pointee.service.string } == [nil, "other", nil])
    }

    @Test func `a span says what its attributes, its entity and its metadata say`() throws {
        let span = Self.span(.modelGeneration) { span in
            span.attributes = [
                "model": "gpt", "responseModel": "gpt-1", "provider": "openai", "finishReason": "stop",
                "completionStartTime": "2023-11-14T22:13:20.250Z",
                "usage": [
                    "inputTokens": 10, "outputTokens": "7",
                    "inputDetails": ["cacheRead": 4, "cacheWrite": 1, "text": 5],
                    "outputDetails": ["reasoning": 2], "cost": ["amount": 0.5, "currency": "USD"],
                ],
            ]
            span.metadata = ["sessionId": "s", "userId": "u", "environment": "prod", "serviceName": "api"]
        }
        let reference = try Self.reference(span)
        defer { withExtendedLifetime(reference) {} }
        let row = reference.row.pointee
        #expect(
            MappingTests.facts(row)
                == "type=model_generation model=gpt response=gpt-1 provider=openai session=s user=u in=10 out=7 "
                + "read=4 write=1 reasoning=2 cost=0.5 finish=stop ttft=250"
        )
        #expect(row.environment.string == "prod")
        #expect(row.service.string == "api")
        #expect(try Self.back(span).metadata == span.metadata)
    }

    @Test(arguments: [
        (SpanType.agentRun, "agent=x"), (.toolCall, "tool=x"), (.mcpToolCall, "tool=x"),
        (.workflowRun, "workflow=x"), (.workflowStep, ""), (.modelGeneration, ""),
    ])
    func `an entity's name names the agent, tool or workflow of its own span only`(
        _ type: SpanType,
        _ says: String
    ) throws {
        let reference = try Self.reference(Self.span(type) { $0.entityName = "x" })
        #expect(
            MappingTests.facts(reference.row.pointee) == "type=\(type.name)"
                + (says.isEmpty ? "" : " \(says)")
        )
        #expect(OTLPSpanReader().span(reference).entityName == "x")
    }

    @Test func `counts that are no counts are absent`() throws {
        let span = Self.span { span in
            span.attributes = [
                "usage": ["inputTokens": -1, "outputTokens": "many"], "completionStartTime": "soon",
            ]
        }
        let reference = try Self.reference(span)
        defer { withExtendedLifetime(reference) {} }
        let row = reference.row.pointee
        #expect(row.input_tokens.isNaN)
        #expect(row.output_tokens.isNaN)
        #expect(row.time_to_first_token_ms.isNaN)
    }

    @Test(arguments: [
        (true, false, false, SpanStatus.ok, true), (false, false, false, .running, false),
        (false, true, false, .ok, true), (false, false, true, .error, false),
        (true, false, true, .error, true),
    ])
    func `status and end follow from what is known`(
        _ hasEnded: Bool,
        _ isEvent: Bool,
        _ failed: Bool,
        _ status: SpanStatus,
        _ ends: Bool
    ) throws {
        let span = Self.span { span in
            span.endTime = nil
            span.isEvent = isEvent
            span.errorInfo = failed ? Span.ErrorInfo(message: "no") : nil
        }
        let reference = try Self.reference(span, hasEnded: hasEnded)
        defer { withExtendedLifetime(reference) {} }
        let row = reference.row.pointee
        #expect(row.spanStatus == status)
        #expect(row.hasEnded == ends)
        #expect(row.isEvent == isEvent)
    }

    @Test func `what carries a span is no attribute of it, and its own attributes cannot pose as that`()
        throws
    {
        let span = Self.span { span in
            span.attributes = [
                "nightjar.type": "agent_run", "nightjar.other": 1, "gen_ai.request.model": "m",
            ]
            span.metadata = ["a": 1]
        }
        let reference = try Self.reference(span)
        #expect(reference.row.pointee.attribute_count == 2)
        #expect(reference.row.pointee.spanType == .generic)
        #expect(
            OTLPSpanReader().span(reference).attributes == ["nightjar.other": 1, "gen_ai.request.model": "m"]
        )
    }

    @Test func `attributes of other conventions change nothing in a span of our own`() throws {
        let span = Self.span(.toolCall) { span in
            span.attributes = [
                "error.type": "E", "openinference.span.kind": "AGENT", "logfire.span_type": "pending_span",
                "gen_ai.usage.input_tokens": 5, "metadata": "{\"a\":1}", "tag.tags": "x", "input.value": "in",
            ]
        }
        #expect(try Self.back(span) == span)
    }

    @Test func `what is nested too deeply is cut with a mark and refuses nothing`() throws {
        var deep: Value = "bottom"
        for _ in 0..<100 { deep = ["inner": deep] }
        let span = Self.span { span in
            span.attributes = ["deep": deep]
            span.input = deep
        }
        let back = try Self.back(span)
        #expect(back.attributes["deep"]?.json.contains("[MaxDepth]") == true)
        #expect(back.input?.json.contains("[MaxDepth]") == true)
    }

    @Test func `what carries a span does not count as its attributes`() throws {
        let span = Self.span { span in
            for number in 0..<1024 { span.attributes["\(number)"] = 1 }
            span.metadata = ["a": 1]
        }
        #expect(try Self.back(span) == span)
    }

    @Test func `a key longer than a decoder takes is cut`() throws {
        let span = Self.span { $0.attributes = [String(repeating: "k", count: 70_000): 1] }
        #expect(try Self.back(span).attributes.entries.first?.key.count == 60_000)
    }

    @Test func `the text of what went in is that of the value`() throws {
        let span = Self.span(.modelGeneration) { span in
            span.input = [["role": "user", "content": "hi"]]
            span.output = "hello"
        }
        let reference = try Self.reference(span)
        let reader = OTLPSpanReader()
        #expect(reader.inputText(reference) == Array("hi".utf8))
        #expect(reader.outputText(reference) == Array("hello".utf8))
        #expect(reader.messages(reference)?.array?.count == 2)
    }
}
