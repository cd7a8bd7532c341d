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

    // Unsafe: both are written in `init` only, and never freed.
    /// For each symbol where its roles begin, times 256, and how many there are: 0 for most.
    nonisolated(unsafe) let ranges: UnsafeMutablePointer<UInt32>
    /// The roles, those of one key together.
    nonisolated(unsafe) let roles: UnsafeMutablePointer<Role>

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
        ranges = .allocate(capacity: Int(NJ_SYMBOL_LIMIT))
        ranges.initialize(repeating: 0, count: Int(NJ_SYMBOL_LIMIT))
        roles = .allocate(capacity: bySymbol.values.reduce(0) { $0 + $1.count })
        var next = 0
        for (symbol, list) in bySymbol {
            ranges[symbol] = UInt32(next << 8 | list.count)
            for role in list {
                (roles + next).initialize(to: role)
                next += 1
            }
        }
    }
}
