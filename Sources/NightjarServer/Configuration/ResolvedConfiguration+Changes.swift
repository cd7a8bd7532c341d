package import Nightjar

extension ResolvedConfiguration {
    /// A key that another configuration has otherwise.
    package struct Change: Sendable, Equatable {
        /// The key.
        package let path: String
        /// Whether a running server can take it over.
        package let isLive: Bool
    }

    /// The keys that a newer configuration has otherwise, in the order in which they are shown.
    package func changes(to newer: ResolvedConfiguration) -> [Change] {
        ConfigurationKey.all.filter { $0.written(server) != $0.written(newer.server) }.map { key in
            let isLive = key.path.hasPrefix("retention.") && key.path != "retention.refuseOlderThan"
            return Change(path: key.path, isLive: isLive)
        }
    }

    /// Gives a running engine what can change while it runs.
    package func apply(to engine: Engine) { engine.setRetention(server.retention) }
}
