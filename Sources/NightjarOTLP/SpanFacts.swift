import CNightjarSignals
import NightjarSignals

/// Of one span the attribute that holds for each field, found while its attributes are read. Used for one span at a time.
struct SpanFacts {
    /// The fewer, the better: the key's rank above, and below it, counted down, the attribute's place, so that of equal
    /// keys the later one holds.
    private let best: UnsafeMutablePointer<UInt32>
    private let attributes: UnsafePointer<nj_attribute>
    // The table's memory, which is never freed, without the reference to the table: copies of facts count none.
    private let ranges = FieldTable.shared.ranges
    private let roles = FieldTable.shared.roles
    private static let absent = UInt32.max
    private static let fieldCount = Field.allCases.count

    /// Facts about attributes that will lie in `attributes`; to be freed by its user.
    init(_ attributes: UnsafePointer<nj_attribute>) {
        self.attributes = attributes
        best = .allocate(capacity: Self.fieldCount)
        best.initialize(repeating: Self.absent, count: Self.fieldCount)
    }

    func deallocate() { best.deallocate() }

    /// Forgets the span before.
    func clear() { best.update(repeating: Self.absent, count: Self.fieldCount) }

    /// Takes note of the attribute at `place`, whose key is `symbol`.
    @inline(__always)
    func note(_ symbol: Int32, at place: Int) {
        guard symbol >= 0 else { return }
        let range = ranges[Int(symbol)]
        guard range != 0 else { return }
        noteRoles(range, at: place)
    }

    private func noteRoles(_ range: UInt32, at place: Int) {
        let attribute = attributes + place
        var role = roles + Int(range >> 8)
        let end = role + Int(range & 0xFF)
        repeat {
            if isUsable(attribute, as: role.pointee.form) {
                let value = UInt32(role.pointee.rank) << 16 | UInt32(0xFFFF - place)
                let slot = best + Int(role.pointee.field.rawValue)
                if value < slot.pointee { slot.pointee = value }
            }
            role += 1
        } while role < end
    }

    /// The attribute that holds for a field.
    @inline(__always)
    func attribute(_ field: Field) -> nj_attribute? {
        let value = best[Int(field.rawValue)]
        return value == Self.absent ? nil : attributes[0xFFFF - Int(value & 0xFFFF)]
    }

    /// Whether the span says anything of a field.
    @inline(__always)
    func has(_ field: Field) -> Bool { best[Int(field.rawValue)] != Self.absent }

    /// The text of a field; absent where it is missing or no text.
    @inline(__always)
    func text(_ field: Field) -> nj_text {
        guard let attribute = attribute(field), attribute.tag == UInt8(NJ_STRING.rawValue) else {
            return .absent
        }
        return nj_text(bytes: attribute.value.bytes, length: attribute.length)
    }

    /// Whether a field is there and true.
    func flag(_ field: Field) -> Bool {
        guard let attribute = attribute(field) else { return false }
        return attribute.tag == UInt8(NJ_BOOL.rawValue) && attribute.value.integer != 0
    }

    /// The number of a field; NaN where it is missing.
    @inline(__always)
    func number(_ field: Field) -> Double {
        guard let attribute = attribute(field) else { return .nan }
        return NightjarOTLP.number(attribute)
    }
}

@inline(__always)
private func isUsable(_ attribute: UnsafePointer<nj_attribute>, as form: Field.Form) -> Bool {
    let tag = UInt32(attribute.pointee.tag)
    let isText = tag == NJ_STRING.rawValue && attribute.pointee.length > 0
    switch form {
    case .text: return isText
    case .scalar:
        return isText || tag == NJ_INT.rawValue || tag == NJ_BOOL.rawValue
            || (tag == NJ_DOUBLE.rawValue && attribute.pointee.value.number.isFinite)
    case .number:
        return tag == NJ_INT.rawValue
            ? attribute.pointee.value.integer >= 0 : number(attribute.pointee) >= 0
    case .list:
        return isText
            ? !attribute.pointee.text.equals("[]")
            : tag == NJ_ARRAY.rawValue && attribute.pointee.length > 0
    case .provider: return isText && !ProviderNames.isFramework(attribute.pointee.text)
    case .anyText: return tag == NJ_STRING.rawValue
    case .any: return tag != NJ_NONE.rawValue
    }
}

/// A finite number of at least 0, also where it was sent as text; NaN for anything else.
func number(_ attribute: nj_attribute) -> Double {
    let value: Double
    switch UInt32(attribute.tag) {
    case NJ_INT.rawValue: value = Double(attribute.value.integer)
    case NJ_DOUBLE.rawValue: value = attribute.value.number
    case NJ_STRING.rawValue where attribute.length <= 32: value = number(attribute.text)
    default: return .nan
    }
    return value.isFinite && value >= 0 ? value : .nan
}

/// The number that a text is; NaN where it is none.
func number(_ text: nj_text) -> Double {
    plainDecimal(text.buffer) ?? text.string.flatMap(Double.init) ?? .nan
}
