import CNightjarSignals
import NightjarSignals

/// Rewrites OTLP's JSON as the protobuf that means the same, so that one decoder and one stored form serve both.
///
/// Read as the OTLP specification says: ids in hex, 64-bit numbers as text or numbers, enumerations as numbers or names,
/// both spellings of a field's name, unknown fields ignored, null as absent.
struct JSONTranscoder {
    /// The protobuf of a trace request, or where it is malformed the byte at which.
    static func traceRequest(_ bytes: UnsafeRawBufferPointer) throws(OTLPError) -> [UInt8] {
        try transcode(bytes, .traceRequest)
    }

    /// The protobuf of a request of any signal.
    static func transcode(_ bytes: UnsafeRawBufferPointer, _ message: OTLPMessage) throws(OTLPError)
        -> [UInt8]
    {
        var transcoder = JSONTranscoder(bytes)
        do throws(JSONError) {
            // An empty body is a request of nothing, as it is in protobuf.
            guard !bytes.isEmpty else { return [] }
            try transcoder.message(message)
            try transcoder.reader.end()
            return transcoder.writer.bytes
        } catch {
            throw OTLPError(
                code: .malformed,
                offset: error.offset,
                path: transcoder.pathText,
                detail: error.detail
            )
        }
    }

    private var reader: JSONReader
    private var writer: WireWriter
    /// The fields that the cursor is in, with the place in each list; -1 outside of one.
    private var path: [(name: StaticString, index: Int)] = []

    private var pathText: String {
        path.map { $0.index < 0 ? $0.name.description : "\($0.name)[\($0.index)]" }.joined(separator: ".")
    }

    private init(_ bytes: UnsafeRawBufferPointer) {
        reader = JSONReader(bytes)
        writer = WireWriter(reserving: bytes.count / 2)
    }

    private mutating func message(_ message: OTLPMessage) throws(JSONError) {
        try reader.begin(.object)
        var isFirst = true
        while let key = try reader.nextKey(&isFirst) {
            guard let field = message.field(key) else {
                try reader.skipValue()
                continue
            }
            let kind = try reader.peek()
            if kind == .null {
                try reader.null()
            } else if case .message(let inner) = field.form {
                path.append((field.name, -1))
                try messages(field.number, inner, isList: kind == .array)
                path.removeLast()
            } else if kind == .array {
                try reader.begin(.array)
                var isFirst = true
                while try reader.nextElement(&isFirst) { try value(field) }
            } else {
                try value(field)
            }
        }
    }

    private mutating func value(_ field: OTLPMessage.Field) throws(JSONError) {
        switch field.form {
        case .text: try text(field.number)
        case .bool: writer.varint(field.number, try reader.bool() ? 1 : 0)
        case .double: writer.fixed64(field.number, try double().bitPattern)
        case .varint: writer.varint(field.number, UInt64(bitPattern: try integer()))
        case .fixed64: writer.fixed64(field.number, UInt64(bitPattern: try integer()))
        case .fixed32: writer.fixed32(field.number, UInt32(truncatingIfNeeded: try integer()))
        case .traceID: try identifier(field.number, 16)
        case .spanID: try identifier(field.number, 8)
        case .base64: try base64(field.number)
        case .spanKind: writer.varint(field.number, try enumeration(Self.spanKinds))
        case .statusCode: writer.varint(field.number, try enumeration(Self.statusCodes))
        case .severity: writer.varint(field.number, try enumeration(Self.severities))
        case .temporality: writer.varint(field.number, try enumeration(Self.temporalities))
        case .zigzag:
            let number = try integer()
            writer.varint(field.number, UInt64(bitPattern: number << 1 ^ number >> 63))
        case .message: try reader.skipValue()
        }
    }

    /// The names of enumerations, the first for 0.
    private static let spanKinds: [StaticString] = [
        "SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT",
        "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER",
    ]
    private static let statusCodes: [StaticString] = [
        "STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR",
    ]
    private static let temporalities: [StaticString] = [
        "AGGREGATION_TEMPORALITY_UNSPECIFIED", "AGGREGATION_TEMPORALITY_DELTA",
        "AGGREGATION_TEMPORALITY_CUMULATIVE",
    ]
    private static let severities: [StaticString] = [
        "SEVERITY_NUMBER_UNSPECIFIED", "SEVERITY_NUMBER_TRACE", "SEVERITY_NUMBER_TRACE2",
        "SEVERITY_NUMBER_TRACE3", "SEVERITY_NUMBER_TRACE4", "SEVERITY_NUMBER_DEBUG", "SEVERITY_NUMBER_DEBUG2",
        "SEVERITY_NUMBER_DEBUG3", "SEVERITY_NUMBER_DEBUG4", "SEVERITY_NUMBER_INFO", "SEVERITY_NUMBER_INFO2",
        "SEVERITY_NUMBER_INFO3", "SEVERITY_NUMBER_INFO4", "SEVERITY_NUMBER_WARN", "SEVERITY_NUMBER_WARN2",
        "SEVERITY_NUMBER_WARN3", "SEVERITY_NUMBER_WARN4", "SEVERITY_NUMBER_ERROR", "SEVERITY_NUMBER_ERROR2",
        "SEVERITY_NUMBER_ERROR3", "SEVERITY_NUMBER_ERROR4", "SEVERITY_NUMBER_FATAL", "SEVERITY_NUMBER_FATAL2",
        "SEVERITY_NUMBER_FATAL3", "SEVERITY_NUMBER_FATAL4",
    ]

