import Synchronization

/// What a running scorer says of itself.
package struct ScorerOutline: Sendable, Equatable {
    /// Its name.
    package let name: String
    /// The plugin it is of.
    package let plugin: String
    /// What its verdicts are signed with, NAME@VERSION.
    package let signature: String
    /// The hash of the plugin's content.
    package let hash: String
    /// Within which its scores lie, where it says so.
    package let range: ClosedRange<Double>?
    /// The labels it gives, where it says so.
    package let categories: [String]
}

extension PluginSet {
    /// The scorers of all plugins, by plugin and in the order of their declaration.
    package var scorers: [ScorerOutline] {
        plugins.flatMap { plugin in
            plugin.declared.compactMap { rule in
                rule.scorer.map { name in
                    ScorerOutline(
                        name: name,
                        plugin: plugin.name,
                        signature: plugin.signature,
                        hash: plugin.hash,
                        range: rule.options.range,
                        categories: rule.options.categories
                    )
                }
            }
        }
    }

    /// The names of the plugins.
    package var names: [String] { plugins.map(\.name) }

    /// Whether what a plugin keeps fills its memory, so that its rules are not called any more.
    package var isExhausted: Bool { plugins.contains { $0.isExhausted.load(ordering: .relaxed) } }

    /// The last errors of calls, the oldest first.
    package var failures: [PluginStatus.Failure] { plugins.flatMap(\.errors.all) }

    /// How the data files were that the plugins read.
    var dataStamps: [FileStamp] { plugins.flatMap(\.data.stamps) }
}
