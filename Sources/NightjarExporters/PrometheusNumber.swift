/// How numbers are written in the Prometheus text format.
enum PrometheusNumber {
    static let infinity = Array("+Inf".utf8)

    /// A sample's value: whole numbers without a fraction, others with as few digits as read back the same.
    static func bytes(_ value: Double) -> [UInt8] {
        if value.isNaN { return Array("NaN".utf8) }
        if value.isInfinite { return value < 0 ? Array("-Inf".utf8) : infinity }
        // 2^53: beyond it not every whole number is a double, and digits would pretend to be exact.
        if value == value.rounded(), abs(value) < 9_007_199_254_740_992 { return bytes(Int64(value)) }
        return Array(value.description.utf8)
    }

    /// A whole number.
    static func bytes(_ value: some BinaryInteger) -> [UInt8] { Array(String(value).utf8) }

    /// A bucket's bound, as Prometheus's own client writes it (Go's `%g`): "1", "2.5", "1e+06". The text is part of the series'
    /// identity, so it must not differ from what other exporters write.
    static func boundBytes(_ value: Double) -> [UInt8] {
        guard value.isFinite else { return bytes(value) }
        guard value != 0 else { return [UInt8(ascii: "0")] }
        let (digits, exponent) = decimal(abs(value))
        let body =
            (-4..<6).contains(exponent) ? positional(digits, exponent) : scientific(digits, exponent)
        return value < 0 ? [UInt8(ascii: "-")] + body : body
    }

    /// A bound as OpenMetrics wants it: "1.0" where the text format has "1".
    static func withFraction(_ bound: [UInt8]) -> [UInt8] {
        bound.contains { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "e") }
            ? bound : bound + Array(".0".utf8)
    }

    /// The shortest digits that read back the same, and the power of ten of the first.
    private static func decimal(_ value: Double) -> (digits: [UInt8], exponent: Int) {
        var digits: [UInt8] = []
        var point: Int?
        var power = 0
        let text = Array(value.description.utf8)
        for (index, byte) in text.enumerated() {
            if byte == UInt8(ascii: "e") {
                power = Int(String(decoding: text[(index + 1)...], as: UTF8.self)) ?? 0
                break
            }
            if byte == UInt8(ascii: ".") { point = digits.count } else { digits.append(byte) }
        }
        let zero = UInt8(ascii: "0")
        let leading = digits.prefix { $0 == zero }.count
        let exponent = (point ?? digits.count) - leading - 1 + power
        digits.removeFirst(leading)
        while digits.last == zero { digits.removeLast() }
        return (digits, exponent)
    }

    private static func scientific(_ digits: [UInt8], _ exponent: Int) -> [UInt8] {
        let fraction = digits.count > 1 ? [UInt8(ascii: ".")] + digits[1...] : []
        let power = String(abs(exponent))
        return digits[..<1] + fraction
            + Array("e\(exponent < 0 ? "-" : "+")\(power.count < 2 ? "0" : "")\(power)".utf8)
    }

    private static func positional(_ digits: [UInt8], _ exponent: Int) -> [UInt8] {
        let zero = UInt8(ascii: "0")
        guard exponent >= 0 else {
            return Array("0.".utf8) + [UInt8](repeating: zero, count: -exponent - 1) + digits
        }
        guard digits.count > exponent + 1 else {
            return digits + [UInt8](repeating: zero, count: exponent + 1 - digits.count)
        }
        return digits[...exponent] + [UInt8(ascii: ".")] + digits[(exponent + 1)...]
    }
}
