import Foundation
import NightjarBus
import NightjarExporters
import NightjarSignals
import NightjarTesting
import Testing

/// What Prometheus's own tool says of a document.
@Suite struct PromtoolTests {
    static let promtool = ["/usr/bin/promtool", "/usr/local/bin/promtool", "/opt/homebrew/bin/promtool"].first
    {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    /// Signals, section 7.
    static let catalogue: [StoredSeries] = {
        let durations = ["agent", "model", "tool", "workflow"].map {
            ("mastra_\($0)_duration_ms", MetricType.histogram)
        }
        let counters = [
            "agent_runs_started", "agent_runs_ended", "model_requests_started", "model_requests_ended",
            "model_input_tokens",
            "model_output_tokens", "model_cache_read_tokens", "model_cache_write_tokens",
            "tool_calls_started",
            "tool_calls_ended", "workflow_runs_started", "workflow_runs_ended", "scores_total",
            "feedback_total",
        ].map { ("mastra_\($0)", MetricType.counter) }
        return (durations + counters).enumerated().flatMap { index, metric in
            [[Label("agent", "a \"b\" \\ \n é")], []].enumerated().map { place, labels in
                PrometheusTextTests.series(
                    metric.0,
                    metric.1,
                    id: Int32(index * 2 + place),
                    labels: labels,
                    sum: 12.5,
                    count: 3,
                    help: "One of the catalogue",
                    buckets: metric.1 == .histogram ? [(10, 1), (3_600_000, 1)] : [],
                    above: 1
                )
            }
        }
    }()

    @Test(.enabled(if: promtool != nil, "promtool is not installed"))
    func `the catalogue is valid, and only its names are complained about`() async throws {
        let complaints = try await check(Self.catalogue)
        #expect(complaints.contains { $0.contains("mastra_agent_runs_started") })
        for complaint in complaints {
            #expect(
                complaint.contains("counter metrics should have \"_total\" suffix")
                    || complaint.contains("use base unit") || complaint.contains("abbreviated units")
            )
        }
    }

    @Test(.enabled(if: promtool != nil, "promtool is not installed"))
    func `well-named metrics are not complained about`() async throws {
        let series = [
            PrometheusTextTests.series("a_total", help: "h", buckets: []),
            PrometheusTextTests.series("b", .gauge, id: 1, sum: .nan, help: "h"),
            PrometheusTextTests.series(
                "c_seconds",
                .histogram,
                id: 2,
                count: 2,
                help: "h",
                buckets: [(0.00001, 1)],
                above: 1
            ),
        ]
        #expect(try await check(series).isEmpty)
    }

    /// The tool's complaints, one a line; a document that it cannot read is one.
    private func check(_ series: [StoredSeries]) async throws -> [String] {
        let folder = try TemporaryFolder()
        let document = try folder.write(
            String(decoding: PrometheusText.document(series), as: UTF8.self),
            to: "metrics"
        )
        let process = try RunningProcess(
            URL(fileURLWithPath: "/bin/sh"),
            ["-c", "\"$0\" check metrics < \"$1\"", try #require(Self.promtool), document]
        )
        _ = try await process.exitCode(limit: .seconds(60))
        return process.lines.map(\.text)
    }
}
