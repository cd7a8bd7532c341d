import NightjarSignals

/// Short ways to write JSON Schema (draft 2020-12, the dialect of OpenAPI 3.1).
enum Schema {
    static let any: Value = .object([:])
    static let text: Value = ["type": "string"]
    static let name: Value = ["type": "string", "minLength": 1]
    static let number: Value = ["type": "number"]
    static let count: Value = ["type": "integer", "minimum": 0]
    static let flag: Value = ["type": "boolean"]
    static let texts = list(text)
    /// An object with whatever keys.
    static let members: Value = ["type": "object"]
    static let instant: Value = ["type": "string", "format": "date-time"]
    /// An instant of ISO 8601 that fits.
    static let writtenTime: Value = [
        "type": "string",
        "pattern":
            "^(19[7-9]|20[0-9]|21[0-9])[0-9]-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3])(:[0-5][0-9]){2}(\\.[0-9]{1,9})?Z$",
    ]

    /// An instant as a caller may write it: what fits 64 bits of nanoseconds since 1970.
    static let writtenInstant: Value = [
        "anyOf": [
            writtenTime, ["type": "number", "minimum": -9_199_999_999_999, "maximum": 9_199_999_999_999],
        ]
    ]
    static let traceID: Value = ["type": "string", "pattern": "^[0-9a-f]{32}$"]
    static let spanID: Value = ["type": "string", "pattern": "^[0-9a-f]{16}$"]
    /// Ids as a caller may write them: shorter, in either case, but not all zero.
    static let writtenTraceID: Value = ["type": "string", "pattern": "^(?!0+$)[0-9a-fA-F]{1,32}$"]
    static let writtenSpanID: Value = ["type": "string", "pattern": "^(?!0+$)[0-9a-fA-F]{1,16}$"]

    static func one(of names: [String]) -> Value {
        ["type": "string", "enum": .array(names.map(Value.string))]
    }

    static func integer(from least: Int64, to most: Int64) -> Value {
        ["type": "integer", "minimum": .int(least), "maximum": .int(most)]
    }

    static func list(_ element: Value, atMost most: Int64? = nil) -> Value {
        var schema: Value.Object = ["type": "array", "items": element]
        schema["maxItems"] = most.map(Value.int)
        return .object(schema)
    }

    /// One of the components.
    static func named(_ name: String) -> Value { ["$ref": .string("#/components/schemas/\(name)")] }

    /// An object of these members and no others; those whose names end in `?` may be absent.
    static func object(_ members: KeyValuePairs<String, Value>) -> Value {
        guard case .object(var schema) = open(members) else { return any }
        schema["additionalProperties"] = false
        return .object(schema)
    }

    /// What may also be null, which is the same as absent where a caller writes it.
    static func orNull(_ schema: Value) -> Value { ["anyOf": [schema, ["type": "null"]]] }

    /// What a caller writes: members that may be absent may be null too.
    static func input(_ members: KeyValuePairs<String, Value>, isClosed: Bool = true) -> Value {
        guard case .object(var schema) = isClosed ? object(members) : open(members),
            var properties = schema["properties"]?.object
        else { return any }
        for (name, member) in members where name.hasSuffix("?") {
            properties[String(name.dropLast())] = orNull(member)
        }
        schema["properties"] = .object(properties)
        return .object(schema)
    }

    /// An object of these members and whatever others.
    static func open(_ members: KeyValuePairs<String, Value>) -> Value {
        var properties = Value.Object()
        var required: [Value] = []
        for (name, schema) in members {
            if name.hasSuffix("?") {
                properties[String(name.dropLast())] = schema
            } else {
                properties[name] = schema
                required.append(.string(name))
            }
        }
        var schema: Value.Object = ["type": "object", "properties": .object(properties)]
        if !required.isEmpty { schema["required"] = .array(required) }
        return .object(schema)
    }
}
