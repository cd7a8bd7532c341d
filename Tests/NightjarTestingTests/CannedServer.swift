import Foundation
import NightjarTesting
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Answers its first connection with fixed bytes once the request's head and stated body are there, then closes.
final class CannedServer: Sendable {
    let port: Int
    private let received = Mutex<[UInt8]>([])

    var request: String { String(decoding: received.withLock { $0 }, as: UTF8.self) }

    init(answer pieces: [String], reads: Bool = true) throws {
        #if canImport(Glibc)
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
        let listener = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, size) == 0 && listen(listener, 1) == 0
                    && getsockname(listener, address, &size) == 0
            }
        }
        guard isBound else { throw POSIXError(.EADDRNOTAVAIL) }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [self] in
            let connection = accept(listener, nil, nil)
            if reads { readRequest(connection) }
            for piece in pieces { _ = piece.withCString { write(connection, $0, strlen($0)) } }
            close(connection)
            close(listener)
        }
    }

    private func readRequest(_ connection: Int32) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(connection, &buffer, buffer.count)
            guard count > 0 else { return }
            received.withLock { $0 += buffer[..<count] }
            guard let end = request.range(of: "\r\n\r\n") else { continue }
            let length = request.firstMatch(of: /Content-Length: (\d+)/).flatMap { Int($0.1) } ?? 0
            if request[end.upperBound...].utf8.count >= length { return }
        }
    }
}
