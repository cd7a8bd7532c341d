import CNightjarLua
import CNightjarSignals
import NightjarSignals

/// What a match demands of one field, as the script wrote it.
indirect enum ValueTest: Sendable {
    case equals(Value)
    case text(operation: UInt32, operand: [UInt8], ignoreCase: Bool)
    case compare(operation: UInt32, bound: Double)
    case exists(Bool)
    case all([ValueTest])
    case any([ValueTest])
    case not(ValueTest)

    private static let operators = ReferenceTables.names(of: "nightjar.Operators")

    /// Reads what stands under a key of a match.
    init(_ value: Value, key: String) throws(DeclarationFault) {
        switch value {
        case .array(let values):
            var tests: [ValueTest] = []
            for value in values { tests.append(try ValueTest(value, key: key)) }
            self = .any(tests)
        case .object(let object): self = try Self.operation(object, key: key)
        case .null: throw DeclarationFault("match key '\(key)': null matches nothing; use {exists = false}")
        default: self = .equals(value)
        }
    }

    private static func operation(_ object: Value.Object, key: String) throws(DeclarationFault) -> ValueTest {
        if let excluded = object["$none_of"] {
            // An absent field is none of the values either.
            return .not(try ValueTest(excluded, key: key))
        }
        var ignoreCase = false
        if let flag = object["ignore_case"] {
            guard case .bool(let chosen) = flag else {
                throw DeclarationFault("match key '\(key)': ignore_case is true or false")
            }
            ignoreCase = chosen
        }
        var tests: [ValueTest] = []
        for (name, operand) in object.entries where name != "ignore_case" {
            tests.append(try single(name, operand, ignoreCase: ignoreCase, key: key))
        }
        guard !tests.isEmpty else {
            throw DeclarationFault("match key '\(key)': an empty table says nothing")
        }
        return tests.count == 1 ? tests[0] : .all(tests)
    }

    private static func single(
        _ name: String,
        _ operand: Value,
        ignoreCase: Bool,
        key: String
    ) throws(DeclarationFault) -> ValueTest {
        let textual: [String: nj_match_op] = [
            "prefix": NJ_MATCH_PREFIX, "suffix": NJ_MATCH_SUFFIX, "contains": NJ_MATCH_CONTAINS,
            "pattern": NJ_MATCH_PATTERN, "equals": NJ_MATCH_EQUALS,
        ]
        let bounds: [String: nj_match_op] = [
            "gt": NJ_MATCH_GT, "ge": NJ_MATCH_GE, "lt": NJ_MATCH_LT, "le": NJ_MATCH_LE,
        ]
        if let operation = textual[name] {
            guard case .string(let text) = operand else {
                throw DeclarationFault("match key '\(key)': \(name) takes text")
            }
            if operation == NJ_MATCH_PATTERN, let fault = text.withText({ nj_pattern_fault($0) }) {
                throw DeclarationFault("match key '\(key)': \(String(cString: fault))")
            }
            let bytes = Array(text.utf8)
            // In a pattern, %A and %a differ: only what is compared is lowered, not the pattern.
            let lowers = ignoreCase && operation != NJ_MATCH_PATTERN
            return .text(
                operation: operation.rawValue,
                operand: lowers ? bytes.map(asciiLower) : bytes,
                ignoreCase: ignoreCase
            )
        }
        if let operation = bounds[name] {
            switch operand {
            case .int(let bound): return .compare(operation: operation.rawValue, bound: Double(bound))
            case .double(let bound): return .compare(operation: operation.rawValue, bound: bound)
            default: throw DeclarationFault("match key '\(key)': \(name) takes a number")
            }
        }
        if name == "exists" {
            guard case .bool(let flag) = operand else {
                throw DeclarationFault("match key '\(key)': exists is true or false")
            }
            return .exists(flag)
        }
        throw DeclarationFault(
            "match key '\(key)': unknown operator '\(name)'\(suggestion(for: name, among: operators))"
        )
    }

    /// Whether it holds for a decoded value; nil is an absent one.
    func holds(for value: Value?) -> Bool {
        switch self {
        case .all(let tests): return tests.allSatisfy { $0.holds(for: value) }
        case .any(let tests): return tests.contains { $0.holds(for: value) }
        case .not(let test): return !test.holds(for: value)
        case .exists(let flag): return (value != nil) == flag
        case .equals(let wanted):
            guard let value else { return false }
            if case .array(let values) = value { return values.contains(wanted) }
            if case .string = wanted { return value == wanted }
            if case .bool = wanted { return value == wanted }
            return value.plainNumber != nil && value.plainNumber == wanted.plainNumber
        case .compare(let operation, let bound):
            guard let number = value?.plainNumber else { return false }
            switch operation {
            case NJ_MATCH_GT.rawValue: return number > bound
            case NJ_MATCH_GE.rawValue: return number >= bound
            case NJ_MATCH_LT.rawValue: return number < bound
            default: return number <= bound
            }
        case .text(let operation, let operand, let ignoreCase):
            if case .array(let values)? = value { return values.contains { holds(for: $0) } }
            guard case .string(let text)? = value else { return false }
            return Self.holds(operation, Array(text.utf8), operand, ignoreCase)
        }
    }

    private static func holds(_ operation: UInt32, _ bytes: [UInt8], _ operand: [UInt8], _ ignoreCase: Bool)
        -> Bool
    {
        let bytes = ignoreCase ? bytes.map(asciiLower) : bytes
        switch operation {
        case NJ_MATCH_EQUALS.rawValue: return bytes == operand
        case NJ_MATCH_PREFIX.rawValue: return bytes.starts(with: operand)
        case NJ_MATCH_SUFFIX.rawValue:
            return bytes.count >= operand.count && bytes.suffix(operand.count) == operand[...]
        case NJ_MATCH_CONTAINS.rawValue:
            return bytes.withUnsafeBytes { text in
                operand.withUnsafeBytes { nj_text_contains(nj_text(text), nj_text($0)) }
            }
        default:
            return bytes.withUnsafeBytes { text in
                operand.withUnsafeBytes { nj_pattern_matches(nj_text(text), nj_text($0)) }
            }
        }
    }
}

extension Value {
    /// A number, but not text that looks like one.
    var plainNumber: Double? {
        switch self {
        case .int(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }
}

func asciiLower(_ byte: UInt8) -> UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte + 32 : byte
}

/// The name among some that a key is: as it stands, or in the camelCase of the signals contract. Nil for none.
func spelling(of key: String, among names: [String]) -> String? {
    if names.contains(key) { return key }
    let snake = key.reduce(into: "") { text, character in
        text += character.isUppercase ? "_" + character.lowercased() : String(character)
    }
    return names.contains(snake) ? snake : nil
}

/// "; did you mean '…'?" with the nearest of some names, empty where none is near.
func suggestion(for word: String, among names: [String]) -> String {
    // Nobody mistypes a name so long, and comparing takes its length times that of all names.
    guard word.utf8.count <= 64 else { return "" }
    let best = names.map { (name: $0, edits: edits(Array(word.utf8), Array($0.utf8))) }
        .min { $0.edits < $1.edits }
    guard let best, best.edits <= word.utf8.count / 2 else { return "" }
    return "; did you mean '\(best.name)'?"
}

private func edits(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var line = Array(0...right.count)
    for (row, byte) in left.enumerated() {
        var diagonal = line[0]
        line[0] = row + 1
        for column in right.indices {
            let above = line[column + 1]
            line[column + 1] = min(
                diagonal + (byte == right[column] ? 0 : 1),
                above + 1,
                line[column] + 1
            )
            diagonal = above
        }
    }
    return line[right.count]
}
