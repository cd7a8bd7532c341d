import NightjarBus
import NightjarExporters
import NightjarSignals
import Synchronization
import Testing

@Suite struct ConsoleTests {
    final class Screen: Sendable {
        private let state = Mutex("")
        var text: String { state.withLock { $0 } }
        @Sendable func write(_ text: String) { state.withLock { $0 += text } }
    }

    static let start = Timestamp(unixNano: 1_700_000_000_123_000_000)
    static let trace = TraceID(high: 0x4BF9_2F35_77B3_4DA6, low: 1)

    static func span(_ name: String, _ id: UInt64, parent: UInt64? = nil, _ type: SpanType) -> Span {
        var span = Span(id: SpanID(value: id), traceID: trace, name: name, startTime: start)
        span.parentSpanID = parent.map { SpanID(value: $0) }
        span.type = type
        return span
    }

    @Test func `spans stand in their tree with what they used`() async throws {
        let screen = Screen()
        let exporter = ConsoleExporter(colours: false, writer: screen.write)
        var run = Self.span("support", 1, .agentRun)
        var call = Self.span("chat", 2, parent: 1, .modelGeneration)
        try await exporter.exportSpans([.spanStarted(run), .spanStarted(call)])
        call.endTime = Self.start.advanced(by: .milliseconds(1250))
        call.model = "gpt-4o"
        var usage = Span.Usage()
        (usage.inputTokens, usage.outputTokens, usage.cacheReadTokens) = (1200, 340.0, 1000)
        call.usage = usage
        run.endTime = Self.start.advanced(by: .seconds(75))
        run.status = .error
        run.errorInfo = Span.ErrorInfo(message: "no\nanswer \u{1B}[2J")
        try await exporter.exportSpans([.spanUpdated(call), .spanEnded(call), .spanEnded(run)])
        #expect(
            screen.text == """
                22:13:20.123 ▶ agent_run support · trace 4bf92f35
                22:13:20.123   ▶ model_generation chat
                22:13:21.373   ✓ model_generation chat · 1.25 s · model=gpt-4o · 1200 in + 340 out tokens, 1000 cached
                22:14:35.123 ✗ agent_run support · 1 min 15 s · no⏎answer ·[2J · trace 4bf92f35

                """
        )
    }

    @Test func `each signal has its line`() async throws {
        let screen = Screen()
        let exporter = ConsoleExporter(colours: false, writer: screen.write)
        var log = Log(timestamp: Self.start, level: .warn, message: "slow", data: ["tries": 3])
        (log.traceID, log.spanID) = (Self.trace, SpanID(value: 0xF067_AA0B_0000_0000))
        try await exporter.exportLogs([log])
        try await exporter.exportMetrics([
            Metric(
                timestamp: Self.start,
                name: "calls",
                type: .counter,
                value: 2,
                labels: ["tool": "x", "agent": "a"]
            ),
            Metric(timestamp: Self.start, name: "heat", type: .gauge, value: 0.5),
        ])
        var score = Score(id: "1", timestamp: Self.start, scorerName: "relevance")
        (score.score, score.label, score.reason) = (0.92, "good", "to the point")
        try await exporter.exportScores([score])
        try await exporter.exportFeedback([
            Feedback(id: "2", timestamp: Self.start, source: "user", feedbackType: "thumbs", value: 1)
        ])
        try await exporter.exportDrops([
            Drop(signal: .log, reason: "queue_full", count: 3, timestamp: Self.start, exporter: "otlp")
        ])
        #expect(
            screen.text == """
                22:13:20.123 WARN slow · tries=3 · trace 4bf92f35/f067aa0b
                22:13:20.123 metric calls{agent="a", tool="x"} · +2
                22:13:20.123 metric heat · 0.5
                22:13:20.123 score relevance · 0.92 good · “to the point”
                22:13:20.123 feedback thumbs · 1 · from user
                22:13:20.123 lost 3 log events: queue_full · at otlp

                """
        )
    }

    @Test func `colours are used only where asked for`() async throws {
        let screen = Screen()
        let exporter = ConsoleExporter(colours: true, writer: screen.write)
        try await exporter.exportLogs([Log(timestamp: Self.start, level: .error, message: "x")])
        #expect(screen.text.contains("\u{1B}[31mERROR\u{1B}[0m x"))
    }
}

@Suite struct InMemoryTests {
    static let time = Timestamp(unixNano: 1)

    static func metric(_ value: Double, _ labels: [String: String]) -> Metric {
        Metric(timestamp: time, name: "calls", type: .counter, value: value, labels: labels)
    }

    @Test func `signals are found by kind, name and labels until a reset`() async throws {
        let exporter = InMemoryExporter()
        let span = ConsoleTests.span("a", 1, .agentRun)
        try await exporter.exportSpans([.spanStarted(span), .spanEnded(span)])
        try await exporter.exportMetrics([
            Self.metric(1, ["a": "x", "b": "y"]), Self.metric(2, ["a": "x"]), Self.metric(4, [:]),
        ])
        #expect(exporter.events.count == 5)
        #expect(exporter.spans(named: "a") == [span])
        #expect(exporter.spans(named: "b").isEmpty)
        #expect(exporter.startedSpans == [span])
        #expect(exporter.value(of: "calls") == 7)
        #expect(exporter.value(of: "calls", labels: ["a": "x"]) == 3)
        #expect(exporter.value(of: "other") == 0)
        exporter.reset()
        #expect(exporter.events.isEmpty)
    }

    @Test func `a wait ends with the event it waits for, or with its limit`() async throws {
        let exporter = InMemoryExporter()
        async let hasCome = exporter.waitFor(timeout: .seconds(20)) { $0.logs.count == 2 }
        for _ in 0..<2 {
            try await exporter.exportLogs([Log(timestamp: Self.time, level: .info, message: "a")])
        }
        #expect(await hasCome)
        #expect(await exporter.waitFor(timeout: .zero) { $0.logs.count == 3 } == false)
    }
}
