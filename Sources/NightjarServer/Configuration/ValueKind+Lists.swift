import NightjarBus
import NightjarSignals

extension ValueKind where Value == [String] {
    /// Texts, as a list in brackets or one a line; the environment may give them with commas. `fault` says what is wrong with
    /// one.
    static func texts(
        _ form: String = "a list of texts, such as [one, two]",
        fault: @escaping @Sendable (String) -> String? = { _ in nil }
    ) -> ValueKind {
        ValueKind(
            form: form,
            isComposite: true,
            read: { value, path, faults in
                guard case .list(let items) = value.content else {
                    faults.append(.wrong(value, path, form))
                    return nil
                }
                var texts: [String] = []
                for item in items {
                    guard let text = item.text, !text.isEmpty else {
                        faults.append(.wrong(item, path, form))
                        continue
                    }
                    texts.append(text)
                    guard let message = fault(text) else { continue }
                    faults.append(ConfigurationFault(place: item.place, key: path, message: message))
                }
                return texts
            },
            written: { WrittenYAML.list($0.map(WrittenYAML.scalar)) }
        )
    }
}

extension ValueKind where Value == Set<String> {
    /// Texts in any order.
    static func set(
        _ form: String = "a list of texts, such as [one, two]",
        fault: @escaping @Sendable (String) -> String? = { _ in nil }
    ) -> ValueKind {
        let texts = ValueKind<[String]>.texts(form, fault: fault)
        return ValueKind(
            form: form,
            isComposite: true,
            read: { texts.read($0, $1, &$2).map { Set($0) } },
            written: { texts.written($0.sorted()) }
        )
    }
}

extension ValueKind where Value == BucketConfiguration {
    /// Bounds by metric name or suffix.
    static let buckets = ValueKind(
        form: bucketForm,
        isComposite: true,
        read: { value, path, faults in
            guard let entries = value.entries(path, bucketForm, &faults) else { return nil }
            var bounds: [String: [Double]] = [:]
            for entry in entries {
                if let read = numbers(entry.value, "\(path).\(entry.key)", &faults) {
                    bounds[entry.key] = read
                }
            }
            return BucketConfiguration(bounds)
        },
        written: { buckets in
            WrittenYAML.entries(
                buckets.bounds.sorted { $0.key < $1.key }.map { name, bounds in
                    (name, WrittenYAML.list(bounds.map { NightjarSignals.Value.double($0).json }))
                }
            )
        }
    )

    private static var bucketForm: String {
        "bounds by metric name or unit suffix, such as {_ms: [10, 100, 1000]}"
    }

    @Sendable private static func numbers(
        _ value: WrittenValue,
        _ path: String,
        _ faults: inout [ConfigurationFault]
    ) -> [Double]? {
        let form = "a list of ascending numbers, such as [10, 100, 1000]"
        guard case .list(let items) = value.content else {
            faults.append(.wrong(value, path, form))
            return nil
        }
        var bounds: [Double] = []
        for item in items {
            guard let number = item.text.flatMap({ Double($0) }) else {
                faults.append(.wrong(item, path, form))
                return nil
            }
            bounds.append(number)
        }
        if let fault = HistogramBuckets.fault(in: bounds) {
            faults.append(ConfigurationFault(place: value.place, key: path, message: fault))
            return nil
        }
        return bounds
    }
}

extension WrittenValue {
    /// The keys of a section; nil, with a fault noted, for anything else.
    func entries(
        _ path: String,
        _ form: String,
        _ faults: inout [ConfigurationFault]
    ) -> [Entry]? {
        if case .entries(let entries) = content { return entries }
        faults.append(.wrong(self, path, form))
        return nil
    }
}

extension ConfigurationFault {
    /// A key that a section does not have.
    static func unknown(_ entry: WrittenValue.Entry, _ path: String, known: [String]) -> ConfigurationFault {
        let near = nearestName(to: entry.key, among: known)
        let cure = near.map { "did you mean \(path).\($0)?" } ?? "known are: \(known.joined(separator: ", "))"
        return ConfigurationFault(
            place: entry.place,
            key: "\(path).\(entry.key)",
            message: "there is no such key; \(cure)"
        )
    }
}
