import CNightjarSignals
import NightjarSignals

/// Values of one field.
extension JSONTranscoder {
    /// The names of enumerations, the first for 0.
    static let spanKinds: [StaticString] = [
        "SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT",
        "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER",
    ]
    static let statusCodes: [StaticString] = [
        "STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR",
    ]
    static let temporalities: [StaticString] = [
        "AGGREGATION_TEMPORALITY_UNSPECIFIED", "AGGREGATION_TEMPORALITY_DELTA",
        "AGGREGATION_TEMPORALITY_CUMULATIVE",
    ]
    static let severities: [StaticString] = [
        "SEVERITY_NUMBER_UNSPECIFIED", "SEVERITY_NUMBER_TRACE", "SEVERITY_NUMBER_TRACE2",
        "SEVERITY_NUMBER_TRACE3", "SEVERITY_NUMBER_TRACE4", "SEVERITY_NUMBER_DEBUG", "SEVERITY_NUMBER_DEBUG2",
        "SEVERITY_NUMBER_DEBUG3", "SEVERITY_NUMBER_DEBUG4", "SEVERITY_NUMBER_INFO", "SEVERITY_NUMBER_INFO2",
        "SEVERITY_NUMBER_INFO3", "SEVERITY_NUMBER_INFO4", "SEVERITY_NUMBER_WARN", "SEVERITY_NUMBER_WARN2",
        "SEVERITY_NUMBER_WARN3", "SEVERITY_NUMBER_WARN4", "SEVERITY_NUMBER_ERROR", "SEVERITY_NUMBER_ERROR2",
        "SEVERITY_NUMBER_ERROR3", "SEVERITY_NUMBER_ERROR4", "SEVERITY_NUMBER_FATAL", "SEVERITY_NUMBER_FATAL2",
        "SEVERITY_NUMBER_FATAL3", "SEVERITY_NUMBER_FATAL4",
    ]

    mutating func text(_ number: UInt32) throws(JSONError) {
        let text = try reader.string()
        guard text.hasEscapes else { return writer.field(number, text.raw) }
        guard writer.field(number, upTo: text.raw.count, { text.unescape(into: $0) }) else {
            throw reader.failure("malformed escape")
        }
    }

    /// An id that is no hex, or too long, is written as one that no decoder takes, so that its span alone is refused.
    mutating func identifier(_ number: UInt32, _ limit: Int) throws(JSONError) {
        let raw = try reader.string().raw
        let count = (raw.count + 1) / 2
        let isValid =
            count <= limit
            && writer.field(number, upTo: count) { out in hexadecimal(raw, into: out) ? count : nil }
        if !isValid {
            _ = writer.field(number, upTo: limit + 1) { out in
                out.update(repeating: 0xFF, count: limit + 1)
                return limit + 1
            }
        }
    }

    mutating func base64(_ number: UInt32) throws(JSONError) {
        guard let text = try reader.string().unescaped, let bytes = base64Bytes(text) else {
            throw reader.failure("expected base64")
        }
        bytes.withUnsafeBytes { writer.field(number, $0) }
    }

    mutating func enumeration(_ names: [StaticString]) throws(JSONError) -> UInt64 {
        guard reader.isNext(UInt8(ascii: "\"")) else { return UInt64(bitPattern: try reader.integer()) }
        let text = try reader.string()
        if let index = names.firstIndex(where: { text.equals($0) }) { return UInt64(index) }
        guard let value = wholeNumber(text.raw) else { throw reader.failure("unknown enumeration value") }
        return UInt64(bitPattern: value)
    }
}

extension JSONScanner {
    /// A 64-bit number, signed or not, as a number or as text.
    mutating func integer() throws(JSONError) -> Int64 {
        let raw = try numeral()
        if let value = wholeNumber(raw) { return value }
        // Numbers like 1e3 or 5.0 are whole too.
        let value = NightjarOTLP.number(nj_text(raw))
        guard let whole = Int64(exactly: value) else { throw failure("expected a whole number") }
        return whole
    }

