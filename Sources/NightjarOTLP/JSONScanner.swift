import NightjarSignals

/// Reads JSON as ``JSONReader`` does, and hands over to it what is rare. It is all pointers and lies in the module that uses it,
/// so that reading an attribute becomes one function: half of the time of a request in JSON went into calls.
struct JSONScanner {
    private let start: UnsafePointer<UInt8>
    private let end: UnsafePointer<UInt8>
    private var at: UnsafePointer<UInt8>
    private var depth = 0

    /// A scanner at the start of bytes that outlive it.
    init(_ bytes: UnsafeRawBufferPointer) {
        let first = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        start = first ?? ("" as StaticString).utf8Start
        end = start + bytes.count
        at = start
    }

    /// An error at the cursor.
    @inline(never)
    func failure(_ detail: String) -> JSONError { reader.failure(detail) }

    /// Whether a byte comes next, white space skipped.
    @inline(__always)
    mutating func isNext(_ byte: UInt8) -> Bool {
        skipSpace()
        return at < end && at.pointee == byte
    }

    /// Enters an object.
    @inline(__always)
    mutating func beginObject() throws(JSONError) {
        guard isNext(UInt8(ascii: "{")), depth < JSONReader.maximumDepth else {
            return try slowly { reader throws(JSONError) in try reader.begin(.object) }
        }
        depth &+= 1
        at += 1
    }

    /// Enters an array.
    @inline(__always)
    mutating func beginArray() throws(JSONError) {
        guard isNext(UInt8(ascii: "[")), depth < JSONReader.maximumDepth else {
            return try slowly { reader throws(JSONError) in try reader.begin(.array) }
        }
        depth &+= 1
        at += 1
    }

    /// The next key of the object entered, its colon read; nil at its end, which is left. `isFirst` is the caller's.
    @inline(__always)
    mutating func nextKey(_ isFirst: inout Bool) throws(JSONError) -> JSONReader.Text? {
        guard try nextItem(&isFirst, closing: UInt8(ascii: "}")) else { return nil }
        let key = try string()
        guard isNext(UInt8(ascii: ":")) else { throw failure("expected ':'") }
        at += 1
        return key
    }

    /// Whether the array entered has another element; at its end it is left.
    @inline(__always)
    mutating func nextElement(_ isFirst: inout Bool) throws(JSONError) -> Bool {
        try nextItem(&isFirst, closing: UInt8(ascii: "]"))
    }

    @inline(__always)
    private mutating func nextItem(_ isFirst: inout Bool, closing: UInt8) throws(JSONError) -> Bool {
        if isNext(closing) {
            at += 1
            depth &-= 1
            return false
        }
        if !isFirst {
            guard at < end, at.pointee == UInt8(ascii: ",") else {
                throw failure(
                    at < end ? "expected ',' or '\(Character(UnicodeScalar(closing)))'" : "unexpected end"
                )
            }
            at += 1
        } else if at == end {
            throw failure("unexpected end")
        }
        isFirst = false
        return true
    }

    /// Reads a string.
    @inline(__always)
    mutating func string() throws(JSONError) -> JSONReader.Text {
        if isNext(UInt8(ascii: "\"")) {
            let first = at + 1
            var place = first
            // Most strings are keys, numbers and words.
            if end - place >= 8 {
                let hits = special(place)
                if hits != 0 {
                    place += hits.trailingZeroBitCount >> 3
                } else {
                    place += 8
                    skipPlain(&place)
                }
                if place < end, place.pointee == UInt8(ascii: "\"") {
                    at = place + 1
                    return JSONReader.Text(
                        raw: UnsafeRawBufferPointer(start: first, count: place - first),
                        hasEscapes: false
                    )
                }
            }
        }
        return try slowly { reader throws(JSONError) in try reader.string() }
    }

    /// Moves on to the first byte that is special, or near the end.
    @inline(__always)
    private func skipPlain(_ place: inout UnsafePointer<UInt8>) {
        while end - place >= 16 {
            let (first, second) = (special(place), special(place + 8))
            if first | second != 0 {
                place +=
                    first != 0
                    ? first.trailingZeroBitCount >> 3 : 8 &+ second.trailingZeroBitCount >> 3
                return
            }
            place += 16
        }
    }

    @inline(__always)
    private func special(_ place: UnsafePointer<UInt8>) -> UInt64 {
        UnsafeRawBufferPointer.special(in: UnsafeRawPointer(place).loadUnaligned(as: UInt64.self))
    }

    /// Reads a number's text.
    mutating func numberText() throws(JSONError) -> UnsafeRawBufferPointer {
        try slowly { reader throws(JSONError) in
            _ = try reader.peek()
            return try reader.numberText()
        }
    }

    /// Reads `true` or `false`.
    mutating func bool() throws(JSONError) -> Bool {
        try slowly { reader throws(JSONError) in try reader.bool() }
    }

    /// Reads `null`.
    mutating func null() throws(JSONError) {
        try slowly { reader throws(JSONError) in try reader.null() }
    }

    /// Skips one whole value, checking its form.
    mutating func skipValue() throws(JSONError) {
        try slowly { reader throws(JSONError) in try reader.skipValue() }
    }

    /// Checks that nothing but white space follows.
    mutating func finish() throws(JSONError) {
        try slowly { reader throws(JSONError) in try reader.end() }
    }

    private var reader: JSONReader {
        JSONReader(UnsafeRawBufferPointer(start: start, count: end - start), at: at - start, depth: depth)
    }

    @inline(never)
    private mutating func slowly<Result>(
        _ read: (inout JSONReader) throws(JSONError) -> Result
    ) throws(JSONError) -> Result {
        var reader = reader
        let result = try read(&reader)
        at = start + reader.position
        depth = reader.depth
        return result
    }

    @inline(__always)
    private mutating func skipSpace() {
        while at < end, at.pointee <= 0x20 {
            switch at.pointee {
            case 0x20, 0x0A, 0x0D, 0x09: at += 1
            default: return
            }
        }
    }
}
