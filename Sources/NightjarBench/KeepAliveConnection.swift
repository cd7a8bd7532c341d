import Foundation
import Glibc

/// A connection that stays open over many requests: what an exporter has. Blocks its thread; closed with the object.
final class KeepAliveConnection {
    private let descriptor: Int32
    private let host: String
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)

    init(host: String, port: Int) throws {
        self.host = "\(host):\(port)"
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(clamping: port)).bigEndian
        guard descriptor >= 0, inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
            throw BenchFailure(description: "no connection to \(host):\(port)")
        }
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var on: Int32 = 1
        let level = Int32(IPPROTO_TCP)
        setsockopt(descriptor, level, TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        guard connected == 0 else { throw BenchFailure(description: "no connection to \(host):\(port)") }
    }

    deinit { close(descriptor) }

    /// Sends spans; returns the status.
    func post(_ body: [UInt8], as encoding: LoadEncoding = .protobuf) throws -> Int {
        try send(
            "POST /v1/traces HTTP/1.1\r\nHost: \(host)\r\nContent-Type: \(encoding.mediaType)\r\n"
                + (encoding.isGzip ? "Content-Encoding: gzip\r\n" : "")
                + "Content-Length: \(body.count)\r\n\r\n",
            body
        )
        return try answer().status
    }

    /// Gets a document.
    func get(_ path: String) throws -> (status: Int, body: [UInt8]) {
        try send("GET \(path) HTTP/1.1\r\nHost: \(host)\r\n\r\n", [])
        return try answer()
    }

    private func send(_ head: String, _ body: [UInt8]) throws {
        try send(Array(head.utf8), flags: body.isEmpty ? 0 : Int32(MSG_MORE))
        if !body.isEmpty { try send(body, flags: 0) }
    }

    private func send(_ bytes: [UInt8], flags: Int32) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { raw in
                let rest = UnsafeRawBufferPointer(rebasing: raw[sent...])
                return Glibc.send(
                    descriptor,
                    rest.baseAddress,
                    rest.count,
                    flags | Int32(MSG_NOSIGNAL)
                )
            }
            guard count > 0 else { throw failure("writing") }
            sent += count
        }
    }

    /// An answer with a stated length, as all of the server's are.
    private func answer() throws -> (status: Int, body: [UInt8]) {
        var bytes: [UInt8] = []
        let end = Array("\r\n\r\n".utf8)
        var headEnd: Int?
        while headEnd == nil {
            try read(into: &bytes)
            headEnd = bytes.firstRange(of: end)?.upperBound
        }
        guard let headEnd else { throw BenchFailure(description: "\(host) gave no answer") }
        let lines = String(decoding: bytes[..<headEnd], as: UTF8.self).lowercased().split(separator: "\r\n")
        let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        let field = lines.first { $0.hasPrefix("content-length:") }
        let length = field.flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) } ?? 0
        while bytes.count < headEnd + length { try read(into: &bytes) }
        return (status, Array(bytes[headEnd...]))
    }

    private func read(into bytes: inout [UInt8]) throws {
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count != 0 else { throw BenchFailure(description: "\(host) closed instead of answering") }
        guard count > 0 else { throw failure("reading an answer") }
        bytes += buffer[..<count]
    }

    private func failure(_ action: String) -> BenchFailure {
        BenchFailure(description: "\(action) from \(host): \(String(cString: strerror(errno)))")
    }
}
