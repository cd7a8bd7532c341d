/// Why bytes are not JSON, or not within the bounds set for it.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The byte at which reading stopped, from 0.
    public let offset: Int
    /// What is wrong there.
    public let detail: String

    /// One line with the place.
    public var description: String { "at byte \(offset): \(detail)" }
}

/// A pull reader over JSON bytes (RFC 8259): one pass, no tree, nesting at most `maximumDepth`.
/// The bytes must outlive the reader.
package struct JSONReader {
    /// Deeper nesting is refused: it serves nobody and costs stack.
    package static let maximumDepth = 64

    /// The kind of value that starts at the cursor.
    package enum Kind {
        /// `{`
        case object
        /// `[`
        case array
        /// A quote.
        case string
        /// A digit or a minus.
        case number
        /// `true` or `false`.
        case bool
        /// `null`.
        case null
    }

    /// A string's bytes between its quotes; unescaped only where `hasEscapes`.
    package struct Text {
        /// The bytes as they lie in the source.
        package let raw: UnsafeRawBufferPointer
        /// Whether `raw` holds a backslash, so that it must be unescaped before use.
        package let hasEscapes: Bool

        /// A string's bytes between its quotes.
        @inlinable
        package init(raw: UnsafeRawBufferPointer, hasEscapes: Bool) {
            self.raw = raw
            self.hasEscapes = hasEscapes
        }
    }

    /// What is read.
    package let bytes: UnsafeRawBufferPointer
    /// The cursor, in bytes from the start.
    @usableFromInline package internal(set) var position = 0
    /// How many objects and arrays the cursor is in.
    @usableFromInline package internal(set) var depth = 0

    /// A reader at the start of `bytes`.
    package init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// A reader in the middle of `bytes`, within so many objects and arrays.
    package init(_ bytes: UnsafeRawBufferPointer, at position: Int, depth: Int) {
        (self.bytes, self.position, self.depth) = (bytes, position, depth)
    }

    /// An error at the cursor.
    @inline(never)
    package func failure(_ detail: String) -> JSONError { JSONError(offset: position, detail: detail) }

    /// The kind of the next value, white space skipped.
    @inlinable @inline(__always)
    package mutating func peek() throws(JSONError) -> Kind {
        skipSpace()
        guard position < bytes.count else { throw failure("unexpected end") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: throw failure("expected a value")
        }
    }

    /// Whether a byte comes next, white space skipped.
    @inlinable @inline(__always)
    package mutating func isNext(_ byte: UInt8) -> Bool {
        skipSpace()
        return position < bytes.count && bytes[position] == byte
    }

    /// Enters an object or array; follow with `nextKey` or `nextElement` until they say it has ended.
    @inlinable @inline(__always)
    package mutating func begin(_ kind: Kind) throws(JSONError) {
        let opening: UInt8
        switch kind {
        case .array: opening = UInt8(ascii: "[")
        default: opening = UInt8(ascii: "{")
        }
        guard isNext(opening) else { throw missing(kind) }
        depth += 1
        guard depth <= Self.maximumDepth else { throw failure("nested deeper than \(Self.maximumDepth)") }
        position += 1
    }

    @usableFromInline @inline(never)
    mutating func missing(_ kind: Kind) -> JSONError {
        do throws(JSONError) {
            _ = try peek()
            return failure(kind == .object ? "expected an object" : "expected an array")
        } catch {
            return error
        }
    }

    /// The next key of the object entered, its colon read; nil at its end, which is left. `isFirst` is the caller's.
    @inlinable @inline(__always)
    package mutating func nextKey(_ isFirst: inout Bool) throws(JSONError) -> Text? {
        guard try nextItem(&isFirst, closing: UInt8(ascii: "}")) else { return nil }
        let key = try string()
        skipSpace()
        guard position < bytes.count, bytes[position] == UInt8(ascii: ":") else {
            throw failure("expected ':'")
        }
        position += 1
        return key
    }

    /// Whether the array entered has another element; at its end it is left.
    @inlinable @inline(__always)
    package mutating func nextElement(_ isFirst: inout Bool) throws(JSONError) -> Bool {
        try nextItem(&isFirst, closing: UInt8(ascii: "]"))
    }

    @inlinable @inline(__always)
    mutating func nextItem(_ isFirst: inout Bool, closing: UInt8) throws(JSONError) -> Bool {
        skipSpace()
        guard position < bytes.count else { throw failure("unexpected end") }
        if bytes[position] == closing {
            position += 1
            depth -= 1
            return false
        }
        if !isFirst {
            guard bytes[position] == UInt8(ascii: ",") else {
                throw failure("expected ',' or '\(Character(UnicodeScalar(closing)))'")
            }
            position += 1
            skipSpace()
        }
        isFirst = false
        return true
    }

    /// Reads a string.
    @inlinable @inline(__always)
    package mutating func string() throws(JSONError) -> Text {
        guard isNext(UInt8(ascii: "\"")) else { throw failure("expected a string") }
        let start = position &+ 1
        let at = bytes.firstSpecial(from: start)
        guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else {
            return try escapedString(from: start, special: at)
        }
        position = at &+ 1
        return Text(raw: UnsafeRawBufferPointer(rebasing: bytes[start..<at]), hasEscapes: false)
    }

    /// The rest of a string whose first byte that is no text is not the quote that ends it.
    @usableFromInline
    mutating func escapedString(from start: Int, special: Int) throws(JSONError) -> Text {
        var at = special
        while at < bytes.count {
            let byte = bytes[at]
            if byte == UInt8(ascii: "\"") {
                position = at + 1
                return Text(raw: UnsafeRawBufferPointer(rebasing: bytes[start..<at]), hasEscapes: true)
            }
            guard byte == UInt8(ascii: "\\") else {
                position = at
                throw failure("control character in a string")
            }
            at = bytes.firstSpecial(from: at + 2)
        }
        position = min(start, bytes.count)
        throw failure("string without an end")
    }

    /// Reads a number's text.
    package mutating func numberText() throws(JSONError) -> UnsafeRawBufferPointer {
        skipSpace()
        let start = position
        var at = position
        while at < bytes.count, isNumberByte(bytes[at]) { at += 1 }
        position = at
        guard at > start else { throw failure("expected a number") }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<at])
    }

    /// Reads `true` or `false`.
    package mutating func bool() throws(JSONError) -> Bool {
        if try literal("true") { return true }
        if try literal("false") { return false }
        throw failure("expected true or false")
    }

    /// Reads `null`.
    package mutating func null() throws(JSONError) {
        guard try literal("null") else { throw failure("expected null") }
    }

    /// Skips one whole value, checking its form.
    package mutating func skipValue() throws(JSONError) {
        switch try peek() {
        case .string: _ = try string()
        case .number: _ = try number()
        case .bool: _ = try bool()
        case .null: try null()
        case .array:
            try begin(.array)
            var isFirst = true
            while try nextElement(&isFirst) { try skipValue() }
        case .object:
            try begin(.object)
            var isFirst = true
            while try nextKey(&isFirst) != nil { try skipValue() }
        }
    }

    /// Checks that nothing but white space follows.
    package mutating func end() throws(JSONError) {
        skipSpace()
        guard position == bytes.count else { throw failure("text after the value") }
    }

    /// Reads a number: whole ones that fit 64 bits exactly, others as doubles.
    package mutating func number() throws(JSONError) -> Value {
        let text = String(decoding: try numberText(), as: UTF8.self)
        guard isNumber(Array(text.utf8)) else { throw failure("malformed number") }
        if let integer = Int64(text), text != "-0" { return .int(integer) }
        guard let double = Double(text) else { throw failure("malformed number") }
        return .double(double)
    }

    private mutating func literal(_ word: StaticString) throws(JSONError) -> Bool {
        skipSpace()
        let length = word.utf8CodeUnitCount
        guard position + length <= bytes.count else { return false }
        for index in 0..<length where bytes[position + index] != word.utf8Start[index] { return false }
        position += length
        return true
    }

    @inlinable @inline(__always)
    mutating func skipSpace() {
        while position < bytes.count, bytes[position] <= 0x20 {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }
}

