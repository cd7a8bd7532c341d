import CNightjarSignals
import NightjarBus
import NightjarSignals

/// The attributes that need a closer look.
extension PayloadWalk {
    /// The content of a KeyValue. Of several keys one that is sensitive decides, wherever it stands.
    mutating func pair(_ message: WireReader, depth: Int, isAttribute: Bool) throws(WireError) {
        let name = try sensitiveName(message, isAttribute: isAttribute)
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == CommonTag.value {
                try descend(&reader) { walk, content throws(WireError) in
                    try walk.value(content, under: name, depth: depth)
                }
            } else {
                try reader.skip(tag)
            }
        }
    }

    private func sensitiveName(_ message: WireReader, isAttribute: Bool) throws(WireError) -> String? {
        guard rules.isEnabled else { return nil }
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == CommonTag.key else {
                try reader.skip(tag)
                continue
            }
            let key = try reader.bytes().buffer
            if let name = isAttribute ? rules.keys.name(ofAttribute: key) : rules.keys.name(of: key) {
                return name
            }
        }
        return nil
    }

    /// The content of an AnyValue; `name` is the sensitive key that it stands under.
    private mutating func value(_ message: WireReader, under name: String?, depth: Int) throws(WireError) {
        if message.isAtEnd, let name {
            // No value at all: as null in JSON, whose place is not told either.
            return hide("null", message.offset..<message.offset, under: name)
        }
        var reader = message
        while !reader.isAtEnd {
            let start = reader.offset
            let tag = try reader.tag()
            if tag == CommonTag.array || tag == CommonTag.map {
                try nested(tag, &reader, from: start, under: name, depth: depth)
            } else if let name {
                try hide(tag, &reader, from: start, under: name)
            } else if tag == CommonTag.string || tag == CommonTag.bytes {
                let text = try reader.bytes()
                change(text, start..<reader.offset, field: tag >> 3, depth: depth)
            } else {
                try reader.skip(tag)
            }
        }
    }

    private mutating func nested(
        _ tag: UInt32,
        _ reader: inout WireReader,
        from start: Int,
        under name: String?,
        depth: Int
    ) throws(WireError) {
        // What nobody may examine is withheld; where nothing is hidden, the decoder refuses it.
        guard depth < RedactionRules.maximumDepth else {
            _ = try reader.bytes()
            guard rules.isEnabled else { return }
            return replace(start..<reader.offset, field: stringField, with: RedactionRules.withheld.utf8)
        }
        try descend(&reader) { walk, content throws(WireError) in
            try walk.elements(content, ofMap: tag == CommonTag.map, under: name, depth: depth + 1)
        }
    }

    private mutating func elements(
        _ message: WireReader,
        ofMap isMap: Bool,
        under name: String?,
        depth: Int
    ) throws(WireError) {
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == CommonTag.element else {
                try reader.skip(tag)
                continue
            }
            try descend(&reader) { walk, content throws(WireError) in
                if isMap {
                    try walk.pair(content, depth: depth, isAttribute: false)
                } else {
                    try walk.value(content, under: name, depth: depth)
                }
            }
        }
    }

    /// Puts a mark in the place of a value under a sensitive key, as which a field that nobody knows counts too.
    private mutating func hide(
        _ tag: UInt32,
        _ reader: inout WireReader,
        from start: Int,
        under name: String
    ) throws(WireError) {
        var text = RedactionRules.withheld
        switch tag {
        case CommonTag.string: text = String(decoding: try reader.bytes().buffer, as: UTF8.self)
        case CommonTag.int: text = String(Int64(bitPattern: try reader.varint()))
        case CommonTag.double: text = Value.double(Double(bitPattern: try reader.fixed64())).json
        case CommonTag.bool: text = try reader.varint() == 0 ? "false" : "true"
        default:
            try reader.skip(tag)
            return replace(start..<reader.offset, field: stringField, with: text.utf8)
        }
        hide(text, start..<reader.offset, under: name)
    }

    private mutating func hide(_ text: String, _ range: Range<Int>, under name: String) {
        guard let mark = rules.mark(for: text, key: name, trace: trace()) else { return }
        replace(range, field: stringField, with: mark.utf8)
    }

    /// Redacts the JSON text that a field may be, then cuts it to length.
    mutating func change(_ content: nj_text, _ range: Range<Int>, field: UInt32, depth: Int) {
        let text = content.buffer
        let redacted = rules.isEnabled ? rules.redacted(json: text, trace: trace(), depth: depth) : nil
        if let redacted {
            let short = redacted.withUnsafeBytes { shortened($0) }
            replace(range, field: field, with: short ?? redacted)
        } else if let short = shortened(text) {
            replace(range, field: field, with: short)
        }
    }

    /// The text cut to the limit, on a boundary of UTF-8, with a mark; nil where it is short enough or was cut so before.
    private func shortened(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        guard text.count > valueBytes else { return nil }
        let mark = truncationMark.utf8
        if text.count <= valueBytes + mark.count, text.suffix(mark.count).elementsEqual(mark) { return nil }
        var end = valueBytes
        // A continuation byte is never the first of a character; a character has at most three.
        while end > max(0, valueBytes - 3), text[end] & 0xC0 == 0x80 { end -= 1 }
        return Array(text[..<end]) + mark
    }

    private var stringField: UInt32 { CommonTag.string >> 3 }
}
