import Foundation
import Nightjar
import NightjarServer
import NightjarSignals
import NightjarTesting
import Testing

/// What all connections together may take.
@Suite(.serialized) struct ConnectionRoomTests {
    /// Waits until bodies hold so many bytes: that shows in the status, which takes no room.
    private static func waitForHeld(_ bytes: Double, _ port: Int) throws {
        let asking = try RawSocket.open(port: port)
        var held = -1.0
        while held < bytes {
            asking.send("GET /api/status HTTP/1.1\r\nHost: a\r\n\r\n")
            held = try asking.answer().json()["queues"]?["bodies"]?["bytes"]?.number ?? 0
        }
    }

    @Test func `a body is refused while others take all the room, and taken when there is some again`()
        async throws
    {
        let limits: (inout ServerConfiguration) -> Void = { server in
            server.connections.bodiesBytes = 100_000
            server.connections.bodyPatience = .seconds(3600)
        }
        try await TestServer.run(server: limits) { server in
            let port = server.client.port
            let body = ConnectionTests.post(1)
            let answer = try await RawSocket.run(port: port) { holder in
                holder.send(
                    "POST /v1/traces HTTP/1.1\r\n\(ConnectionTests.headers)Content-Length: 99900\r\n\r\n"
                )
                holder.send([UInt8](repeating: 32, count: 99_800))
                try Self.waitForHeld(99_800, port)
                let other = try RawSocket.open(port: port)
                other.send(body)
                let refused = try other.answer()
                holder.send([UInt8](repeating: 32, count: 100))
                _ = try holder.answer()
                // On the same connection.
                other.send(body)
                return (refused, try other.answer())
            }
            #expect(answer.0.status == 429)
            #expect(answer.0.header("Retry-After") == "1")
            #expect(answer.0.text.contains("send again later"))
            #expect(answer.1.status == 200)
            let metrics = try await server.metrics()
            #expect(metrics[#"nightjar_requests_refused_total{reason="bodies_in_flight"}"#] == 1)
        }
    }

    @Test func `a body that comes slowly makes room for others`() async throws {
        let limits: (inout ServerConfiguration) -> Void = { server in
            server.connections.bodiesBytes = 100_000
            server.connections.bodyPatience = .milliseconds(50)
        }
        try await TestServer.run(server: limits) { server in
            let port = server.client.port
            let body = ConnectionTests.post(1)
            let isClosed = try await RawSocket.run(port: port) { holder in
                holder.send(
                    "POST /v1/traces HTTP/1.1\r\n\(ConnectionTests.headers)Content-Length: 99900\r\n\r\n"
                )
                holder.send([UInt8](repeating: 32, count: 99_800))
                try Self.waitForHeld(99_800, port)
                let other = try RawSocket.open(port: port)
                var status = 0
                repeat {
                    other.send(body)
                    status = try other.answer().status
                } while status == 429
                #expect(status == 200)
                return holder.isClosed()
            }
            #expect(isClosed)
            let metrics = try await server.metrics()
            #expect(metrics[#"nightjar_requests_refused_total{reason="slow_body"}"#] == 1)
        }
    }

    @Test func `a compressed body is refused where what comes out of it finds no room`() async throws {
        let limits: (inout ServerConfiguration) -> Void = { server in
            server.connections.bodiesBytes = 1 << 20
        }
        try await TestServer.run(server: limits) { server in
            let port = server.client.port
            let text = (0..<200_000).flatMap { Array("\($0 &* 2_654_435_761) ".utf8) }
            let packed = try LoadBody.gzip(text)
            let head =
                "POST /v1/traces HTTP/1.1\r\n\(ConnectionTests.headers)Content-Encoding: gzip\r\n"
                + "Content-Length: \(packed.count)\r\n\r\n"
            let status = try await RawSocket.run(port: port) { holder in
                holder.send(
                    "POST /v1/traces HTTP/1.1\r\n\(ConnectionTests.headers)Content-Length: 1000\r\n\r\n "
                )
                try Self.waitForHeld(1, port)
                let other = try RawSocket.open(port: port)
                other.send(Array(head.utf8) + packed)
                return try other.answer().status
            }
            #expect(status == 429)
        }
    }

    @Test func `connections beyond the limit are told to come back, and taken when there is room again`()
        async throws
    {
        let limits: (inout ServerConfiguration) -> Void = { $0.connections.connections = 3 }
        try await TestServer.run(server: limits) { server in
            let port = server.client.port
            let refused = try await RawSocket.run(port: port) { first in
                let others = try (0..<2).map { _ in try RawSocket.open(port: port) }
                for socket in [first] + others {
                    socket.send(ConnectionTests.get)
                    #expect(try socket.answer().status == 200)
                }
                let fourth = try RawSocket.open(port: port)
                let refused = try fourth.answer()
                #expect(fourth.isClosed())
                return refused
            }
            #expect(refused.status == 503)
            #expect(refused.header("Retry-After") == "1")
            try await wait(for: "room") {
                // Until the others are gone this one is refused too.
                (try? await server.client.get("/healthz").status) == 200
            }
            let metrics = try await server.metrics()
            #expect(metrics[#"nightjar_requests_refused_total{reason="connections"}"#] ?? 0 >= 1)
        }
    }

    @Test func `a body of too many small values is refused before they take the memory`() async throws {
        try await TestServer.run { server in
            let body = Array(("[" + String(repeating: "1,", count: 600_000) + "1]").utf8)
            for path in ["/api/scores", "/api/events"] {
                let answer = try await server.client.send("POST", path, body: body)
                #expect(answer.status == 413)
                #expect(answer.text.contains("600001 values"), "\(answer.text)")
            }
        }
    }
}
