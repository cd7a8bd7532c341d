import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// An HTTP/1.1 server on a port of its own that answers as a test says, and keeps what it was asked. Connections stay open
/// between requests.
package final class ScriptedServer: Sendable {
    /// A request as it came.
    package struct Request: Sendable {
        /// `POST`, …
        package let method: String
        /// The path with its query.
        package let path: String
        /// The header fields in order.
        package let headers: [(name: String, value: String)]
        /// The body, not decompressed.
        package let body: [UInt8]
        /// On which connection it came, from 1.
        package let connection: Int

        /// The value of the first header field of a name, in whatever case.
        package func header(_ name: String) -> String? {
            headers.first { $0.name.lowercased() == name.lowercased() }?.value
        }
    }

    /// What the server does with a request.
    package enum Answer: Sendable {
        /// Answers.
        case status(Int, headers: [(String, String)] = [], body: [UInt8] = [])
        /// Says nothing until the client goes away.
        case silence
        /// Closes the connection without a word.
        case hangUp
    }

    private struct State {
        var requests: [Request] = []
        var connections: Set<Int32> = []
        var connectionCount = 0
        var isStopped = false
        /// A socket that keeps the port after a stop.
        var holder: Int32?
    }

    /// Where it listens.
    package let port: Int
    private let listener: Int32
    private let answer: @Sendable (Request) -> Answer
    private let state = Mutex(State())

    /// Starts a server whose answers are made, on threads of its own, by `answer`.
    package init(answer: @escaping @Sendable (Request) -> Answer) throws {
        listener = Self.makeSocket()
        self.answer = answer
        var address = Self.address()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (bound, listener) = (listener, listener)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(bound, address, size) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, address, &size) == 0
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        guard isListening else { throw POSIXError(.EADDRNOTAVAIL) }
        Thread.detachNewThread { [self] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0, let number = enter(connection) else { break }
                Thread.detachNewThread { [self] in serve(connection, number) }
            }
            close(listener)
        }
    }

    /// The base URL.
    package var url: String { "http://127.0.0.1:\(port)" }

    /// What it was asked so far.
    package var requests: [Request] { state.withLock { $0.requests } }

    /// Closes all connections and accepts no more.
    package func stop() {
        state.withLock { state in
            state.isStopped = true
            for connection in state.connections { shutdown(connection, Int32(SHUT_RDWR)) }
        }
        shutdown(listener, Int32(SHUT_RDWR))
        keepPort()
    }

    /// Holds on to the port, where nobody listens any more: else the next server of another test may get it, and answer.
    private func keepPort() {
        let holder = Self.makeSocket()
        var (yes, address) = (Int32(1), Self.address(port))
        setsockopt(holder, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = bind(holder, address, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        state.withLock { $0.holder = holder }
    }

    private static func makeSocket() -> Int32 {
        #if canImport(Glibc)
        socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
        socket(AF_INET, SOCK_STREAM, 0)
        #endif
    }

    private static func address(_ port: Int = 0) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = UInt16(port).bigEndian
        return address
    }

    deinit {
        state.withLock { state in
            if let holder = state.holder { close(holder) }
        }
    }

    private func enter(_ connection: Int32) -> Int? {
        state.withLock { state in
            guard !state.isStopped else {
                close(connection)
                return nil
            }
            state.connections.insert(connection)
            state.connectionCount += 1
            return state.connectionCount
        }
    }

    private func serve(_ connection: Int32, _ number: Int) {
        var waiting: [UInt8] = []
        while let request = read(connection, number, &waiting) {
            state.withLock { $0.requests.append(request) }
            switch answer(request) {
            case .status(let status, let headers, let body):
                let fields = headers.map { "\($0.0): \($0.1)\r\n" }.joined()
                let head = "HTTP/1.1 \(status) Scripted\r\nContent-Length: \(body.count)\r\n\(fields)\r\n"
                send(connection, Array(head.utf8) + body)
            case .silence:
                // Returns when the client closes: it has nothing more to say on this connection.
                _ = read(connection, number, &waiting)
                return leave(connection)
            case .hangUp: return leave(connection)
            }
        }
        leave(connection)
    }

    private func leave(_ connection: Int32) {
        state.withLock { state in
            state.connections.remove(connection)
            close(connection)
        }
    }

    private func read(_ connection: Int32, _ number: Int, _ waiting: inout [UInt8]) -> Request? {
        var hasContinued = false
        while true {
            if let (head, start) = Self.head(waiting) {
                let length =
                    head.headers.first { $0.name.lowercased() == "content-length" }
                    .flatMap { Int($0.value) } ?? 0
                if !hasContinued, head.headers.contains(where: { $0.name.lowercased() == "expect" }) {
                    send(connection, Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
                    hasContinued = true
                }
                if waiting.count >= start + length {
                    defer { waiting.removeFirst(start + length) }
                    return Request(
                        method: head.method,
                        path: head.path,
                        headers: head.headers,
                        body: Array(waiting[start..<(start + length)]),
                        connection: number
                    )
                }
            }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            waiting += buffer[..<count]
        }
    }

    private typealias Head = (method: String, path: String, headers: [(name: String, value: String)])

    private static func head(_ bytes: [UInt8]) -> (Head, Int)? {
        let data = Data(bytes)
        guard let end = data.range(of: Data("\r\n\r\n".utf8)) else { return nil }
        let lines = String(decoding: data[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ").map(String.init)
        guard words.count == 3 else { return nil }
        let headers = lines.dropFirst().compactMap { line -> (name: String, value: String)? in
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { return nil }
            return (String(parts[0]), parts[1].trimmingCharacters(in: .whitespaces))
        }
        return ((words[0], words[1], headers), end.upperBound)
    }

    private func send(_ connection: Int32, _ bytes: [UInt8]) {
        #if canImport(Glibc)
        // Without it a client that has closed would end the test process by SIGPIPE.
        let flags = Int32(MSG_NOSIGNAL)
        #else
        let flags: Int32 = 0
        #endif
        var left = bytes[...]
        while !left.isEmpty {
            let count = left.withUnsafeBytes { systemSend(connection, $0.baseAddress, $0.count, flags) }
            guard count > 0 else { return }
            left = left.dropFirst(count)
        }
    }
}

/// `send` is also the name of what calls it.
private func systemSend(_ socket: Int32, _ bytes: UnsafeRawPointer?, _ count: Int, _ flags: Int32) -> Int {
    send(socket, bytes, count, flags)
}
