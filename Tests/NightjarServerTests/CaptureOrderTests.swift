import Nightjar
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// Recordings whose requests, of every signal, reach the server in another order than they were sent: what comes out is the same.
@Suite struct CaptureOrderTests {
    @Test(arguments: Captures.names, CaptureOrder.allCases)
    func `a recording comes out exactly, in whatever order its requests come`(
        client: String,
        order: CaptureOrder
    ) async throws {
        let capture = try Captures.named(client)
        // However long a busy machine takes to send them, the requests belong together.
        var configuration = TraceConfiguration()
        configuration.idlePeriod = .seconds(600)
        configuration.idleTimeout = .seconds(600)
        try await TestServer.run(trace: configuration) { server in
            for request in try order.requests(of: capture) {
                #expect(try await server.post(request).status == 200)
            }
            #expect(await server.engine.finish())
            let spans = try await exactSpans(of: capture, on: server)
            let totals = try await exactTotals(of: capture, on: server)
            let (logs, scores) = try await exactSignals(of: capture, on: server)
            print(
                "capture \(client) \(order.rawValue): spans \(spans.exact)/\(spans.total), totals "
                    + "\(totals.exact)/\(totals.total), logs \(logs), evaluations \(scores)"
            )
        }
    }

    @Test(arguments: Captures.names)
    func `a recording comes out exactly though what is known of its traces is let go again and again`(
        client: String
    ) async throws {
        let capture = try Captures.named(client)
        var configuration = TraceConfiguration()
        (configuration.idlePeriod, configuration.idleTimeout) = (.seconds(600), .seconds(600))
        configuration.stateBytes = 0
        try await TestServer.run(trace: configuration) { server in
            for request in try CaptureOrder.singleSpansShuffled.requests(of: capture) {
                #expect(try await server.post(request).status == 200)
                #expect(await server.engine.flush())
            }
            #expect(await server.engine.finish())
            _ = try await exactSpans(of: capture, on: server)
            _ = try await exactTotals(of: capture, on: server)
            _ = try await exactSignals(of: capture, on: server)
        }
    }

    @Test(arguments: ["oi-anthropic", "otel-eval", "pydantic-ai", "synth-claude-code"])
    func `what waited for a span of the same work still counts once after a restart`(client: String)
        async throws
    {
        let capture = try Captures.named(client)
        let requests = try CaptureOrder.singleSpansShuffled.requests(of: capture).filter {
            $0.signal == "traces"
        }
        let runs = try PluginRuns([:])
        let parts = 4
        for part in 0..<parts {
            try await runs.run { engine in
                for (index, request) in requests.enumerated() where index * parts / requests.count == part {
                    _ = try await engine.ingest(
                        Payload(request.body),
                        encoding: request.isJSON ? .json : .protobuf
                    )
                }
                #expect(await engine.flush())
                guard part == parts - 1 else { return }
                #expect(await engine.finish())
                let expected = ExpectedMetrics(capture.expectedSpans).totals
                for (key, total) in expected {
                    let found = engine.totals[key] ?? .nan
                    #expect(abs(found - total) < 1e-6, "\(key): expected \(total), found \(found)")
                }
            }
        }
    }

    private func exactSpans(of capture: CaptureFolder, on server: TestServer) async throws
        -> (exact: Int, total: Int)
    {
        var exact = 0
        for (trace, expected) in Dictionary(
            grouping: capture.expectedSpans,
            by: { $0["trace_id"]?.string ?? "" }
        ) {
            let spans =
                try await server.client.get("/api/traces/\(trace)").json()["spans"]?.array ?? []
            #expect(spans.count == expected.count, "trace \(trace)")
            for span in expected {
                let found = spans.first { $0["id"]?.string == span["span_id"]?.string }
                let differences = ExpectedSpan(span, among: expected).differences(from: found ?? .null)
                #expect(differences.isEmpty, "\(span["name"]?.json ?? "") in \(trace): \(differences)")
                if differences.isEmpty { exact += 1 }
            }
        }
        let listed = try await server.client.get("/api/traces?limit=500").json()["traces"]?.array ?? []
        let traces = Set(capture.expectedSpans.map { $0["trace_id"]?.string })
        #expect(Set(listed.map { $0["traceId"]?.string }) == traces)
        return (exact, capture.expectedSpans.count)
    }

    private func exactTotals(of capture: CaptureFolder, on server: TestServer) async throws
        -> (exact: Int, total: Int)
    {
        let expected = ExpectedMetrics(capture.expectedSpans).totals
        let found = try await server.metrics().filter {
            $0.key.hasPrefix("mastra_") && !$0.key.contains("_bucket{")
                && !$0.key.hasPrefix("mastra_scores_total")
        }
        var exact = 0
        for key in Set(expected.keys).union(found.keys).sorted() {
            let isEqual = abs((expected[key] ?? .nan) - (found[key] ?? .nan)) < 1e-6
            #expect(isEqual, "\(key): expected \(expected[key] ?? .nan), found \(found[key] ?? .nan)")
            if isEqual { exact += 1 }
        }
        return (exact, expected.count)
    }

    /// Every log line that is no verdict is stored, and every verdict counted, once.
    private func exactSignals(of capture: CaptureFolder, on server: TestServer) async throws
        -> (logs: Int, scores: Int)
    {
        let store = try #require(server.engine.store)
        var query = LogQuery()
        query.limit = 500
        let logs = try store.logs(query).records.count
        let verdicts = capture.expectedEvaluations.count { $0["source"]?.string == "log" }
        let expectedLogs = capture.expectedLogs.reduce(0) { $0 + Int($1["records"]?.number ?? 0) }
        #expect(logs == expectedLogs - verdicts)
        let scores = try await server.metrics().filter { $0.key.hasPrefix("mastra_scores_total") }.values
            .reduce(0, +)
        #expect(scores == Double(capture.expectedEvaluations.count))
        return (logs, Int(scores))
    }
}

extension Engine {
    /// What every series has counted, by name and labels as Prometheus writes them.
    fileprivate var totals: [String: Double] {
        var totals: [String: Double] = [:]
        for series in series {
            let labels = series.labels.map { "\($0.name)=\"\($0.value)\"" }.joined(separator: ",")
            let suffix = labels.isEmpty ? "" : "{\(labels)}"
            let name = series.instrument.name
            guard series.instrument.type == .histogram else {
                totals[name + suffix] = series.total.sum
                continue
            }
            totals[name + "_sum" + suffix] = series.total.sum
            totals[name + "_count" + suffix] = Double(series.total.count)
        }
        return totals
    }
}
