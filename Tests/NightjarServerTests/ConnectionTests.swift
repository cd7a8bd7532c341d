import Foundation
import Nightjar
import NightjarServer
import NightjarSignals
import NightjarTesting
import Testing

/// What clients do to a connection that they should not, and what well-behaved ones may do.
@Suite(.serialized) struct ConnectionTests {
    static let headers = "Host: a\r\nContent-Type: application/json\r\n"

    /// A request of one span.
    static func post(_ trace: Int, _ fields: String = "", version: String = "1.1") -> [UInt8] {
        let body = IngestTests.body(trace: String(format: "%032x", trace))
        let head =
            "POST /v1/traces HTTP/\(version)\r\n\(headers)\(fields)Content-Length: \(body.count)\r\n\r\n"
        return Array(head.utf8) + body
    }

    private static func fill(_ traces: Int, _ socket: RawSocket) throws {
        for trace in 1...traces {
            socket.send(post(trace))
            _ = try socket.answer()
        }
    }

    static let get = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"

    /// The usual bounds but for one.
    private static func limits<Bound>(
        _ path: WritableKeyPath<ConnectionLimits, Bound>,
        _ bound: Bound
    ) -> ConnectionLimits {
        var limits = ConnectionLimits()
        limits[keyPath: path] = bound
        return limits
    }

