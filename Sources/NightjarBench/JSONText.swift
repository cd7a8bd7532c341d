/// Writes the same requests as OTLP's JSON.
enum JSONText {
    static func request(
        _ resource: ResourceDraft,
        _ scopes: [(name: String, spans: [(trace: TraceDraft, span: SpanDraft)])]
    ) -> [UInt8] {
        let groups = scopes.map { scope in
            let spans = scope.spans.map { span($0.span, in: $0.trace) }.joined(separator: ",")
            return "{\"scope\":{\"name\":\(quoted(scope.name)),\"version\":\"1.0.0\"},\"spans\":[\(spans)]}"
        }
        let about = "{\"attributes\":\(attributes(resource.attributes))}"
        return Array(
            "{\"resourceSpans\":[{\"resource\":\(about),\"scopeSpans\":[\(groups.joined(separator: ","))]}]}"
                .utf8
        )
    }

    private static func span(_ span: SpanDraft, in trace: TraceDraft) -> String {
        var text = "{\"traceId\":\"\(hex(trace.high))\(hex(trace.low))\",\"spanId\":\"\(hex(span.id))\""
        if span.parent != 0 { text += ",\"parentSpanId\":\"\(hex(span.parent))\"" }
        text += ",\"name\":\(quoted(span.name)),\"kind\":\(span.kind)"
        text += ",\"startTimeUnixNano\":\"\(span.startNano)\",\"endTimeUnixNano\":\"\(span.endNano)\""
        text += ",\"attributes\":\(attributes(span.attributes))"
        if let exception = span.exception {
            let details = attributes([
                ("exception.type", .text(exception)), ("exception.message", .text("the call took too long")),
            ])
            text +=
                ",\"events\":[{\"timeUnixNano\":\"\(span.endNano)\",\"name\":\"exception\",\"attributes\":\(details)}]"
        }
        return text + ",\"status\":{\(span.hasFailed ? "\"code\":2" : "")}}"
    }

    private static func attributes(_ attributes: [(key: String, value: DraftValue)]) -> String {
        "[\(attributes.map { "{\"key\":\(quoted($0.key)),\"value\":\(value($0.value))}" }.joined(separator: ","))]"
    }

    private static func value(_ value: DraftValue) -> String {
        switch value {
        case .text(let text): return "{\"stringValue\":\(quoted(text))}"
        case .integer(let integer): return "{\"intValue\":\"\(integer)\"}"
        case .number(let number): return "{\"doubleValue\":\(number)}"
        case .texts(let texts):
            let values = texts.map { "{\"stringValue\":\(quoted($0))}" }.joined(separator: ",")
            return "{\"arrayValue\":{\"values\":[\(values)]}}"
        }
    }

    /// The generator writes no control characters.
    private static func quoted(_ text: String) -> String {
        var bytes: [UInt8] = [UInt8(ascii: "\"")]
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
            bytes.append(byte)
        }
        bytes.append(UInt8(ascii: "\""))
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
