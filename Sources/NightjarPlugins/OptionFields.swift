import NightjarSignals

/// The fields of an options table, checked as they are read.
struct Fields {
    let object: Value.Object
    private let owner: String

    /// `shape` names the table of the reference that has the options.
    init(_ value: Value, of owner: String, shape: String) throws(DeclarationFault) {
        let allowed = ReferenceTables.names(of: shape)
        guard let object = value.object else {
            throw DeclarationFault("\(owner) takes a table of named options")
        }
        var known = Value.Object()
        for (key, value) in object.entries {
            guard let name = spelling(of: key, among: allowed) else {
                throw DeclarationFault(
                    "unknown option '\(key)' of \(owner)\(suggestion(for: key, among: allowed))"
                )
            }
            known[name] = value
        }
        self.object = known
        self.owner = owner
    }

    func text(_ key: String) throws(DeclarationFault) -> String? {
        guard let value = object[key], value != .null else { return nil }
        switch value {
        case .string(let text): return text
        case .int, .double: return value.json
        default: throw DeclarationFault("option '\(key)' of \(owner) is text")
        }
    }

    func flag(_ key: String) throws(DeclarationFault) -> Bool? {
        guard let value = object[key] else { return nil }
        guard case .bool(let flag) = value else {
            throw DeclarationFault("option '\(key)' of \(owner) is true or false")
        }
        return flag
    }

    func number(_ key: String) throws(DeclarationFault) -> Double? {
        guard let value = object[key] else { return nil }
        guard let number = value.plainNumber else {
            throw DeclarationFault("option '\(key)' of \(owner) is a number")
        }
        return number
    }

    func whole(_ key: String) throws(DeclarationFault) -> Int? {
        guard let number = try number(key) else { return nil }
        guard let whole = Int(exactly: number), whole > 0 else {
            throw DeclarationFault("option '\(key)' of \(owner) is a whole number above 0")
        }
        return whole
    }

    func numbers(_ key: String) throws(DeclarationFault) -> [Double]? {
        guard let value = object[key] else { return nil }
        guard let numbers = value.array?.map(\.plainNumber), !numbers.contains(nil) else {
            throw DeclarationFault("option '\(key)' of \(owner) is a list of numbers")
        }
        return numbers.compactMap(\.self)
    }

    func range(_ key: String) throws(DeclarationFault) -> ClosedRange<Double>? {
        guard let numbers = try numbers(key) else { return nil }
        guard numbers.count == 2, numbers[0] < numbers[1] else {
            throw DeclarationFault("option '\(key)' of \(owner) is {low, high}")
        }
        return numbers[0]...numbers[1]
    }

    func names(_ key: String) throws(DeclarationFault) -> [String]? {
        guard let value = object[key] else { return nil }
        // An empty table is an empty list too.
        if value.object?.isEmpty == true { return [] }
        guard let names = value.array?.map(\.string), !names.contains(nil) else {
            throw DeclarationFault("option '\(key)' of \(owner) is a list of names")
        }
        return names.compactMap(\.self)
    }

    func table(_ key: String) throws(DeclarationFault) -> Value.Object? {
        guard let value = object[key] else { return nil }
        guard let table = value.object else {
            throw DeclarationFault("option '\(key)' of \(owner) is a table")
        }
        return table
    }
}
