extension UnsafeRawBufferPointer {
    /// The place of the first quote, backslash or control character from a place on, which may lie behind the end; the end, or
    /// that place, where there is none.
    @inlinable @inline(__always)
    func firstSpecial(from start: Int) -> Int {
        var at = start
        while at &+ 16 <= count {
            let first = Self.special(in: loadUnaligned(fromByteOffset: at, as: UInt64.self))
            let second = Self.special(in: loadUnaligned(fromByteOffset: at &+ 8, as: UInt64.self))
            guard first | second == 0 else {
                let (hits, place) = first != 0 ? (first, at) : (second, at &+ 8)
                return place &+ hits.trailingZeroBitCount >> 3
            }
            at &+= 16
        }
        return lastSpecial(from: at)
    }

    /// The same near the end.
    @usableFromInline
    func lastSpecial(from start: Int) -> Int {
        var at = start
        while at < count, self[at] >= 0x20, self[at] != UInt8(ascii: "\""), self[at] != UInt8(ascii: "\\") {
            at &+= 1
        }
        return at
    }

    /// The upper bit of the first byte that is a quote, a backslash or a control character, and maybe of later ones.
    @inlinable @inline(__always)
    package static func special(in word: UInt64) -> UInt64 {
        let word = UInt64(littleEndian: word)
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quote = word ^ (ones &* 0x22)
        let backslash = word ^ (ones &* 0x5C)
        let hits =
            (quote &- ones) & ~quote | (backslash &- ones) & ~backslash | (word &- ones &* 0x20) & ~word
        return hits & (ones << 7)
    }
}

extension JSONReader.Text {
    /// The text with escapes resolved; nil where an escape is malformed. Lone surrogates become U+FFFD.
    package var unescaped: [UInt8]? {
        guard hasEscapes else { return Array(raw) }
        var isWhole = true
        let bytes = [UInt8](unsafeUninitializedCapacity: raw.count) { out, count in
            guard let start = out.baseAddress, let written = unescape(into: start) else {
                isWhole = false
                return
            }
            count = written
        }
        return isWhole ? bytes : nil
    }

    /// Writes the text with escapes resolved, which is never longer than `raw`, and returns how long it is; nil where an escape
    /// is malformed.
    package func unescape(into out: UnsafeMutablePointer<UInt8>) -> Int? {
        guard let source = raw.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return 0 }
        var (at, written) = (0, 0)
        while true {
            let end = raw.firstSpecial(from: at)
            (out + written).update(from: source + at, count: end - at)
            (at, written) = (end, written + end - at)
            guard at < raw.count else { return written }
            // Anything else that is special does not lie between quotes.
            guard at + 1 < raw.count else { return nil }
            let escape = raw[at + 1]
            at += 2
            if escape == UInt8(ascii: "u") {
                guard let scalar = unicodeEscape(&at) else { return nil }
                for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter {
                    out[written] = byte
                    written += 1
                }
            } else {
                guard let byte = simpleEscape(escape) else { return nil }
                out[written] = byte
                written += 1
            }
        }
    }

    /// The text, invalid UTF-8 repaired; nil where an escape is malformed.
    package var text: String? { unescaped.map { String(decoding: $0, as: UTF8.self) } }

    /// Whether the text is exactly `word`, without making a copy.
    package func equals(_ word: StaticString) -> Bool {
        guard !hasEscapes else { return text == word.description }
        guard raw.count == word.utf8CodeUnitCount else { return false }
        for index in 0..<raw.count where raw[index] != word.utf8Start[index] { return false }
        return true
    }

    private func unicodeEscape(_ at: inout Int) -> UnicodeScalar? {
        guard let first = hexQuad(at) else { return nil }
        at += 4
        guard (0xD800..<0xDC00).contains(first) else {
            return UnicodeScalar(first) ?? "\u{FFFD}"
        }
        guard at + 1 < raw.count, raw[at] == UInt8(ascii: "\\"), raw[at + 1] == UInt8(ascii: "u"),
            let second = hexQuad(at + 2), (0xDC00..<0xE000).contains(second)
        else { return "\u{FFFD}" }
        at += 6
        return UnicodeScalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    }

    private func hexQuad(_ at: Int) -> UInt32? {
        guard at + 4 <= raw.count else { return nil }
        var value: UInt32 = 0
        for index in at..<at + 4 {
            guard let digit = hexadecimalDigit(raw[index]) else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}

private func simpleEscape(_ escape: UInt8) -> UInt8? {
    switch escape {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): escape
    case UInt8(ascii: "b"): 0x08
    case UInt8(ascii: "f"): 0x0C
    case UInt8(ascii: "n"): 0x0A
    case UInt8(ascii: "r"): 0x0D
    case UInt8(ascii: "t"): 0x09
    default: nil
    }
}
