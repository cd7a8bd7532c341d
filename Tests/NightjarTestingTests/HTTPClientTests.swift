import NightjarSignals
import NightjarTesting
import Testing

@Suite struct HTTPClientTests {
    @Test func `sends what it is told and reads a body of a stated length`() async throws {
        let server = try CannedServer(answer: [
            "HTTP/1.1 201 Created\r\nContent-Le", "ngth: 7\r\nX-A:  b \r\n\r\n{\"a\":", "1}rest",
        ])
        let response = try await HTTPClient(port: server.port).post("/api/scores?x=1", json: ["b": "é"])
        #expect(response.status == 201)
        #expect(response.header("x-a") == "b")
        #expect(try response.json() == ["a": 1])
        #expect(
            server.request
                == "POST /api/scores?x=1 HTTP/1.1\r\nContent-Type: application/json\r\nHost: 127.0.0.1:\(server.port)\r\n"
                + "Connection: close\r\nContent-Length: 10\r\n\r\n{\"b\":\"é\"}"
        )
    }

    @Test(arguments: [
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: v\r\n\r\n",
            "abc0123456789"
        ),
        ("HTTP/1.0 200 OK\r\n\r\nuntil the end", "until the end"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"),
        ("HTTP/1.1 204 No Content\r\n\r\n", ""),
        ("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", ""),
    ])
    func `reads every framing of a body`(answer: String, body: String) async throws {
        let server = try CannedServer(answer: [answer])
        #expect(try await HTTPClient(port: server.port).get("/").text == body)
    }

    @Test(arguments: [
        "", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ])
    func `what is no whole answer is an error`(answer: String) async throws {
        let server = try CannedServer(answer: [answer])
        await #expect(throws: HTTPClientError.self) { try await HTTPClient(port: server.port).get("/") }
    }

    @Test func `an answer that comes before the request was read counts`() async throws {
        let server = try CannedServer(
            answer: ["HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"],
            reads: false
        )
        let response = try await HTTPClient(port: server.port).send("POST", "/", body: [1, 2, 3])
        #expect(response.status == 413)
    }

    @Test func `nobody listening is an error, and so is silence`() async throws {
        await #expect(throws: HTTPClientError.self) { try await HTTPClient(port: 1).get("/") }
        let silent = try CannedServer(answer: [])
        let client = HTTPClient(port: silent.port, limit: .milliseconds(50))
        await #expect(throws: HTTPClientError.self) { try await client.send(raw: Array("GET".utf8)) }
    }

    @Test func `lines come one by one until enough`() async throws {
        let server = try CannedServer(answer: [
            "HTTP/1.1 200 OK\r\n\r\ndata: 1\r\n\nda", "ta: 2\n", "data: 3\n",
        ])
        let (lines, enough) = AsyncStream.makeStream(of: String.self)
        let response = try await HTTPClient(port: server.port).lines("/api/live") { line in
            enough.yield(line)
            return line != "data: 2"
        }
        enough.finish()
        #expect(response.status == 200)
        var seen: [String] = []
        for await line in lines { seen.append(line) }
        #expect(seen == ["data: 1", "", "data: 2"])
    }
}
