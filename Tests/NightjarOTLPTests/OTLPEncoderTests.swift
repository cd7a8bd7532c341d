import CNightjarSignals
import NightjarOTLP
import NightjarSignals
import NightjarTesting
import Testing

/// What goes out to other receivers: our decoders read it back, and it speaks the GenAI conventions.
struct OTLPEncoderTests {
    private static let now = Timestamp(unixNano: 1_700_000_000_000_000_000)

    private static func references(_ body: [UInt8]?) throws -> [SpanReference] {
        try TraceRequest.decode(
            try #require(body),
            encoding: .protobuf,
            receivedAt: now,
            workers: 1
        ).references
    }

    /// All attributes on the wire, the span's own and those beside them.
    private static func written(_ span: Span) throws -> Value.Object {
        let reference = try #require(try references(OTLPEncoder.traces([span])).first)
        let row = reference.row.pointee
        var object = Value.Object()
        for attribute in reference.slab.attributes(
            row.first_attribute,
            row.attribute_count + UInt32(row.carried_count)
        ) {
            object[attribute.keyText.string ?? ""] = OTLPSpanReader().value(attribute)
        }
        return object
    }

    static func span(_ type: SpanType, _ change: (inout Span) -> Void = { _ in }) -> Span {
        var span = Span(
            id: SpanID(value: 1),
            traceID: TraceID(high: 1, low: 2),
            name: "span",
            startTime: now
        )
        span.type = type
        span.typeName = type.name
        span.endTime = now.advanced(by: .seconds(1))
        change(&span)
        return span
    }

    @Test func `another instance reads back the span that was sent`() throws {
        for seed in UInt64(100)...115 {
            var random = RandomSpan(seed: seed)
            let spans = (0..<30).map { _ in
                var span = random.span()
                if span.status == .running { span.status = .ok }
                return span
            }
            let found = try Self.references(OTLPEncoder.traces(spans.map { .spanEnded($0) }))
            #expect(found.count == spans.count)
            for (reference, span) in zip(found, spans) {
                let back = OTLPSpanReader().span(reference)
                #expect(back == span, "seed \(seed): \(back.json.json) for \(span.json.json)")
                #expect(reference.row.pointee.hasEnded)
            }
        }
    }

    @Test func `a recorded span that is sent on keeps what it came with`() throws {
        for client in Captures.names {
            for request in try Captures.named(client).traceRequests {
                let spans = try request.decoded().references.map { OTLPSpanReader().span($0) }
                let back = try Self.references(OTLPEncoder.traces(spans)).map { OTLPSpanReader().span($0) }
                #expect(back == spans.map(Self.withoutDerivation), "\(client)")
            }
        }
    }

    private static func withoutDerivation(_ span: Span) -> Span {
        var span = span
        span.duplicateOf = nil
        span.derivedFrom = nil
        return span
    }

