import Synchronization

/// The plugins that run, as one value with a revision: workers switch from one to the next between batches.
package final class PluginSet: Sendable {
    /// Counts the sets of a host, from 0 for the empty one.
    package let revision: Int
    let plugins: [LoadedPlugin]

    init(revision: Int, plugins: [LoadedPlugin]) {
        self.revision = revision
        self.plugins = plugins.sorted { $0.name < $1.name }
    }

    /// How the rules of all plugins fare.
    package var ruleStatus: [PluginStatus.Rule] { plugins.flatMap { $0.rules.map(\.status) } }

    /// The names and content hashes of the plugins, by name.
    package var contents: [String: String] {
        Dictionary(uniqueKeysWithValues: plugins.map { ($0.name, $0.hash) })
    }
}

/// Where the newest set is found. Safe to use from any thread.
package final class PluginSetSource: Sendable {
    private let newest = Mutex(PluginSet(revision: 0, plugins: []))
    private let revision = Atomic<Int>(0)
    let limits: PluginLimits

    init(limits: PluginLimits = PluginLimits()) { self.limits = limits }

    /// The revision of the newest set; a plain load.
    var currentRevision: Int { revision.load(ordering: .acquiring) }

    /// The newest set.
    package var current: PluginSet { newest.withLock { $0 } }

    /// Makes a set of these plugins the newest.
    func publish(_ plugins: [LoadedPlugin]) {
        newest.withLock { set in
            set = PluginSet(revision: set.revision + 1, plugins: plugins)
            revision.store(set.revision, ordering: .releasing)
        }
    }
}