    /// What one conversation with a server came to, after which nothing of it may be left.
    private func talk<Result: Sendable>(
        _ limits: ConnectionLimits = ConnectionLimits(),
        bodyBytes: Int = 16 << 20,
        receiveBytes: Int32? = nil,
        refused: [String: Int]? = [:],
        _ conversation: @escaping @Sendable (RawSocket) throws -> Result
    ) async throws -> Result {
        var result: Result?
        let change: (inout ServerConfiguration) -> Void = {
            ($0.connections, $0.bodyBytes) = (limits, bodyBytes)
        }
        try await TestServer.run(server: change) { server in
            result = try await RawSocket.run(
                port: server.client.port,
                limit: .seconds(120),
                receiveBytes: receiveBytes,
                talk: conversation
            )
            #expect(try await server.client.get("/healthz").status == 200)
            let status = try await server.client.get("/api/status").json()
            let counts = status["refused"]?.object?.entries.map { ($0.key, Int($0.value.number ?? 0)) }
            if let refused { #expect(Dictionary(counts ?? []) { $1 } == refused) }
            // The one that asks is the only one.
            try await wait(for: "the connection to be closed") {
                let status = try await server.client.get("/api/status").json()
                let bodies = status["queues"]?["bodies"]?["bytes"]?.number
                return status["connections"]?["open"]?.number == 1 && bodies == 0
            }
        }
        return try #require(result)
    }

    @Test func `a head that comes byte by byte is given up after its time`() async throws {
        let answer = try await talk(
            Self.limits(\.headTime, .milliseconds(200)),
            refused: ["receive_timeout": 1]
        ) { socket in
            for byte in "GET /healthz HTTP/1.1\r\nX-Slow: ".utf8 where !socket.send([byte]) { break }
            let answer = try socket.answer()
            #expect(socket.isClosed())
            return answer
        }
        #expect(answer.status == 408)
        #expect(answer.header("Connection") == "close")
    }

    @Test func `a body of which a byte comes now and then is given up after its time`() async throws {
        let status = try await talk(
            Self.limits(\.requestTime, .milliseconds(300)),
            refused: ["receive_timeout": 1]
        ) { socket in
            socket.send("POST /v1/traces HTTP/1.1\r\n\(Self.headers)Content-Length: 1000000\r\n\r\n")
            // Byte by byte: never idle, and never done.
            for _ in 0..<900_000 where !socket.send(" ") { break }
            let status = try? socket.answer().status
            #expect(socket.isClosed())
            return status
        }
        #expect(status == 408 || status == nil)
    }

    @Test func `a client that does not read its answer is cut off, and the answer let go`() async throws {
        let closed = try await talk(
            Self.limits(\.answerTime, .milliseconds(300)),
            receiveBytes: 4096,
            refused: ["slow_reader": 1]
        ) { socket in
            let body = LoadBody(traces: 1, spansPerTrace: 300, valueBytes: 2000).made(0)
            let head = "POST /v1/traces HTTP/1.1\r\n\(Self.headers)Content-Length: \(body.count)\r\n\r\n"
            socket.send(Array(head.utf8) + body)
            _ = try socket.answer()
            // Far more than the system's buffers take.
            for _ in 0..<30 { socket.send("GET /api/traces/1 HTTP/1.1\r\nHost: a\r\n\r\n") }
            let asking = try RawSocket.open(port: socket.port)
            var refused: Value?
            while refused?["slow_reader"] == nil {
                asking.send("GET /api/status HTTP/1.1\r\nHost: a\r\n\r\n")
                refused = try asking.answer().json()["refused"]
            }
            return socket.isClosed()
        }
        #expect(closed)
    }

    @Test(arguments: [false, true])
    func `a client that leaves in the middle of a body costs nothing`(_ isDropped: Bool) async throws {
        try await talk { socket in
            socket.send("POST /v1/traces HTTP/1.1\r\n\(Self.headers)Content-Length: 1000000\r\n\r\n")
            socket.send([UInt8](repeating: 32, count: 100_000))
            if isDropped { socket.reset() }
        }
    }

    @Test func `a client that leaves in the middle of its answer costs nothing`() async throws {
        // Whether the query was done before it was known that nobody waits is a matter of luck.
        try await talk(refused: nil) { socket in
            try Self.fill(100, socket)
            socket.send("GET /api/traces?limit=500 HTTP/1.1\r\nHost: a\r\n\r\n")
            socket.reset()
        }
    }

    @Test func `pipelined requests are answered in their order`() async throws {
        let answers = try await talk { socket in
            let gets = (1...20).map { "GET /api/traces/\(String($0, radix: 16)) HTTP/1.1\r\nHost: a\r\n\r\n" }
            socket.send(Self.post(7) + Array(gets.joined().utf8))
            return try (0...20).map { _ in try socket.answer() }
        }
        #expect(answers.map(\.status) == [200] + (1...20).map { $0 == 7 ? 200 : 404 })
        for number in 1...20 where number != 7 {
            #expect(answers[number].text.contains(String(format: "%032x", number)), "\(answers[number].text)")
        }
    }

    @Test func `more pipelined requests than may wait are refused behind those that are answered`()
        async throws
    {
        let answers = try await talk(Self.limits(\.pipelinedRequests, 4), refused: ["pipelined": 1]) {
            socket in
            socket.send(String(repeating: Self.get, count: 200))
            var answers: [HTTPResponse] = []
            repeat { answers.append(try socket.answer()) } while answers.last?.status == 200
            #expect(socket.isClosed())
            return answers
        }
        #expect(answers.last?.status == 503)
        #expect(answers.last?.header("Retry-After") == "1")
        #expect(answers.count >= 5)
    }

    @Test func `a client that waits for a word before it sends its body gets it`() async throws {
        let statuses = try await talk { socket in
            let request = Self.post(1, "Expect: 100-continue\r\n")
            let split = try #require(request.firstRange(of: Array("\r\n\r\n".utf8))).upperBound
            socket.send(Array(request[..<split]))
            let go = try socket.answer().status
            socket.send(Array(request[split...]))
            let done = try socket.answer().status
            socket.send(Self.get)
            return [go, done, try socket.answer().status]
        }
        #expect(statuses == [100, 200, 200])
    }

    @Test func `a client that waits for a word before too large a body is refused before it sends it`()
        async throws
    {
        let answer = try await talk(bodyBytes: 1000, refused: [:]) { socket in
            socket.send(
                "POST /v1/traces HTTP/1.1\r\n\(Self.headers)Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n"
            )
            let answer = try socket.answer()
            #expect(socket.isClosed())
            return answer
        }
        #expect(answer.status == 413)
        #expect(answer.header("Connection") == "close")
    }

    @Test func `a body in chunks is taken, and refused where it grows too large`() async throws {
        let statuses = try await talk(bodyBytes: 10_000) { socket in
            let body = IngestTests.body()
            let head = "POST /v1/traces HTTP/1.1\r\n\(Self.headers)Transfer-Encoding: chunked\r\n\r\n"
            socket.send(head)
            for byte in body { socket.send("1;x=y\r\n\(Character(Unicode.Scalar(byte)))\r\n") }
            socket.send("0\r\nX-Trailer: a\r\n\r\n")
            let small = try socket.answer().status
            socket.send(head)
            for _ in 0..<20 { socket.send("400\r\n\(String(repeating: " ", count: 1024))\r\n") }
            return [small, try socket.answer().status]
        }
        #expect(statuses == [200, 413])
    }

    @Test func `a body of stated length is taken whole however it comes`() async throws {
        let statuses = try await talk { socket in
            let body = IngestTests.body() + [UInt8](repeating: UInt8(ascii: " "), count: 2_500_000)
            let head = { (path: String) in
                "POST \(path) HTTP/1.1\r\n\(Self.headers)Content-Length: \(body.count)\r\n\r\n"
            }
            socket.send(head("/v1/traces"))
            for start in stride(from: 0, to: 700, by: 7) { socket.send(Array(body[start..<start + 7])) }
            // The next request's bytes come with the last of this one's.
            socket.send(Array(body[700...]) + Self.post(2))
            var statuses = [try socket.answer().status, try socket.answer().status]
            // Nobody reads this one, and the connection goes on.
            socket.send(Array(head("/nowhere").utf8) + body[..<900])
            socket.send(Array(body[900...]))
            statuses.append(try socket.answer().status)
            return statuses
        }
        #expect(statuses == [200, 200, 404])
    }

    @Test func `a client of HTTP 1.0 gets its answer and the end of the connection`() async throws {
        let (closing, keeping) = try await talk { socket in
            socket.send(Self.post(1, "Connection: keep-alive\r\n", version: "1.0"))
            let keeping = try socket.answer()
            socket.send(Self.post(2, version: "1.0"))
            let closing = try socket.answer()
            #expect(socket.isClosed())
            return (closing, keeping)
        }
        #expect(keeping.status == 200)
        #expect(keeping.header("Connection") == "keep-alive")
        #expect(closing.status == 200)
        #expect(closing.header("Connection") == "close")
    }

    @Test func `the end of a connection is asked for in any case of letters`() async throws {
        let answer = try await talk { socket in
            socket.send("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n")
            let answer = try socket.answer()
            #expect(socket.isClosed())
            return answer
        }
        #expect(answer.status == 200)
    }

    @Test(arguments: [
        (
            "GET /healthz HTTP/1.1\r\nX: \(String(repeating: "a", count: 40_000))\r\n\r\n", 431,
            "headers_too_large"
        ),
        (
            "GET /healthz HTTP/1.1\r\n\(String(repeating: "X: a\r\n", count: 300))\r\n", 431,
            "headers_too_large"
        ),
        ("GET /\(String(repeating: "a", count: 9000)) HTTP/1.1\r\n\r\n", 414, "target_too_long"),
        ("GET /\(String(repeating: "a", count: 90_000)) HTTP/1.1\r\n\r\n", 414, "target_too_long"),
    ])
    func `a head that is too large is refused by what is too large`(
        _ text: String,
        _ status: Int,
        _ reason: String
    ) async throws {
        let answers = try await talk(refused: [reason: 1]) { socket in
            // What came before is answered first.
            socket.send(Self.get + text)
            let answers = [try socket.answer(), try socket.answer()]
            #expect(socket.isClosed())
            return answers
        }
        #expect(answers.map(\.status) == [200, status])
        #expect(answers.last?.header("Content-Type") == "application/problem+json")
    }

    @Test func `what is no HTTP is refused and the connection closed`() async throws {
        let status = try await talk { socket in
            socket.send("\u{16}\u{3}\u{1} hello\r\n\r\n")
            let status = try socket.answer().status
            #expect(socket.isClosed())
            return status
        }
        #expect(status == 400)
    }

    @Test func `a client that has finished sending gets its answers`() async throws {
        let statuses = try await talk { socket in
            socket.send(Self.post(1) + Array(Self.get.utf8))
            socket.finishSending()
            let statuses = [try socket.answer().status, try socket.answer().status]
            #expect(socket.isClosed())
            return statuses
        }
        #expect(statuses == [200, 200])
    }
}
