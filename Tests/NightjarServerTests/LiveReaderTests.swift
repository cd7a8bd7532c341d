import Foundation
import Nightjar
import NightjarBus
import NightjarServer
import NightjarSignals
import NightjarTesting
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// Readers of `GET /api/live` that come, go, are too many, or do not read.
@Suite(.serialized) struct LiveReaderTests {
    /// Log lines of 100 kB each.
    private static func large(_ count: Int) -> [UInt8] {
        let text = String(repeating: "x", count: 100_000)
        let event: Value = ["type": "log", "log": ["level": "info", "message": .string(text)]]
        return EventTests.lines([Value](repeating: event, count: count))
    }

    @Test func `one that does not read is let go of, others get everything, and its queue stays bounded`()
        async throws
    {
        var settings = LiveSettings()
        settings.queueEvents = 40
        settings.queueBytes = 3_000_000
        settings.patience = .seconds(3600)
        try await TestServer.run(live: settings) { server in
            let slow = LiveReading(server.client, "?types=log", blocks: true)
            let fast = LiveReading(server.client, "?types=log")
            try await slow.connected()
            try await fast.connected()
            var sent = 0
            // What the kernel takes for a socket is not ours to say: until it is full, and the queue after it.
            try await wait(for: "the reader to be dropped") {
                try await LiveTests.post(Self.large(10), to: server)
                sent += 10
                try await wait(for: "the other reader") { fast.events.count == sent }
                return try await server.metrics()["nightjar_live_readers_dropped_total{reason=\"too_slow\"}"]
                    == 1
            }
            try await LiveTests.post(Self.large(1), to: server)
            sent += 1
            try await wait(for: "the other reader") { fast.events.count == sent }
            let metrics = try await server.metrics()
            #expect(metrics["nightjar_live_queued_events"] == 0)
            #expect(metrics["nightjar_live_queued_bytes"] == 0)
            #expect(metrics["nightjar_live_queue_events_max"] ?? .infinity <= 40)
            #expect(metrics["nightjar_live_queue_bytes_max"] ?? .infinity <= 3_000_000)
            slow.release()
            let last = try await slow.event("the last event") { $0.name == "dropped" }
            try await wait(for: "the end of the answer") { slow.isOver }
            #expect(slow.events.last?.name == "dropped")
            let lost = try #require(last.json["dropped"]?["count"]?.number)
            #expect(Int(lost) + slow.events.count - 1 == sent)
            #expect(
                try await server.metrics()["nightjar_live_events_total{outcome=\"lost\"}"] == lost
            )
        }
    }

    @Test func `one that takes not even its last event is cut off`() async throws {
        var settings = LiveSettings()
        // More than one request has: it is full only once the connection is.
        settings.queueEvents = 40
        settings.queueBytes = 3_000_000
        settings.patience = .milliseconds(1)
        try await TestServer.run(live: settings) { server in
            let slow = LiveReading(server.client, "?types=log", blocks: true)
            try await slow.connected()
            try await wait(for: "the reader to be cut off") {
                try await LiveTests.post(Self.large(10), to: server)
                let metrics = try await server.metrics()
                return metrics["nightjar_live_readers_dropped_total{reason=\"stalled\"}"] == 1
                    && metrics["nightjar_live_readers"] == 0
            }
            slow.release()
            try await wait(for: "the end of the connection") { slow.isOver }
        }
    }

    @Test func `one that leaves is noticed at once, without an event`() async throws {
        var settings = LiveSettings()
        settings.heartbeat = .seconds(3600)
        try await TestServer.run(live: settings) { server in
            let reading = LiveReading(server.client)
            // The line after the comment is the last that it reads.
            reading.stop()
            try await wait(for: "the reader to have come and gone") {
                let metrics = try await server.metrics()
                return reading.isOver && metrics["nightjar_live_readers"] == 0
            }
            #expect(reading.events.isEmpty)
        }
    }

    @Test func `too many are refused and told when to come again`() async throws {
        var settings = LiveSettings()
        settings.readers = 1
        try await TestServer.run(live: settings) { server in
            let reading = LiveReading(server.client)
            try await reading.connected()
            let refused = try await server.client.get("/api/live")
            #expect(refused.status == 503)
            #expect(refused.header("Retry-After") == "10")
            #expect(try refused.json()["detail"]?.string?.contains("1 read live events already") == true)
            let metrics = try await server.metrics()
            #expect(metrics["nightjar_live_readers"] == 1)
            #expect(metrics["nightjar_live_readers_refused_total"] == 1)
        }
    }

    @Test func `silence is broken by heartbeats, and no proxy is to hold anything back`() async throws {
        var settings = LiveSettings()
        settings.heartbeat = .milliseconds(5)
        try await TestServer.run(live: settings) { server in
            let reading = LiveReading(server.client)
            try await wait(for: "two heartbeats") {
                reading.comments.count { $0 == ": still here" } >= 2
            }
            reading.stop()
            try await wait(for: "the end") { reading.isOver }
            let head = try #require(reading.response)
            #expect(head.status == 200)
            #expect(head.header("Content-Type") == "text/event-stream")
            #expect(head.header("Cache-Control") == "no-cache")
            #expect(head.header("X-Accel-Buffering") == "no")
        }
    }

    @Test func `nobody listens on the bus while nobody reads`() async throws {
        try await TestServer.run { server in
            #expect(!server.engine.bus.wants(.tracing))
            let reading = LiveReading(server.client)
            try await reading.connected()
            #expect(server.engine.bus.wants(.tracing) && !server.engine.bus.wants(.metric))
            let metrics = LiveReading(server.client, "?types=metric")
            try await metrics.connected()
            #expect(server.engine.bus.wants(.metric))
            reading.stop()
            metrics.stop()
            try await LiveTests.post(LiveTests.batch(String(repeating: "c", count: 32)), to: server)
            try await wait(for: "both to leave") { !server.engine.bus.wants(.tracing) }
            #expect(!server.engine.bus.wants(.metric))
        }
    }

    @Test func `a server that is told to stop says so to its readers and ends`() async throws {
        let folder = try Fixture()
        let server = try RunningProcess(
            RunningProcess.nightjar(),
            ["serve", "--listen", "127.0.0.1:0", "--db", "none", "--plugins", folder.path("none")],
            folder: folder.url
        )
        let address = try await server.listeningAddress()
        let reading = LiveReading(HTTPClient(host: address.host, port: address.port))
        let blocked = LiveReading(HTTPClient(host: address.host, port: address.port), blocks: true)
        try await reading.connected()
        try await blocked.connected()
        server.signal(SIGTERM)
        #expect(try await server.exitCode() == 0)
        try await wait(for: "the end of the answer") { reading.isOver }
        #expect(reading.names == ["bye"])
        #expect(reading.response?.status == 200)
        blocked.release()
    }
}
