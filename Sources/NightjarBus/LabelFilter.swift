import NightjarSignals

/// How label cardinality is bounded (signals contract, section 8).
public struct CardinalityConfiguration: Sendable, Equatable {
    /// The names that never pass by default: each of them is different for every run or user.
    public static let defaultBlockedLabels: Set<String> = [
        "trace_id", "span_id", "run_id", "request_id", "user_id", "resource_id", "session_id", "thread_id",
    ]

    /// Names that never pass, compared without case.
    public var blockedLabels = defaultBlockedLabels
    /// Names that pass in spite of every list of blocked names and of the UUID rule, compared without case.
    public var allowedLabels: Set<String> = []
    /// Whether a label whose whole value looks like a UUID is dropped.
    public var blockUUIDs = true
    /// At most so many label sets for a metric; what goes beyond is counted in one overflow series.
    public var cardinalityLimit = 2000
    /// Longer values are cut to so many characters; a policy can only shorten it.
    public var maximumValueLength = 128
    /// What holds for single metrics beside the policies of plugins; the metric `*` is all.
    public var perMetric: [String: LabelPolicy] = [:]

    /// The defaults.
    public init() {}
}

/// Why a label was dropped; each is a value of the label `reason` of `nightjar_labels_dropped_total`.
package enum LabelDropReason: String, Sendable {
    /// The metric has an allow-list and the label is not on it.
    case notAllowed = "not_allowed"
    /// The label's name is blocked.
    case blocked
    /// The whole value looks like a UUID.
    case uuid
}

/// Decides which labels of an observation stay. A value type without state: the same labels always pass alike.
package struct LabelFilter: Sendable {
    /// A label that did not pass.
    package struct Drop: Sendable, Equatable {
        /// Its name.
        package let name: String
        /// Its value, for the report.
        package let value: String
        /// Why.
        package let reason: LabelDropReason
    }

    /// What the configuration and the policy of a metric come to; made once for many observations.
    package struct Rules: Sendable {
        fileprivate let allow: Set<String>?
        /// In lower case, without those that pass in spite of it.
        fileprivate let block: Set<String>
        /// In lower case.
        fileprivate let exempt: Set<String>
        /// A bit for the length of each blocked name, all from 63 bytes on having one: most names differ by that already.
        fileprivate let blockedLengths: UInt64
        fileprivate let valueLength: Int
        /// How many label sets the metric may have.
        package let seriesLimit: Int
    }

    private let configuration: CardinalityConfiguration
    private let blocked: Set<String>
    private let allowed: Set<String>

    /// A filter by a configuration.
    package init(_ configuration: CardinalityConfiguration) {
        self.configuration = configuration
        blocked = Set(configuration.blockedLabels.map { $0.lowercased() })
        allowed = Set(configuration.allowedLabels.map { $0.lowercased() })
    }

    /// What a policy comes to.
    package func rules(_ policy: LabelPolicy) -> Rules {
        let block = blocked.union(policy.block.map { $0.lowercased() }).subtracting(allowed)
        return Rules(
            allow: policy.allow,
            block: block,
            exempt: allowed,
            blockedLengths: block.reduce(0) { $0 | 1 << UInt64(min($1.utf8.count, 63)) },
            valueLength: min(
                policy.maximumValueLength ?? configuration.maximumValueLength,
                configuration.maximumValueLength
            ),
            seriesLimit: limit(policy)
        )
    }

    /// The labels that pass, cut to length, in the order given; and those that do not.
    package func apply(_ labels: [Label], policy: LabelPolicy) -> (kept: [Label], dropped: [Drop]) {
        apply(labels, rules(policy))
    }

    /// The labels that pass, cut to length, in the order given; and those that do not.
    package func apply(_ labels: [Label], _ rules: Rules) -> (kept: [Label], dropped: [Drop]) {
        var kept: [Label] = []
        var dropped: [Drop] = []
        kept.reserveCapacity(labels.count)
        for label in labels {
            if let reason = reason(against: label, rules) {
                dropped.append(Drop(name: label.name, value: label.value, reason: reason))
            } else if label.value.utf8.count <= rules.valueLength {
                kept.append(label)
            } else {
                kept.append(Label(label.name, cut(label.value, to: rules.valueLength)))
            }
        }
        return (kept, dropped)
    }

    /// The policy of a metric: what others want of it, and what the configuration says of it.
    package func policy(of metric: String, _ others: LabelPolicy) -> LabelPolicy {
        others.combined(with: configuration.perMetric, of: metric)
    }

    /// How many label sets a metric of this policy may have.
    package func limit(_ policy: LabelPolicy) -> Int {
        policy.cardinalityLimit ?? configuration.cardinalityLimit
    }

    private func reason(against label: Label, _ rules: Rules) -> LabelDropReason? {
        if let allow = rules.allow, !allow.contains(label.name) { return .notAllowed }
        let mayBeUUID = configuration.blockUUIDs && label.value.utf8.count == 36
        let form = Self.form(of: label.name)
        if form.isLower, rules.blockedLengths & 1 << form.length == 0, !mayBeUUID { return nil }
        let name = form.isLower ? label.name : label.name.lowercased()
        if rules.block.contains(name) { return .blocked }
        if rules.exempt.contains(name) { return nil }
        return mayBeUUID && isUUID(label.value) ? .uuid : nil
    }

    /// How many bytes a name has, 63 at most, and whether it is its own lower case for all that can be told without making one.
    private static func form(of name: String) -> (length: UInt64, isLower: Bool) {
        var isLower = true
        for byte in name.utf8 where byte >= 0x80 || byte &- 0x41 < 26 { isLower = false }
        return (UInt64(min(name.utf8.count, 63)), isLower)
    }

    private func cut(_ value: String, to limit: Int) -> String {
        // No text has more characters than bytes.
        value.utf8.count <= limit || value.count <= limit ? value : String(value.prefix(limit))
    }
}

/// Whether a whole text is 8-4-4-4-12 hex digits of any case.
package func isUUID(_ text: String) -> Bool {
    let bytes = text.utf8
    guard bytes.count == 36 else { return false }
    for (index, byte) in bytes.enumerated() {
        switch index {
        case 8, 13, 18, 23: if byte != UInt8(ascii: "-") { return false }
        default: if hexadecimalDigit(byte) == nil { return false }
        }
    }
    return true
}
