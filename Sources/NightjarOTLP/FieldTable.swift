import CNightjarSignals
import NightjarSignals

/// Which fields an attribute's key fills and at which place of the precedence, found by the key's symbol.
final class FieldTable: Sendable {
    /// The one table: it depends on constants only.
    static let shared = FieldTable()

    /// One role of a key.
    struct Role {
        let field: Field
        let form: Field.Form
        /// The key's place in the field's list, 0 first.
        let rank: UInt16
    }

    /// For each symbol where its roles begin.
    nonisolated(unsafe) let starts: UnsafeMutablePointer<UInt16>
    // Unsafe: all three are written in `init` only.
    /// For each symbol how many roles it has: 0 for most.
    nonisolated(unsafe) let counts: UnsafeMutablePointer<UInt8>
    // Unsafe: see above.
    /// The roles, those of one key together.
    nonisolated(unsafe) let roles: UnsafeMutablePointer<Role>
    // Unsafe: see above.

    private init() {
        var bySymbol: [Int: [Role]] = [:]
        for (field, keys) in AttributeKeys.byField {
            for (rank, key) in keys.enumerated() {
                let text = nj_text(key)
                let symbol = nj_symbol_intern(text.bytes, Int(text.length))
                guard symbol >= 0 else { continue }
                let role = Role(field: field, form: field.form, rank: UInt16(rank))
                bySymbol[Int(symbol), default: []].append(role)
            }
        }
        starts = .allocate(capacity: Int(NJ_SYMBOL_LIMIT))
        starts.initialize(repeating: 0, count: Int(NJ_SYMBOL_LIMIT))
        counts = .allocate(capacity: Int(NJ_SYMBOL_LIMIT))
        counts.initialize(repeating: 0, count: Int(NJ_SYMBOL_LIMIT))
        roles = .allocate(capacity: bySymbol.values.reduce(0) { $0 + $1.count })
        var next = 0
        for (symbol, list) in bySymbol {
            starts[symbol] = UInt16(next)
            counts[symbol] = UInt8(list.count)
            for role in list {
                (roles + next).initialize(to: role)
                next += 1
            }
        }
    }
}
