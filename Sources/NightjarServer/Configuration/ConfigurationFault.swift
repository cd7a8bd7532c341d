/// Where the value of a key comes from.
package enum ConfigurationPlace: Sendable, Equatable, CustomStringConvertible {
    /// Nobody set it.
    case standard
    /// A line of the configuration file, counted from 1.
    case file(String, line: Int)
    /// An environment variable.
    case variable(String)
    /// An option of the command line, with its dashes.
    case flag(String)

    /// As it is shown to people.
    package var description: String {
        switch self {
        case .standard: "default"
        case .file(let name, let line): "\(name):\(line)"
        case .variable(let name), .flag(let name): name
        }
    }
}

/// One thing that is wrong with what the user set.
package struct ConfigurationFault: Error, Sendable, Equatable, CustomStringConvertible {
    /// Where it was written.
    package let place: ConfigurationPlace
    /// The path of the key, `trace.idlePeriod`; nil where the fault is the whole file's.
    package let key: String?
    /// What is wrong and what to write instead.
    package let message: String

    /// One line a person can act on.
    package var description: String {
        "\(place): " + (key.map { "\($0): " } ?? "") + message
    }
}

/// Everything that is wrong with what the user set, at once.
package struct ConfigurationFaults: Error, Sendable, Equatable, CustomStringConvertible {
    /// The faults, those of the file first.
    package let faults: [ConfigurationFault]

    /// One line for each.
    package var description: String { faults.map(\.description).joined(separator: "\n") }
}
