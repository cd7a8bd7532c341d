import NightjarSignals

/// Copies JSON text token by token and replaces the values of sensitive keys. One use each.
struct JSONTextRedactor {
    private let text: UnsafeRawBufferPointer
    private let rules: RedactionRules
    private let trace: TraceID?
    private var reader: JSONReader
    private var out: [UInt8] = []
    private var isChanged = false
    private var isTooDeep = false

    /// The text as ``RedactionRules/redacted(json:trace:depth:)`` gives it.
    static func redacted(
        _ text: UnsafeRawBufferPointer,
        by rules: RedactionRules,
        trace: TraceID?,
        depth: Int
    ) -> [UInt8]? {
        var redactor = JSONTextRedactor(text, rules, trace)
        do throws(JSONError) {
            try redactor.value(under: nil, depth: depth)
            try redactor.reader.end()
            return redactor.isChanged ? redactor.out : nil
        } catch {
            // Broken text stays alone; text too deep to be examined does not.
            return redactor.isTooDeep ? Array(RedactionRules.withheld.utf8) : nil
        }
    }

    private init(_ text: UnsafeRawBufferPointer, _ rules: RedactionRules, _ trace: TraceID?) {
        self.text = text
        self.rules = rules
        self.trace = trace
        reader = JSONReader(text)
        out.reserveCapacity(text.count + 64)
    }

    /// Copies one value; `name` is the sensitive key that it stands under.
    private mutating func value(under name: String?, depth: Int) throws(JSONError) {
        let kind = try reader.peek()
        if kind == .object || kind == .array {
            guard depth < RedactionRules.maximumDepth else {
                isTooDeep = true
                throw reader.failure("nested too deeply")
            }
            try reader.begin(kind)
            if kind == .object { try members(depth) } else { try elements(under: name, depth) }
            return
        }
        let start = reader.position
        var string: JSONReader.Text?
        switch kind {
        case .string: string = try reader.string()
        case .number: _ = try reader.number()
        case .bool: _ = try reader.bool()
        default: try reader.null()
        }
        let token = UnsafeRawBufferPointer(rebasing: text[start..<reader.position])
        guard let replacement = try replacement(for: token, string, under: name, depth) else {
            out.append(contentsOf: token)
            return
        }
        var writer = JSONWriter()
        writer.write(replacement)
        out.append(contentsOf: writer.bytes)
        isChanged = true
    }

    private mutating func members(_ depth: Int) throws(JSONError) {
        out.append(UInt8(ascii: "{"))
        var isFirst = true
        while true {
            let needsComma = !isFirst
            guard let key = try reader.nextKey(&isFirst) else { break }
            if needsComma { out.append(UInt8(ascii: ",")) }
            out.append(UInt8(ascii: "\""))
            out.append(contentsOf: key.raw)
            out.append(contentsOf: "\":".utf8)
            try value(under: try name(of: key), depth: depth + 1)
        }
        out.append(UInt8(ascii: "}"))
    }

    private mutating func elements(under name: String?, _ depth: Int) throws(JSONError) {
        out.append(UInt8(ascii: "["))
        var isFirst = true
        while true {
            let needsComma = !isFirst
            guard try reader.nextElement(&isFirst) else { break }
            if needsComma { out.append(UInt8(ascii: ",")) }
            try value(under: name, depth: depth + 1)
        }
        out.append(UInt8(ascii: "]"))
    }

    private func name(of key: JSONReader.Text) throws(JSONError) -> String? {
        guard key.hasEscapes else { return rules.keys.name(of: key.raw) }
        return try unescaped(key).withUnsafeBytes { rules.keys.name(of: $0) }
    }

    private func unescaped(_ string: JSONReader.Text) throws(JSONError) -> [UInt8] {
        guard let bytes = string.unescaped else { throw reader.failure("malformed escape") }
        return bytes
    }

    /// What stands for a scalar; nil where it stays.
    private func replacement(
        for token: UnsafeRawBufferPointer,
        _ string: JSONReader.Text?,
        under name: String?,
        _ depth: Int
    ) throws(JSONError) -> String? {
        guard let name else {
            // Whatever may be JSON text starts so, or with an escape of white space.
            guard let string, let first = string.raw.first,
                first == UInt8(ascii: "\\") || mayBeJSON(string.raw)
            else { return nil }
            return try unescaped(string).withUnsafeBytes {
                rules.redacted(json: $0, trace: trace, depth: depth + 1)
            }.map { String(decoding: $0, as: UTF8.self) }
        }
        let plain =
            if let string { String(decoding: try unescaped(string), as: UTF8.self) } else {
                String(decoding: token, as: UTF8.self)
            }
        return rules.mark(for: plain, key: name, trace: trace)
    }
}
