import NightjarSignals
import Tracing

extension Value.Object {
    /// The attributes in the order of their keys.
    init(_ attributes: SpanAttributes) {
        self.init()
        replace(with: attributes)
    }

    /// Sets these and removes what else distributed tracing has a form for.
    mutating func replace(with attributes: SpanAttributes) {
        for (key, value) in entries where attributes.get(key) == nil && SpanAttribute(value) != nil {
            self[key] = nil
        }
        var given: [(key: String, value: SpanAttribute)] = []
        func take(_ key: String, _ value: SpanAttribute) { given.append((key, value)) }
        attributes.forEach(take)
        for (key, attribute) in given.sorted(by: { $0.key < $1.key }) {
            self[key] = Value(attribute)
        }
    }
}

extension SpanAttributes {
    // Of its own, `SpanAttributes` has another `Value`.
    init(_ object: NightjarSignals.Value.Object) {
        self.init([:])
        for (key, value) in object.entries { set(key, value: SpanAttribute(value)) }
    }
}

extension Value {
    /// The value of an attribute; nil for a case of later versions.
    fileprivate init?(_ attribute: SpanAttribute) {
        switch attribute {
        case .int32(let value): self = .int(Int64(value))
        case .int64(let value): self = .int(value)
        case .double(let value): self = .double(value)
        case .bool(let value): self = .bool(value)
        case .string(let value): self = .string(value)
        case .stringConvertible(let value): self.init(value)
        case .int32Array(let values): self = .array(values.map { .int(Int64($0)) })
        case .int64Array(let values): self = .array(values.map(Value.int))
        case .doubleArray(let values): self = .array(values.map(Value.double))
        case .boolArray(let values): self = .array(values.map(Value.bool))
        case .stringArray(let values): self = .array(values.map(Value.string))
        case .stringConvertibleArray(let values): self = .array(values.map { Value($0) })
        default: return nil
        }
    }

    /// Text, but for whole numbers: a list of `Int` comes so.
    private init(_ value: any CustomStringConvertible & Sendable) {
        self = if let number = value as? Int { .int(Int64(number)) } else { .string(value.description) }
    }
}

extension SpanAttribute {
    /// The attribute of a value; nil for what has no form: objects, bytes, null, and lists of them or of several kinds.
    fileprivate init?(_ value: Value) {
        switch value {
        case .int(let value): self = .int64(value)
        case .double(let value): self = .double(value)
        case .bool(let value): self = .bool(value)
        case .string(let value): self = .string(value)
        case .array(let values): self.init(values)
        case .object, .bytes, .null: return nil
        }
    }

    private init?(_ values: [Value]) {
        let texts = values.compactMap(\.string)
        let integers = values.compactMap { if case .int(let value) = $0 { value } else { nil } }
        let doubles = values.compactMap { if case .double(let value) = $0 { value } else { nil } }
        let truths = values.compactMap { if case .bool(let value) = $0 { value } else { nil } }
        switch values.count {
        case texts.count: self = .stringArray(texts)
        case integers.count: self = .int64Array(integers)
        case doubles.count: self = .doubleArray(doubles)
        case truths.count: self = .boolArray(truths)
        default: return nil
        }
    }
}
