/// Reads the fields of a JSON object by name, and remembers every fault with its path instead of stopping at the first.
/// A field may be spelled in camelCase or snake_case; null is the same as absent.
package struct ObjectReader {
    /// What was refused so far.
    package private(set) var errors: [InputError] = []
    private let object: Value.Object
    private let path: String
    private var names: [String] = []
    private var spellings: Set<String> = []

    /// A reader of `value`, which lies at `path`; anything but an object is a fault.
    package init(_ value: Value, path: String) {
        self.path = path
        object = value.object ?? [:]
        if value.object == nil { errors = [InputError(path: path, message: "must be an object")] }
    }

    /// The place of a field.
    package func place(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    /// Notes a fault of a field.
    package mutating func refuse(_ name: String, _ message: String) {
        errors.append(InputError(path: place(name), message: message))
    }

    /// The value of a field under its name or an alias, nil where it is absent or null.
    package mutating func value(_ name: String, aliases: [String] = []) -> Value? {
        names.append(name)
        var found: (spelling: String, value: Value)?
        for spelling in ([name] + aliases).flatMap({ Set([$0, snakeCase($0)]).sorted() }) {
            spellings.insert(spelling)
            guard let value = object[spelling], value != .null else { continue }
            if let found {
                refuse(spelling, "is another name of \(found.spelling); give one of them")
            } else {
                found = (spelling, value)
            }
        }
        return found?.value
    }

    /// The text of a field.
    package mutating func text(_ name: String, aliases: [String] = []) -> String? {
        guard let value = value(name, aliases: aliases) else { return nil }
        if value.string == nil { refuse(name, "must be text") }
        return value.string
    }

    /// The text of a field that must be there and not be empty; an empty text is returned after a fault.
    package mutating func requiredText(_ name: String, aliases: [String] = []) -> String {
        guard let value = value(name, aliases: aliases) else {
            refuse(name, "is required")
            return ""
        }
        guard let text = value.string else {
            refuse(name, "must be text")
            return ""
        }
        if text.isEmpty { refuse(name, "must not be empty") }
        return text
    }

    /// The finite number of a field; text is none, however it reads.
    package mutating func number(_ name: String, aliases: [String] = []) -> Double? {
        guard let value = value(name, aliases: aliases) else { return nil }
        switch value {
        case .int, .double:
            if let number = value.number, number.isFinite { return number }
            refuse(name, "must be a finite number")
        case .bool: refuse(name, "must be a number; write 1 for true and 0 for false")
        default: refuse(name, "must be a number")
        }
        return nil
    }

    /// The truth value of a field.
    package mutating func flag(_ name: String) -> Bool? {
        guard let value = value(name) else { return nil }
        if case .bool(let flag) = value { return flag }
        refuse(name, "must be true or false")
        return nil
    }

    /// The object of a field, empty where it is absent.
    package mutating func members(_ name: String) -> Value.Object {
        guard let value = value(name) else { return [:] }
        if value.object == nil { refuse(name, "must be an object") }
        return value.object ?? [:]
    }

    /// The elements of a field that is a list, each with its path; none where it is absent.
    package mutating func elements(_ name: String) -> [(path: String, value: Value)] {
        guard let value = value(name) else { return [] }
        guard let elements = value.array else {
            refuse(name, "must be a list")
            return []
        }
        return elements.enumerated().map { ("\(place(name))[\($0.offset)]", $0.element) }
    }

    /// The elements of a field that is a list, each read by `read`, whose faults become this reader's.
    package mutating func list<Element>(
        _ name: String,
        _ read: (Value, String) throws(InputErrors) -> Element
    ) -> [Element] {
        var list: [Element] = []
        for (path, value) in elements(name) {
            do throws(InputErrors) {
                list.append(try read(value, path))
            } catch {
                errors += error.errors
            }
        }
        return list
    }

    /// The instant of a field: ISO 8601, or a number as milliseconds since 1970.
    package mutating func instant(_ name: String, aliases: [String] = []) -> Timestamp? {
        guard let value = value(name, aliases: aliases) else { return nil }
        let instant =
            switch value {
            case .string(let text): Timestamp(iso8601: text)
            case .int, .double: value.number.flatMap { Timestamp(unixMilliseconds: $0) }
            default: Timestamp?.none
            }
        if instant == nil {
            refuse(name, "must be an instant: ISO 8601 with a zone, or milliseconds since 1970")
        }
        return instant
    }

    /// The instant of a field that must be there; 1970 is returned after a fault.
    package mutating func requiredInstant(_ name: String, aliases: [String] = []) -> Timestamp {
        let faults = errors.count
        if let instant = instant(name, aliases: aliases) { return instant }
        if errors.count == faults { refuse(name, "is required") }
        return Timestamp(unixNano: 0)
    }

    /// The trace id of a field.
    package mutating func traceID(_ name: String) -> TraceID? {
        guard let text = text(name) else { return nil }
        let id = TraceID(text)
        if id == nil { refuse(name, "must be a trace id: 1 to 32 hex digits, not all zero") }
        return id
    }

    /// The span id of a field.
    package mutating func spanID(_ name: String) -> SpanID? {
        guard let text = text(name) else { return nil }
        let id = SpanID(text)
        if id == nil { refuse(name, "must be a span id: 1 to 16 hex digits, not all zero") }
        return id
    }

    /// Notes a fault for every field that nobody has asked for, naming the nearest that was asked for.
    package mutating func refuseUnknown() {
        for (key, _) in object.entries where !spellings.contains(key) {
            let near = nearestName(to: key, among: names)
            let cure = near.map { "did you mean \($0)?" } ?? "known are: \(names.joined(separator: ", "))"
            refuse(key, "is not known; \(cure)")
        }
    }

    /// - Throws: ``InputErrors`` when anything was refused.
    package func finish() throws(InputErrors) {
        if !errors.isEmpty { throw InputErrors(errors) }
    }
}

/// The snake_case spelling of a camelCase name: `traceId` is `trace_id`.
private func snakeCase(_ name: String) -> String {
    var text: [UInt8] = []
    for byte in name.utf8 {
        if (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) {
            text += [UInt8(ascii: "_"), byte | 0x20]
        } else {
            text.append(byte)
        }
    }
    return String(decoding: text, as: UTF8.self)
}

extension Value.Object {
    /// The object as a value, nil where it is empty: an empty one is left out of JSON.
    package var ifAny: Value? { isEmpty ? nil : .object(self) }

    /// This object with the entries of another on top.
    public func merging(_ other: Value.Object) -> Value.Object {
        if isEmpty { return other }
        if other.isEmpty { return self }
        var both = self
        both.reserve(entries.count + other.entries.count)
        for (key, value) in other.entries { both[key] = value }
        return both
    }
}

extension Value {
    /// A number that has a JSON form, nil for NaN, infinities and an absent one.
    package static func finite(_ number: Double?) -> Value? {
        number.flatMap { $0.isFinite ? .double($0) : nil }
    }
}
