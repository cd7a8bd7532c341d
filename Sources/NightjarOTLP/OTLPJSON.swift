import CNightjarSignals
package import NightjarSignals

/// Writes OTLP's protobuf as the JSON that means the same: ids in hex, 64-bit numbers as text, enumerations as numbers.
package enum OTLPJSON {
    /// A message of traces, or several one behind the other, as one JSON document. Of a span that came more than once the last
    /// copy is given.
    /// - Throws: ``OTLPError`` where the bytes are no such message.
    package static func traces(_ payload: [UInt8]) throws(OTLPError) -> Value {
        let result = payload.withUnsafeBytes { bytes in
            Result { () throws(WireError) in
                try message(WireReader(bytes), .traceRequest, depth: 0)
            }
        }
        switch result {
        case .success(let object): return .object(lastCopies(object))
        case .failure(let error):
            throw OTLPError(
                code: .malformed,
                offset: error.offset,
                path: "",
                detail: error.detail.description
            )
        }
    }

    /// The fields that are lists, in whatever message of traces; JSON has them as arrays.
    private static let lists: Set<String> = [
        "resourceSpans", "scopeSpans", "spans", "attributes", "events", "links", "values",
    ]

    private static func message(
        _ reader: WireReader,
        _ kind: OTLPMessage,
        depth: Int
    ) throws(WireError) -> Value.Object {
        guard depth < WireReader.maximumDepth else { throw reader.failure("messages nested too deeply") }
        var reader = reader
        var object = Value.Object()
        var gathered: [String: [Value]] = [:]
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard let field = kind.field(tag >> 3) else {
                try reader.skip(tag)
                continue
            }
            guard let value = try value(&reader, tag, field.form, depth: depth) else { continue }
            let name = field.name.description
            if lists.contains(name) {
                gathered[name, default: []].append(value)
            } else {
                object[name] = value
            }
        }
        for (name, values) in gathered { object[name] = .array(values) }
        return object
    }

    /// The value of a field; nil, and passed over, where it is written as another type.
    private static func value(
        _ reader: inout WireReader,
        _ tag: UInt32,
        _ form: OTLPMessage.Form,
        depth: Int
    ) throws(WireError) -> Value? {
        switch (form, WireReader.WireType(rawValue: UInt8(tag & 7))) {
        case (.message(let inner), .bytes):
            return .object(try message(try reader.message(), inner, depth: depth + 1))
        case (.text, .bytes): return .string(try reader.bytes().string ?? "")
        case (.base64, .bytes): return .string(base64(Array(try reader.bytes().buffer)))
        case (.traceID, .bytes), (.spanID, .bytes): return .string(hexadecimal(try reader.bytes().buffer))
        case (.bool, .varint): return .bool(try reader.varint() != 0)
        case (.varint, .varint): return .string(String(Int64(bitPattern: try reader.varint())))
        case (.spanKind, .varint), (.statusCode, .varint):
            return .int(Int64(truncatingIfNeeded: try reader.varint()))
        case (.fixed64, .fixed64): return .string(String(try reader.fixed64()))
        case (.double, .fixed64): return number(Double(bitPattern: try reader.fixed64()))
        default:
            try reader.skip(tag)
            return nil
        }
    }

    /// What JSON has no number for is a word, as protobuf's mapping says.
    private static func number(_ double: Double) -> Value {
        if double.isNaN { return "NaN" }
        return double.isInfinite ? (double < 0 ? "-Infinity" : "Infinity") : .double(double)
    }

    private static func hexadecimal(_ bytes: UnsafeRawBufferPointer) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] },
            as: UTF8.self
        )
    }

    /// The document without the copies of spans that a later one of the same id replaces.
    private static func lastCopies(_ document: Value.Object) -> Value.Object {
        var seen: Set<String> = []
        func kept(_ object: Value, _ path: [String]) -> Value? {
            guard case .object(var members) = object, let name = path.first else {
                return object["spanId"]?.string.map { seen.insert($0).inserted } ?? true ? object : nil
            }
            // Backwards, so that the last copy is the one that stays.
            let inner = (members[name]?.array ?? []).reversed().compactMap {
                kept($0, Array(path.dropFirst()))
            }
            guard !inner.isEmpty else { return nil }
            members[name] = .array(inner.reversed())
            return .object(members)
        }
        return kept(.object(document), ["resourceSpans", "scopeSpans", "spans"])?.object
            ?? ["resourceSpans": []]
    }
}

extension OTLPMessage {
    /// The field of a number; nil for one that is not known.
    fileprivate func field(_ number: UInt32) -> Field? { fields.first { $0.number == number } }
}
