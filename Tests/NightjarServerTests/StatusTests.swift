import Foundation
import Nightjar
import NightjarServer
import NightjarSignals
import NightjarTesting
import Testing

/// `GET /api/status`, and the bounds of the configuration that show in answers.
struct StatusTests {
    @Test func `the status tells of versions, queues with their bounds, disk and lag`() async throws {
        let change: (inout EngineConfiguration) -> Void = { $0.queueBytes = 5 << 20 }
        try await TestServer.run(change: change) { server in
            #expect(try await server.post(IngestTests.body(), type: "application/json").status == 200)
            #expect(await server.engine.flush())
            // The connection of the request before is closed by its client, which the server sees a moment later; and the trace
            // ends when it has been quiet for long enough, whose effects are written like any other.
            var status: Value = .null
            try await wait(for: "nothing but this request to be there") {
                status = try await server.client.get("/api/status").json()
                return status["connections"]?["open"] == 1 && status["queues"]?["effects"]?["bytes"] == 0
            }
            #expect(status["status"] == "ok")
            #expect(status["versions"]?["nightjar"] == .string(NightjarVersion.text))
            #expect(status["versions"]?["sqlite"]?.string?.hasPrefix("3.") == true)
            #expect(status["uptimeSeconds"]?.number ?? -1 >= 0)
            #expect(status["lagSeconds"] == 0)
            for queue in ["bodies", "answers", "journal", "effects"] {
                #expect(status["queues"]?[queue]?["bytes"] == 0, "\(queue)")
            }
            #expect(status["queues"]?["journal"]?["limitBytes"] == .int(5 << 20))
            #expect(status["queues"]?["effects"]?["limitBytes"] == .int(5 << 20))
            #expect(status["queues"]?["bodies"]?["limitBytes"] == .int(80 << 20))
            #expect(status["queues"]?["workers"]?.array?.map { $0["limitBytes"] } == [.int(5 << 20)])
            #expect(status["connections"]?["open"] == 1)
            #expect(status["connections"]?["limit"] == 1024)
            #expect(status["database"]?["bytes"]?.number ?? 0 > 0)
            #expect(status["database"]?["freeDiskBytes"]?.number ?? 0 > 0)
            #expect(status["residentBytes"]?.number ?? 0 > 1_000_000)
        }
    }

    @Test func `without a database the status has no bytes of one`() async throws {
        let change: (inout EngineConfiguration) -> Void = { $0.store = nil }
        try await TestServer.run(change: change) { server in
            let status = try await server.client.get("/api/status").json()
            #expect(status["database"]?["bytes"] == nil)
            #expect(status["database"]?["path"]?.string?.contains("none") == true)
        }
    }

    @Test func `a span over its limit is rejected alone, and the others are stored`() async throws {
        let change: (inout EngineConfiguration) -> Void = { $0.spanBytes = 2000 }
        try await TestServer.run(change: change) { server in
            let large = IngestTests.body(attributes: [("a", .string(String(repeating: "x", count: 3000)))])
            let answer = try await server.post(large, type: "application/json")
            #expect(answer.status == 200)
            #expect(try answer.json()["partialSuccess"]?["rejectedSpans"]?.number == 1, "\(answer.text)")
            let small = IngestTests.body(span: "00f067aa0ba902b8")
            #expect(try await server.post(small, type: "application/json").text == "{}")
            #expect(await server.engine.flush())
            let trace = try await server.client.get("/api/traces/4bf92f3577b34da6a3ce929d0e0e4736").json()
            #expect(trace["spans"]?.array?.count == 1)
        }
    }

    @Test func `an inflated body over its limit is refused`() async throws {
        let limits: (inout ServerConfiguration) -> Void = { $0.inflatedBytes = 1000 }
        try await TestServer.run(server: limits) { server in
            let large = IngestTests.body(attributes: [("a", .string(String(repeating: "x", count: 3000)))])
            let packed = try LoadBody.gzip(large)
            let answer = try await server.post(packed, type: "application/json", encoding: "gzip")
            #expect(answer.status == 413)
            let small = try LoadBody.gzip(IngestTests.body())
            #expect(try await server.post(small, type: "application/json", encoding: "gzip").status == 200)
            let metrics = try await server.metrics()
            #expect(metrics["nightjar_requests_refused_total{reason=\"too_large\"}"] == nil)
        }
    }

    @Test func `a query that takes longer than it may is stopped, and says so`() async throws {
        let change: (inout EngineConfiguration) -> Void = { $0.queryTimeout = .zero }
        try await TestServer.run(change: change) { server in
            // What is taken in is not held to the time of queries.
            #expect(try await server.post(IngestTests.body(), type: "application/json").status == 200)
            for path in ["/api/traces", "/api/traces/4bf92f3577b34da6a3ce929d0e0e4736"] {
                let answer = try await server.client.get(path)
                #expect(answer.status == 503)
                #expect(answer.header("Content-Type") == "application/problem+json")
                #expect(answer.text.contains("raise query.timeout"), "\(answer.text)")
            }
            let metrics = try await server.metrics()
            #expect(metrics["nightjar_requests_refused_total{reason=\"query_timeout\"}"] == 2)
        }
    }

    @Test func `queries wait for their turn, too many are refused, and one whose client left is not made`()
        async throws
    {
        try await TestServer.run { server in
            let (reads, turn) = (server.engine.reads, DispatchSemaphore(value: 0))
            let port = server.client.port
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<ReadQueue.atOnce { group.addTask { try await reads.run { turn.wait() } } }
                try await wait(for: "all readers to be taken") { reads.depth.running == ReadQueue.atOnce }
                try await RawSocket.run(port: port) { socket in
                    socket.send("GET /api/traces HTTP/1.1\r\nHost: a\r\n\r\n")
                    // On the socket's own thread, which cannot await; bounded at half a minute.
                    for _ in 0..<30_000 where reads.depth.waiting == 0 { usleep(1000) }
                    socket.reset()
                }
                try await wait(for: "the server to know") {
                    let status = try await server.client.get("/api/status").json()
                    return status["connections"]?["open"] == 1
                }
                for _ in 1..<ReadQueue.waitingLimit { group.addTask { try await reads.run {} } }
                try await wait(for: "a full queue") { reads.depth.waiting == ReadQueue.waitingLimit }
                let answer = try await server.client.get("/api/traces")
                #expect(answer.status == 429)
                for _ in 0..<ReadQueue.atOnce { turn.signal() }
                try await group.waitForAll()
            }
            try await wait(for: "the one that was left to be counted") {
                try await server.metrics()[#"nightjar_requests_refused_total{reason="abandoned"}"#] == 1
            }
            #expect(try await server.client.get("/api/traces").status == 200)
        }
    }
}
