import Foundation
import Nightjar
import NightjarBus
import NightjarServer
import NightjarSignals
import NightjarTesting
import Testing

/// Metrics over time, as a client of the API and the command line see them.
@Suite struct MetricQueryTests {
    private func query(_ server: TestServer, _ parameters: String) async throws -> Value {
        let answer = try await server.client.get("/api/metrics/query?\(parameters)")
        #expect(answer.status == 200, "\(parameters): \(answer.text)")
        return try answer.json()
    }

    private func send(_ client: String, to server: TestServer) async throws {
        for request in try Captures.named(client).requests where request.signal == "traces" {
            #expect(try await server.post(request).status == 200)
        }
        #expect(await server.engine.finish())
    }

    @Test(arguments: ["synth-mastra", "genai-openai", "synth-claude-code"])
    func `the windows of every built-in metric add up to its totals`(client: String) async throws {
        try await TestServer.run { server in
            try await send(client, to: server)
            var checked = 0
            for one in MetricSummary.all(
                registry: server.engine.registry,
                series: server.engine.series,
                report: server.engine.cardinality
            ) where one.seriesCount > 0 && one.instrument.name.hasPrefix("mastra_") {
                let name = one.instrument.name
                let isCounter = one.instrument.type == .counter
                let series = server.engine.series.filter { $0.instrument.name == name }
                let labels = Set(series.flatMap { $0.labels.map(\.name) }).sorted()
                let all = "name=\(name)&from=0&groupBy=\(labels.joined(separator: ","))&limit=500"
                let sums = try await query(server, "\(all)&agg=sum")
                let counts = try await query(server, "\(all)&agg=count")
                let sum = sums["total"]?.number ?? .nan
                let total = series.reduce(0) { $0 + $1.total.sum }
                // Durations have fractions, and are added up in another order.
                #expect(isCounter ? sum == total : abs(sum - total) <= total * 1e-12, "\(name)")
                #expect(counts["total"]?.number == Double(series.reduce(0) { $0 + $1.total.count }))
                for group in sums["series"]?.array ?? [] {
                    let found = series.first { one in
                        Set(one.labels.map { "\($0.name)=\($0.value)" })
                            == Set(
                                (group["labels"]?.object?.entries ?? []).map {
                                    "\($0.key)=\($0.value.string ?? "")"
                                }
                            )
                    }
                    #expect(found != nil)
                    checked += 1
                    guard isCounter else { continue }
                    #expect(group["total"]?.number == found?.total.sum, "\(name)")
                    let points = group["points"]?.array?.compactMap { $0["value"]?.number } ?? []
                    #expect(points.reduce(0, +) == group["total"]?.number)
                }
            }
            #expect(checked > 4)
        }
    }

    @Test func `metrics are listed with when they were last seen`() async throws {
        try await TestServer.run { server in
            try await send("synth-mastra", to: server)
            let listed = try await server.client.get("/api/metrics").json()["metrics"]?.array ?? []
            let ended = listed.first { $0["name"]?.string == "mastra_agent_runs_ended" }
            #expect(ended?["lastSeen"]?.string.flatMap { Timestamp(iso8601: $0) } != nil)
            let never = listed.first { $0["name"]?.string == "mastra_scores_total" }
            #expect(never != nil && never?["lastSeen"] == nil)
        }
    }