    mutating func double() throws(JSONError) -> Double {
        let raw = try numeral()
        if let value = plainDecimal(raw) { return value }
        let text = String(decoding: raw, as: UTF8.self)
        switch text {
        case "NaN": return .nan
        case "Infinity": return .infinity
        case "-Infinity": return -.infinity
        default:
            guard let value = Double(text) else { throw failure("expected a number") }
            return value
        }
    }

    /// The text of a number, which may stand between quotes.
    @inline(__always)
    private mutating func numeral() throws(JSONError) -> UnsafeRawBufferPointer {
        if isNext(UInt8(ascii: "\"")) { return try string().raw }
        return try numberText()
    }
}

/// The value of decimal digits with a sign or without; unsigned ones of 64 bits are given by their bits.
private func wholeNumber(_ digits: UnsafeRawBufferPointer) -> Int64? {
    guard let first = digits.first else { return nil }
    let isNegative = first == UInt8(ascii: "-")
    let start = isNegative ? 1 : 0
    guard start < digits.count else { return nil }
    // 19 digits always fit.
    let safe = min(digits.count, start + 19)
    var value: UInt64 = 0
    for index in start..<safe {
        let digit = digits[index] &- UInt8(ascii: "0")
        guard digit < 10 else { return nil }
        value = value &* 10 &+ UInt64(digit)
    }
    for index in safe..<digits.count {
        let digit = digits[index] &- UInt8(ascii: "0")
        guard digit < 10 else { return nil }
        let (product, overflowed) = value.multipliedReportingOverflow(by: 10)
        let (sum, overflow) = product.addingReportingOverflow(UInt64(digit))
        guard !overflowed, !overflow else { return nil }
        value = sum
    }
    if isNegative { return value <= 1 << 63 ? Int64(bitPattern: 0 &- value) : nil }
    return Int64(bitPattern: value)
}

/// The value of up to 15 digits, with or without a sign and a point between them: as both the digits and the power of ten are
/// exact, their quotient is the nearest double. Nil for any other text, which may still be a number.
func plainDecimal(_ text: UnsafeRawBufferPointer) -> Double? {
    let isNegative = text.first == UInt8(ascii: "-")
    var (digits, scale, hasPoint) = (0, 1.0, false)
    var value: UInt64 = 0
    for byte in text.dropFirst(isNegative ? 1 : 0) {
        let digit = byte &- UInt8(ascii: "0")
        if digit < 10 {
            value = value &* 10 &+ UInt64(digit)
            digits += 1
            if hasPoint { scale *= 10 }
        } else {
            guard byte == UInt8(ascii: "."), !hasPoint, digits > 0 else { return nil }
            hasPoint = true
        }
    }
    guard digits > 0, digits <= 15, !hasPoint || scale > 1 else { return nil }
    return isNegative ? -(Double(value) / scale) : Double(value) / scale
}

/// Writes the bytes of hex digits, the first of an odd number of them standing for a byte alone; false where there is another
/// character.
private func hexadecimal(_ digits: UnsafeRawBufferPointer, into out: UnsafeMutablePointer<UInt8>) -> Bool {
    var (at, written) = (0, 0)
    if digits.count % 2 == 1 {
        guard let digit = hexadecimalDigit(digits[0]) else { return false }
        out[0] = digit
        (at, written) = (1, 1)
    }
    while at < digits.count {
        guard let high = hexadecimalDigit(digits[at]), let low = hexadecimalDigit(digits[at + 1]) else {
            return false
        }
        out[written] = high << 4 | low
        at += 2
        written += 1
    }
    return true
}

/// The bytes of base64 in the usual or the URL's alphabet, padded or not.
private func base64Bytes(_ text: [UInt8]) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3)
    var word: UInt32 = 0
    var bits = 0
    for (index, byte) in text.enumerated() {
        let digit: UInt8
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): digit = 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): digit = 63
        case UInt8(ascii: "="):
            // Padding ends the text; at most two may stand there.
            guard text.count - index <= 2, text[index...].allSatisfy({ $0 == UInt8(ascii: "=") }) else {
                return nil
            }
            return bits < 6 ? bytes : nil
        default: return nil
        }
        word = word << 6 | UInt32(digit)
        bits += 6
        if bits >= 8 {
            bits -= 8
            bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(bits)))
        }
    }
    return bits < 6 ? bytes : nil
}
