import NightjarSignals

/// A value as the user wrote it, before anything is known of what it should be.
struct WrittenValue: Sendable {
    /// What was written.
    enum Content: Sendable {
        /// Neither text nor structure: `key:` with nothing behind it.
        case nothing
        case text(String)
        case list([WrittenValue])
        case entries([Entry])
    }

    /// A key and its value.
    struct Entry: Sendable {
        let key: String
        let place: ConfigurationPlace
        let value: WrittenValue
    }

    let content: Content
    let place: ConfigurationPlace
    /// Whether the text stood in quotes, so that it is text whatever it looks like.
    var isQuoted = false

    /// The text; nil where it is something else.
    var text: String? {
        guard case .text(let text) = content else { return nil }
        return text
    }

    /// For messages: the text, or what there is instead of one.
    var shown: String {
        switch content {
        case .nothing: "empty"
        case .text(let text): text.isEmpty ? "empty" : WrittenYAML.scalar(text)
        case .list: "a list"
        case .entries: "a section of keys"
        }
    }
}

/// Text that YAML reads back as the value it was.
enum WrittenYAML {
    static func scalar(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: "_./:+-".utf8.contains(byte)
            }
        }
        let isMistakable = ["", "true", "false", "null", "yes", "no", "on", "off"].contains(text.lowercased())
        let first = text.utf8.first ?? 0
        guard isPlain, !isMistakable, first != UInt8(ascii: "-"), first != UInt8(ascii: ":"),
            !text.hasSuffix(":")
        else { return Value.string(text).json }
        return text
    }

    static func list(_ items: [String]) -> String { "[\(items.joined(separator: ", "))]" }

    /// Keys with values that are YAML already.
    static func entries(_ entries: [(key: String, value: String)]) -> String {
        "{\(entries.map { "\(scalar($0.key)): \($0.value)" }.joined(separator: ", "))}"
    }
}