    @Test func `a received metric is found under its own name beside one of ours`() async throws {
        try await TestServer.run { server in
            try await send("synth-mastra", to: server)
            let ours = try await query(server, "name=mastra_model_input_tokens&agg=sum&from=0")
            _ = try await server.postMetrics(
                OTLPBody.counter("mastra_model_input_tokens", 7, at: 2)
                    + OTLPBody.counter("http.requests", 5, at: 3)
                    + [
                        OTLPBody.histogram(
                            "wait",
                            bounds: [1, 10, 100],
                            counts: [0, 90, 10, 0],
                            labels: ["k": "a b"]
                        )
                    ]
            )
            #expect(await server.engine.flush())
            let again = try await query(server, "name=mastra_model_input_tokens&agg=sum&from=0")
            #expect(again["total"] == ours["total"])
            #expect(again["origin"]?.string == "nightjar")
            let theirs = try await query(
                server,
                "name=otlp/mastra_model_input_tokens&agg=sum&from=0&to=600000&step=60"
            )
            #expect(theirs["total"]?.number == 7)
            #expect(theirs["origin"]?.string == "otlp")
            #expect(try await query(server, "name=http.requests&agg=sum&from=0&to=600000")["total"] == 5)
            let wait = "name=wait&from=0&to=600000&filter.k=a%20b"
            let p50 = try await query(server, "\(wait)&agg=p50")["total"]?.number ?? 0
            #expect((1...10).contains(p50))
            let p99 = try await query(server, "\(wait)&agg=p99")["total"]?.number ?? 0
            #expect((10...100).contains(p99))
            let none = try await query(server, "name=wait&from=0&to=600000&filter.k=c&agg=count")
            #expect(none["total"] == 0)
            #expect(none["series"] == [])
        }
    }

    @Test(arguments: [
        ("agg=sum", 400, "name is missing"),
        ("name=mastra_agent_duration_ms", 400, "agg is missing; use one of sum, avg"),
        ("name=mastra_agent_duration_ms&agg=mean", 400, "agg mean is not known; use one of sum, avg"),
        ("name=mastra_agent_runs_ended&agg=p95", 400, "is a counter, which has no p95; use one of sum"),
        ("name=mastra_agent_run_ended&agg=sum", 404, "did you mean mastra_agent_runs_ended"),
        ("name=tokens&agg=sum", 404, "mastra_model_cache_read_tokens"),
        ("name=mastra_agent_runs_ended&agg=sum&from=yesterday", 400, "from must be ISO 8601 or milliseconds"),
        ("name=mastra_agent_runs_ended&agg=sum&from=9&to=8", 400, "from must lie before to"),
        ("name=mastra_agent_runs_ended&agg=sum&step=a", 400, "step a is no duration"),
        ("name=mastra_agent_runs_ended&agg=sum&step=15s", 400, "step must be a multiple of 10s"),
        ("name=mastra_agent_runs_ended&agg=sum&from=0&to=1e12&step=10s", 400, "at most 2000 are given"),
        ("name=mastra_agent_runs_ended&agg=sum&agent=a", 400, "filtered by filter.LABEL"),
        ("name=mastra_agent_runs_ended&agg=sum&limit=501", 400, "limit must be a number from 1 to 500"),
        ("name=mastra_agent_runs_ended&agg=sum&compare=yes", 400, "compare must be previous or none"),
    ])
    func `what cannot be answered is refused with what to write`(
        parameters: String,
        status: Int,
        detail: String
    ) async throws {
        try await TestServer.run { server in
            let answer = try await server.client.get("/api/metrics/query?\(parameters)")
            #expect(answer.status == status)
            #expect(try answer.json()["detail"]?.string?.contains(detail) == true, "\(answer.text)")
        }
    }

