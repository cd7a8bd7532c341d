/// A name as three numbers, so that names are compared without a loop: its length, and its first and last eight bytes, of
/// shorter ones all bytes. Names of up to 16 bytes are equal where the numbers are.
struct ShortName: Equatable {
    let length: Int
    let front: UInt64
    let back: UInt64

    @inline(__always)
    init(_ bytes: UnsafeRawBufferPointer) {
        length = bytes.count
        switch length {
        case 8...:
            front = bytes.loadUnaligned(as: UInt64.self)
            back = bytes.loadUnaligned(fromByteOffset: length &- 8, as: UInt64.self)
        case 4...:
            front = UInt64(bytes.loadUnaligned(as: UInt32.self))
            back = UInt64(bytes.loadUnaligned(fromByteOffset: length &- 4, as: UInt32.self))
        case 1...:
            front = UInt64(bytes[0]) | UInt64(bytes[length >> 1]) << 8
            back = UInt64(bytes[length &- 1])
        default: (front, back) = (0, 0)
        }
    }
}
