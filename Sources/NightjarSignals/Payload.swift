#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The bytes of one request: never changed once made, freed with the last slab that points into them.
package final class Payload: @unchecked Sendable {
    // Unchecked: the memory is written before the initialiser returns and only read afterwards.
    private let memory: UnsafeMutableRawBufferPointer

    /// Copies `bytes`.
    package init(_ bytes: some Collection<UInt8>) {
        memory = Self.allocate(bytes.count)
        count = bytes.count
        memory.copyBytes(from: bytes)
    }

    /// Takes memory over that `malloc` gave and somebody else has filled; nobody else may use it any more. Of no bytes, it may be
    /// missing.
    package init(taking memory: UnsafeMutableRawPointer?, count: Int) {
        self.memory = UnsafeMutableRawBufferPointer(start: memory, count: count)
        self.count = count
    }

    /// Takes `count` bytes that `fill` writes; it gets memory of exactly that size.
    package init<Failure: Error>(
        count: Int,
        _ fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        memory = Self.allocate(count)
        self.count = count
        try fill(UnsafeMutableRawBufferPointer(rebasing: memory[0..<count]))
    }

    /// How many bytes there are.
    package let count: Int

    /// The bytes; valid while the payload lives.
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[0..<count]) }

    deinit { free(memory.baseAddress) }

    private static func allocate(_ count: Int) -> UnsafeMutableRawBufferPointer {
        guard let start = malloc(max(count, 1)) else {
            // As every allocation of Swift's own ends: requests are bounded, so nothing else is left to give back.
            fatalError("no memory for \(count) bytes of a request")
        }
        return UnsafeMutableRawBufferPointer(start: start, count: max(count, 1))
    }
}
