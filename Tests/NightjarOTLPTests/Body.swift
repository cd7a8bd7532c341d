/// A protobuf message under construction: the tests' own writer, so that reader and writer cannot be wrong together.
struct Message {
    var bytes: [UInt8] = []

    mutating func varint(_ value: UInt64) {
        var rest = value
        repeat {
            let more: UInt8 = rest >= 0x80 ? 0x80 : 0
            bytes.append(UInt8(rest & 0x7F) | more)
            rest >>= 7
        } while rest > 0
    }

    mutating func number(_ field: UInt64, _ value: UInt64) {
        varint(field << 3)
        varint(value)
    }

    mutating func fixed64(_ field: UInt64, _ value: UInt64) {
        varint(field << 3 | 1)
        for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(value >> UInt64(shift) & 0xFF)) }
    }

    mutating func data(_ field: UInt64, _ content: [UInt8]) {
        varint(field << 3 | 2)
        varint(UInt64(content.count))
        bytes += content
    }

    mutating func text(_ field: UInt64, _ content: String) { data(field, Array(content.utf8)) }

    mutating func message(_ field: UInt64, _ build: (inout Message) -> Void) {
        var inner = Message()
        build(&inner)
        data(field, inner.bytes)
    }
}

/// A value of an attribute that a test writes.
enum TestValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral
{
    case text(String)
    case int(Int64)
    case double(Double)
    case bool(Bool)
    case list([String])
    case raw([UInt8])

    init(stringLiteral value: String) { self = .text(value) }
    init(integerLiteral value: Int64) { self = .int(value) }
    init(floatLiteral value: Double) { self = .double(value) }
    init(booleanLiteral value: Bool) { self = .bool(value) }
    init(arrayLiteral elements: String...) { self = .list(elements) }

    var encoded: [UInt8] {
        var message = Message()
        switch self {
        case .text(let text): message.text(1, text)
        case .bool(let bool): message.number(2, bool ? 1 : 0)
        case .int(let value): message.number(3, UInt64(bitPattern: value))
        case .double(let value): message.fixed64(4, value.bitPattern)
        case .list(let values):
            message.message(5) { list in
                for value in values { list.data(1, TestValue.text(value).encoded) }
            }
        case .raw(let bytes): return bytes
        }
        return message.bytes
    }
}

/// A span that a test writes.
struct TestSpan {
    var trace: [UInt8] = Array(repeating: 0xA1, count: 16)
    var id: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
    var parent: [UInt8] = []
    var name = "span"
    var start: UInt64 = 1_000_000_000
    var end: UInt64 = 2_000_000_000
    var attributes: [(String, TestValue)] = []
    var statusCode: UInt64 = 0
    var statusMessage = ""
    var events: [(name: String, time: UInt64, attributes: [(String, TestValue)])] = []
    /// Fields written behind the others, as they are.
    var extra: [UInt8] = []

    var encoded: [UInt8] {
        var span = Message()
        span.data(1, trace)
        span.data(2, id)
        if !parent.isEmpty { span.data(4, parent) }
        span.text(5, name)
        span.number(6, 1)
        span.fixed64(7, start)
        span.fixed64(8, end)
        for (key, value) in attributes { span.message(9) { $0.attribute(key, value) } }
        for event in events {
            span.message(11) { message in
                message.fixed64(1, event.time)
                message.text(2, event.name)
                for (key, value) in event.attributes { message.message(3) { $0.attribute(key, value) } }
            }
        }
        if statusCode != 0 || !statusMessage.isEmpty {
            span.message(15) { status in
                status.text(2, statusMessage)
                status.number(3, statusCode)
            }
        }
        return span.bytes + extra
    }
}

extension Message {
    mutating func attribute(_ key: String, _ value: TestValue) {
        text(1, key)
        data(2, value.encoded)
    }
}

/// A request of one resource and one scope.
func body(
    _ spans: [TestSpan],
    scope: String = "test",
    resource: [(String, TestValue)] = [("service.name", "tests")]
) -> [UInt8] {
    var request = Message()
    request.message(1) { resourceSpans in
        resourceSpans.message(1) { message in
            for (key, value) in resource { message.message(1) { $0.attribute(key, value) } }
        }
        resourceSpans.message(2) { scopeSpans in
            scopeSpans.message(1) { $0.text(1, scope) }
            for span in spans { scopeSpans.data(2, span.encoded) }
        }
    }
    return request.bytes
}
