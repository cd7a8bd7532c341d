import Foundation
import Logging
import Nightjar
import NightjarBus
import NightjarServer
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// Metrics of others: taken, kept beside ours, and never mixed with them.
@Suite struct OTLPMetricTests {
    @Test(arguments: ["genai-langchain", "genai-openai", "otel-openai-v2", "pydantic-ai", "traceloop"])
    func `the metrics of a recording are shown, and count once however often they come`(
        client: String
    ) async throws {
        let capture = try Captures.named(client)
        let requests = capture.requests.filter { $0.signal == "metrics" }
        #expect(!requests.isEmpty)
        try await TestServer.run { server in
            for request in requests { #expect(try await server.postMetrics(request).status == 200) }
            #expect(await server.engine.flush())
            let once = server.engine.received
            #expect(Set(once.map(\.instrument.shownName)) == Set(capture.expectedMetricNames))
            #expect(
                once.allSatisfy {
                    $0.total.buckets.isEmpty || $0.total.buckets.reduce(0, +) == $0.total.count
                }
            )
            #expect(once.contains { $0.total.count > 0 && $0.total.sum > 0 })
            for request in requests { #expect(try await server.postMetrics(request).status == 200) }
            #expect(await server.engine.flush())
            #expect(server.engine.received.map(\.withoutUpdate) == once.map(\.withoutUpdate))
            let listed = try await server.client.get("/api/metrics").json()["metrics"]?.array ?? []
            let others = listed.filter { $0["origin"]?.string == "otlp" }
            #expect(others.compactMap { $0["name"]?.string } == capture.expectedMetricNames.sorted())
            #expect(others.allSatisfy { $0["labelNames"]?.array?.contains("service.name") == true })
            let text = try await server.client.get("/metrics").text
            for name in capture.expectedMetricNames { #expect(!text.contains(name)) }
            #expect(!text.contains("otlp/"))
        }
    }

    @Test func `a received metric with one of our names leaves ours alone`() async throws {
        try await TestServer.run { server in
            for request in try Captures.named("synth-mastra").requests where request.signal == "traces" {
                #expect(try await server.post(request).status == 200)
            }
            #expect(await server.engine.flush())
            let before = try await server.metrics()
            let answer = try await server.postMetrics(
                OTLPBody.counter("mastra_model_input_tokens", 7, at: 2)
                    + [OTLPBody.gauge("mastra_agent_runs_ended", 1)]
            )
            #expect(answer.status == 200)
            #expect(await server.engine.flush())
            #expect(try await server.metrics() == before)
            #expect(server.engine.received.map(\.total.sum) == [7, 1])
            let listed = try await server.client.get("/api/metrics").json()["metrics"]?.array ?? []
            let same = listed.filter { $0["name"]?.string == "mastra_model_input_tokens" }
            #expect(same.compactMap { $0["origin"]?.string }.sorted() == ["nightjar", "otlp"])
        }
    }

    @Test func `only what a counter gained counts, across a restart too`() async throws {
        let folder = try Fixture()
        let first = try Engine.onDisk(in: folder)
        try await first.post(OTLPBody.counter("c", 10, at: 2))
        #expect(await first.flush())
        let before = first.received
        #expect(before.map(\.total.sum) == [10])
        await first.shutdown()
        let second = try Engine.onDisk(in: folder)
        #expect(second.received == before)
        try await second.post(OTLPBody.counter("c", 10, at: 2))
        try await second.post(OTLPBody.counter("c", 14, at: 3))
        #expect(await second.flush())
        #expect(second.received.map(\.total.sum) == [14])
        #expect(second.received.map(\.instrument.origin) == [.otlp])
        await second.shutdown()
    }

    @Test func `a request that was on disk and not processed is processed at the next start`() async throws {
        let folder = try Fixture()
        let store = try SQLiteStore(.file(folder.path("n.db")), ledger: SeriesLedger(table: SeriesTable()))
        // One gauge point of the value 2.5 in protobuf, as the journal keeps it.
        let point: [UInt8] = [0x19, 9, 0, 0, 0, 0, 0, 0, 0, 0x21] + (2.5).bitPattern.littleEndianBytes
        let metric = [0x0A, 1, UInt8(ascii: "g")].field(5, [UInt8]().field(1, point))
        let body = [UInt8]().field(1, [UInt8]().field(2, [UInt8]().field(2, metric)))
        await withCheckedContinuation { continuation in
            do {
                try store.submit(
                    Submission(
                        chunks: [JournalChunk(eventsOf: nil, count: 1, payload: [1] + body)],
                        receivedAt: Timestamp(unixNano: 10)
                    ) { _ in continuation.resume() }
                )
            } catch {
                Issue.record(error)
                continuation.resume()
            }
        }
        try store.close()
        for _ in 0..<2 {
            let engine = try Engine.onDisk(in: folder)
            #expect(await engine.flush())
            #expect(engine.received.map(\.total.sum) == [2.5])
            #expect(engine.received.map(\.total.count) == [1])
            await engine.shutdown()
        }
    }

    @Test func `an exponential histogram has its quantiles within one percent, and keeps them`() async throws
    {
        let folder = try Fixture()
        let scale = 10
        var counts: [Int: Int] = [:]
        for value in 1...1000 {
            counts[Int((log2(Double(value)) * exp2(Double(scale))).rounded(.up)) - 1, default: 0] += 1
        }
        let (low, high) = (try #require(counts.keys.min()), try #require(counts.keys.max()))
        let row = (low...high).map { "\"\(counts[$0] ?? 0)\"" }.joined(separator: ",")
        let metric = """
            {"name":"wait","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{
              "startTimeUnixNano":"1","timeUnixNano":"2","count":"1000","sum":500500,"scale":\(scale),
              "zeroCount":"0","positive":{"offset":\(low),"bucketCounts":[\(row)]}}]}}
            """
        let first = try Engine.onDisk(in: folder)
        try await first.post([metric])
        #expect(await first.flush())
        await first.shutdown()
        let second = try Engine.onDisk(in: folder)
        let series = try #require(second.received.first)
        #expect(series.total.count == 1000)
        #expect(series.total.sum == 500_500)
        let summary = try #require(second.summaries.first { $0.instrument.shownName == "wait" })
        for (name, expected) in [("p50", 500.5), ("p95", 950.05), ("p99", 990.01)] {
            let found = summary.json["quantiles"]?[name]?.number ?? 0
            #expect(abs(found - expected) <= expected / 100, "\(name) is \(found)")
        }
        // What has no sketch makes quantiles of the whole unknown.
        try await second.post([OTLPBody.histogram("wait", bounds: [1], counts: [1, 1], labels: ["k": "v"])])
        #expect(await second.flush())
        let mixed = try #require(second.summaries.first { $0.instrument.shownName == "wait" })
        #expect(mixed.json["quantiles"] == nil)
        #expect(mixed.instrument.buckets == [1])
        await second.shutdown()
        let third = try Engine.onDisk(in: folder)
        #expect(third.summaries.first { $0.instrument.shownName == "wait" } == mixed)
        await third.shutdown()
    }

    @Test func `bounds of a stream that its metric has no place for move to the next greater ones`()
        async throws
    {
        try await TestServer.run { server in
            _ = try await server.postMetrics([
                OTLPBody.histogram("h", bounds: [1, 5, 10], counts: [1, 2, 3, 4]),
                OTLPBody.histogram("h", bounds: [2, 10, 20], counts: [5, 6, 7, 8], labels: ["k": "v"]),
            ])
            #expect(await server.engine.flush())
            #expect(server.engine.received.map(\.total.buckets) == [[1, 2, 3, 4], [0, 5, 6, 15]])
            #expect(server.engine.received.map(\.total.count) == [10, 26])
        }
    }

    @Test func `a sum that may fall is shown as what it has come to`() async throws {
        try await TestServer.run { server in
            for (value, time) in [(5.0, 2), (-2, 3), (-2, 3), (1, 4)] {
                _ = try await server.postMetrics([
                    OTLPBody.sum("busy", value, at: time, temporality: 1, isMonotonic: false)
                ])
            }
            #expect(await server.engine.flush())
            #expect(server.engine.received.map(\.total.sum) == [4])
            #expect(server.engine.received.map(\.instrument.type) == [.gauge])
        }
    }

    @Test func `of a summary the quantiles are gauges, its count and sum counters`() async throws {
        try await TestServer.run { server in
            for (count, sum, time) in [(4, 10.0, 2), (6, 15.0, 3), (6, 15.0, 3)] {
                _ = try await server.postMetrics([
                    """
                    {"name":"s","summary":{"dataPoints":[{"startTimeUnixNano":"1","timeUnixNano":"\(time)",
                      "count":"\(count)","sum":\(sum),"quantileValues":[{"quantile":0.5,"value":\(sum)},
                      {"quantile":0.99,"value":"NaN"}]}]}}
                    """
                ])
            }
            #expect(await server.engine.flush())
            let totals = server.engine.received.map {
                "\($0.instrument.shownName) \($0.labels.map(\.value)) \($0.instrument.type) \($0.total.sum)"
            }
            #expect(
                totals.sorted() == [
                    #"s ["0.5"] gauge 15.0"#, "s.count [] counter 6.0", "s.sum [] counter 15.0",
                ]
            )
        }
    }

    @Test func `another type later, and what is no number, is refused and counted by reason`() async throws {
        try await TestServer.run { server in
            let answer = try await server.postMetrics([
                OTLPBody.gauge("m", 3), OTLPBody.counter("m", 5, at: 2)[0], OTLPBody.gauge("n", .nan),
                OTLPBody.sum("d", -1, at: 2, temporality: 1, isMonotonic: true),
            ])
            #expect(answer.status == 200)
            #expect(await server.engine.flush())
            #expect(server.engine.received.map(\.total.sum) == [3])
            let refused = try await server.metrics().filter { $0.key.hasPrefix("nightjar_metrics_rejected") }
            #expect(
                refused == [
                    #"nightjar_metrics_rejected_total{reason="type_conflict"}"#: 1,
                    #"nightjar_metrics_rejected_total{reason="nan"}"#: 1,
                    #"nightjar_metrics_rejected_total{reason="negative_increment"}"#: 1,
                ]
            )
        }
    }

    @Test func `label sets beyond the limit count in one overflow series`() async throws {
        try await TestServer.run { server in
            _ = try await server.postMetrics(
                (0..<2010).map { OTLPBody.gauge("g", 1, labels: ["k": "\($0)"]) }
            )
            #expect(await server.engine.flush())
            let listed = try await server.client.get("/api/metrics").json()["metrics"]?.array ?? []
            let summary = try #require(listed.first { $0["name"]?.string == "g" })
            #expect(summary["seriesCount"] == 2000)
            #expect(summary["overflowCount"] == 10)
        }
    }

    @Test func `labels stay as they came, but for secrets and what is too long`() async throws {
        try await TestServer.run { server in
            let id = "0a1b2c3d-0000-0000-0000-00000000000f"
            let long = String(repeating: "ä", count: 600)
            _ = try await server.postMetrics(
                [
                    OTLPBody.gauge(
                        "g",
                        1,
                        labels: ["user_id": id, "api_key": "sk-1", "long": long, "a.b": ""]
                    )
                ],
                resource: ["service.name": "shop", "deployment.environment.name": "prod"]
            )
            #expect(await server.engine.flush())
            let labels = try #require(server.engine.received.first).labels
            let values = Dictionary(labels.map { ($0.name, $0.value) }) { $1 }
            #expect(values["user_id"] == id)
            #expect(values["a.b"] == "")
            #expect(values["service.name"] == "shop")
            #expect(values["deployment.environment.name"] == "prod")
            #expect(values["api_key"] != "sk-1")
            #expect(values["long"]?.utf8.count ?? 0 <= 1024)
            #expect(values["long"]?.hasSuffix("ä…[truncated]") == true)
        }
    }

    @Test func `counts beyond all measure stay at the greatest, and many bounds become fewer`() async throws {
        try await TestServer.run { server in
            let most = String(UInt64.max)
            let bounds = (1...250).map(Double.init)
            for time in [2, 3] {
                _ = try await server.postMetrics([
                    """
                    {"name":"h","histogram":{"aggregationTemporality":1,"dataPoints":[{"timeUnixNano":"\(time)",
                      "count":"\(most)","sum":1,"explicitBounds":[1],"bucketCounts":["\(most)","\(most)"]}]}}
                    """,
                    """
                    {"name":"e","exponentialHistogram":{"aggregationTemporality":1,"dataPoints":[{
                      "timeUnixNano":"\(time)","count":"\(most)","scale":-200,"zeroCount":"\(most)",
                      "positive":{"offset":2147483647,"bucketCounts":["\(most)","\(most)"]}}]}}
                    """,
                ])
            }
            _ = try await server.postMetrics([
                OTLPBody.histogram("many", bounds: bounds, counts: Array(repeating: 1, count: 251))
            ])
            #expect(await server.engine.flush())
            let received = server.engine.received
            #expect(received.prefix(2).allSatisfy { $0.total.count == .max })
            let many = try #require(received.last)
            let kept = try #require(many.instrument.buckets)
            #expect(kept.count <= 100 && kept.last == 250)
            #expect(many.total.buckets.reduce(0, +) == 251)
            #expect(many.total.buckets.last == 1)
        }
    }

    @Test func `a clock that ran ahead does not hold back what comes once it is right`() async throws {
        try await TestServer.run { server in
            let now = Int(Date().timeIntervalSince1970) * 1_000_000_000
            let ahead = now + 3_600_000_000_000
            for (value, time) in [(10.0, ahead), (10, ahead), (12, now), (12, now)] {
                _ = try await server.postMetrics(OTLPBody.counter("c", value, at: time))
            }
            #expect(await server.engine.flush())
            #expect(server.engine.received.map(\.total.sum) == [12])
            #expect(try await server.metrics()["nightjar_metric_time_clamped_total"] == 2)
        }
    }

    @Test func `a first point of unknown start shows its series and adds nothing`() async throws {
        try await TestServer.run { server in
            for (value, time) in [(10.0, 1), (13, 2)] {
                _ = try await server.postMetrics(OTLPBody.counter("c", value, at: time))
                #expect(await server.engine.flush())
                #expect(server.engine.received.map(\.total.sum) == [time == 1 ? 0 : 3])
            }
        }
    }

    @Test func `a name that is too long is refused, and the sender is told`() async throws {
        try await TestServer.run { server in
            let name = String(repeating: "n", count: 256)
            let answer = try await server.postMetrics([
                OTLPBody.gauge(name, 1), OTLPBody.gauge(String(name.dropLast()), 1),
            ])
            #expect(answer.status == 200)
            let partial = try answer.json()["partialSuccess"]
            #expect(partial?["rejectedDataPoints"]?.string == "1" || partial?["rejectedDataPoints"] == 1)
            #expect(partial?["errorMessage"]?.string?.contains("255") == true)
            #expect(await server.engine.flush())
            #expect(server.engine.received.count == 1)
        }
    }

    @Test(arguments: ["application/json", "application/x-protobuf"])
    func `a body that is none is refused whole`(type: String) async throws {
        try await TestServer.run { server in
            let answer = try await server.client.send(
                "POST",
                "/v1/metrics",
                headers: [(name: "Content-Type", value: type)],
                body: [0x0A, 0xFF, 0x01, 0x7B]
            )
            #expect(answer.status == 400)
            #expect(await server.engine.flush())
            #expect(server.engine.received.isEmpty)
        }
    }
}
