import NightjarSignals

/// Everything that a configuration is read from.
package struct ConfigurationSources: Sendable {
    /// The configuration file's name and text.
    package var file: (name: String, text: String)?
    /// The environment; what does not begin with `NIGHTJAR_` is nobody's business here.
    package var environment: [String: String] = [:]
    /// Values of options, by the path of their key.
    package var flags: [String: String] = [:]

    /// Nothing set.
    package init() {}

    /// Reads every value that is set, the weaker first.
    func read() -> ConfigurationReading {
        var reading = ConfigurationReading()
        if let file {
            do throws(ConfigurationFault) {
                let value = try WrittenValue(yaml: file.text) { .file(file.name, line: $0) }
                reading.section(value, path: "")
            } catch {
                reading.faults.append(error)
            }
        }
        for (name, text) in environment.sorted(by: { $0.key < $1.key }) where !text.isEmpty {
            reading.variable(name, text)
        }
        for key in ConfigurationKey.all {
            guard let flag = key.flag, let text = flags[key.path] else { continue }
            reading.set(key, WrittenValue(content: .text(text), place: .flag(flag)))
        }
        return reading
    }
}

/// What was found so far while sources are read.
struct ConfigurationReading {
    /// What the values do, the weaker first.
    var changes: [ConfigurationKey.Change] = []
    /// Where the value that holds was written, by the path of its key.
    var origins: [String: ConfigurationPlace] = [:]
    /// What is wrong.
    var faults: [ConfigurationFault] = []

    mutating func set(_ key: ConfigurationKey, _ value: WrittenValue) {
        origins[key.path] = value.place
        if let change = key.read(value, &faults) { changes.append(change) }
    }

    /// A section of the file, or the whole of it at the path "".
    mutating func section(_ value: WrittenValue, path: String) {
        if case .nothing = value.content { return }
        guard case .entries(let entries) = value.content else {
            faults.append(
                ConfigurationFault(
                    place: value.place,
                    key: path.isEmpty ? nil : path,
                    message:
                        "it is \(value.shown); write keys below it, such as \(ConfigurationNames.below(path).joined(separator: ", "))"
                )
            )
            return
        }
        for entry in entries { take(entry, path: path.isEmpty ? entry.key : "\(path).\(entry.key)") }
    }

    private mutating func take(_ entry: WrittenValue.Entry, path: String) {
        if let key = ConfigurationKey.all.first(where: { $0.path == path }) {
            set(key, WrittenValue(content: entry.value.content, place: entry.place))
        } else if ConfigurationNames.isUnavailable(path) {
            note(entry.place, path, ConfigurationNames.unavailableMessage)
        } else if ConfigurationNames.isSection(path) {
            section(entry.value, path: path)
        } else {
            note(entry.place, path, "there is no such key; \(ConfigurationNames.cure(for: path))")
        }
    }

    /// A variable of the environment, if it is one of ours.
    mutating func variable(_ name: String, _ text: String) {
        guard name.hasPrefix("NIGHTJAR_"), !ConfigurationNames.isForeign(variable: name) else { return }
        let place = ConfigurationPlace.variable(name)
        if let key = ConfigurationKey.all.first(where: { $0.variable == name }) {
            guard key.isComposite else { return set(key, WrittenValue(content: .text(text), place: place)) }
            do throws(ConfigurationFault) {
                set(key, try WrittenValue(variable: text, place: place))
            } catch {
                faults.append(error)
            }
        } else if let path = ConfigurationNames.unavailable(variable: name) {
            note(place, path, ConfigurationNames.unavailableMessage)
        } else {
            let near = nearestName(to: name, among: ConfigurationKey.all.map(\.variable))
            let cure =
                near.map { "did you mean \($0)?" } ?? "nightjar serve --help lists those that there are"
            note(place, nil, "there is no such variable; \(cure)")
        }
    }

    private mutating func note(_ place: ConfigurationPlace, _ key: String?, _ message: String) {
        faults.append(ConfigurationFault(place: place, key: key, message: message))
    }
}

extension WrittenValue {
    /// A list or section as the environment gives it: YAML in brackets, or texts with commas between them.
    fileprivate init(variable text: String, place: ConfigurationPlace) throws(ConfigurationFault) {
        if text.hasPrefix("[") || text.hasPrefix("{") {
            self = try WrittenValue(yaml: text) { _ in place }
            return
        }
        let items = text.split(separator: ",").map { $0.drop { $0 == " " } }
        self.init(
            content: .list(items.map { WrittenValue(content: .text(String($0)), place: place) }),
            place: place
        )
    }
}
