import CNightjarSignals
import NightjarSignals

/// The fields of OTLP's common messages.
enum CommonTag {
    static let key = tag(1, .bytes)
    static let value = tag(2, .bytes)
    static let string = tag(1, .bytes)
    static let bool = tag(2, .varint)
    static let int = tag(3, .varint)
    static let double = tag(4, .fixed64)
    static let array = tag(5, .bytes)
    static let map = tag(6, .bytes)
    static let bytes = tag(7, .bytes)
    static let element = tag(1, .bytes)
}

extension WireReader {
    /// Reads the content of a KeyValue message as an attribute row; the key's symbol is left to the caller.
    @inline(__always)
    mutating func attribute() throws(WireError) -> nj_attribute {
        var attribute = nj_attribute()
        attribute.key = -1
        while !isAtEnd {
            let tag = try tag()
            if tag == CommonTag.key {
                let key = try bytes()
                guard key.length <= UInt32(UInt16.max) else {
                    throw failure("attribute key of over 65,535 bytes")
                }
                attribute.key_bytes = key.bytes
                attribute.key_length = UInt16(truncatingIfNeeded: key.length)
            } else if tag == CommonTag.value {
                var value = try message()
                try value.anyValue(into: &attribute, depth: 0)
            } else {
                try skip(tag)
            }
        }
        if attribute.key_bytes == nil { attribute.key_bytes = nj_text("").bytes }
        return attribute
    }

    /// Reads the content of an AnyValue message; of several values the last one holds, as protobuf has it.
    @inline(__always)
    mutating func anyValue(into attribute: inout nj_attribute, depth: Int) throws(WireError) {
        while !isAtEnd {
            let tag = try tag()
            if tag == CommonTag.string {
                let text = try bytes()
                attribute.tag = UInt8(NJ_STRING.rawValue)
                attribute.value.bytes = text.bytes
                attribute.length = text.length
            } else if tag == CommonTag.int {
                attribute.tag = UInt8(NJ_INT.rawValue)
                attribute.value.integer = Int64(bitPattern: try varint())
            } else {
                try otherValue(tag, into: &attribute, depth: depth)
            }
        }
    }

    private mutating func otherValue(
        _ tag: UInt32,
        into attribute: inout nj_attribute,
        depth: Int
    ) throws(WireError) {
        switch tag {
        case CommonTag.bool:
            attribute.tag = UInt8(NJ_BOOL.rawValue)
            attribute.value.integer = try varint() == 0 ? 0 : 1
        case CommonTag.double:
            attribute.tag = UInt8(NJ_DOUBLE.rawValue)
            attribute.value.number = Double(bitPattern: try fixed64())
        case CommonTag.array, CommonTag.map:
            let content = try bytes()
            var check = WireReader(content, in: self)
            let isMap = tag == CommonTag.map
            try check.validateElements(ofMap: isMap, depth: depth + 1)
            attribute.tag = UInt8(isMap ? NJ_MAP.rawValue : NJ_ARRAY.rawValue)
            attribute.value.bytes = content.bytes
            attribute.length = content.length
        case CommonTag.bytes:
            let content = try bytes()
            attribute.tag = UInt8(NJ_BYTES.rawValue)
            attribute.value.bytes = content.bytes
            attribute.length = content.length
        default: try skip(tag)
        }
    }

    /// Checks the form of a list or map, so that reading it later cannot fail.
    private mutating func validateElements(ofMap isMap: Bool, depth: Int) throws(WireError) {
        guard depth <= Self.maximumDepth else { throw failure("values nested too deeply") }
        var unused = nj_attribute()
        while !isAtEnd {
            let tag = try tag()
            guard tag == CommonTag.element else {
                try skip(tag)
                continue
            }
            var element = try message()
            if isMap {
                try element.validatePair(depth: depth)
            } else {
                try element.anyValue(into: &unused, depth: depth)
            }
        }
    }

    private mutating func validatePair(depth: Int) throws(WireError) {
        var unused = nj_attribute()
        while !isAtEnd {
            let tag = try tag()
            if tag == CommonTag.key {
                _ = try bytes()
            } else if tag == CommonTag.value {
                var value = try message()
                try value.anyValue(into: &unused, depth: depth)
            } else {
                try skip(tag)
            }
        }
    }
}