    private mutating func messages(_ number: UInt32, _ inner: OTLPMessage, isList: Bool) throws(JSONError) {
        guard isList else {
            let start = writer.begin(number)
            try message(inner)
            writer.end(start)
            return
        }
        try reader.begin(.array)
        var isFirst = true
        let level = path.count - 1
        while try reader.nextElement(&isFirst) {
            path[level].index += 1
            let start = writer.begin(number)
            if try reader.peek() == .null { try reader.null() } else { try message(inner) }
            writer.end(start)
        }
    }

    private mutating func text(_ number: UInt32) throws(JSONError) {
        let text = try reader.string()
        if text.hasEscapes {
            guard let bytes = text.unescaped else { throw reader.failure("malformed escape") }
            bytes.withUnsafeBytes { writer.field(number, $0) }
        } else {
            writer.field(number, text.raw)
        }
    }

    /// A 64-bit number, signed or not, as a number or as text.
    private mutating func integer() throws(JSONError) -> Int64 {
        let raw = try reader.peek() == .string ? try reader.string().raw : try reader.numberText()
        if let value = wholeNumber(raw) { return value }
        // Numbers like 1e3 or 5.0 are whole too.
        let value = NightjarOTLP.number(nj_text(raw))
        guard let whole = Int64(exactly: value) else { throw reader.failure("expected a whole number") }
        return whole
    }

    private mutating func double() throws(JSONError) -> Double {
        let raw = try reader.peek() == .string ? try reader.string().raw : try reader.numberText()
        let text = String(decoding: raw, as: UTF8.self)
        switch text {
        case "NaN": return .nan
        case "Infinity": return .infinity
        case "-Infinity": return -.infinity
        default:
            guard let value = Double(text) else { throw reader.failure("expected a number") }
            return value
        }
    }

    /// An id that is no hex, or too long, is written as one that no decoder takes, so that its span alone is refused.
    private mutating func identifier(_ number: UInt32, _ limit: Int) throws(JSONError) {
        let text = try reader.string()
        let bytes = hexadecimal(text.raw) ?? []
        let isValid = text.raw.isEmpty || (!bytes.isEmpty && bytes.count <= limit)
        let out = isValid ? bytes : [UInt8](repeating: 0xFF, count: limit + 1)
        out.withUnsafeBytes { writer.field(number, $0) }
    }

    private mutating func base64(_ number: UInt32) throws(JSONError) {
        guard let text = try reader.string().unescaped, let bytes = base64Bytes(text) else {
            throw reader.failure("expected base64")
        }
        bytes.withUnsafeBytes { writer.field(number, $0) }
    }

    private mutating func enumeration(_ names: [StaticString]) throws(JSONError) -> UInt64 {
        guard try reader.peek() == .string else { return UInt64(bitPattern: try integer()) }
        let text = try reader.string()
        if let index = names.firstIndex(where: { text.equals($0) }) { return UInt64(index) }
        guard let value = wholeNumber(text.raw) else { throw reader.failure("unknown enumeration value") }
        return UInt64(bitPattern: value)
    }
}

/// The value of decimal digits with a sign or without; unsigned ones of 64 bits are given by their bits.
private func wholeNumber(_ digits: UnsafeRawBufferPointer) -> Int64? {
    guard let first = digits.first else { return nil }
    let isNegative = first == UInt8(ascii: "-")
    var value: UInt64 = 0
    let rest = isNegative ? digits.dropFirst() : digits[...]
    guard !rest.isEmpty else { return nil }
    for byte in rest {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
        let (product, overflowed) = value.multipliedReportingOverflow(by: 10)
        let (sum, overflow) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
        guard !overflowed, !overflow else { return nil }
        value = sum
    }
    if isNegative { return value <= 1 << 63 ? Int64(bitPattern: 0 &- value) : nil }
    return Int64(bitPattern: value)
}

/// The bytes of hex digits, the first of an odd number of them standing for a byte alone.
private func hexadecimal(_ digits: UnsafeRawBufferPointer) -> [UInt8]? {
    guard digits.count <= 64 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(16)
    var high = digits.count % 2 == 0 ? nil : UInt8(0)
    for digit in digits {
        guard let nibble = hexadecimalDigit(digit) else { return nil }
        if let half = high {
            bytes.append(half << 4 | nibble)
            high = nil
        } else {
            high = nibble
        }
    }
    return bytes
}

/// The bytes of base64 in the usual or the URL's alphabet, padded or not.
private func base64Bytes(_ text: [UInt8]) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3)
    var word: UInt32 = 0
    var bits = 0
    for (index, byte) in text.enumerated() {
        let digit: UInt8
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): digit = 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): digit = 63
        case UInt8(ascii: "="):
            // Padding ends the text; at most two may stand there.
            guard text.count - index <= 2, text[index...].allSatisfy({ $0 == UInt8(ascii: "=") }) else {
                return nil
            }
            return bits < 6 ? bytes : nil
        default: return nil
        }
        word = word << 6 | UInt32(digit)
        bits += 6
        if bits >= 8 {
            bits -= 8
            bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(bits)))
        }
    }
    return bits < 6 ? bytes : nil
}
