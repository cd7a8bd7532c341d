import Foundation
import Nightjar
import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

/// A real Prometheus that scrapes the real server.
@Suite struct PrometheusTests {
    static let program = ["/usr/bin/prometheus", "/usr/local/bin/prometheus"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    @Test(.enabled(if: program != nil, "prometheus is not installed; scripts/setup installs it"))
    func `Prometheus scrapes the metrics and answers with the right values`() async throws {
        try await TestServer.run { server in
            for request in try Captures.named("synth-mastra").requests where request.signal == "traces" {
                #expect(try await server.post(request).status == 200)
            }
            #expect(await server.engine.flush())
            try server.folder.write(
                """
                global: { scrape_interval: 1s }
                scrape_configs:
                  - job_name: nightjar
                    static_configs: [{ targets: ["\(server.address.dropFirst("http://".count))"] }]
                """,
                to: "prometheus.yml"
            )
            let prometheus = try RunningProcess(
                URL(fileURLWithPath: Self.program ?? ""),
                [
                    "--config.file=\(server.folder.path("prometheus.yml"))",
                    "--storage.tsdb.path=\(server.folder.path("tsdb"))", "--web.listen-address=127.0.0.1:0",
                    "--log.level=info",
                ]
            )
            defer { prometheus.signal(SIGKILL) }
            let line = try await prometheus.line(containing: "Listening on")
            let address = try #require(line.split(separator: "address=").last?.split(separator: " ").first)
            let port = try #require(Int(address.split(separator: ":").last ?? ""))
            let client = HTTPClient(port: port)
            for (query, value) in [
                ("sum(mastra_model_input_tokens)", "510"), ("sum(mastra_agent_runs_ended)", "4"),
                ("mastra_workflow_runs_ended%7Bworkflow%3D%22day-trip%22%7D", "1"),
                ("sum(mastra_tool_duration_ms_count)", "3"),
            ] {
                try await wait(for: "\(query) to be \(value)", limit: .seconds(60)) {
                    let answer = try await client.get("/api/v1/query?query=\(query)")
                    // Until it is ready it answers with text.
                    guard answer.status == 200 else { return false }
                    return try answer.json()["data"]?["result"]?.array?.first?["value"]?.array?.last?.string
                        == value
                }
            }
        }
    }
}
