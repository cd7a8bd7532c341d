extension Value {
    /// The value as compact JSON. NaN and infinities become null, bytes become base64.
    public var json: String {
        var writer = JSONWriter()
        writer.write(self)
        return writer.text
    }
}

/// Writes compact JSON (RFC 8259) into a buffer of UTF-8.
package struct JSONWriter {
    /// What was written so far.
    package private(set) var bytes: [UInt8] = []

    /// An empty writer.
    package init() {}

    /// What was written, as text.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Ends a line, between values that stand one a line.
    package mutating func newline() { raw("\n") }

    /// Writes a whole value.
    package mutating func write(_ value: Value) {
        switch value {
        case .null: raw("null")
        case .bool(let bool): raw(bool ? "true" : "false")
        case .int(let integer): raw(String(integer))
        case .double(let double): write(double)
        case .string(let text): write(text)
        case .bytes(let data): write(base64(data))
        case .array(let values):
            raw("[")
            for (index, element) in values.enumerated() {
                if index > 0 { raw(",") }
                write(element)
            }
            raw("]")
        case .object(let object):
            raw("{")
            for (index, entry) in object.entries.enumerated() {
                if index > 0 { raw(",") }
                write(entry.key)
                raw(":")
                write(entry.value)
            }
            raw("}")
        }
    }

    /// Writes a number; one that is whole and exact has no fraction.
    package mutating func write(_ number: Double) {
        guard number.isFinite else { return raw("null") }
        if number == number.rounded(), abs(number) < 9_007_199_254_740_992 {
            raw(String(Int64(number)))
        } else {
            raw("\(number)")
        }
    }

    /// Writes text with its quotes, escaping what JSON demands.
    package mutating func write(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): raw("\\\"")
            case UInt8(ascii: "\\"): raw("\\\\")
            case UInt8(ascii: "\n"): raw("\\n")
            case UInt8(ascii: "\r"): raw("\\r")
            case UInt8(ascii: "\t"): raw("\\t")
            case 0..<0x20:
                let digits = String(byte, radix: 16)
                raw("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func raw(_ text: String) { bytes.append(contentsOf: text.utf8) }
}

/// Base64 of bytes (RFC 4648, with padding).
package func base64(_ data: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var out: [UInt8] = []
    out.reserveCapacity((data.count + 2) / 3 * 4)
    for start in stride(from: 0, to: data.count, by: 3) {
        let count = min(3, data.count - start)
        let word = (0..<3).reduce(UInt32(0)) { $0 << 8 | ($1 < count ? UInt32(data[start + $1]) : 0) }
        for place in 0..<4 {
            let digit = alphabet[Int(word >> UInt32(18 - 6 * place) & 63)]
            out.append(place <= count ? digit : UInt8(ascii: "="))
        }
    }
    return String(decoding: out, as: UTF8.self)
}