    @Test func `queries beside ingest see what is committed, never less than before and never twice`()
        async throws
    {
        try await TestServer.run { server in
            let now = server.engine.now.unixNano
            func post(_ number: Int) async throws {
                let body = OTLPBody.sum(
                    "steps",
                    1,
                    at: Int(now) - 3_600_000_000_000 + number * 10_000_000_000,
                    temporality: 1,
                    isMonotonic: true
                )
                #expect(try await server.postMetrics([body]).status == 200)
            }
            try await post(0)
            #expect(await server.engine.flush())
            let parameters = "name=steps&agg=sum&from=\((now - 7_200_000_000_000) / 1_000_000)"
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { for number in 1...120 { try await post(number) } }
                group.addTask {
                    var last = 0.0
                    while last < 121 {
                        try Task.checkCancellation()
                        let total = try await query(server, parameters)["total"]?.number ?? .nan
                        guard total >= last, total <= 121 else {
                            Issue.record("\(total) after \(last)")
                            return
                        }
                        last = total
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func `an engine that stops without finishing counts every point once in its windows too`()
        async throws
    {
        let folder = try Fixture()
        let first = try Engine.onDisk(in: folder)
        for time in 1...40 { try await first.post(OTLPBody.counter("c", Double(time * time), at: time + 1)) }
        // What a crash would leave: some of it processed and some of it not.
        let copy = try Fixture(copying: folder.url)
        let second = try Engine.onDisk(in: copy)
        #expect(await second.flush())
        var query = MetricQuery(name: "c", aggregation: .sum)
        (query.from, query.to) = (Timestamp(unixNano: 0), Timestamp(unixNano: 60_000_000_000))
        #expect(try await second.metric(query)?.total == 1600)
        #expect(second.received.map(\.total.sum) == [1600])
        await second.shutdown()
        await first.shutdown()
    }

    @Test func `OpenMetrics shows a trace for buckets of histograms, once somebody asks for it`() async throws
    {
        try await TestServer.run { server in
            let accept = [(name: "Accept", value: "application/openmetrics-text")]
            _ = try await server.client.send("GET", "/metrics", headers: accept)
            try await send("synth-mastra", to: server)
            let text = try await server.client.send("GET", "/metrics", headers: accept).text
            let examples = text.split(separator: "\n").filter { $0.contains(" # {trace_id=\"") }
            #expect(examples.contains { $0.hasPrefix("mastra_agent_duration_ms_bucket") })
            for line in examples {
                let id = try #require(line.firstMatch(of: /# \{trace_id="([0-9a-f]{32})"\} (\S+) (\S+)$/))
                #expect(try await server.client.get("/api/traces/\(id.1)").status == 200)
                let bound = line.firstMatch(of: /le="([^"]+)"/).flatMap {
                    Double($0.1.replacing("+Inf", with: "inf"))
                }
                #expect(try #require(Double(id.2)) <= (bound ?? .infinity))
            }
            #expect(try await !server.client.get("/metrics").text.contains("trace_id"))
        }
    }

    // MARK: - The command line

    private func run(_ arguments: [String], _ server: TestServer) async throws -> (
        code: Int32, out: String, error: String
    ) {
        let process = try RunningProcess(
            RunningProcess.nightjar(),
            ["metrics", "query"] + arguments,
            environment: ["NIGHTJAR_SERVER": server.address]
        )
        let code = try await process.exitCode()
        return (code, process.output, process.errorOutput)
    }

    @Test func `the command prints groups with their totals and the period before, or JSON`() async throws {
        try await TestServer.run { server in
            let now = Int(server.engine.now.unixNano)
            for (value, secondsAgo) in [(4.0, 5400), (10, 600)] {
                let body = OTLPBody.sum(
                    "app.steps",
                    value,
                    at: now - secondsAgo * 1_000_000_000,
                    temporality: 1,
                    isMonotonic: true
                )
                _ = try await server.postMetrics([body], resource: ["service.name": "a+b shop"])
            }
            #expect(await server.engine.flush())
            let arguments = ["app.steps", "--group-by", "service.name", "--since", "1h"]
            let table = try await run(arguments, server)
            #expect(table.code == 0, "\(table.error)")
            #expect(table.out.hasPrefix("sum of app.steps, "))
            #expect(table.out.contains(/SERVICE\.NAME +VALUE +BEFORE +CHANGE\n/))
            #expect(table.out.contains(/a\+b shop +10 +4 +\+150(\.0)? %\n/))
            let filtered = try await run(arguments + ["--filter", "service.name=a+b shop", "--json"], server)
            let answer = try Value(json: filtered.out)
            #expect(answer["total"] == 10)
            let other = try await run(arguments + ["--filter", "service.name=c", "--json"], server)
            #expect(try Value(json: other.out)["total"] == 0)
            let points = try await run(arguments + ["--points", "--step", "10m"], server)
            #expect(points.out.contains(/TIME +VALUE\n/))
            let unknown = try await run(["app.step"], server)
            #expect(unknown.code == 1)
            #expect(unknown.error.contains("did you mean app.steps"))
            #expect(try await run(arguments + ["--filter", "a"], server).code == 2)
            #expect(try await run(arguments + ["--from", "2026-01-01T00:00:00Z"], server).code == 2)
        }
    }
}
