import CNightjarLua
import CNightjarSignals
import NightjarSignals

/// Compiles the tables that scripts write as `match` (plugin contract, section 4).
enum MatchCompiler {
    /// The names of the fields that a span can be matched by.
    static let spanFields = ObjectFields.names(of: NJ_OBJECT_SPAN)

    private static let usageFields: [String: Int] = [
        "input_tokens": NJ_MATCH_INPUT_TOKENS, "output_tokens": NJ_MATCH_OUTPUT_TOKENS,
        "cache_read_tokens": NJ_MATCH_CACHE_READ_TOKENS, "cache_write_tokens": NJ_MATCH_CACHE_WRITE_TOKENS,
        "reasoning_tokens": NJ_MATCH_REASONING_TOKENS, "cost": NJ_MATCH_COST,
    ]

    /// Fields whose value is decoded when a match asks for it.
    private static let decoded: Set<UInt32> = [
        NJ_F_INPUT.rawValue, NJ_F_OUTPUT.rawValue, NJ_F_INPUT_TEXT.rawValue, NJ_F_OUTPUT_TEXT.rawValue,
        NJ_F_MESSAGES.rawValue, NJ_F_TOOL_CALLS.rawValue, NJ_F_METADATA.rawValue, NJ_F_TAGS.rawValue,
        NJ_F_EVENTS.rawValue, NJ_F_LINKS.rawValue, NJ_F_ENTITY_ID.rawValue, NJ_F_ENTITY_TYPE.rawValue,
        NJ_F_ENTITY_NAME.rawValue,
    ]

    private static let numeric: Set<Int> = [
        Int(NJ_F_START_TIME.rawValue), Int(NJ_F_END_TIME.rawValue), Int(NJ_F_DURATION_MS.rawValue),
        Int(NJ_F_TIME_TO_FIRST_TOKEN_MS.rawValue), NJ_MATCH_INPUT_TOKENS, NJ_MATCH_OUTPUT_TOKENS,
        NJ_MATCH_CACHE_READ_TOKENS, NJ_MATCH_CACHE_WRITE_TOKENS, NJ_MATCH_REASONING_TOKENS, NJ_MATCH_COST,
    ]

    /// A condition over spans: a table of keys, or a list of such tables.
    static func span(_ match: Value) throws(DeclarationFault) -> MatchTree {
        if let alternatives = match.array {
            var trees: [MatchTree] = []
            for alternative in alternatives { trees.append(try span(alternative)) }
            return .any(trees)
        }
        guard let object = match.object else {
            throw DeclarationFault("a match is a table of fields, or a list of such tables")
        }
        var trees: [MatchTree] = []
        for (key, value) in object.entries { trees.append(try condition(key, value)) }
        // Types and statuses are one comparison each: ask them first.
        return .all(
            trees.enumerated().sorted { ($0.element.cost, $0.offset) < ($1.element.cost, $1.offset) }.map(
                \.element
            )
        )
    }

    private static func condition(_ key: String, _ value: Value) throws(DeclarationFault) -> MatchTree {
        let (written, rest) = split(key)
        let name = spelling(of: written, among: spanFields) ?? written
        guard let field = spanFields.firstIndex(of: name) else {
            throw DeclarationFault("unknown match key '\(key)'\(suggestion(for: name, among: spanFields))")
        }
        let test = try ValueTest(value, key: key)
        let raw = UInt32(field)
        if raw == NJ_F_TYPE.rawValue, rest == nil { return try typeTree(test, key: key) }
        if raw == NJ_F_STATUS.rawValue, rest == nil { return try statusTree(test, key: key) }
        if raw == NJ_F_ATTRIBUTES.rawValue || raw == NJ_F_RESOURCE.rawValue {
            guard let rest else {
                throw DeclarationFault("match key '\(key)': name an attribute, as in ['\(name).key']")
            }
            return tree(
                test,
                field: raw == NJ_F_ATTRIBUTES.rawValue ? NJ_MATCH_ATTRIBUTE : NJ_MATCH_RESOURCE,
                key: rest
            )
        }
        if raw == NJ_F_USAGE.rawValue {
            guard let rest, let part = spelling(of: rest, among: Array(usageFields.keys)),
                let field = usageFields[part]
            else {
                throw DeclarationFault(
                    "unknown match key '\(key)'\(suggestion(for: rest ?? "", among: usageFields.keys.sorted()))"
                )
            }
            try checkNumeric(test, key: key)
            return tree(test, field: field, key: nil)
        }
        let isTable = raw == NJ_F_ERROR.rawValue || raw == NJ_F_SCOPE.rawValue
        if decoded.contains(raw) || (rest != nil && isTable) {
            let path = rest.map { $0.split(separator: ".").map(String.init) } ?? []
            // Metadata is the caller's: its keys are flat.
            let flat = raw == NJ_F_METADATA.rawValue ? [rest].compactMap(\.self) : path
            return .value(ValueCondition(field: Int32(raw), path: flat, test: test))
        }
        guard rest == nil else { throw DeclarationFault("match key '\(key)': \(name) has no parts") }
        guard raw != NJ_F_SCOPE.rawValue else {
            throw DeclarationFault("match key 'scope': name a part, as in ['scope.name']")
        }
        if numeric.contains(field) { try checkNumeric(test, key: key) }
        return tree(test, field: field, key: nil)
    }

