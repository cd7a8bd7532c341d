import CNightjarSignals
import NightjarSignals

/// Rewrites OTLP's JSON as the protobuf that means the same, so that one decoder and one stored form serve both.
///
/// Read as the OTLP specification says: ids in hex, 64-bit numbers as text or numbers, enumerations as numbers or names,
/// both spellings of a field's name, unknown fields ignored, null as absent.
struct JSONTranscoder: ~Copyable {
    /// The protobuf of a trace request, or where it is malformed the byte at which.
    static func traceRequest(_ bytes: UnsafeRawBufferPointer) throws(OTLPError) -> Payload {
        try transcode(bytes, .traceRequest)
    }

    /// The protobuf of a request of any signal.
    static func transcode(_ bytes: UnsafeRawBufferPointer, _ message: OTLPMessage) throws(OTLPError)
        -> Payload
    {
        var transcoder = JSONTranscoder(bytes)
        do throws(JSONError) {
            // An empty body is a request of nothing, as it is in protobuf.
            guard !bytes.isEmpty else { return Payload([]) }
            try transcoder.message(message)
            try transcoder.reader.finish()
        } catch {
            throw OTLPError(
                code: .malformed,
                offset: error.offset,
                path: transcoder.pathText,
                detail: error.detail
            )
        }
        return transcoder.finished()
    }

    var reader: JSONScanner
    var writer: WireBuffer
    let fields = JSONFields.shared
    /// The fields that an error lies in, the innermost first, with the place in each list; -1 outside of one.
    private var path: [(name: StaticString, index: Int)] = []
    /// For each kind of message how many bytes the length of the last one took: most are as long as those before.
    private var lengthSizes = [Int](repeating: 1, count: OTLPMessage.allCases.count)

    private var pathText: String {
        path.reversed().map { $0.index < 0 ? $0.name.description : "\($0.name)[\($0.index)]" }
            .joined(separator: ".")
    }

    private init(_ bytes: UnsafeRawBufferPointer) {
        reader = JSONScanner(bytes)
        // Requests of spans shrink by a third.
        writer = WireBuffer(reserving: bytes.count / 4 * 3)
    }

    private consuming func finished() -> Payload { writer.payload() }

    private mutating func message(_ message: OTLPMessage) throws(JSONError) {
        try reader.beginObject()
        var isFirst = true
        var place = 0
        while let key = try reader.nextKey(&isFirst) {
            guard let field = fields.field(message, key, &place) else {
                try reader.skipValue()
                continue
            }
            if reader.isNext(UInt8(ascii: "n")) {
                try reader.null()
            } else if case .message(let inner) = field.pointee.form {
                try messages(field, inner)
            } else if reader.isNext(UInt8(ascii: "[")) {
                try reader.beginArray()
                var isFirst = true
                while try reader.nextElement(&isFirst) { try value(field) }
            } else {
                try value(field)
            }
        }
    }

    private mutating func messages(
        _ field: UnsafePointer<JSONFields.Entry>,
        _ inner: OTLPMessage
    ) throws(JSONError) {
        var index = -1
        do throws(JSONError) {
            guard reader.isNext(UInt8(ascii: "[")) else { return try message(field.pointee.number, inner) }
            try reader.beginArray()
            var isFirst = true
            while try reader.nextElement(&isFirst) {
                index += 1
                if inner == .keyValue, plainAttribute(field.pointee.number) { continue }
                try message(field.pointee.number, inner)
            }
        } catch {
            path.append((field.pointee.fieldName, index))
            throw error
        }
    }

    private mutating func message(_ number: UInt32, _ inner: OTLPMessage) throws(JSONError) {
        let size = lengthSizes[inner.rawValue]
        let start = writer.begin(number, expecting: size)
        // Within a list; elsewhere it was found out before.
        if reader.isNext(UInt8(ascii: "n")) { try reader.null() } else { try message(inner) }
        let actual = writer.end(start, expecting: size)
        if actual != size { lengthSizes[inner.rawValue] = actual }
    }

