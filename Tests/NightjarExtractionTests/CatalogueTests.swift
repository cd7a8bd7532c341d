import CNightjarSignals
import NightjarBus
import NightjarExtraction
import NightjarSignals
import NightjarTesting
import Testing

@Suite struct CatalogueTests {
    private func agentRun(endedAfter seconds: Int64?, startedAfter start: Int64 = 0) -> SpanReference {
        SpanBuilder().span(type: .agentRun) { row, slab in
            func nano(_ second: Int64) -> UInt64 {
                UInt64(ExtractionBench.receivedAt.advanced(by: .seconds(second)).unixNano)
            }
            row.agent = SpanBuilder.text("a", in: slab)
            row.start_nano = nano(start)
            row.end_nano = seconds.map(nano) ?? 0
        }
    }

    private func names(_ bench: ExtractionBench) -> [String] {
        bench.observed.compactMap { $0["name"]?.string }
    }

    @Test func `the catalogue has the eighteen metrics of the contract`() {
        #expect(Catalogue.names.count == 18)
        #expect(Set(Catalogue.names).count == 18)
    }

    @Test func `a prefix goes in front of every name`() throws {
        let bench = try ExtractionBench(prefix: "acme_")
        bench.settle(agentRun(endedAfter: 0), started: true, ended: true)
        #expect(
            names(bench) == [
                "acme_mastra_agent_runs_started", "acme_mastra_agent_runs_ended",
                "acme_mastra_agent_duration_ms",
            ]
        )
        let declared = bench.registry.resolvedDescriptors.map(\.name).filter { !$0.hasPrefix("nightjar_") }
        #expect(declared == Catalogue.names.map { "acme_" + $0 }.sorted())
    }

    @Test func `a prefix that makes no metric name is refused`() {
        #expect(throws: MetricError.self) { try ExtractionBench(prefix: "0-") }
    }

    @Test func `a disabled metric is neither declared nor counted, the others are`() throws {
        let bench = try ExtractionBench(
            prefix: "p_",
            disabled: ["mastra_agent_runs_ended", "mastra_scores_total"]
        )
        bench.settle(agentRun(endedAfter: 0), started: true, ended: true)
        #expect(names(bench) == ["p_mastra_agent_runs_started", "p_mastra_agent_duration_ms"])
        #expect(bench.registry.resolvedDescriptors.count { $0.name.hasPrefix("p_") } == 16)
        let score = Score(id: "s", timestamp: ExtractionBench.receivedAt, scorerName: "q")
        #expect(bench.extractor.count(score, entityType: nil) == nil)
    }

    @Test func `with every metric disabled nothing is counted`() throws {
        let bench = try ExtractionBench(disabled: Set(Catalogue.names))
        bench.settle(agentRun(endedAfter: 0), started: true, ended: true)
        #expect(bench.observed.isEmpty)
    }

    @Test func `times too far ahead are clamped and counted`() throws {
        let bench = try ExtractionBench()
        bench.settle(agentRun(endedAfter: 301, startedAfter: 300), started: true, ended: true)
        #expect(bench.ownCounts == ["nightjar_metric_time_clamped_total": 1])
        #expect(names(bench).count == 3)
    }

    @Test func `an end before the start counts as skew, an absent end does not`() throws {
        let bench = try ExtractionBench()
        bench.settle(agentRun(endedAfter: nil), started: false, ended: true)
        #expect(bench.ownCounts.isEmpty)
        bench.settle(agentRun(endedAfter: -1), started: false, ended: true)
        #expect(bench.ownCounts == ["nightjar_clock_skew_total": 1])
        #expect(bench.aggregator.take().allSatisfy { $0.time.unixNano > 0 })
    }
}