    /// The first segment is the field; the rest is one key.
    private static func split(_ key: String) -> (name: String, rest: String?) {
        guard let dot = key.firstIndex(of: ".") else { return (key, nil) }
        return (String(key[..<dot]), String(key[key.index(after: dot)...]))
    }

    private static func checkNumeric(_ test: ValueTest, key: String) throws(DeclarationFault) {
        switch test {
        case .all(let tests), .any(let tests): for test in tests { try checkNumeric(test, key: key) }
        case .not(let test): try checkNumeric(test, key: key)
        case .equals(let value):
            guard value.plainNumber != nil else {
                throw DeclarationFault("match key '\(key)' takes a number")
            }
        case .text: throw DeclarationFault("match key '\(key)' takes a number")
        case .compare, .exists: break
        }
    }

    private static func tree(_ test: ValueTest, field: Int, key: String?) -> MatchTree {
        func leaf(_ operation: nj_match_op, text: [UInt8] = [], number: Double = 0, ignoreCase: Bool = false)
            -> MatchTree
        {
            .test(
                FieldTest(
                    operation: operation,
                    field: Int32(field),
                    key: key,
                    text: text,
                    number: number,
                    ignoreCase: ignoreCase
                )
            )
        }
        switch test {
        case .all(let tests): return .all(tests.map { tree($0, field: field, key: key) })
        case .any(let tests): return .any(tests.map { tree($0, field: field, key: key) })
        case .not(let test): return .not(tree(test, field: field, key: key))
        case .exists(let flag): return flag ? leaf(NJ_MATCH_EXISTS) : .not(leaf(NJ_MATCH_EXISTS))
        case .compare(let operation, let bound): return leaf(nj_match_op(operation), number: bound)
        case .text(let operation, let operand, let ignoreCase):
            return leaf(nj_match_op(operation), text: operand, ignoreCase: ignoreCase)
        case .equals(.string(let text)): return leaf(NJ_MATCH_EQUALS, text: Array(text.utf8))
        case .equals(.bool(let flag)): return leaf(flag ? NJ_MATCH_TRUE : NJ_MATCH_FALSE)
        case .equals(let value): return leaf(NJ_MATCH_NUMBER, number: value.plainNumber ?? .nan)
        }
    }

    /// A set of known types is one comparison of bits; an unknown type is compared as text.
    private static func typeTree(_ test: ValueTest, key: String) throws(DeclarationFault) -> MatchTree {
        switch test {
        case .equals(.string(let name)):
            guard let type = SpanType(name: name) else {
                return tree(test, field: Int(NJ_F_TYPE.rawValue), key: nil)
            }
            return .types(1 << UInt64(type.rawValue))
        case .any(let tests):
            var bits: UInt64 = 0
            var others: [MatchTree] = []
            for test in tests {
                let child = try typeTree(test, key: key)
                if case .types(let more) = child { bits |= more } else { others.append(child) }
            }
            return others.isEmpty ? .types(bits) : .any([.types(bits)] + others)
        case .not(let test): return .not(try typeTree(test, key: key))
        case .text(let operation, let operand, let ignoreCase):
            var bits: UInt64 = 0
            for type in SpanType.allCases {
                let condition = ValueTest.text(operation: operation, operand: operand, ignoreCase: ignoreCase)
                if condition.holds(for: .string(type.name)) { bits |= 1 << UInt64(type.rawValue) }
            }
            return .any([
                .types(bits), .all([.types(1), tree(test, field: Int(NJ_F_TYPE.rawValue), key: nil)]),
            ])
        case .exists(let flag): return flag ? .all([]) : .any([])
        case .all(let tests):
            var trees: [MatchTree] = []
            for test in tests { trees.append(try typeTree(test, key: key)) }
            return .all(trees)
        default: throw DeclarationFault("match key '\(key)' takes text")
        }
    }

    private static func statusTree(_ test: ValueTest, key: String) throws(DeclarationFault) -> MatchTree {
        let statuses: [SpanStatus] = [.running, .ok, .error]
        if case .equals(let value) = test {
            guard case .string(let name) = value, statuses.contains(where: { $0.name == name }) else {
                throw DeclarationFault("match key '\(key)' is running, ok or error")
            }
        }
        var bits: UInt64 = 0
        for status in statuses where test.holds(for: .string(status.name)) {
            bits |= 1 << UInt64(status.rawValue)
        }
        return .statuses(bits)
    }
}

extension MatchTree {
    /// How dear a condition is, roughly: cheap ones are asked first.
    fileprivate var cost: Int {
        switch self {
        case .types, .statuses: 0
        case .test: 1
        case .not(let child): child.cost + 1
        case .all(let children), .any(let children): (children.map(\.cost).max() ?? 0) + 1
        case .value: 100
        }
    }
}
