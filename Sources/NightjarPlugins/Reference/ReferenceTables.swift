import CNightjarLua

/// What scripts can name, as the host's own tables have it.
enum ReferenceTables {
    struct Field: Sendable {
        let name: String
        let type: String
        let text: String

        var isMethod: Bool { type.hasPrefix("fun(") }
    }

    struct Argument: Sendable, Equatable {
        let name: String
        let isOptional: Bool
        let type: String
    }

    struct Call: Sendable {
        let name: String
        /// What stands for any type in the arguments: `K, V`.
        let generics: String?
        /// Nil for a value.
        let arguments: [Argument]?
        let result: String
        let text: String
        let when: nj_when
    }

    struct Event: Sendable {
        let call: String
        let name: String
        let parameters: String
        let match: String
        let text: String
    }

    struct Shape: Sendable {
        let name: String
        let base: String?
        let text: String
        let fields: [Field]
    }

    struct Object: Sendable {
        let noun: String
        let values: [Field]
        let methods: [Field]

        var className: String { "nightjar." + noun.prefix(1).uppercased() + noun.dropFirst() }
    }

    static let calls = entries(nj_api_call).map(call)
    static let library = entries(nj_library_call).map(call)
    static let testCalls = entries(nj_test_call).map(call)
    static let events = entries(nj_event).map {
        Event(
            call: text($0.call),
            name: text($0.name),
            parameters: text($0.parameters),
            match: text($0.match),
            text: text($0.text)
        )
    }
    static let shapes = entries(nj_shape).map { shape in
        Shape(
            name: text(shape.name),
            base: shape.base.map { String(cString: $0) },
            text: text(shape.text),
            fields: (0..<Int(shape.count)).compactMap { place in shape.fields.map { field($0 + place) } }
        )
    }
    static let objects = (0..<Int32(NJ_OBJECT_COUNT.rawValue)).map { number in
        func fields(_ range: Range<Int32>) -> [Field] {
            range.compactMap { nj_object_field(number, $0).map { field($0) } }
        }
        let first = nj_object_first_method(number)
        return Object(
            noun: text(nj_object_name(number)),
            values: fields(0..<first),
            methods: fields(first..<nj_object_field_count(number))
        )
    }

    /// The names of a shape's fields, with those of its base.
    static func names(of shape: String) -> [String] {
        guard let found = shapes.first(where: { $0.name == shape }) else { return [] }
        return (found.base.map(names) ?? []) + found.fields.map(\.name)
    }

    /// The parts of a list in the words of the Lua language server: commas within brackets are none.
    static func parts(_ list: Substring, at separator: Character = ",") -> [Substring] {
        var parts: [Substring] = []
        var depth = 0
        var start = list.startIndex
        for place in list.indices {
            switch list[place] {
            case "(", "<", "{", "[": depth += 1
            case ")", ">", "}", "]": depth -= 1
            case separator where depth == 0:
                parts.append(list[start..<place])
                start = list.index(after: place)
            default: break
            }
        }
        parts.append(list[start...])
        return parts.map(trimmed).filter { !$0.isEmpty }
    }

    private static func entries<Entry>(_ entry: (Int32) -> UnsafePointer<Entry>?) -> [Entry] {
        var entries: [Entry] = []
        while let next = entry(Int32(entries.count)) { entries.append(next.pointee) }
        return entries
    }

    private static func field(_ info: UnsafePointer<nj_field_info>) -> Field {
        Field(name: text(info.pointee.name), type: text(info.pointee.type), text: text(info.pointee.text))
    }

    private static func call(_ info: nj_call_info) -> Call {
        var list = info.arguments.map { Substring(String(cString: $0)) }
        var generics: String?
        if let all = list, all.hasPrefix("<"), let end = all.firstIndex(of: ">") {
            generics = String(all[..<end].dropFirst())
            list = all[all.index(after: end)...]
        }
        return Call(
            name: text(info.name),
            generics: generics,
            arguments: list.map { parts($0).map(argument) },
            result: text(info.result),
            text: text(info.text),
            when: nj_when(UInt32(info.when))
        )
    }

    private static func argument(_ text: Substring) -> Argument {
        let colon = text.firstIndex(of: ":") ?? text.endIndex
        let name = text[..<colon]
        return Argument(
            name: String(name.hasSuffix("?") ? name.dropLast() : name),
            isOptional: name.hasSuffix("?"),
            type: String(trimmed(text[colon...].dropFirst()))
        )
    }

    private static func trimmed(_ text: Substring) -> Substring {
        let start = text.drop { $0 == " " }
        return start.lastIndex { $0 != " " }.map { start[...$0] } ?? ""
    }

    private static func text(_ bytes: UnsafePointer<CChar>?) -> String {
        bytes.map { String(cString: $0) } ?? ""
    }
}
