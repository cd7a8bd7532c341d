import CNightjarSignals
import NightjarSignals

/// Reads protobuf's wire format: a bounds-checked cursor over one message, in the order of its bytes.
/// The bytes must outlive the reader.
struct WireReader {
    /// Groups within groups and lists within lists deeper than this are refused: they serve nobody and cost stack.
    static let maximumDepth = 64

    /// How a field's value is written.
    enum WireType: UInt8 {
        case varint = 0
        case fixed64 = 1
        case bytes = 2
        case groupStart = 3
        case groupEnd = 4
        case fixed32 = 5
    }

    private let origin: UnsafePointer<UInt8>
    private var at: UnsafePointer<UInt8>
    private let end: UnsafePointer<UInt8>

    /// A reader over a whole body.
    init(_ bytes: UnsafeRawBufferPointer) {
        let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        origin = start ?? ("" as StaticString).utf8Start
        at = origin
        end = origin + bytes.count
    }

    private init(origin: UnsafePointer<UInt8>, at: UnsafePointer<UInt8>, end: UnsafePointer<UInt8>) {
        self.origin = origin
        self.at = at
        self.end = end
    }

    /// A reader over bytes of one field of the same body.
    @inline(__always)
    init(_ text: nj_text, in parent: WireReader) {
        let start = UnsafeRawPointer(text.bytes)?.assumingMemoryBound(to: UInt8.self) ?? parent.at
        self.init(origin: parent.origin, at: start, end: start + Int(text.length))
    }

    /// Whether every byte has been read.
    @inline(__always)
    var isAtEnd: Bool { at == end }

    /// How many bytes are left.
    @inline(__always)
    var remaining: Int { end - at }

    /// The place of the cursor in the body.
    var offset: Int { at - origin }

    /// An error at the cursor.
    @inline(never)
    func failure(_ detail: StaticString) -> WireError { WireError(offset: offset, detail: detail) }

    /// Reads a field's tag: its number times eight plus its wire type.
    @inline(__always)
    mutating func tag() throws(WireError) -> UInt32 {
        if at != end, at.pointee < 0x80, at.pointee >= 8 {
            let tag = UInt32(at.pointee)
            at += 1
            return tag
        }
        return try longTag()
    }

    @inline(never)
    private mutating func longTag() throws(WireError) -> UInt32 {
        let tag = try varint()
        guard tag >= 8, tag <= UInt64(UInt32.max) else { throw failure("invalid field number") }
        return UInt32(tag)
    }

    /// Reads a variable-length number.
    @inline(__always)
    mutating func varint() throws(WireError) -> UInt64 {
        if at != end, at.pointee < 0x80 {
            let value = UInt64(at.pointee)
            at += 1
            return value
        }
        return try longVarint()
    }

    @inline(never)
    private mutating func longVarint() throws(WireError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while at != end {
            let byte = at.pointee
            at += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
            guard shift < 70 else { throw failure("number longer than ten bytes") }
        }
        throw failure("unexpected end")
    }

    /// Reads eight bytes, little-endian.
    @inline(__always)
    mutating func fixed64() throws(WireError) -> UInt64 {
        guard remaining >= 8 else { throw failure("unexpected end") }
        let value = UInt64(littleEndian: UnsafeRawPointer(at).loadUnaligned(as: UInt64.self))
        at += 8
        return value
    }

    /// Reads a length and that many bytes.
    @inline(__always)
    mutating func bytes() throws(WireError) -> nj_text {
        let length = try varint()
        guard length <= UInt64(remaining) else { throw failure("length beyond the end") }
        let text = nj_text(
            bytes: UnsafeRawPointer(at).assumingMemoryBound(to: CChar.self),
            length: UInt32(truncatingIfNeeded: length)
        )
        at += Int(length)
        return text
    }

    /// Reads a length and gives a reader over that many bytes.
    @inline(__always)
    mutating func message() throws(WireError) -> WireReader {
        let length = try varint()
        guard length <= UInt64(remaining) else { throw failure("length beyond the end") }
        let start = at
        at += Int(length)
        return WireReader(origin: origin, at: start, end: at)
    }

    /// Skips the value of a field that nobody asked for.
    mutating func skip(_ tag: UInt32, depth: Int = 0) throws(WireError) {
        switch WireType(rawValue: UInt8(tag & 7)) {
        case .varint: _ = try varint()
        case .fixed64: try advance(8)
        case .bytes: _ = try bytes()
        case .fixed32: try advance(4)
        case .groupStart:
            guard depth < Self.maximumDepth else { throw failure("groups nested too deeply") }
            while true {
                let inner = try self.tag()
                if inner & 7 == UInt32(WireType.groupEnd.rawValue) {
                    guard inner >> 3 == tag >> 3 else { throw failure("group ended by another's end") }
                    return
                }
                try skip(inner, depth: depth + 1)
            }
        case .groupEnd, nil: throw failure("invalid wire type")
        }
    }

    private mutating func advance(_ count: Int) throws(WireError) {
        guard remaining >= count else { throw failure("unexpected end") }
        at += count
    }
}

/// The tag of a field: what ``WireReader/tag()`` gives for it.
@inline(__always)
func tag(_ number: UInt32, _ type: WireReader.WireType) -> UInt32 { number << 3 | UInt32(type.rawValue) }