    private mutating func value(_ field: UnsafePointer<JSONFields.Entry>) throws(JSONError) {
        let number = field.pointee.number
        switch field.pointee.form {
        case .text: try text(number)
        case .bool: writer.varint(number, try reader.bool() ? 1 : 0)
        case .double: writer.fixed64(number, try reader.double().bitPattern)
        case .varint: writer.varint(number, UInt64(bitPattern: try reader.integer()))
        case .fixed64: writer.fixed64(number, UInt64(bitPattern: try reader.integer()))
        case .fixed32: writer.fixed32(number, UInt32(truncatingIfNeeded: try reader.integer()))
        case .traceID: try identifier(number, 16)
        case .spanID: try identifier(number, 8)
        case .base64: try base64(number)
        case .spanKind: writer.varint(number, try enumeration(Self.spanKinds))
        case .statusCode: writer.varint(number, try enumeration(Self.statusCodes))
        case .severity: writer.varint(number, try enumeration(Self.severities))
        case .temporality: writer.varint(number, try enumeration(Self.temporalities))
        case .zigzag:
            let value = try reader.integer()
            writer.varint(number, UInt64(bitPattern: value << 1 ^ value >> 63))
        case .message: try reader.skipValue()
        }
    }
}

// MARK: - Attributes

extension JSONTranscoder {
    /// The value of an attribute that is one plain field.
    private enum PlainValue {
        case text(JSONReader.Text)
        case integer(UInt64)
        case double(Double)
        case bool(Bool)
    }

    /// Writes a KeyValue that is written as nearly all are: a key, then a value of one plain field, and nothing else. False where
    /// it is not, and then nothing is read or written and the general way finds out what it is.
    ///
    /// In front of the general way because most of a request is this, and all lengths are known before anything is written.
    private mutating func plainAttribute(_ number: UInt32) -> Bool {
        // A copy, of which nothing else knows while it is read.
        var rest = reader
        let found: (key: JSONReader.Text, value: PlainValue)?
        do throws(JSONError) {
            found = try Self.plainAttribute(&rest, fields)
        } catch {
            // The general way comes to the same place.
            return false
        }
        guard let found, write(found.key.raw, found.value, number) else { return false }
        reader = rest
        return true
    }

    @inline(__always)
    private static func plainAttribute(
        _ reader: inout JSONScanner,
        _ fields: JSONFields
    ) throws(JSONError) -> (key: JSONReader.Text, value: PlainValue)? {
        var (isFirst, isFirstOfValue, place) = (true, true, 0)
        try reader.beginObject()
        guard let first = try reader.nextKey(&isFirst), first.raw.isWord("key") else { return nil }
        let key = try reader.string()
        guard !key.hasEscapes, let second = try reader.nextKey(&isFirst), second.raw.isWord("value") else {
            return nil
        }
        try reader.beginObject()
        guard let kind = try reader.nextKey(&isFirstOfValue),
            let field = fields.field(.anyValue, kind, &place)
        else { return nil }
        let value: PlainValue
        switch field.pointee.form {
        case .text: value = .text(try reader.string())
        case .varint: value = .integer(UInt64(bitPattern: try reader.integer()))
        case .double: value = .double(try reader.double())
        case .bool: value = .bool(try reader.bool())
        default: return nil
        }
        guard try reader.nextKey(&isFirstOfValue) == nil, try reader.nextKey(&isFirst) == nil else {
            return nil
        }
        return (key, value)
    }

    @inline(__always)
    private mutating func write(_ key: UnsafeRawBufferPointer, _ value: PlainValue, _ number: UInt32) -> Bool
    {
        switch value {
        case .text(let text):
            guard text.hasEscapes else {
                let size = 1 + varintSize(text.raw.count) + text.raw.count
                writer.attribute(number, key: key, valueBytes: size) {
                    $0.field(CommonTag.string >> 3, text.raw)
                }
                return true
            }
            return writer.attribute(number, key: key, text: text)
        case .integer(let integer):
            writer.attribute(number, key: key, valueBytes: 1 + varintSize(integer)) {
                $0.varint(CommonTag.int >> 3, integer)
            }
        case .double(let double):
            writer.attribute(number, key: key, valueBytes: 9) {
                $0.fixed64(CommonTag.double >> 3, double.bitPattern)
            }
        case .bool(let flag):
            writer.attribute(number, key: key, valueBytes: 2) { $0.varint(CommonTag.bool >> 3, flag ? 1 : 0) }
        }
        return true
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the bytes are those of a short word.
    @inline(__always)
    fileprivate func isWord(_ word: StaticString) -> Bool {
        ShortName(self)
            == ShortName(UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }
}
