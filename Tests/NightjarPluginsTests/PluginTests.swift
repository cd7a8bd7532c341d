import CNightjarSignals
import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Testing

@Suite struct PluginTests {
    @Test func `a counter carries value and labels`() throws {
        let fixture = try Fixture(
            """
            local refunds = nightjar.counter("shop_refunds_total", { help = "Refunds", labels = { "currency", "agent" } })
            nightjar.on("span_ended", { type = "tool_call", tool = "issue_refund", status = "ok" }, function(span)
              refunds:add(1, { currency = span.attributes["refund.currency"], agent = span.agent })
            end)
            """
        )
        fixture.end(
            fixture.builder.span(type: .toolCall, attributes: [("refund.currency", .text("EUR"))]) {
                row,
                slab in
                row.tool = SpanBuilder.text("issue_refund", in: slab)
                row.agent = SpanBuilder.text("support", in: slab)
            }
        )
        fixture.end(fixture.builder.span(type: .toolCall))
        #expect(fixture.fault == nil)
        #expect(fixture.receiver.metrics.map(\.labels) == [["currency": "EUR", "agent": "support"]])
        #expect(fixture.receiver.metrics.map(\.name) == ["shop_refunds_total"])
        #expect(fixture.registry.policy(of: "shop_refunds_total").allow == ["currency", "agent"])
    }

    @Test func `a trace scorer scores the trace`() throws {
        var reader = SpanContentReader()
        reader.fixedOutput = "0123456789"
        reader.fixedMetadata = ["userId": "u1"]
        let fixture = try Fixture(
            """
            nightjar.plugin { version = "1.2" }
            nightjar.scorer("concise", {
              on = "trace_ended", match = { root = { type = "agent_run", agent = "support" } }, range = { 0, 1 },
            }, function(trace)
              local text = trace.root.output_text
              trace.addScore { score = math.min(1, 5 / #text), reason = #text .. " characters" }
            end)
            """,
            reader: reader
        )
        let span = fixture.builder.span(type: .agentRun) { $0.agent = SpanBuilder.text("support", in: $1) }
        fixture.end(TraceView(id: TraceID(high: 1, low: 2), spans: [span], revision: 1))
        #expect(fixture.fault == nil)
        let score = try #require(fixture.receiver.scores.first)
        #expect(score.score == 0.5)
        #expect(score.scorerName == "concise")
        #expect(score.reason == "10 characters")
        #expect(score.metadata["plugin"] == "rule@1.2")
        #expect(score.metadata["userId"] == "u1")
        #expect(score.spanID == nil)
        #expect(score.traceID == TraceID(high: 1, low: 2))
    }
}
