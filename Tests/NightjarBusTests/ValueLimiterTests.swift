import NightjarBus
import NightjarSignals
import Testing

@Suite struct ValueLimiterTests {
    private static let time = Timestamp(unixNano: 1)

    private func limiter(_ configure: (inout SizeLimits) -> Void = { _ in }) -> ValueLimiter {
        var limits = SizeLimits()
        configure(&limits)
        return ValueLimiter(limits)
    }

    @Test func `the limits of the contract are the defaults`() {
        let limiter = limiter()
        let text = String(repeating: "x", count: 131_072)
        #expect(limiter.value(.string(text)).string == text)
        #expect(limiter.value(.string(text + "y")).string == text + "…[truncated]")
        let list = Value.array((0..<51).map { .int($0) })
        #expect(limiter.value(list).array?.count == 51)
        #expect(limiter.value(list).array?.last == "[…1 more items]")
        var object = Value.Object()
        for index in 0..<53 { object["k\(index)"] = .int(Int64(index)) }
        let short = limiter.value(.object(object)).object
        #expect(short?.entries.count == 51)
        #expect(short?["k49"] == 49)
        #expect(short?.entries.last?.key == "__truncated")
        #expect(short?["__truncated"] == "3 more keys omitted")
        var deep: Value = 1
        for _ in 0..<8 { deep = [deep] }
        #expect(limiter.value(deep) == deep)
        #expect(limiter.value([deep]).json == "[[[[[[[[[\"[MaxDepth]\"]]]]]]]]]")
    }

    @Test func `what was cut is not cut again`() {
        let limiter = limiter {
            $0.characters = 4
            $0.elements = 2
            $0.keys = 2
            $0.depth = 2
        }
        let value: Value = [
            "list": ["abcdefg", ["a", "b", "c"], 3, 4],
            "deep": ["x": ["y": ["z": 1]], "l": [1, 2, 3], "m": 1],
            "more": 1, "evenMore": 2,
        ]
        let once = limiter.value(value)
        #expect(limiter.value(once) == once)
        #expect(
            once == [
                "list": [
                    "abcd…[truncated]", ["[MaxDepth]", "[MaxDepth]", "[…1 more items]"], "[…2 more items]",
                ],
                "deep": [
                    "x": ["y": "[MaxDepth]"], "l": ["[MaxDepth]", "[MaxDepth]", "[…1 more items]"],
                    "__truncated": "1 more keys omitted",
                ],
                "__truncated": "2 more keys omitted",
            ]
        )
    }

    @Test func `texts are cut between characters`() {
        let limiter = limiter { $0.characters = 2 }
        #expect(limiter.value("👩‍👩‍👧‍👦é") == "👩‍👩‍👧‍👦é")
        #expect(limiter.value("👩‍👩‍👧‍👦éx") == "👩‍👩‍👧‍👦é…[truncated]")
        #expect(limiter.value(.bytes([1, 2, 3])) == .bytes([1, 2] + Array("…[truncated]".utf8)))
    }

    @Test func `numbers that are not finite become null`() {
        #expect(limiter().value([.double(.nan), .double(.infinity), 1.5]) == [.null, .null, 1.5])
    }

    @Test func `every field that a caller fills in is cut`() throws {
        let limiter = limiter { $0.characters = 1 }
        let long: Value.Object = ["a": "xy"]
        let short: Value.Object = ["a": "x…[truncated]"]

        var span = Span(
            id: SpanID(value: 1),
            traceID: TraceID(high: 1, low: 1),
            name: "name",
            startTime: Self.time
        )
        span.attributes = long
        span.metadata = long
        span.input = .object(long)
        span.output = .object(long)
        span.events = [Span.Event(name: "event", timestamp: Self.time, attributes: long)]
        span.links = [Span.Link(traceID: span.traceID, spanID: span.id, attributes: long)]
        span.errorInfo = Span.ErrorInfo(message: "xy", stack: "xy")
        span.errorInfo?.details = long
        let cut = try #require(limiter.processSpan(span))
        span.attributes = short
        span.metadata = short
        span.input = .object(short)
        span.output = .object(short)
        span.events[0].attributes = short
        span.links[0].attributes = short
        span.errorInfo = Span.ErrorInfo(message: "x…[truncated]", stack: "x…[truncated]")
        span.errorInfo?.details = short
        #expect(cut == span)

        let log = try #require(
            limiter.processLog(
                Log(timestamp: Self.time, level: .info, message: "xy", data: long, metadata: long)
            )
        )
        #expect(log.message == "x…[truncated]" && log.data == short && log.metadata == short)
        let metric = Metric(timestamp: Self.time, name: "name", type: .gauge, value: 1, metadata: long)
        #expect(limiter.processMetric(metric)?.metadata == short)

        var score = Score(id: "id", timestamp: Self.time, scorerName: "name", metadata: long)
        score.reason = "xy"
        score.error = "xy"
        score.label = "xy"
        let newScore = limiter.score(score)
        #expect(newScore.reason == "x…[truncated]" && newScore.error == "x…[truncated]")
        #expect(newScore.label == "x…[truncated]" && newScore.metadata == short)

        var feedback = Feedback(
            id: "id",
            timestamp: Self.time,
            source: "user",
            feedbackType: "comment",
            value: "xy",
            metadata: long
        )
        feedback.comment = "xy"
        let newFeedback = limiter.feedback(feedback)
        #expect(newFeedback.value == "x…[truncated]" && newFeedback.comment == "x…[truncated]")
        #expect(newFeedback.metadata == short)
    }
}
