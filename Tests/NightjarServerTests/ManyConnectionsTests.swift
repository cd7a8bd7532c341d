import Foundation
import NightjarSignals
import NightjarTesting
import Testing

/// The built `nightjar` with many connections, and what is left of it when they are gone.
struct ManyConnectionsTests {
    /// What a process has open.
    private struct Footprint {
        let files: Int
        let threads: Int

        init(of process: Int32) throws {
            files = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count
            threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task").count
        }
    }

    @Test func `a thousand idle connections, and clients that leave halfway, keep nobody from service`()
        async throws
    {
        let folder = try Fixture()
        let server = try RunningProcess(
            RunningProcess.nightjar(),
            ["serve", "--listen", "127.0.0.1:0", "--plugins", "none"],
            folder: folder.url
        )
        let port = try await server.listeningAddress().port
        let client = HTTPClient(port: port)
        #expect(try await client.get("/api/traces").status == 200)
        let before = try Footprint(of: server.id)
        try await RawSocket.run(port: port) { first in
            let idle = try (0..<999).map { _ in try RawSocket.open(port: port) }
            // One that was taken is answered: all before it are open by then.
            for socket in [first] + idle.suffix(1) {
                socket.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try socket.answer().status == 200)
            }
            for number in 0..<20 {
                let leaving = try RawSocket.open(port: port)
                let length = number % 2 == 0 ? "Content-Length: 1000000" : "Transfer-Encoding: chunked"
                leaving.send(
                    "POST /v1/traces HTTP/1.1\r\nContent-Type: application/json\r\n\(length)\r\n\r\n"
                )
                leaving.send(number % 2 == 0 ? String(repeating: " ", count: 50_000) : "400\r\n   ")
                if number % 3 == 0 { leaving.reset() }
            }
            let body = IngestTests.body()
            let other = try RawSocket.open(port: port)
            let head =
                "POST /v1/traces HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n"
            other.send(Array(head.utf8) + body)
            #expect(try other.answer().status == 200)
            #expect(try Footprint(of: server.id).files >= before.files + 1000)
            withExtendedLifetime(idle) {}
        }
        try await wait(for: "everything to be let go") {
            let now = try Footprint(of: server.id)
            let status = try await client.get("/api/status").json()
            return now.files <= before.files + 1 && now.threads <= before.threads + 2
                && status["connections"]?["open"] == 1 && status["queues"]?["bodies"]?["bytes"] == 0
        }
        server.signal(SIGTERM)
        #expect(try await server.exitCode() == 0)
    }
}
