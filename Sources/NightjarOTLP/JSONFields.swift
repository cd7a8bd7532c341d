import CNightjarSignals
import NightjarSignals

/// The fields of all messages by their names in JSON. Depends on constants only.
final class JSONFields: Sendable {
    /// One name of a field.
    struct Entry {
        let name: ShortName
        let text: nj_text
        let number: UInt32
        let form: OTLPMessage.Form
        /// The field's name in camel case.
        let fieldName: StaticString

        init(_ field: OTLPMessage.Field, name: StaticString) {
            text = nj_text(name)
            self.name = ShortName(text.buffer)
            (number, form, fieldName) = (field.number, field.form, field.name)
        }
    }

    static let shared = JSONFields()

    // Unsafe: both are written in `init` only, and never freed.
    nonisolated(unsafe) private let entries: UnsafeMutablePointer<Entry>
    /// For each message where its entries begin; one more at the end.
    nonisolated(unsafe) private let starts: UnsafeMutablePointer<Int>

    private init() {
        let messages = OTLPMessage.allCases.map { message in
            // Senders write nearly always the first spelling.
            message.fields.map { Entry($0, name: $0.name) }
                + message.fields.filter { !nj_text($0.original).equals($0.name) }
                .map { Entry($0, name: $0.original) }
        }
        starts = .allocate(capacity: messages.count + 1)
        entries = .allocate(capacity: messages.reduce(0) { $0 + $1.count })
        var next = 0
        for (index, list) in messages.enumerated() {
            (starts + index).initialize(to: next)
            for entry in list {
                (entries + next).initialize(to: entry)
                next += 1
            }
        }
        (starts + messages.count).initialize(to: next)
    }

    /// The field of a name; nil for one that is not known. `place` is where it is looked for first, 0 for a message's first
    /// name, and where the next one is to be.
    @inline(__always)
    func field(
        _ message: OTLPMessage,
        _ key: JSONReader.Text,
        _ place: inout Int
    ) -> UnsafePointer<Entry>? {
        let first = starts[message.rawValue]
        let count = starts[message.rawValue + 1] - first
        guard !key.hasEscapes else { return escaped(first..<first + count, key) }
        let name = ShortName(key.raw)
        if place < count, isNamed(first + place, name, key) {
            place += 1
            return UnsafePointer(entries + (first + place - 1))
        }
        for index in 0..<count where isNamed(first + index, name, key) {
            place = index + 1
            return UnsafePointer(entries + (first + index))
        }
        return nil
    }

    @inline(__always)
    private func isNamed(_ index: Int, _ name: ShortName, _ key: JSONReader.Text) -> Bool {
        guard entries[index].name == name else { return false }
        return name.length <= 16 || nj_text(key.raw).equals(entries[index].text)
    }

    @inline(never)
    private func escaped(_ range: Range<Int>, _ key: JSONReader.Text) -> UnsafePointer<Entry>? {
        guard let bytes = key.unescaped else { return nil }
        let index = bytes.withUnsafeBytes { bytes in
            range.first { nj_text(bytes).equals(entries[$0].text) }
        }
        return index.map { UnsafePointer(entries + $0) }
    }
}
