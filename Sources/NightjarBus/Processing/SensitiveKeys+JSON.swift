extension SensitiveKeys {
    /// Whether a text may be JSON that holds a sensitive key, at any depth and within JSON text in its strings. Never false where
    /// it does; true for at most few texts where it does not, as the text is not parsed: a key is what stands between quotes
    /// before a colon.
    package func mayOccur(inJSON text: UnsafeRawBufferPointer) -> Bool {
        guard mayBeJSON(text) else { return false }
        let endings = self.endings
        let colon = SIMD16<UInt8>(repeating: UInt8(ascii: ":"))
        let escape = SIMD16<UInt8>(repeating: UInt8(ascii: "u"))
        let zero = SIMD16<UInt8>(repeating: UInt8(ascii: "0"))
        var at = 1
        while at &+ 17 <= text.count {
            let block = text.loadUnaligned(fromByteOffset: at, as: SIMD16<UInt8>.self)
            let next = text.loadUnaligned(fromByteOffset: at &+ 1, as: SIMD16<UInt8>.self)
            let found = (block .== colon) .| ((block .== escape) .& (next .== zero))
            // A byte of the mask is all ones or all zeros.
            let halves = unsafeBitCast(found, to: SIMD2<UInt64>.self)
            if halves[0] | halves[1] != 0 {
                if isSuspicious(text, halves[0], at, endings) { return true }
                if isSuspicious(text, halves[1], at &+ 8, endings) { return true }
            }
            at &+= 16
        }
        while at < text.count {
            if isSuspicious(text, at, endings) { return true }
            at &+= 1
        }
        return false
    }

    /// Checks the places whose bytes in `marks` are set.
    @inline(__always)
    private func isSuspicious(
        _ text: UnsafeRawBufferPointer,
        _ marks: UInt64,
        _ start: Int,
        _ endings: KeyEndings
    ) -> Bool {
        var marks = UInt64(littleEndian: marks)
        while marks != 0 {
            let place = marks.trailingZeroBitCount >> 3
            if isSuspicious(text, start &+ place, endings) { return true }
            marks &= ~(0xFF << UInt64(truncatingIfNeeded: place &<< 3))
        }
        return false
    }

    @inline(__always)
    private func isSuspicious(_ text: UnsafeRawBufferPointer, _ at: Int, _ endings: KeyEndings) -> Bool {
        // The usual key, `"name":`. An escape takes up to six bytes: without a backslash in eight the last ones are letters of
        // the key itself.
        if at >= 9, text[at] == UInt8(ascii: ":"), text[at &- 1] == UInt8(ascii: "\"") {
            let tail = UInt64(littleEndian: text.loadUnaligned(fromByteOffset: at &- 9, as: UInt64.self))
            if !hasBackslash(tail),
                !endings.mayHave(
                    UInt8(truncatingIfNeeded: tail >> 40),
                    UInt8(truncatingIfNeeded: tail >> 48),
                    UInt8(truncatingIfNeeded: tail >> 56)
                )
            {
                return false
            }
        }
        return isSuspicious(text, at)
    }

    @inline(never)
    private func isSuspicious(_ text: UnsafeRawBufferPointer, _ at: Int) -> Bool {
        switch text[at] {
        case UInt8(ascii: ":"): isSensitiveKey(text, before: at)
        case UInt8(ascii: "u"): isASCIIEscape(text, at)
        default: false
        }
    }

    /// Whether a `\u` escape of an ASCII character stands here: it may hide a quote, a colon or a letter of a key.
    private func isASCIIEscape(_ text: UnsafeRawBufferPointer, _ at: Int) -> Bool {
        guard at > 0, at + 3 < text.count, text[at - 1] == UInt8(ascii: "\\") else { return false }
        return text[at + 1] == UInt8(ascii: "0") && text[at + 2] == UInt8(ascii: "0")
            && text[at + 3] < UInt8(ascii: "8")
    }

    private func isSensitiveKey(_ text: UnsafeRawBufferPointer, before colon: Int) -> Bool {
        var quote = colon - 1
        if text[quote] != UInt8(ascii: "\"") {
            guard let place = quoteBehindSpace(text, quote) else { return false }
            guard place >= 0 else { return true }
            quote = place
        }
        // Within JSON text in a string the quotes of a key are escaped, each as often as the other.
        var end = quote
        while end > 0, text[end - 1] == UInt8(ascii: "\\") { end -= 1 }
        return isSensitiveKey(text, end, escapes: quote - end)
    }

    /// The quote in front of white space that ends at `last`; nil where there is none, negative where that cannot be told.
    private func quoteBehindSpace(_ text: UnsafeRawBufferPointer, _ last: Int) -> Int? {
        var at = last
        while at >= 0, [0x20, 0x09, 0x0A, 0x0D].contains(text[at]) { at -= 1 }
        guard at > 0 else { return nil }
        if text[at] == UInt8(ascii: "\"") { return at }
        // White space within JSON text in a string may be an escape.
        let isEscape = text[at - 1] == UInt8(ascii: "\\") && text[at] != UInt8(ascii: "\\")
        return isEscape ? -1 : nil
    }

    /// Looks at the key that ends before `end`, whose closing quote has `escapes` backslashes in front of it.
    private func isSensitiveKey(_ text: UnsafeRawBufferPointer, _ end: Int, escapes: Int) -> Bool {
        var start = end
        while start > 0, text[start - 1] != UInt8(ascii: "\"") {
            start -= 1
            // Only who unescapes the key can read it.
            if text[start] == UInt8(ascii: "\\") { return true }
        }
        guard start > 0 else { return false }
        var opening = start - 1
        while opening > 0, text[opening - 1] == UInt8(ascii: "\\") { opening -= 1 }
        // Another number of backslashes: a quote within the key.
        guard start - 1 - opening == escapes else { return true }
        return name(of: UnsafeRawBufferPointer(rebasing: text[start..<end])) != nil
    }

    @inline(__always)
    private func hasBackslash(_ word: UInt64) -> Bool {
        let difference = word ^ 0x5C5C_5C5C_5C5C_5C5C
        return (difference &- 0x0101_0101_0101_0101) & ~difference & 0x8080_8080_8080_8080 != 0
    }
}

/// Whether a text may be a JSON object, list or text, by its first byte.
@inline(__always)
func mayBeJSON(_ text: UnsafeRawBufferPointer) -> Bool {
    for byte in text {
        switch byte {
        case UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "\""): return true
        case 0x20, 0x09, 0x0A, 0x0D: continue
        default: return false
        }
    }
    return false
}
