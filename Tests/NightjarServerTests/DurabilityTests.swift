import Foundation
import NightjarSignals
import NightjarTesting
import Testing

@Suite(.serialized) struct DurabilityTests {
    @Test func `every span acknowledged before SIGKILL is there after a restart, and counted once`()
        async throws
    {
        let folder = try Fixture()
        let database = folder.path("nightjar.db")
        var acknowledged: Set<String> = []
        for round in 0..<3 {
            let server = try start(database)
            let address = try await server.listeningAddress()
            let client = HTTPClient(port: address.port)
            let sent = await withTaskGroup(of: [String].self) { group in
                for sender in 0..<3 {
                    group.addTask { await send(client, prefix: round * 10 + sender) }
                }
                // Killed while the senders send: after some answers, whatever else is on its way.
                group.addTask {
                    try? await wait(for: "some spans to be taken") {
                        await taken(client) > Double(60 * (round + 1))
                    }
                    server.signal(SIGKILL)
                    return []
                }
                return await group.reduce(into: [String]()) { $0 += $1 }
            }
            _ = try await server.exitCode()
            #expect(!sent.isEmpty)
            acknowledged.formUnion(sent)
        }
        let server = try start(database)
        let address = try await server.listeningAddress()
        let client = HTTPClient(port: address.port)
        var stored: Set<String> = []
        var cursor: String?
        repeat {
            let page = try await client.get("/api/traces?limit=500" + (cursor.map { "&cursor=\($0)" } ?? ""))
                .json()
            stored.formUnion((page["traces"]?.array ?? []).compactMap { $0["traceId"]?.string })
            cursor = page["nextCursor"]?.string
        } while cursor != nil
        #expect(acknowledged.subtracting(stored).isEmpty, "lost after a 200")
        try await wait(for: "what was not processed to be processed again") {
            await counted(client) == Double(stored.count)
        }
        server.signal(SIGTERM)
        #expect(try await server.exitCode() == 0)
    }

    @Test
    func `a span that waited for its parent when the process was killed is counted once, under its agent`()
        async throws
    {
        let folder = try Fixture()
        let database = folder.path("nightjar.db")
        let headers = [(name: "Content-Type", value: "application/json")]
        let child = IngestTests.body(
            span: "00f067aa0ba902b8",
            parent: "00f067aa0ba902b7",
            name: "chat m",
            attributes: [("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "m")]
        )
        for body in [child, child, IngestTests.body(), child] {
            let server = try start(database)
            let client = HTTPClient(port: try await server.listeningAddress().port)
            let answer = try await client.send("POST", "/v1/traces", headers: headers, body: body)
            #expect(answer.status == 200)
            server.signal(SIGKILL)
            _ = try await server.exitCode()
        }
        let server = try start(database)
        let client = HTTPClient(port: try await server.listeningAddress().port)
        try await wait(for: "both spans to be counted") {
            let agent = await value(client, "mastra_agent_runs_ended{")
            let model = await value(
                client,
                #"mastra_model_requests_ended{agent="helper",model="m",status="ok"}"#
            )
            return agent == 1 && model == 1
        }
        server.signal(SIGTERM)
        #expect(try await server.exitCode() == 0)
    }

    @Test func `native events acknowledged before SIGKILL count once, and their logs are kept`() async throws
    {
        let folder = try Fixture()
        let database = folder.path("nightjar.db")
        for round in 1...4 {
            let server = try start(database)
            let client = HTTPClient(port: try await server.listeningAddress().port)
            let trace = String(format: "%032x", round)
            let target: Value.Object = ["traceId": .string(trace)]
            var span =
                EventTests.span("span_ended", id: "a1", type: "agent_run", name: "helper").object ?? [:]
            span["exportedSpan"] = .object((span["exportedSpan"]?.object ?? [:]).merging(target))
            let body = EventTests.lines([
                .object(span),
                ["type": "log", "log": .object(target.merging(["message": "kept"]))],
                ["type": "metric", "metric": ["name": "orders", "metricType": "counter", "value": 1]],
                [
                    "type": "score",
                    "score": .object(
                        target.merging(["id": .string("s\(round)"), "scorerName": "tone", "score": 1])
                    ),
                ],
            ])
            #expect(try await client.send("POST", "/api/events", body: body).status == 200)
            server.signal(SIGKILL)
            _ = try await server.exitCode()
        }
        let server = try start(database)
        let client = HTTPClient(port: try await server.listeningAddress().port)
        try await wait(for: "everything to be counted") {
            let counts = [
                await value(client, "mastra_agent_runs_ended{"), await value(client, "orders "),
                await value(client, "mastra_scores_total{"),
            ]
            return counts == [4, 4, 4]
        }
        for round in 1...4 {
            let trace = try await client.get("/api/traces/\(String(format: "%032x", round))").json()
            #expect(trace["logs"]?.array?.map { $0["message"] } == ["kept"])
            #expect(trace["scores"]?.array?.count == 1)
        }
        server.signal(SIGTERM)
        #expect(try await server.exitCode() == 0)
    }

    private func start(_ database: String) throws -> RunningProcess {
        try RunningProcess(
            RunningProcess.nightjar(),
            ["serve", "--listen", "127.0.0.1:0", "--db", database, "--plugins", "none"]
        )
    }
}

/// Sends single spans, each a trace of its own, until the server is gone; returns the acknowledged ones.
private func send(_ client: HTTPClient, prefix: Int) async -> [String] {
    var acknowledged: [String] = []
    for number in 0..<5000 {
        let trace = String(format: "%08x%024x", prefix + 1, number + 1)
        let body = IngestTests.body(trace: trace)
        let headers = [(name: "Content-Type", value: "application/json")]
        guard let answer = try? await client.send("POST", "/v1/traces", headers: headers, body: body) else {
            break
        }
        if answer.status == 200 { acknowledged.append(trace) }
    }
    return acknowledged
}

private func value(_ client: HTTPClient, _ metric: String) async -> Double {
    guard let text = try? await client.get("/metrics").text else { return 0 }
    let line = text.split(separator: "\n").first { $0.hasPrefix(metric) }
    return line.flatMap { $0.split(separator: " ").last }.flatMap { Double($0) } ?? 0
}

private func taken(_ client: HTTPClient) async -> Double {
    await value(client, "nightjar_spans_received_total")
}

private func counted(_ client: HTTPClient) async -> Double {
    await value(client, "mastra_agent_runs_ended{")
}
