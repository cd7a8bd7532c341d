import NightjarSignals

extension TestValue {
    /// The value as OTLP's JSON has it; nil for what has no form there.
    var json: Value? {
        switch self {
        case .text(let text): ["stringValue": .string(text)]
        case .bool(let bool): ["boolValue": .bool(bool)]
        case .int(let int): ["intValue": .string(String(int))]
        case .double(let double): ["doubleValue": .double(double)]
        case .list(let values):
            ["arrayValue": ["values": .array(values.map { ["stringValue": .string($0)] })]]
        case .raw: nil
        }
    }
}

extension TestSpan {
    /// The span as OTLP's JSON has it.
    var json: Value {
        var object: Value.Object = [
            "traceId": .string(hex(trace)), "spanId": .string(hex(id)), "name": .string(name), "kind": 1,
            "startTimeUnixNano": .string(String(start)), "endTimeUnixNano": .string(String(end)),
            "attributes": list(attributes),
            "events": .array(
                events.map {
                    [
                        "timeUnixNano": .string(String($0.time)), "name": .string($0.name),
                        "attributes": list($0.attributes),
                    ]
                }
            ),
            "status": ["code": .int(Int64(statusCode)), "message": .string(statusMessage)],
        ]
        if !parent.isEmpty {
            object["parentSpanId"] = .string(hex(Array(repeating: 0, count: 8 - parent.count) + parent))
        }
        return .object(object)
    }

    private func list(_ attributes: [(String, TestValue)]) -> Value {
        .array(
            attributes.compactMap { key, value in
                value.json.map { .object(["key": .string(key), "value": $0]) }
            }
        )
    }

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// A request of one resource and one scope in OTLP's JSON.
func jsonBody(_ spans: [TestSpan], scope: String = "test") -> [UInt8] {
    let service: Value = ["key": "service.name", "value": ["stringValue": "tests"]]
    let request: Value = [
        "resourceSpans": [
            [
                "resource": ["attributes": [service]],
                "scopeSpans": [["scope": ["name": .string(scope)], "spans": .array(spans.map(\.json))]],
            ]
        ]
    ]
    return Array(request.json.utf8)
}
