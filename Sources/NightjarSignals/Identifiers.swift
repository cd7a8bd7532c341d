/// A trace's id: 16 bytes, written as 32 lower-case hex digits.
public struct TraceID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The first eight bytes, big-endian.
    public let high: UInt64
    /// The last eight bytes, big-endian.
    public let low: UInt64

    /// An id from its two halves; all zero is no valid id.
    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads 1–32 hex digits of any case, padded with zeros on the left; nil for anything else and for all zeros.
    public init?(_ text: some StringProtocol) {
        let digits = Array(text.utf8)
        guard (1...32).contains(digits.count) else { return nil }
        let split = max(0, digits.count - 16)
        guard let high = hexadecimalValue(digits[..<split]), let low = hexadecimalValue(digits[split...])
        else { return nil }
        guard high != 0 || low != 0 else { return nil }
        self.init(high: high, low: low)
    }

    /// The 32 digits.
    public var description: String { hexadecimal(high) + hexadecimal(low) }

    /// Whether the id may name a trace: the OTLP specification forbids all zeros.
    @inlinable
    public var isValid: Bool { high != 0 || low != 0 }

    /// A well-mixed hash of the whole id, the same in every process: it chooses partitions and samples.
    @inlinable
    public var mixed: UInt64 {
        var value = (high &* 0x9E37_79B9_7F4A_7C15) ^ low
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// Orders by the written form.
    @inlinable
    public static func < (left: TraceID, right: TraceID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

/// A span's id: 8 bytes, written as 16 lower-case hex digits.
public struct SpanID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The eight bytes, big-endian; 0 is no valid id.
    public let value: UInt64

    /// An id from its value.
    @inlinable
    public init(value: UInt64) {
        self.value = value
    }

    /// Reads 1–16 hex digits of any case, padded with zeros on the left; nil for anything else and for zero.
    public init?(_ text: some StringProtocol) {
        let digits = Array(text.utf8)
        guard (1...16).contains(digits.count), let value = hexadecimalValue(digits[...]), value != 0 else {
            return nil
        }
        self.init(value: value)
    }

    /// The 16 digits.
    public var description: String { hexadecimal(value) }

    /// Orders by the written form.
    @inlinable
    public static func < (left: SpanID, right: SpanID) -> Bool { left.value < right.value }
}

/// The value of up to 16 hex digits, nil where a byte is none.
func hexadecimalValue(_ digits: ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for digit in digits {
        guard let nibble = hexadecimalDigit(digit) else { return nil }
        value = value << 4 | UInt64(nibble)
    }
    return value
}

/// The value of one hex digit of any case.
@inlinable
package func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
    let digit = byte &- UInt8(ascii: "0")
    if digit < 10 { return digit }
    // Sets a letter's bit for lower case.
    let letter = (byte | 0x20) &- UInt8(ascii: "a")
    return letter < 6 ? letter &+ 10 : nil
}

private func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
