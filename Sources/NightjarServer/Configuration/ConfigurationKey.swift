import Foundation

/// A key of the configuration: its path, what its value is, and where that goes.
struct ConfigurationKey: Sendable {
    /// What setting a value does.
    typealias Change = @Sendable (inout ServerConfiguration) -> Void

    /// The path, `trace.idlePeriod`.
    let path: String
    /// One line on what it means.
    let help: String
    /// The option of `serve` that sets it.
    let flag: String?
    /// Whether the value is a list or a section.
    let isComposite: Bool
    /// Reads a value; nil, with the faults noted, where it is not one.
    let read: @Sendable (WrittenValue, inout [ConfigurationFault]) -> Change?
    /// The value that a configuration has, as YAML on one line; nil where it has none.
    let written: @Sendable (ServerConfiguration) -> String?

    /// A key whose default is what its target holds from the start.
    init<Value: Sendable>(
        _ path: String,
        _ kind: ValueKind<Value>,
        _ target: any WritableKeyPath<ServerConfiguration, Value> & Sendable,
        flag: String? = nil,
        _ help: String
    ) {
        self.path = path
        self.help = help
        self.flag = flag
        isComposite = kind.isComposite
        read = { written, faults in
            guard let value = kind.read(written, path, &faults) else { return nil }
            return { $0[keyPath: target] = value }
        }
        written = { kind.written($0[keyPath: target]) }
    }

    /// The environment variable that sets it.
    var variable: String { Self.variable(of: path) }

    /// The name that a path has in the environment.
    static func variable(of path: String) -> String {
        "NIGHTJAR_" + path.uppercased().replacing(".", with: "_")
    }
}
