import CNightjarSignals
import NightjarSignals

/// Decodes attribute rows into values. Lists and maps were checked when their span was decoded, so a fault in them, which
/// cannot be, only ends the reading.
enum AttributeValues {
    /// The value of a row, lists and maps decoded.
    static func value(_ attribute: nj_attribute) -> Value {
        value(attribute, depth: 0)
    }

    /// The entries of rows in order.
    static func object(_ attributes: UnsafeBufferPointer<nj_attribute>) -> Value.Object {
        var object = Value.Object()
        for attribute in attributes { object[attribute.keyText.string ?? ""] = value(attribute) }
        return object
    }

    /// The value of a row that is JSON text, or was no fit for JSON and is itself.
    static func parsed(_ attribute: nj_attribute) -> Value { decoded(value(attribute)) }

    /// What a value says that is JSON text; any other value is itself.
    static func decoded(_ value: Value) -> Value {
        guard case .string(let text) = value else { return value }
        return decoded(text)
    }

    /// What a text says if it is JSON; any other text is itself.
    static func decoded(_ text: String) -> Value {
        var copy = text
        return copy.withUTF8 { bytes in
            guard mayBeJSON(bytes) else { return .string(text) }
            var reader = JSONReader(UnsafeRawBufferPointer(bytes))
            guard let value = try? reader.value(), (try? reader.end()) != nil else {
                // What is not JSON is a string: the mapping says so, and prose often starts like JSON.
                return .string(text)
            }
            return value
        }
    }

    private static func mayBeJSON(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let first = bytes.first(where: { $0 > 0x20 }) else { return false }
        return switch first {
        case UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "\""), UInt8(ascii: "-"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"): bytes.count <= 8
        default: false
        }
    }

    /// Calls `body` for each entry of a map.
    static func forEachEntry(of map: UnsafeRawBufferPointer, _ body: (nj_attribute) -> Void) {
        forEachMessage(CommonTag.element, of: WireReader(map), depth: 0) { entry throws(WireError) in
            var reader = entry
            body(try reader.attribute())
        }
    }

    private static func value(_ attribute: nj_attribute, depth: Int) -> Value {
        switch UInt32(attribute.tag) {
        case NJ_STRING.rawValue: .string(attribute.text.string ?? "")
        case NJ_BOOL.rawValue: .bool(attribute.value.integer != 0)
        case NJ_INT.rawValue: .int(attribute.value.integer)
        case NJ_DOUBLE.rawValue: .double(attribute.value.number)
        case NJ_BYTES.rawValue: .bytes(Array(attribute.encoded))
        case NJ_ARRAY.rawValue: .array(elements(WireReader(attribute.encoded), depth: depth + 1))
        case NJ_MAP.rawValue: .object(entries(WireReader(attribute.encoded), depth: depth + 1))
        default: .null
        }
    }

    private static func elements(_ message: WireReader, depth: Int) -> [Value] {
        var values: [Value] = []
        forEachMessage(CommonTag.element, of: message, depth: depth) { element throws(WireError) in
            var reader = element
            var attribute = nj_attribute()
            try reader.anyValue(into: &attribute, depth: depth)
            values.append(value(attribute, depth: depth))
        }
        return values
    }

    private static func entries(_ message: WireReader, depth: Int) -> Value.Object {
        var object = Value.Object()
        forEachMessage(CommonTag.element, of: message, depth: depth) { entry throws(WireError) in
            var reader = entry
            let attribute = try reader.attribute()
            object[attribute.keyText.string ?? ""] = value(attribute, depth: depth)
        }
        return object
    }

    private static func forEachMessage(
        _ wanted: UInt32,
        of message: WireReader,
        depth: Int,
        _ body: (WireReader) throws(WireError) -> Void
    ) {
        guard depth <= WireReader.maximumDepth else { return }
        var reader = message
        do throws(WireError) {
            while !reader.isAtEnd {
                let tag = try reader.tag()
                if tag == wanted { try body(try reader.message()) } else { try reader.skip(tag) }
            }
        } catch {
            return
        }
    }
}

/// A span's attributes, found by the symbols of their keys.
struct SpanAttributes {
    let rows: UnsafeBufferPointer<nj_attribute>
    private let ownCount: Int

    init(_ span: SpanReference) {
        let row = span.row.pointee
        ownCount = Int(row.attribute_count)
        rows = span.slab.attributes(row.first_attribute, row.attribute_count + UInt32(row.carried_count))
    }

    /// The row of a key; of equal keys the last.
    func row(_ key: Int32) -> nj_attribute? {
        rows.last { $0.key == key && key >= 0 }
    }

    /// The row of a key among those that are not the span's own.
    func carried(_ key: Int32) -> nj_attribute? {
        rows[ownCount...].last { $0.key == key && key >= 0 }
    }

    /// The value of the first of several keys that is there and is not empty text.
    func first(_ keys: [Int32]) -> Value? {
        for key in keys {
            guard let row = row(key), row.tag != UInt8(NJ_STRING.rawValue) || row.length > 0 else { continue }
            return AttributeValues.value(row)
        }
        return nil
    }

    /// The value of a key that has no symbol of its own.
    func value(named key: String) -> Value? {
        rows.last { $0.keyText.string == key }.map(AttributeValues.value)
    }

    /// Calls `body` with what follows `prefix` for each key that begins with it.
    func forEach(prefix: StaticString, _ body: (String, nj_attribute) -> Void) {
        for row in rows where row.keyText.hasPrefix(prefix) {
            body(row.keyText.dropFirst(prefix.utf8CodeUnitCount).string ?? "", row)
        }
    }
}

/// The symbol of a key that the tables name.
func symbol(_ key: StaticString) -> Int32 {
    let text = nj_text(key)
    return nj_symbol_intern(text.bytes, Int(text.length))
}
