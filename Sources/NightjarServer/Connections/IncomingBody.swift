import NIOCore
import NightjarSignals

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A body of stated length that is coming: each piece is copied once, to where it stays. Belongs to the connection's event loop.
final class IncomingBody {
    /// A client that states a large body and sends little of it must not have memory for it: room is made for so many times what
    /// is here, and from this size on for twice of it.
    private static let growth = (small: 4, large: 2, largeBytes: 1 << 20)

    /// The number of its request.
    let request: Int
    private let length: Int
    private var memory: UnsafeMutableRawPointer?
    private var capacity = 0
    private var count = 0

    /// The body of a request of so many bytes, none of which are here.
    init(of request: Int, length: Int) { (self.request, self.length) = (request, length) }

    deinit { free(memory) }

    /// Adds a piece; false where it does not fit, and then nothing of the body is of use.
    func append(_ piece: ByteBuffer) -> Bool {
        piece.withUnsafeReadableBytes { bytes in
            guard bytes.count <= length - count, makeRoom(for: count + bytes.count) else { return false }
            guard let source = bytes.baseAddress, let memory else { return true }
            (memory + count).copyMemory(from: source, byteCount: bytes.count)
            count += bytes.count
            return true
        }
    }

    /// The body, which this gives away; nil where it is not whole.
    func take() -> Payload? {
        guard count == length, let memory else { return nil }
        self.memory = nil
        return Payload(taking: memory, count: count)
    }

    private func makeRoom(for bytes: Int) -> Bool {
        guard bytes > capacity else { return true }
        let growth = bytes < Self.growth.largeBytes ? Self.growth.small : Self.growth.large
        let wanted = min(length, bytes * growth)
        guard let grown = realloc(memory, wanted) else { return false }
        (memory, capacity) = (grown, wanted)
        return true
    }
}
