import NightjarSignals

extension WireWriter {
    /// Longer keys are cut: a decoder refuses the whole request for one.
    private static let keyBytes = 65_535

    /// Writes the entries of an object as KeyValue messages.
    mutating func attributes(_ number: UInt32, _ object: Value.Object) {
        for (key, value) in object.entries { attribute(number, key, value) }
    }

    /// Writes a KeyValue message.
    mutating func attribute(_ number: UInt32, _ key: String, _ value: Value) {
        entry(number, key, value, depth: 0)
    }

    /// Writes a KeyValue message of a text; nothing for nil.
    mutating func attribute(_ number: UInt32, _ key: String, _ text: String?) {
        if let text { attribute(number, key, .string(text)) }
    }

    /// Writes an AnyValue message. What is nested deeper than a decoder reads is marked as cut.
    mutating func anyValue(_ number: UInt32, _ value: Value, depth: Int = 0) {
        let start = begin(number)
        switch value {
        case .null: break
        case .bool(let flag): varint(2, flag ? 1 : 0)
        case .int(let integer): varint(3, UInt64(bitPattern: integer))
        case .double(let double): fixed64(4, double.bitPattern)
        case .string(let text): field(1, text)
        case .bytes(let data): data.withUnsafeBytes { field(7, $0) }
        case .array, .object:
            if depth < WireReader.maximumDepth {
                elements(of: value, depth: depth + 1)
            } else {
                field(1, "[MaxDepth]")
            }
        }
        end(start)
    }

    private mutating func elements(of value: Value, depth: Int) {
        if let values = value.array {
            let list = begin(5)
            for element in values { anyValue(1, element, depth: depth) }
            end(list)
        } else {
            let map = begin(6)
            for (key, element) in value.object?.entries ?? [] { entry(1, key, element, depth: depth) }
            end(map)
        }
    }

    private mutating func entry(_ number: UInt32, _ key: String, _ value: Value, depth: Int) {
        let start = begin(number)
        field(
            1,
            key.utf8.count <= Self.keyBytes ? key : String(decoding: key.utf8.prefix(60_000), as: UTF8.self)
        )
        anyValue(2, value, depth: depth)
        end(start)
    }

    /// Writes a KeyValue message of content: as JSON text, which other receivers can show, or as itself where JSON would
    /// change it.
    mutating func content(_ number: UInt32, _ key: String, _ value: Value) {
        attribute(number, key, value.isSameAsJSON ? .string(value.json) : value)
    }
}

extension Value {
    /// Whether the value comes back the same when it is written as JSON and read.
    var isSameAsJSON: Bool { isSameAsJSON(depth: 0) }

    private func isSameAsJSON(depth: Int) -> Bool {
        guard depth < JSONReader.maximumDepth else { return false }
        return switch self {
        case .null, .bool, .int, .string: true
        case .bytes: false
        // JSON has one form for a whole number, whatever its kind.
        case .double(let number):
            number.isFinite && (number != number.rounded() || abs(number) >= 9_007_199_254_740_992)
        case .array(let values): values.allSatisfy { $0.isSameAsJSON(depth: depth + 1) }
        case .object(let object): object.entries.allSatisfy { $0.value.isSameAsJSON(depth: depth + 1) }
        }
    }
}
