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

    /// What is left.
    var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: at, count: remaining) }

    /// What lies between here and where another reader of the same message is.
    func bytes(to later: WireReader) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: at, count: later.at - at)
    }

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

    /// Reads a tag of one byte if it is the next one.
    @inline(__always)
    mutating func skip(ifNext tag: UInt32) -> Bool {
        guard at != end, UInt32(at.pointee) == tag else { return false }
        at += 1
        return true
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
        // Lengths up to 16 KB take two bytes.
        if remaining >= 2, at[1] < 0x80 {
            let value = UInt64(at.pointee & 0x7F) | UInt64(at[1]) << 7
            at += 2
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

extension WireReader {
    /// Reads a KeyValue that is written as every known sender does: the key, then a value that is one plain field, and
    /// nothing else. False where it is not, and then nothing was read and ``attribute()`` finds out what it is.
    ///
    /// In front of the general reader because most of a request is this, and it takes a quarter of the instructions.
    @inline(__always)
    func plainAttribute(into row: UnsafeMutablePointer<nj_attribute>) -> Bool {
        // All within what the first check has found to be there, so that the offsets need no check of their own.
        let count = end - at
        guard count >= 6, at[0] == 0x0A, at[1] < 0x80 else { return false }
        let keyLength = Int(at[1])
        let valueTag = 2 &+ keyLength
        guard count >= valueTag &+ 4, at[valueTag] == 0x12 else { return false }
        var cursor = at + (valueTag &+ 1)
        guard let length = Self.shortLength(&cursor, end), length == end - cursor, length >= 2 else {
            return false
        }
        let field = cursor[0]
        cursor += 1
        var value = nj_attribute.__Unnamed_union_value()
        var size = 0
        let kind: UInt32
        switch field {
        case 0x0A:
            guard let stated = Self.shortLength(&cursor, end), stated == end - cursor else { return false }
            kind = NJ_STRING.rawValue
            value.bytes = UnsafeRawPointer(cursor).assumingMemoryBound(to: CChar.self)
            size = stated
        case 0x18:
            guard let number = Self.shortLength(&cursor, end), cursor == end else { return false }
            kind = NJ_INT.rawValue
            value.integer = Int64(number)
        case 0x21 where end - cursor == 8:
            kind = NJ_DOUBLE.rawValue
            let bits = UInt64(littleEndian: UnsafeRawPointer(cursor).loadUnaligned(as: UInt64.self))
            value.number = Double(bitPattern: bits)
        case 0x10 where end - cursor == 1 && cursor[0] < 0x80:
            kind = NJ_BOOL.rawValue
            value.integer = cursor[0] == 0 ? 0 : 1
        default: return false
        }
        row.initialize(
            to: nj_attribute(
                key: -1,
                key_length: UInt16(truncatingIfNeeded: keyLength),
                tag: UInt8(truncatingIfNeeded: kind),
                reserved: 0,
                key_bytes: UnsafeRawPointer(at + 2).assumingMemoryBound(to: CChar.self),
                value: value,
                length: UInt32(truncatingIfNeeded: size),
                reserved2: 0
            )
        )
        return true
    }

    /// A varint of up to three bytes; nil for a longer one or where the bytes end.
    @inline(__always)
    private static func shortLength(_ cursor: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> Int?
    {
        guard cursor < end else { return nil }
        if cursor[0] < 0x80 {
            cursor += 1
            return Int(cursor[-1])
        }
        guard end - cursor >= 2 else { return nil }
        if cursor[1] < 0x80 {
            cursor += 2
            return Int(cursor[-2] & 0x7F) | Int(cursor[-1]) << 7
        }
        guard end - cursor >= 3, cursor[2] < 0x80 else { return nil }
        cursor += 3
        return Int(cursor[-3] & 0x7F) | Int(cursor[-2] & 0x7F) << 7 | Int(cursor[-1]) << 14
    }
}

/// The tag of a field: what ``WireReader/tag()`` gives for it.
@inline(__always)
func tag(_ number: UInt32, _ type: WireReader.WireType) -> UInt32 { number << 3 | UInt32(type.rawValue) }
