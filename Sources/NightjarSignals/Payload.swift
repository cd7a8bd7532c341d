/// The bytes of one request: never changed once made, freed with the last slab that points into them.
package final class Payload: @unchecked Sendable {
    // Unchecked: the memory is written before the initialiser returns and only read afterwards.
    private let memory: UnsafeMutableRawBufferPointer

    /// Copies `bytes`.
    package init(_ bytes: some Collection<UInt8>) {
        memory = .allocate(byteCount: max(bytes.count, 1), alignment: 16)
        count = bytes.count
        memory.copyBytes(from: bytes)
    }

    /// Takes `count` bytes that `fill` writes; it gets memory of exactly that size.
    package init<Failure: Error>(
        count: Int,
        _ fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        memory = .allocate(byteCount: max(count, 1), alignment: 16)
        self.count = count
        try fill(UnsafeMutableRawBufferPointer(rebasing: memory[0..<count]))
    }

    /// How many bytes there are.
    package let count: Int

    /// The bytes; valid while the payload lives.
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[0..<count]) }

    deinit { memory.deallocate() }
}
