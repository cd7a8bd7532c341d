import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// A connection on which a test says exactly what it wants, when it wants, and reads what comes. Belongs to one thread.
package final class RawSocket {
    private let connection: Connection
    private var unread: ArraySlice<UInt8> = []

    /// The server's port.
    package let port: Int

    private init(_ connection: Connection, port: Int) { (self.connection, self.port) = (connection, port) }

    /// Runs a conversation on a thread of its own, within a limit for all of it; the connection is closed with it.
    /// `receiveBytes` makes the system's buffer for what comes smaller.
    /// - Throws: ``HTTPClientError`` where there is no connection; what `talk` throws.
    package static func run<Result: Sendable>(
        port: Int,
        limit: Duration = .seconds(60),
        receiveBytes: Int32? = nil,
        talk: @escaping @Sendable (RawSocket) throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Swift.Result {
                        try talk(try open(port: port, limit: limit, receiveBytes: receiveBytes))
                    }
                )
            }
        }
    }

    /// A connection that stays open as long as the object, for as many as a test needs at once; call it on a thread that may
    /// block.
    /// - Throws: ``HTTPClientError`` where there is none.
    package static func open(
        port: Int,
        limit: Duration = .seconds(60),
        receiveBytes: Int32? = nil
    ) throws -> RawSocket {
        let deadline = ContinuousClock.now.advanced(by: limit)
        return RawSocket(
            try Connection(host: "127.0.0.1", port: port, deadline: deadline, receiveBytes: receiveBytes),
            port: port
        )
    }

    /// Sends text; whether the other end took it.
    @discardableResult
    package func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Sends bytes; whether the other end took them.
    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool { connection.write(bytes) == nil }

    /// Says that nothing more will be sent; what comes can still be read.
    package func finishSending() { shutdown(connection.descriptor, Int32(SHUT_WR)) }

    /// Drops the connection so that the other end is told of an error, as when a process dies with data unread.
    package func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            connection.descriptor,
            SOL_SOCKET,
            SO_LINGER,
            &linger,
            socklen_t(MemoryLayout<Glibc.linger>.size)
        )
    }

    /// The next answer, interim ones (100) too.
    /// - Throws: ``HTTPClientError`` where there is none in time.
    package func answer() throws -> HTTPResponse {
        var input = ResponseInput { [self] in
            guard unread.isEmpty else {
                defer { unread = [] }
                return Array(unread)
            }
            return try connection.read()
        }
        var response = try input.readHead()
        if response.status >= 200, response.status != 204 {
            var body = BodyReader(response)
            while let piece = try body.next(&input) { response.body += piece }
        }
        unread = input.rest
        return response
    }

    /// Reads some bytes; empty at the end of the connection.
    /// - Throws: ``HTTPClientError`` where nothing comes in time, or the connection was dropped.
    package func bytes() throws -> [UInt8] {
        guard unread.isEmpty else {
            defer { unread = [] }
            return Array(unread)
        }
        return try connection.read()
    }

    /// Whether the other end closes, whatever it says before.
    package func isClosed() -> Bool {
        while true {
            // A connection that was dropped is closed too; one on which nothing comes in time is not.
            do throws(HTTPClientError) {
                if try connection.read().isEmpty { return true }
            } catch {
                return !error.description.contains("in time")
            }
        }
    }
}
