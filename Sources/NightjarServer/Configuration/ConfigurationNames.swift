import NightjarSignals

/// What the names of keys say, whatever their values.
enum ConfigurationNames {
    static let unavailableMessage = "not available in this version"

    /// Variables that other commands read.
    private static let others: Set<String> = ["NIGHTJAR_SERVER", "NIGHTJAR_KEY"]

    static func isUnavailable(_ path: String) -> Bool {
        ConfigurationKey.unavailable.contains { path == $0 || path.hasPrefix($0 + ".") }
    }

    /// Whether there are keys below a path.
    static func isSection(_ path: String) -> Bool {
        (ConfigurationKey.all.map(\.path) + ConfigurationKey.unavailable).contains {
            $0.hasPrefix(path + ".")
        }
    }

    /// The names right below a path, in the order of the table.
    static func below(_ path: String) -> [String] {
        let prefix = path.isEmpty ? "" : path + "."
        var names: [String] = []
        for key in ConfigurationKey.all where key.path.hasPrefix(prefix) {
            let name = String(key.path.dropFirst(prefix.count).prefix { $0 != "." })
            if !names.contains(name) { names.append(name) }
        }
        return names
    }

    /// What to write instead of a key that there is not: one of this name elsewhere, else one beside it that is nearly so named,
    /// else one elsewhere.
    static func cure(for path: String) -> String {
        let parts = path.split(separator: ".")
        let (name, parent) = (String(parts.last ?? ""), parts.dropLast().joined(separator: "."))
        let paths = ConfigurationKey.all.map(\.path)
        let named = paths.first { $0.hasSuffix(".\(name)") }
        let beside = below(parent).map { parent.isEmpty ? $0 : "\(parent).\($0)" }
        if let near = named ?? nearestName(to: path, among: beside) ?? nearestName(to: path, among: paths) {
            return "did you mean \(near)?"
        }
        return "known here are: \(below(parent).joined(separator: ", "))"
    }

    /// The key of the contract that a variable would set if it were available.
    static func unavailable(variable: String) -> String? {
        ConfigurationKey.unavailable.first { path in
            let name = ConfigurationKey.variable(of: path)
            return variable == name || variable.hasPrefix(name + "_")
        }
    }

    /// Whether a variable is not the server's: another command's, or what Kubernetes and Docker set for every service whose name
    /// begins with `nightjar` (`NIGHTJAR_SERVICE_HOST`, `NIGHTJAR_PORT_4318_TCP`).
    static func isForeign(variable: String) -> Bool {
        others.contains(variable) || variable.contains("_SERVICE_HOST") || variable.contains("_SERVICE_PORT")
            || variable.hasSuffix("_PORT") || variable.contains(/_PORT_\d+_(TCP|UDP|SCTP)/)
    }
}
