import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// A connected TCP socket with a deadline for everything done on it; closed with the value.
final class Connection {
    let descriptor: Int32
    private let deadline: ContinuousClock.Instant

    init(
        host: String,
        port: Int,
        deadline: ContinuousClock.Instant,
        receiveBytes: Int32? = nil
    ) throws(HTTPClientError) {
        self.deadline = deadline
        #if canImport(Glibc)
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
        descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        guard descriptor >= 0 else { throw HTTPClientError.system("socket") }
        if var receiveBytes {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBytes, socklen_t(MemoryLayout<Int32>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(clamping: port)).bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
            throw HTTPClientError(description: "\(host) is no IPv4 address")
        }
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        guard connected == 0 else { throw HTTPClientError.system("connecting to \(host):\(port)") }
    }

    deinit { close(descriptor) }

    /// Writes everything; returns why not, where it could not.
    func write(_ bytes: [UInt8]) -> HTTPClientError? {
        var sent = 0
        while sent < bytes.count {
            guard awaitReady(POLLOUT) else {
                return HTTPClientError(description: "the server did not read in time")
            }
            let count = bytes.withUnsafeBytes { buffer in
                guard let start = buffer.baseAddress else { return 0 }
                return send(descriptor, start + sent, min(bytes.count - sent, 65_536), Self.sendFlags)
            }
            guard count > 0 else { return HTTPClientError.system("writing") }
            sent += count
        }
        return nil
    }

    /// Reads what is there, waiting for at least one byte; empty at the end.
    func read() throws(HTTPClientError) -> [UInt8] {
        guard awaitReady(POLLIN) else { throw HTTPClientError(description: "no answer in time") }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count >= 0 else { throw HTTPClientError.system("reading") }
        return Array(buffer[..<count])
    }

    private func awaitReady(_ events: Int32) -> Bool {
        let left = ContinuousClock.now.duration(to: deadline) / .milliseconds(1)
        var request = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        return poll(&request, 1, Int32(max(0, min(left, 1e9)))) > 0
    }

    #if canImport(Glibc)
    // Without it a server that has closed would end the test process by SIGPIPE.
    private static let sendFlags = Int32(MSG_NOSIGNAL)
    #else
    private static let sendFlags: Int32 = 0
    #endif
}

extension HTTPClientError {
    static func system(_ action: String) -> HTTPClientError {
        HTTPClientError(description: "\(action): \(String(cString: strerror(errno)))")
    }
}

/// Bytes of an answer as they come, with what was read too far kept for the next reader.
struct ResponseInput {
    private var waiting: ArraySlice<UInt8> = []
    private let more: () throws -> [UInt8]

    init(more: @escaping () throws -> [UInt8]) {
        self.more = more
    }

    /// What is there, at most `limit` bytes; nil at the end.
    mutating func piece(limit: Int = .max) throws -> ArraySlice<UInt8>? {
        if waiting.isEmpty { waiting = try more()[...] }
        guard !waiting.isEmpty else { return nil }
        let piece = waiting.prefix(limit)
        waiting.removeFirst(piece.count)
        return piece
    }

    /// What was read too far.
    var rest: ArraySlice<UInt8> { waiting }

    /// The next line without its end; nil at the end of input.
    mutating func line() throws -> String? {
        var line: [UInt8] = []
        while let piece = try piece(limit: 1) {
            if piece.first == UInt8(ascii: "\n") {
                if line.last == UInt8(ascii: "\r") { line.removeLast() }
                return String(decoding: line, as: UTF8.self)
            }
            line += piece
        }
        return nil
    }

    /// The status line and the header fields.
    mutating func readHead() throws -> HTTPResponse {
        guard let first = try line() else {
            throw HTTPClientError(description: "the server closed without an answer")
        }
        let parts = first.split(separator: " ", maxSplits: 2)
        guard parts.count >= 2, parts[0].hasPrefix("HTTP/1."), let status = Int(parts[1]) else {
            throw HTTPClientError(description: "no HTTP answer: \(first)")
        }
        var response = HTTPResponse(status: status, headers: [], body: [])
        while let line = try line(), !line.isEmpty {
            let field = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard field.count == 2 else { throw HTTPClientError(description: "no header field: \(line)") }
            response.headers.append((String(field[0]), field[1].trimmingCharacters(in: .whitespaces)))
        }
        return response
    }
}

/// Reads a body piece by piece: by chunks, by its stated length, or to the end of the connection.
struct BodyReader {
    private enum Framing {
        case chunks(left: Int)
        case length(left: Int)
        case connection
        case done
    }

    private var framing: Framing

    init(_ response: HTTPResponse) {
        if response.header("Transfer-Encoding")?.lowercased().contains("chunked") == true {
            framing = .chunks(left: 0)
        } else if let length = response.header("Content-Length").flatMap({ Int($0) }) {
            framing = .length(left: length)
        } else {
            framing = .connection
        }
    }

    /// The next piece; nil at the end of the body.
    mutating func next(_ input: inout ResponseInput) throws -> ArraySlice<UInt8>? {
        switch framing {
        case .done: return nil
        case .connection: return try input.piece()
        case .length(let left):
            guard left > 0 else { return nil }
            let piece = try required(input.piece(limit: left))
            framing = .length(left: left - piece.count)
            return piece
        case .chunks(let left):
            let size = left > 0 ? left : try chunkSize(&input)
            guard size > 0 else {
                while let trailer = try input.line(), !trailer.isEmpty {}
                framing = .done
                return nil
            }
            let piece = try required(input.piece(limit: size))
            framing = .chunks(left: size - piece.count)
            if piece.count == size { _ = try input.line() }
            return piece
        }
    }

    private func chunkSize(_ input: inout ResponseInput) throws -> Int {
        let line = try required(input.line())
        guard let size = line.split(separator: ";").first.flatMap({ Int($0, radix: 16) }) else {
            throw HTTPClientError(description: "no chunk size: \(line)")
        }
        return size
    }

    private func required<Piece>(_ piece: Piece?) throws -> Piece {
        guard let piece else { throw HTTPClientError(description: "the body ended early") }
        return piece
    }
}
