/// Writes OTLP's protobuf, apart from the product's own writer so that a mistake there cannot hide here.
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    mutating func number(_ field: UInt64, _ value: UInt64) {
        varint(field << 3)
        varint(value)
    }

    mutating func fixed(_ field: UInt64, _ value: UInt64) {
        varint(field << 3 | 1)
        withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }

    mutating func text(_ field: UInt64, _ text: String) {
        varint(field << 3 | 2)
        varint(UInt64(text.utf8.count))
        bytes += text.utf8
    }

    /// Writes a field of bytes or a message; returns where its content begins.
    @discardableResult
    mutating func content(_ field: UInt64, _ content: [UInt8]) -> Int {
        varint(field << 3 | 2)
        varint(UInt64(content.count))
        bytes += content
        return bytes.count - content.count
    }

    mutating func message(_ field: UInt64, _ write: (inout ProtobufWriter) -> Void) {
        var inner = ProtobufWriter()
        write(&inner)
        content(field, inner.bytes)
    }

    mutating func identifier(_ field: UInt64, _ words: UInt64...) {
        content(field, words.flatMap { word in withUnsafeBytes(of: word.bigEndian) { Array($0) } })
    }

    mutating func attributes(_ field: UInt64, _ attributes: [(key: String, value: DraftValue)]) {
        for attribute in attributes {
            message(field) { entry in
                entry.text(1, attribute.key)
                entry.message(2) { $0.value(attribute.value) }
            }
        }
    }

    private mutating func value(_ value: DraftValue) {
        switch value {
        case .text(let text): self.text(1, text)
        case .integer(let integer): number(3, UInt64(bitPattern: Int64(integer)))
        case .number(let number): fixed(4, number.bitPattern)
        case .texts(let texts):
            message(5) { list in
                for text in texts { list.message(1) { $0.text(1, text) } }
            }
        }
    }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}

extension SpanDraft {
    /// The bytes of a Span message. The trace id lies `traceIDOffset` bytes into it.
    func protobuf(high: UInt64, low: UInt64) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.identifier(1, high, low)
        writer.identifier(2, id)
        if parent != 0 { writer.identifier(4, parent) }
        writer.text(5, name)
        writer.number(6, UInt64(kind))
        writer.fixed(7, startNano)
        writer.fixed(8, endNano)
        writer.attributes(9, attributes)
        if let exception {
            writer.message(11) { event in
                event.fixed(1, endNano)
                event.text(2, "exception")
                event.attributes(
                    3,
                    [
                        ("exception.type", .text(exception)),
                        ("exception.message", .text("the call took too long")),
                    ]
                )
            }
        }
        writer.message(15) { status in if hasFailed { status.number(3, 2) } }
        return writer.bytes
    }

    /// After a tag and a length of one byte each.
    static let traceIDOffset = 2

    /// Where the start lies in those bytes, 8 of them, and the end 9 bytes on; a name is shorter than 128 bytes.
    var timeOffset: Int { 18 + 10 + (parent == 0 ? 0 : 10) + 2 + name.utf8.count + 2 + 1 }
}