private func isNumberByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
        UInt8(ascii: "e"), UInt8(ascii: "E"):
        true
    default: false
    }
}

/// The grammar of RFC 8259, section 6: no leading zeros, digits on both sides of a point.
private func isNumber(_ text: [UInt8]) -> Bool {
    var at = 0
    func digits() -> Int {
        var count = 0
        while at + count < text.count, (48...57).contains(text[at + count]) { count += 1 }
        return count
    }
    if at < text.count, text[at] == UInt8(ascii: "-") { at += 1 }
    let whole = digits()
    guard whole > 0, whole == 1 || text[at] != UInt8(ascii: "0") else { return false }
    at += whole
    if at < text.count, text[at] == UInt8(ascii: ".") {
        at += 1
        let fraction = digits()
        guard fraction > 0 else { return false }
        at += fraction
    }
    if at < text.count, text[at] | 0x20 == UInt8(ascii: "e") {
        at += 1
        if at < text.count, text[at] == UInt8(ascii: "+") || text[at] == UInt8(ascii: "-") { at += 1 }
        let exponent = digits()
        guard exponent > 0 else { return false }
        at += exponent
    }
    return at == text.count
}

extension Value {
    /// Reads one JSON value; the whole text must be it.
    /// - Throws: ``JSONError`` with the place of the first fault; nesting deeper than 64 is one.
    public init(json text: String) throws(JSONError) {
        try self.init(jsonBytes: Array(text.utf8))
    }

    /// Reads one JSON value from UTF-8 bytes; the whole of them must be it.
    /// - Throws: ``JSONError`` with the place of the first fault.
    public init(jsonBytes: [UInt8]) throws(JSONError) {
        let result: Result<Value, JSONError> = jsonBytes.withUnsafeBytes { buffer in
            var reader = JSONReader(buffer)
            do throws(JSONError) {
                let value = try reader.value()
                try reader.end()
                return .success(value)
            } catch {
                return .failure(error)
            }
        }
        self = try result.get()
    }
}

extension JSONReader {
    /// Reads one whole value into a tree.
    package mutating func value() throws(JSONError) -> Value {
        switch try peek() {
        case .string:
            guard let text = try string().text else { throw failure("malformed escape") }
            return .string(text)
        case .number: return try number()
        case .bool: return .bool(try bool())
        case .null:
            try null()
            return .null
        case .array:
            try begin(.array)
            var values: [Value] = []
            var isFirst = true
            while try nextElement(&isFirst) { values.append(try value()) }
            return .array(values)
        case .object:
            try begin(.object)
            var object = Value.Object()
            var isFirst = true
            while let key = try nextKey(&isFirst) {
                guard let name = key.text else { throw failure("malformed escape") }
                object[name] = try value()
            }
            return .object(object)
        }
    }
}
