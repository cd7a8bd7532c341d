import NightjarBus

extension ValueKind where Value == [String: LabelPolicy] {
    /// What holds for the labels of single metrics.
    static let policies = ValueKind(
        form: form,
        isComposite: true,
        read: { value, path, faults in
            guard let entries = value.entries(path, form, &faults) else { return nil }
            var policies: [String: LabelPolicy] = [:]
            for entry in entries {
                let place = "\(path).\(entry.key)"
                if entry.key != "*", !isMetricName(entry.key) {
                    faults.append(
                        ConfigurationFault(
                            place: entry.place,
                            key: place,
                            message: "this is no name of a metric; write one, or \"*\" for all"
                        )
                    )
                }
                if let policy = policy(entry.value, place, &faults) { policies[entry.key] = policy }
            }
            return policies
        },
        written: { policies in
            WrittenYAML.entries(policies.sorted { $0.key < $1.key }.map { ($0.key, written($0.value)) })
        }
    )

    private static var form: String {
        "policies by metric name, such as {shop_orders_total: {allow: [shop]}}"
    }

    private static func policy(
        _ value: WrittenValue,
        _ path: String,
        _ faults: inout [ConfigurationFault]
    ) -> LabelPolicy? {
        guard let entries = value.entries(path, "keys such as {allow: [shop]}", &faults) else { return nil }
        var policy = LabelPolicy()
        for entry in entries {
            let (value, key) = (entry.value, "\(path).\(entry.key)")
            switch entry.key {
            case "allow": policy.allow = ValueKind<Set<String>>.set().read(value, key, &faults)
            case "block": policy.block = ValueKind<Set<String>>.set().read(value, key, &faults) ?? []
            case "cardinalityLimit": policy.cardinalityLimit = ValueKind<Int>.count.read(value, key, &faults)
            case "maxValueLength": policy.maximumValueLength = ValueKind<Int>.count.read(value, key, &faults)
            default:
                let known = ["allow", "block", "cardinalityLimit", "maxValueLength"]
                faults.append(.unknown(entry, path, known: known))
            }
        }
        return policy
    }

    private static func written(_ policy: LabelPolicy) -> String {
        var entries: [(key: String, value: String)] = []
        let set = ValueKind<Set<String>>.set()
        if let allow = policy.allow.flatMap(set.written) { entries.append(("allow", allow)) }
        if !policy.block.isEmpty, let block = set.written(policy.block) { entries.append(("block", block)) }
        if let limit = policy.cardinalityLimit { entries.append(("cardinalityLimit", "\(limit)")) }
        if let length = policy.maximumValueLength { entries.append(("maxValueLength", "\(length)")) }
        return WrittenYAML.entries(entries)
    }
}
