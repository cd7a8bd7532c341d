import Foundation
package import NightjarSignals

/// What a server answered.
package struct HTTPResponse: Sendable {
    /// The status code.
    package var status: Int
    /// The header fields in order, names as sent.
    package var headers: [(name: String, value: String)]
    /// The body, chunks joined; not decompressed.
    package var body: [UInt8]

    /// The value of the first header field of a name, in whatever case.
    package func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// The body as text.
    package var text: String { String(decoding: body, as: UTF8.self) }

    /// The body as JSON.
    package func json() throws -> Value { try Value(jsonBytes: body) }
}

/// Why a request got no answer.
package struct HTTPClientError: Error, Sendable, CustomStringConvertible {
    /// What went wrong.
    package let description: String
}

/// A small HTTP/1.1 client over a socket of its own per request. It sends exactly what it is told, also what a well-behaved
/// client would not, and waits on a thread of its own, so that a server in the same process keeps its threads.
package struct HTTPClient: Sendable {
    /// The server's IPv4 address.
    package let host: String
    /// The server's port.
    package let port: Int
    /// How long one request may take in all.
    package let limit: Duration
    /// Header fields sent with every request.
    package var headers: [(name: String, value: String)] = []

    /// A client of one server.
    package init(host: String = "127.0.0.1", port: Int, limit: Duration = .seconds(60)) {
        self.host = host == "localhost" ? "127.0.0.1" : host
        self.port = port
        self.limit = limit
    }

    /// Sends a GET.
    package func get(_ path: String, headers: [(name: String, value: String)] = []) async throws
        -> HTTPResponse
    {
        try await send("GET", path, headers: headers)
    }

    /// Sends a POST with JSON.
    package func post(_ path: String, json: Value) async throws -> HTTPResponse {
        try await send(
            "POST",
            path,
            headers: [("Content-Type", "application/json")],
            body: Array(json.json.utf8)
        )
    }

    /// Sends a request; `Host`, `Content-Length` and `Connection: close` are added where they are not given.
    /// - Throws: ``HTTPClientError`` when there is no answer within the limit or it is no HTTP.
    package func send(
        _ method: String,
        _ path: String,
        headers: [(name: String, value: String)] = [],
        body: [UInt8]? = nil
    ) async throws -> HTTPResponse {
        var fields = self.headers + headers
        func add(_ name: String, _ value: String) {
            if !fields.contains(where: { $0.name.lowercased() == name.lowercased() }) {
                fields.append((name, value))
            }
        }
        add("Host", "\(host):\(port)")
        add("Connection", "close")
        let isChunked = fields.contains { $0.name.lowercased() == "transfer-encoding" }
        if let body, !isChunked { add("Content-Length", String(body.count)) }
        let head =
            fields.reduce("\(method) \(path) HTTP/1.1\r\n") { "\($0)\($1.name): \($1.value)\r\n" } + "\r\n"
        return try await send(raw: Array(head.utf8) + (body ?? []), hasBody: method != "HEAD")
    }

    /// Sends bytes as they are and reads one answer.
    /// - Throws: ``HTTPClientError`` when there is no answer within the limit or it is no HTTP.
    package func send(raw request: [UInt8], hasBody: Bool = true) async throws -> HTTPResponse {
        let deadline = ContinuousClock.now.advanced(by: limit)
        return try await onThread {
            let connection = try Connection(host: host, port: port, deadline: deadline)
            // A server may answer and close before it has read everything; its answer is what counts.
            let failure = connection.write(request)
            do {
                return try readResponse(connection, hasBody: hasBody)
            } catch {
                throw failure ?? error
            }
        }
    }

    /// Sends bytes and leaves without an answer, as a client that breaks off; blocks while the server does not read.
    /// - Throws: ``HTTPClientError`` when they cannot be sent.
    package func write(_ bytes: [UInt8]) throws {
        let connection = try Connection(host: host, port: port, deadline: .now.advanced(by: limit))
        if let failure = connection.write(bytes) { throw failure }
    }

    /// Sends a GET and calls `onLine` with each line of the body as it comes, until it returns false or the body ends; for
    /// server-sent events. Returns the status and header fields.
    /// - Throws: ``HTTPClientError`` when nothing comes within the limit.
    @discardableResult
    package func lines(
        _ path: String,
        onLine: @escaping @Sendable (String) -> Bool
    ) async throws -> HTTPResponse {
        let head = headers.reduce("GET \(path) HTTP/1.1\r\nHost: \(host):\(port)\r\n") {
            "\($0)\($1.name): \($1.value)\r\n"
        }
        let deadline = ContinuousClock.now.advanced(by: limit)
        return try await onThread {
            let connection = try Connection(host: host, port: port, deadline: deadline)
            if let failure = connection.write(Array((head + "\r\n").utf8)) { throw failure }
            var input = ResponseInput { try connection.read() }
            var response = try input.readHead()
            var body = BodyReader(response)
            var line: [UInt8] = []
            while let piece = try body.next(&input) {
                for byte in piece where byte != UInt8(ascii: "\r") {
                    guard byte == UInt8(ascii: "\n") else {
                        line.append(byte)
                        continue
                    }
                    guard onLine(String(decoding: line, as: UTF8.self)) else { return response }
                    line = []
                }
            }
            response.body = line
            return response
        }
    }
}

private func readResponse(_ connection: Connection, hasBody: Bool) throws -> HTTPResponse {
    var input = ResponseInput { try connection.read() }
    var response = try input.readHead()
    // Interim answers (100) come before the real one.
    while (100..<200).contains(response.status), response.status != 101 { response = try input.readHead() }
    guard hasBody, response.status != 204, response.status != 304 else { return response }
    var body = BodyReader(response)
    while let piece = try body.next(&input) { response.body += piece }
    return response
}

private func onThread<Answer: Sendable>(_ body: @escaping @Sendable () throws -> Answer) async throws
    -> Answer
{
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
    }
}
