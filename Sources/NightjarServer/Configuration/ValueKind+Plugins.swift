import NightjarPlugins
import NightjarSignals

extension ValueKind where Value == Duration {
    /// A duration that work may take, which has to be some.
    static let limit: ValueKind = {
        let form = "a duration from 1ms on, such as 50ms or 2s"
        return ValueKind(
            form: form,
            read: { value, path, faults in
                if let text = value.text, let limit = Duration(written: text), limit > .zero { return limit }
                faults.append(.wrong(value, path, form))
                return nil
            },
            written: duration.written
        )
    }()
}

extension ValueKind where Value == [String: NightjarSignals.Value.Object] {
    /// Settings by the name of their plugin. Whether the plugin has them, and of which kind they are, is seen when it loads.
    static let pluginSettings = ValueKind(
        form: form,
        isComposite: true,
        read: { value, path, faults in
            guard let entries = value.entries(path, form, &faults) else { return nil }
            var settings: [String: NightjarSignals.Value.Object] = [:]
            for entry in entries {
                let place = "\(path).\(entry.key)"
                if let fault = PluginSource.nameFault(entry.key) {
                    faults.append(ConfigurationFault(place: entry.place, key: place, message: fault))
                    continue
                }
                guard
                    let members = entry.value.entries(place, "settings such as {threshold_ms: 5000}", &faults)
                else { continue }
                settings[entry.key] = NightjarSignals.Value.Object(members)
            }
            return settings
        },
        written: { settings in
            WrittenYAML.entries(
                settings.sorted { $0.key < $1.key }.map { ($0.key, WrittenYAML.value(.object($0.value))) }
            )
        }
    )

    private static var form: String {
        "settings by the plugin's name, such as {slow_tools: {threshold_ms: 5000}}"
    }
}

extension Value.Object {
    /// Keys with their values, in the order in which they were written.
    fileprivate init(_ entries: [WrittenValue.Entry]) {
        self = [:]
        for entry in entries { self[entry.key] = entry.value.plainValue }
    }
}

extension WrittenValue {
    /// The value as YAML has it: what is not quoted is a number or a truth where it looks like one.
    fileprivate var plainValue: Value {
        switch content {
        case .nothing: .null
        case .list(let items): .array(items.map(\.plainValue))
        case .entries(let entries): .object(Value.Object(entries))
        case .text(let text):
            if isQuoted { .string(text) } else { WrittenYAML.plainValue(of: text) }
        }
    }
}

extension WrittenYAML {
    /// What a word that is not quoted stands for.
    fileprivate static func plainValue(of text: String) -> Value {
        switch text {
        case "true": return .bool(true)
        case "false": return .bool(false)
        default:
            // Of the words that the standard library takes for numbers only those with digits are meant as such.
            let isNumber = text.utf8.contains { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            guard isNumber, !text.lowercased().hasPrefix("0x") else { return .string(text) }
            if let whole = Int64(text) { return .int(whole) }
            guard let number = Double(text), number.isFinite else { return .string(text) }
            return .double(number)
        }
    }

    /// Any value, so that it is read back as it was.
    static func value(_ value: Value) -> String {
        switch value {
        case .array(let items): list(items.map(Self.value))
        case .object(let object): entries(object.entries.map { ($0.key, Self.value($0.value)) })
        case .string(let text):
            if case .string = plainValue(of: text) { scalar(text) } else { value.json }
        default: value.json
        }
    }
}
