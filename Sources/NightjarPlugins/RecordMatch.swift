import CNightjarLua
import CNightjarSignals
import NightjarSignals

/// A condition over an event that is no span: a table of fields, or a list of such tables.
struct RecordMatch: Sendable {
    fileprivate struct Condition: Sendable {
        let key: String
        let field: nj_record_field
        let path: [String]
        let test: ValueTest
    }

    private let alternatives: [[Condition]]

    init(_ match: Value, of object: nj_object) throws(DeclarationFault) {
        var alternatives: [[Condition]] = []
        if let list = match.array {
            for table in list { alternatives.append(try Self.conditions(table, object)) }
        } else {
            alternatives.append(try Self.conditions(match, object))
        }
        self.alternatives = alternatives
    }

    private static func conditions(_ match: Value, _ object: nj_object) throws(DeclarationFault)
        -> [Condition]
    {
        guard let table = match.object else {
            throw DeclarationFault("a match is a table of fields, or a list of such tables")
        }
        var conditions: [Condition] = []
        for (key, value) in table.entries {
            let parts = key.split(separator: ".", maxSplits: 1).map(String.init)
            let written = parts.first ?? ""
            let name = spelling(of: written, among: ObjectFields.names(of: object)) ?? written
            let number = name.withText { nj_object_find(Int32(object.rawValue), $0) }
            guard number >= 0, number < nj_object_first_method(Int32(object.rawValue)) else {
                let known = ObjectFields.names(of: object)
                let kind = String(cString: nj_object_name(Int32(object.rawValue)))
                throw DeclarationFault(
                    "unknown match key '\(key)' of a \(kind)\(suggestion(for: name, among: known))"
                )
            }
            conditions.append(
                Condition(
                    key: key,
                    field: nj_record_field(UInt32(number)),
                    path: Self.path(name, parts.dropFirst().first),
                    test: try ValueTest(value, key: key)
                )
            )
        }
        // Short texts first: they decide most often, and cost least.
        return conditions.sorted { $0.path.count < $1.path.count }
    }

    /// Labels and metadata have flat keys; data nests.
    private static func path(_ name: String, _ rest: String?) -> [String] {
        guard let rest else { return [] }
        return name == "data" ? rest.split(separator: ".").map(String.init) : [rest]
    }

    /// Whether the condition holds.
    func holds(for event: SignalEvent) -> Bool {
        alternatives.contains { $0.allSatisfy { $0.holds(for: event) } }
    }

    /// The first key that an event fails, of a condition with one alternative.
    func failingKey(for event: SignalEvent) -> String? {
        alternatives.count == 1 ? alternatives[0].first { !$0.holds(for: event) }?.key : nil
    }
}

extension RecordMatch.Condition {
    fileprivate func holds(for event: SignalEvent) -> Bool {
        test.holds(for: RecordFields.value(field, of: event)?.at(path))
    }
}

/// The names of an object's fields, from the host's own table.
enum ObjectFields {
    /// The fields that hold values; with `methods`, everything.
    static func names(of object: nj_object, methods: Bool = false) -> [String] {
        let number = Int32(object.rawValue)
        let count = methods ? nj_object_field_count(number) : nj_object_first_method(number)
        return (0..<count).compactMap {
            nj_object_field(number, $0)?.pointee.name.map { String(cString: $0) }
        }
    }
}