    @Test func `a generation speaks the conventions`() throws {
        let span = Self.span(.modelGeneration) { span in
            span.attributes = [
                "model": "gpt", "provider": "openai", "responseModel": "gpt-1", "finishReason": "stop",
                "parameters": ["temperature": 0.5, "topP": 0.25, "maxOutputTokens": 9],
                "usage": [
                    "inputTokens": 10, "outputTokens": 7, "inputDetails": ["cacheRead": 4, "cacheWrite": 2],
                ],
            ]
            span.agent = "helper"
            span.metadata = ["sessionId": "s", "userId": "u"]
            span.input = [["role": "user", "content": "hi"]]
            span.output = [["role": "assistant", "parts": [["type": "text", "content": "hello"]]]]
        }
        let found = try Self.written(span)
        let wanted: Value.Object = [
            "gen_ai.operation.name": "chat", "gen_ai.agent.name": "helper", "gen_ai.request.model": "gpt",
            "gen_ai.provider.name": "openai", "gen_ai.response.model": "gpt-1",
            "gen_ai.response.finish_reasons": ["stop"], "gen_ai.request.temperature": 0.5,
            "gen_ai.request.top_p": 0.25, "gen_ai.request.max_tokens": 9, "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 7, "gen_ai.usage.cache_read.input_tokens": 4,
            "gen_ai.usage.cache_creation.input_tokens": 2, "gen_ai.conversation.id": "s", "user.id": "u",
            "gen_ai.input.messages": #"[{"role":"user","parts":[{"type":"text","content":"hi"}]}]"#,
            "gen_ai.output.messages": .string(span.output?.json ?? ""),
        ]
        for (key, value) in wanted.entries { #expect(found[key] == value, "\(key)") }
        // Ours where the conventions' shape is another, once where it is the same.
        #expect(found["nightjar.input"]?.string == span.input?.json)
        #expect(found["nightjar.output"] == nil)
        let back = OTLPSpanReader().span(try #require(try Self.references(OTLPEncoder.traces([span])).first))
        #expect(back.attributes == span.attributes)
        #expect(back.input == span.input)
        #expect(back.output == span.output)
    }

    @Test(arguments: [
        (SpanType.agentRun, "invoke_agent", "gen_ai.agent.name"),
        (.toolCall, "execute_tool", "gen_ai.tool.name"),
        (.mcpToolCall, "execute_tool", "gen_ai.tool.name"),
        (.workflowRun, "invoke_workflow", "gen_ai.workflow.name"),
    ])
    func `a run or call names itself`(_ type: SpanType, _ operation: String, _ key: String) throws {
        let found = try Self.written(Self.span(type) { $0.entityName = "x" })
        #expect(found["gen_ai.operation.name"] == .string(operation))
        #expect(found[key] == "x")
    }

    @Test func `a tool's arguments and result are the conventions'`() throws {
        let found = try Self.written(
            Self.span(.toolCall) { span in
                span.input = ["city": "Oslo"]
                span.output = "7 degrees"
            }
        )
        #expect(found["gen_ai.tool.call.arguments"] == #"{"city":"Oslo"}"#)
        #expect(found["gen_ai.tool.call.result"] == "7 degrees")
    }

    @Test func `what a span came with is not overwritten`() throws {
        let span = Self.span(.modelGeneration) { span in
            span.attributes = ["gen_ai.request.model": "own", "gen_ai.operation.name": "text_completion"]
            span.model = "derived"
        }
        let found = try Self.written(span)
        #expect(found["gen_ai.request.model"] == "own")
        #expect(found["gen_ai.operation.name"] == "text_completion")
        let back = OTLPSpanReader().span(try #require(try Self.references(OTLPEncoder.traces([span])).first))
        #expect(back == span)
    }

    @Test func `a failure has its type, and an exception event that is not the span's`() throws {
        var error = Span.ErrorInfo(message: "no price", id: "ValueError", stack: "line 3")
        error.category = "user"
        let span = Self.span(.toolCall) { span in
            span.status = .error
            span.errorInfo = error
        }
        #expect(try Self.written(span)["error.type"] == "ValueError")
        let reference = try #require(try Self.references(OTLPEncoder.traces([span])).first)
        #expect(OTLPSpanReader().span(reference) == span)
        let encoded = String(decoding: reference.row.pointee.encoded.buffer, as: UTF8.self)
        #expect(encoded.contains("exception.stacktrace"))
    }

    @Test func `the resource says service and environment, and keeps its own`() throws {
        let span = Self.span(.generic) { span in
            span.resource = ["host.name": "h"]
            span.service = "api"
            span.metadata = ["environment": "prod"]
        }
        let reference = try #require(try Self.references(OTLPEncoder.traces([span])).first)
        let context = reference.slab.context(of: reference.row)
        #expect(context.service.string == "api")
        #expect(context.environment.string == "prod")
        #expect(OTLPSpanReader().span(reference).resource == ["host.name": "h"])
    }

    @Test func `only spans that have ended go out`() throws {
        let running = Self.span(.agentRun) { span in
            span.endTime = nil
            span.status = .running
        }
        #expect(OTLPEncoder.traces([running]) == nil)
        #expect(OTLPEncoder.traces([SignalEvent.spanStarted(Self.span(.agentRun))]) == nil)
        #expect(try Self.references(OTLPEncoder.traces([running, Self.span(.agentRun)])).count == 1)
    }

    private static func correlation() -> Correlation {
        var correlation = Correlation()
        correlation.serviceName = "api"
        correlation.environment = "prod"
        correlation.sessionID = "s"
        correlation.entity.name = "helper"
        correlation.tags = ["a", "b"]
        return correlation
    }

    private static func logs(_ body: [UInt8]?) throws -> LogRequest {
        try LogRequest.decode(try #require(body), encoding: .protobuf, receivedAt: Timestamp(unixNano: 1))
    }

    @Test(arguments: LogLevel.allCases)
    func `a log line comes back`(_ level: LogLevel) throws {
        var log = Log(timestamp: Self.now, level: level, message: "it happened")
        log.data = ["n": 1, "deep": ["a": [1.5, .null]], "event.name": "e", "body": "b"]
        log.metadata = ["runId": "r", "whole": 1.0]
        log.traceID = TraceID(high: 1, low: 2)
        log.spanID = SpanID(value: 3)
        log.tags = ["x"]
        log.correlation = Self.correlation()
        let plain = Log(timestamp: Self.now, level: level, message: "")
        #expect(try Self.logs(OTLPEncoder.logs([log, plain])).logs == [log, plain])
    }

    @Test func `scores go out as evaluation results and come back`() throws {
        var score = Score(id: "id-1", timestamp: Self.now, scorerName: "tone", metadata: ["a": 1])
        score.traceID = TraceID(high: 1, low: 2)
        score.spanID = SpanID(value: 3)
        score.score = 0.5
        score.label = "warm"
        score.reason = "because"
        score.experiment = "e"
        score.scorerVersion = "2"
        score.annotatorKind = "llm"
        score.correlation = Self.correlation()
        var failed = Score(id: "id-2", timestamp: Self.now, scorerName: "tone")
        failed.sessionID = "s"
        failed.error = "timeout"
        let found = try Self.logs(OTLPEncoder.logs([], scores: [score, failed]))
        #expect(found.logs.isEmpty)
        let back = found.evaluations.map { evaluation in
            var score = evaluation.input.score(
                id: evaluation.input.id ?? "",
                timestamp: evaluation.timestamp,
                targetMetadata: [:]
            )
            score.correlation = evaluation.correlation
            return score
        }
        #expect(back == [score, failed])
    }

    @Test func `feedback comes back`() throws {
        var feedback = Feedback(
            id: "f",
            timestamp: Self.now,
            source: "user",
            feedbackType: "thumbs",
            value: 1,
            metadata: ["userId": "u"]
        )
        feedback.traceID = TraceID(high: 1, low: 2)
        feedback.comment = "good"
        feedback.experiment = "e"
        feedback.correlation = Self.correlation()
        var words = Feedback(
            id: "g",
            timestamp: Self.now,
            source: "user",
            feedbackType: "comment",
            value: "text"
        )
        words.sessionID = "s"
        #expect(
            try Self.logs(OTLPEncoder.logs([], feedback: [feedback, words])).feedback == [feedback, words]
        )
    }

    @Test func `nothing to send is no request`() {
        #expect(OTLPEncoder.logs([]) == nil)
        #expect(OTLPEncoder.metrics([]) { _ in [] } == nil)
    }

    static func observation(
        _ name: String,
        _ type: MetricType,
        _ value: Double,
        at seconds: Int64 = 0,
        _ labels: [String: String] = [:]
    ) -> Metric {
        Metric(
            timestamp: now.advanced(by: .seconds(seconds)),
            name: name,
            type: type,
            value: value,
            labels: labels,
            metadata: ["serviceName": "api"]
        )
    }

    @Test func `observations add up by metric and labels`() throws {
        let body = OTLPEncoder.metrics(
            [
                Self.observation("calls", .counter, 1, at: 0, ["tool": "a"]),
                Self.observation("calls", .counter, 2, at: 5, ["tool": "a"]),
                Self.observation("calls", .counter, 4, at: 3, ["tool": "b"]),
                Self.observation("open", .gauge, 7, at: 9), Self.observation("open", .gauge, 3, at: 4),
                Self.observation("wait_ms", .histogram, 10),
                Self.observation("wait_ms", .histogram, 11, at: 2),
                Self.observation("wait_ms", .histogram, 500, at: 1),
            ]
        ) { name in name == "wait_ms" ? [10, 100] : [] }
        let points = try MetricRequest.decode(
            try #require(body),
            encoding: .protobuf,
            receivedAt: Timestamp(unixNano: 1)
        ).points
        var waits = OTLPMetricPoint.Histogram()
        waits.bounds = [10, 100]
        waits.counts = [1, 1, 1]
        waits.count = 3
        waits.sum = 521
        waits.min = 10
        waits.max = 500
        #expect(
            points.map(\.reading) == [
                .sum(3, isMonotonic: true), .sum(4, isMonotonic: true), .gauge(7), .histogram(waits),
            ]
        )
        #expect(points.map(\.name) == ["calls", "calls", "open", "wait_ms"])
        #expect(points.map(\.labels) == [["tool": "a"], ["tool": "b"], [:], [:]])
        #expect(points.map(\.temporality) == [.delta, .delta, .unspecified, .delta])
        #expect(points.map(\.unit) == ["", "", "", "ms"])
        #expect(points.allSatisfy { $0.service == "api" })
        #expect(points[0].startTime?.unixNano == Self.now.unixNano - 1)
        #expect(points[0].time == Self.now.advanced(by: .seconds(5)))
    }
}
