public import CNightjarSignals

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

extension nj_text {
    /// No value.
    @inlinable
    package static var absent: nj_text { nj_text(bytes: nil, length: 0) }

    /// The bytes of a literal, which live as long as the process.
    @inlinable
    package init(_ literal: StaticString) {
        self.init(
            bytes: UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self),
            length: UInt32(literal.utf8CodeUnitCount)
        )
    }

    /// A view of `bytes`, valid as long as they are.
    @inlinable
    package init(_ bytes: UnsafeRawBufferPointer) {
        self.init(
            bytes: bytes.baseAddress?.assumingMemoryBound(to: CChar.self) ?? emptyBytes,
            length: UInt32(clamping: bytes.count)
        )
    }

    /// Whether there is a value; an empty text is one.
    @inlinable
    package var isPresent: Bool { bytes != nil }

    /// Whether there is a value of at least one byte.
    @inlinable
    package var hasBytes: Bool { bytes != nil && length > 0 }

    /// The bytes, none where the value is absent.
    @inlinable
    package var buffer: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: bytes, count: Int(length)) }

    /// The text, invalid UTF-8 repaired; nil where the value is absent.
    package var string: String? {
        bytes == nil ? nil : String(decoding: buffer, as: UTF8.self)
    }

    /// Whether the bytes are exactly those of `literal`.
    @inlinable
    package func equals(_ literal: StaticString) -> Bool {
        guard let bytes, Int(length) == literal.utf8CodeUnitCount else { return false }
        return isSame(bytes, literal.utf8Start, Int(length))
    }

    /// Whether both have the same bytes; absent equals absent only.
    @inlinable
    package func equals(_ other: nj_text) -> Bool {
        guard let bytes, let others = other.bytes else { return bytes == nil && other.bytes == nil }
        return length == other.length && isSame(bytes, others, Int(length))
    }

    /// Whether the bytes start with those of `literal`.
    @inlinable
    package func hasPrefix(_ literal: StaticString) -> Bool {
        guard let bytes, Int(length) >= literal.utf8CodeUnitCount else { return false }
        return isSame(bytes, literal.utf8Start, literal.utf8CodeUnitCount)
    }

    /// Whether the bytes end with those of `literal`.
    @inlinable
    package func hasSuffix(_ literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        guard let bytes, Int(length) >= count else { return false }
        return isSame(bytes + Int(length) - count, literal.utf8Start, count)
    }

    /// A hash of the bytes: equal bytes have equal ones, in this process only.
    package var digest: UInt64 { nj_hash_bytes(bytes, Int(length)) }

    /// The text without its first `count` bytes.
    package func dropFirst(_ count: Int) -> nj_text {
        guard let bytes, count <= Int(length) else { return .absent }
        return nj_text(bytes: bytes + count, length: length - UInt32(count))
    }

    /// The text without its last `count` bytes.
    package func dropLast(_ count: Int) -> nj_text {
        guard let bytes, count <= Int(length) else { return .absent }
        return nj_text(bytes: bytes, length: length - UInt32(count))
    }
}

/// An address for texts of no bytes, so that empty and absent stay apart.
@usableFromInline
var emptyBytes: UnsafePointer<CChar>? {
    UnsafeRawPointer(("" as StaticString).utf8Start).assumingMemoryBound(to: CChar.self)
}

/// Whether two runs of bytes are the same. Nearly all comparisons end at the length, which is looked at where they are made.
@usableFromInline
func isSame(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ count: Int) -> Bool {
    memcmp(left, right, count) == 0
}
