/// Any value that JSON or OTLP can carry. Objects keep the order of their keys.
public enum Value: Sendable, Equatable {
    /// JSON null.
    case null
    /// A truth value.
    case bool(Bool)
    /// A whole number of 64 bits, exact.
    case int(Int64)
    /// A number with a fraction; NaN and infinities have no JSON form and are written as null.
    case double(Double)
    /// Text.
    case string(String)
    /// Bytes; written to JSON as base64, as OTLP does.
    case bytes([UInt8])
    /// A list.
    case array([Value])
    /// Keys and values in order.
    case object(Object)

    /// An ordered map from text to values with few keys; a key set twice keeps its first place and last value.
    public struct Object: Sendable, Equatable, ExpressibleByDictionaryLiteral {
        /// Up to so many entries a key is looked for among all of them: that is quicker than to hash it, and most objects have
        /// fewer.
        private static let searched = 12

        /// The entries in the order in which their keys were first set.
        public private(set) var entries: [(key: String, value: Value)] = []
        /// Where the entries lie, once there are more.
        private var places: [String: Int] = [:]

        /// An empty object.
        public init() {}

        /// An object of the given entries; a later one replaces an earlier one of the same key.
        public init(dictionaryLiteral elements: (String, Value)...) {
            entries.reserveCapacity(elements.count)
            for (key, value) in elements { self[key] = value }
        }

        /// The value of a key; setting nil removes it.
        public subscript(key: String) -> Value? {
            get { place(of: key).map { entries[$0].value } }
            set {
                switch (place(of: key), newValue) {
                case (let place?, let value?): entries[place].value = value
                case (nil, let value?):
                    entries.append((key, value))
                    if entries.count == Self.searched + 1 {
                        index()
                    } else if entries.count > Self.searched {
                        places[key] = entries.count - 1
                    }
                case (let place?, nil):
                    entries.remove(at: place)
                    index()
                case (nil, nil): break
                }
            }
        }

        /// Makes room for so many entries.
        package mutating func reserve(_ count: Int) { entries.reserveCapacity(count) }

        private func place(of key: String) -> Int? {
            if entries.count > Self.searched { return places[key] }
            return entries.withUnsafeBufferPointer { entries in
                for place in entries.indices where entries[place].key == key { return place }
                return nil
            }
        }

        private mutating func index() {
            guard entries.count > Self.searched else {
                places = [:]
                return
            }
            places = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.key, $0) })
        }

        /// Whether there is no entry.
        public var isEmpty: Bool { entries.isEmpty }

        /// Equal when the same keys have equal values, in whatever order.
        public static func == (left: Object, right: Object) -> Bool {
            left.entries.count == right.entries.count
                && left.entries.allSatisfy { right[$0.key] == $0.value }
        }
    }

    /// Equal when they say the same: a whole number is equal whether it was written with a fraction or without.
    public static func == (left: Value, right: Value) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.int(let left), .int(let right)): left == right
        case (.double(let left), .double(let right)): left == right
        case (.int(let whole), .double(let number)), (.double(let number), .int(let whole)):
            Int64(exactly: number) == whole
        case (.string(let left), .string(let right)): left == right
        case (.bytes(let left), .bytes(let right)): left == right
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        default: false
        }
    }

    /// The text of a string value, else nil.
    public var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// A number as a double: numbers, and text that is wholly a number; else nil.
    public var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .double(let value): value
        case .string(let text): Double(text)
        default: nil
        }
    }

    /// The object, else nil.
    public var object: Object? {
        if case .object(let object) = self { object } else { nil }
    }

    /// The list, else nil.
    public var array: [Value]? {
        if case .array(let values) = self { values } else { nil }
    }

    /// The value of a key of an object, nil where this is none or has no such key.
    public subscript(key: String) -> Value? { object?[key] }
}

extension Value: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// Text.
    public init(stringLiteral value: String) { self = .string(value) }
    /// A whole number.
    public init(integerLiteral value: Int64) { self = .int(value) }
    /// A number.
    public init(floatLiteral value: Double) { self = .double(value) }
    /// A truth value.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// A list.
    public init(arrayLiteral elements: Value...) { self = .array(elements) }
    /// An object.
    public init(dictionaryLiteral elements: (String, Value)...) {
        var object = Object()
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }
}
