package import NightjarSignals

/// A redaction configuration made ready for use: which keys are sensitive, and what stands in the place of their values. One for
/// the whole process, so that the same value of a trace gets the same token wherever it is met.
package struct RedactionRules: Sendable {
    /// What stands for a secret of which nothing is told, and for what could not be examined.
    package static let withheld = "[REDACTED]"
    /// Values nested deeper than this, JSON text within them included, are withheld unexamined.
    package static let maximumDepth = JSONReader.maximumDepth

    /// Which keys are sensitive.
    package let keys: SensitiveKeys
    /// Whether there is anything to do.
    package let isEnabled: Bool
    private let style: RedactionConfiguration.Style
    private let hash: KeyedHash

    /// The rules of a configuration, with a random key for its tokens.
    package init(_ configuration: RedactionConfiguration) {
        self.init(configuration, KeyedHash(.random(in: 0 ... .max), .random(in: 0 ... .max)))
    }

    /// The rules of a configuration, with a key for its tokens from `generator`.
    package init(_ configuration: RedactionConfiguration, using generator: inout some RandomNumberGenerator) {
        self.init(configuration, KeyedHash(generator.next(), generator.next()))
    }

    private init(_ configuration: RedactionConfiguration, _ hash: KeyedHash) {
        keys = SensitiveKeys(configuration.keys)
        isEnabled = configuration.isEnabled && !keys.isEmpty
        style = configuration.style
        self.hash = hash
    }

    /// Whether an attribute surely stays as it is: its key is not sensitive, and its text, empty for any other value, holds no
    /// secret.
    package func passes(attribute key: UnsafeRawBufferPointer, text: UnsafeRawBufferPointer) -> Bool {
        guard isEnabled else { return true }
        if keys.mayEnd(attribute: key), keys.name(ofAttribute: key) != nil { return false }
        return !mayBeJSON(text) || !keys.mayOccur(inJSON: text)
    }

    /// What stands in the place of a value under a sensitive key, given the value's text and the key's normal form; nil where
    /// the text is such a mark already. Without a trace there are no tokens.
    package func mark(for text: String, key: String, trace: TraceID?) -> String? {
        guard text != Self.withheld else { return nil }
        let mark =
            switch style {
            case .full: Self.withheld
            case .partial: Self.ends(of: text)
            case .pseudonymise: trace.map { token(for: text, key: key, trace: $0) } ?? Self.withheld
            }
        return mark == text ? nil : mark
    }

    /// The text with every value under a sensitive key replaced, without white space between its tokens; nil where nothing
    /// changes, as in text that is not JSON. Text that cannot be examined, nested too deeply, is withheld as a whole.
    /// `depth` is how deep the text itself lies.
    package func redacted(json text: UnsafeRawBufferPointer, trace: TraceID?, depth: Int = 0) -> [UInt8]? {
        guard keys.mayOccur(inJSON: text) else { return nil }
        return JSONTextRedactor.redacted(text, by: self, trace: trace, depth: depth)
    }

    private static func ends(of text: String) -> String {
        guard let seventh = text.index(text.startIndex, offsetBy: 6, limitedBy: text.endIndex),
            seventh < text.endIndex
        else { return withheld }
        let mark = "\(text.prefix(3))…\(text.suffix(3))"
        // A character that joins with the next one would be cut anew, and differently, each time.
        return mark.count == 7 ? mark : withheld
    }

    private func token(for text: String, key: String, trace: TraceID) -> String {
        if isToken(text, key: key) { return text }
        let digits = String(UInt32(truncatingIfNeeded: hash.value(trace, text)), radix: 16)
        return "[\(key):\(String(repeating: "0", count: 8 - digits.count))\(digits)]"
    }

    private func isToken(_ text: String, key: String) -> Bool {
        guard text.hasPrefix("[\(key):"), text.hasSuffix("]") else { return false }
        let digits = text.dropFirst(key.count + 2).dropLast().utf8
        return digits.count == 8 && digits.allSatisfy { hexadecimalDigit($0) != nil }
    }
}

/// SipHash-2-4: who does not know the key learns nothing of a text from its hash, not even by trying likely ones.
struct KeyedHash: Sendable {
    private let key: (UInt64, UInt64)

    init(_ first: UInt64, _ second: UInt64) { key = (first, second) }

    func value(_ trace: TraceID, _ text: String) -> UInt64 {
        var state = State(key.0, key.1)
        state.take(trace.high)
        state.take(trace.low)
        var word: UInt64 = 0
        var count: UInt64 = 16
        for byte in text.utf8 {
            word |= UInt64(byte) << (8 * (count & 7))
            count &+= 1
            if count & 7 == 0 {
                state.take(word)
                word = 0
            }
        }
        state.take(word | count << 56)
        return state.finish()
    }

    private struct State {
        private var a, b, c, d: UInt64

        init(_ first: UInt64, _ second: UInt64) {
            a = first ^ 0x736F_6D65_7073_6575
            b = second ^ 0x646F_7261_6E64_6F6D
            c = first ^ 0x6C79_6765_6E65_7261
            d = second ^ 0x7465_6462_7974_6573
        }

        mutating func take(_ word: UInt64) {
            d ^= word
            mix()
            mix()
            a ^= word
        }

        mutating func finish() -> UInt64 {
            c ^= 0xFF
            for _ in 0..<4 { mix() }
            return a ^ b ^ c ^ d
        }

        private mutating func mix() {
            a &+= b
            c &+= d
            b = rotated(b, 13) ^ a
            d = rotated(d, 16) ^ c
            a = rotated(a, 32)
            c &+= b
            a &+= d
            b = rotated(b, 17) ^ c
            d = rotated(d, 21) ^ a
            c = rotated(c, 32)
        }

        private func rotated(_ word: UInt64, _ count: UInt64) -> UInt64 {
            word << count | word >> (64 - count)
        }
    }
}
