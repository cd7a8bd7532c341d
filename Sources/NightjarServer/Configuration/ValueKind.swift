import NightjarBus
import NightjarSignals

/// What the value of a key is: how it is read, and how it is written.
struct ValueKind<Value: Sendable>: Sendable {
    /// What to write, for messages: `a duration such as 10s`.
    let form: String
    /// Whether it is a list or a section, which the environment gives as YAML.
    var isComposite = false
    /// Reads a value of the key at this path; nil, with the faults noted, where it is not one.
    let read: @Sendable (WrittenValue, String, inout [ConfigurationFault]) -> Value?
    /// The value as YAML on one line; nil where there is none.
    let written: @Sendable (Value) -> String?
}

extension ValueKind {
    /// A value that is one word or text. `parse` gives nil for what is not one.
    static func scalar(
        _ form: String,
        parse: @escaping @Sendable (String) -> Value?,
        written: @escaping @Sendable (Value) -> String
    ) -> ValueKind {
        ValueKind(
            form: form,
            read: { value, path, faults in
                if let parsed = value.text.flatMap(parse) { return parsed }
                faults.append(.wrong(value, path, form))
                return nil
            },
            written: { WrittenYAML.scalar(written($0)) }
        )
    }

    /// The same, where it may be left out.
    var optional: ValueKind<Value?> {
        ValueKind<Value?>(
            form: form,
            isComposite: isComposite,
            read: { [read] in read($0, $1, &$2).map(Optional.some) },
            written: { [written] in $0.flatMap(written) }
        )
    }
}

extension ConfigurationFault {
    /// A value that is not what it should be.
    static func wrong(_ value: WrittenValue, _ path: String, _ form: String) -> ConfigurationFault {
        ConfigurationFault(place: value.place, key: path, message: "it is \(value.shown); write \(form)")
    }
}

extension ValueKind where Value == String {
    static let text = scalar("a text", parse: { $0.isEmpty ? nil : $0 }, written: { $0 })

    /// What may stand before the name of a metric.
    static let metricPrefix = ValueKind(
        form: "letters, digits and underscores that do not begin with a digit, such as shop_",
        read: { value, path, faults in
            if let text = value.text, text.isEmpty || isMetricName(text) { return text }
            faults.append(
                .wrong(
                    value,
                    path,
                    "letters, digits and underscores that do not begin with a digit, such as shop_"
                )
            )
            return nil
        },
        written: WrittenYAML.scalar
    )
}

extension ValueKind where Value == Bool {
    // Not `scalar`: as text these words would be quoted.
    static let flag = ValueKind(
        form: "true or false",
        read: { value, path, faults in
            switch value.text {
            case "true": return true
            case "false": return false
            default:
                faults.append(.wrong(value, path, "true or false"))
                return nil
            }
        },
        written: { "\($0)" }
    )
}

extension ValueKind where Value == Int {
    static let count = scalar(
        "a whole number from 1 on",
        parse: { text in Int(text).flatMap { $0 > 0 ? $0 : nil } },
        written: { "\($0)" }
    )

    static let size = scalar(
        "a size such as 64MiB, 512KiB, 1GiB or a number of bytes",
        parse: bytes,
        written: { bytes in
            let unit = units.first { bytes % $0.bytes == 0 && bytes >= $0.bytes }
            return unit.map { "\(bytes / $0.bytes)\($0.name)" } ?? "\(bytes)"
        }
    )

    private static var units: [(name: String, bytes: Int)] {
        [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
    }

    @Sendable private static func bytes(_ text: String) -> Int? {
        let unit = units.first { text.hasSuffix($0.name) }
        guard let number = Int(text.dropLast(unit?.name.count ?? 0)), number > 0 else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit?.bytes ?? 1)
        return overflow ? nil : bytes
    }
}

extension ValueKind where Value == Double {
    static let ratio = scalar(
        "a number from 0 to 1, such as 0.1",
        parse: { text in Double(text).flatMap { (0...1).contains($0) ? $0 : nil } },
        written: { NightjarSignals.Value.double($0).json }
    )
}

extension ValueKind where Value == Duration {
    static let duration = scalar(
        "a duration such as 250ms, 10s, 5m, 1h or 10d",
        parse: { Duration(written: $0) },
        written: { duration in
            let milliseconds = duration.nanoseconds / 1_000_000
            let units: [(name: String, milliseconds: Int64)] = [
                ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000),
            ]
            let unit = units.first { milliseconds > 0 && milliseconds % $0.milliseconds == 0 }
            return unit.map { "\(milliseconds / $0.milliseconds)\($0.name)" } ?? "\(milliseconds)ms"
        }
    )
}

extension ValueKind where Value == LogLevel {
    static let level = scalar(
        "debug, info, warn, error or fatal",
        parse: { LogLevel(name: $0 == "warning" ? "warn" : $0) },
        written: \.name
    )
}

extension ValueKind where Value == ListenAddress {
    static let address = scalar(
        "HOST:PORT, such as 127.0.0.1:4318",
        parse: { ListenAddress($0) },
        written: \.description
    )
}

extension ValueKind where Value: CaseIterable & RawRepresentable<String> {
    /// One of a few words.
    static var choice: ValueKind {
        let words = Value.allCases.map(\.rawValue)
        let form = words.dropLast().joined(separator: ", ") + " or " + (words.last ?? "")
        return scalar(form, parse: { Value(rawValue: $0) }, written: \.rawValue)
    }
}
