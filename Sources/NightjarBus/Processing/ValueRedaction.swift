import NightjarSignals

/// Redacts values of one trace. Functions that return a value return nil where it stays as it is, which is the usual case and
/// makes no copy.
struct ValueRedaction {
    let rules: RedactionRules
    let trace: TraceID?

    func apply(to object: inout Value.Object) {
        if let changed = redacted(object, depth: 0) { object = changed }
    }

    func apply(toAttributes object: inout Value.Object) {
        if let changed = redacted(attributes: object) { object = changed }
    }

    func apply(to value: inout Value) {
        if let changed = redacted(value) { value = changed }
    }

    func apply(to value: inout Value?) {
        if let changed = value.flatMap({ redacted($0) }) { value = changed }
    }

    func apply(to text: inout String) {
        if let changed = redacted(text, depth: 0) { text = changed }
    }

    func apply(to text: inout String?) {
        if let changed = text.flatMap({ redacted($0, depth: 0) }) { text = changed }
    }

    /// Attributes: their keys are paths, whose last segments count too.
    func redacted(attributes: Value.Object) -> Value.Object? {
        redacted(attributes, depth: 0, isAttributes: true)
    }

    func redacted(label value: String, _ name: String) -> String? {
        if let name = withBytes(of: name, { rules.keys.name(of: $0) }) {
            return rules.mark(for: value, key: name, trace: trace)
        }
        return redacted(value, depth: 0)
    }

    /// A value; `name` is the sensitive key that it stands under.
    func redacted(_ value: Value, under name: String? = nil, depth: Int = 0) -> Value? {
        switch value {
        case .object(let object):
            depth < RedactionRules.maximumDepth
                ? redacted(object, depth: depth).map(Value.object) : .string(RedactionRules.withheld)
        case .array(let values):
            depth < RedactionRules.maximumDepth
                ? redacted(values, under: name, depth: depth) : .string(RedactionRules.withheld)
        case .string(let text):
            if let name {
                rules.mark(for: text, key: name, trace: trace).map(Value.string)
            } else {
                redacted(text, depth: depth).map(Value.string)
            }
        case .bytes(let bytes):
            name == nil ? redacted(bytes, depth: depth) : .string(RedactionRules.withheld)
        case .null, .bool, .int, .double:
            name.flatMap { rules.mark(for: value.json, key: $0, trace: trace) }.map(Value.string)
        }
    }

    private func redacted(_ object: Value.Object, depth: Int, isAttributes: Bool = false) -> Value.Object? {
        var changed: Value.Object?
        for (key, value) in object.entries {
            let name = withBytes(of: key) {
                isAttributes ? rules.keys.name(ofAttribute: $0) : rules.keys.name(of: $0)
            }
            guard let new = redacted(value, under: name, depth: depth + 1) else { continue }
            if changed == nil { changed = object }
            changed?[key] = new
        }
        return changed
    }

    private func redacted(_ values: [Value], under name: String?, depth: Int) -> Value? {
        var changed: [Value]?
        for (index, value) in values.enumerated() {
            guard let new = redacted(value, under: name, depth: depth + 1) else { continue }
            if changed == nil { changed = values }
            changed?[index] = new
        }
        return changed.map(Value.array)
    }

    private func redacted(_ text: String, depth: Int) -> String? {
        withBytes(of: text) { rules.redacted(json: $0, trace: trace, depth: depth) }
            .map { String(decoding: $0, as: UTF8.self) }
    }

    private func redacted(_ bytes: [UInt8], depth: Int) -> Value? {
        bytes.withUnsafeBytes { rules.redacted(json: $0, trace: trace, depth: depth) }.map(Value.bytes)
    }

    private func withBytes<Result>(of text: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        text.utf8.withContiguousStorageIfAvailable { body(UnsafeRawBufferPointer($0)) }
            ?? Array(text.utf8).withUnsafeBytes(body)
    }
}
