package import NightjarSignals

/// What is kept of one plugin beyond the process.
package struct PluginRecord: Sendable, Equatable {
    /// The plugin.
    package let name: String
    /// Whether it was switched off.
    package var isDisabled = false
    /// The hash of the content that runs in place of the file's; nil where none does.
    package var pinHash: String?
    /// What the file was when that was set.
    package var pinMark: String?
    /// What its state held, packed; nil where it keeps none.
    package var state: [UInt8]?
    /// The version that packed the state.
    package var stateVersion: String?
    /// The hash of the content that packed the state.
    package var stateHash: String?

    /// A record with nothing in it.
    package init(name: String) { self.name = name }
}

/// A content that a plugin had.
package struct PluginContentRecord: Sendable, Equatable {
    /// The plugin.
    package let name: String
    /// The content's hash.
    package let hash: String
    /// When it was first loaded.
    package let loadedAt: Timestamp
    /// The content, in a form that only who wrote it knows.
    package let packed: [UInt8]

    /// A content.
    package init(name: String, hash: String, loadedAt: Timestamp, packed: [UInt8]) {
        self.name = name
        self.hash = hash
        self.loadedAt = loadedAt
        self.packed = packed
    }
}

/// A change of what is kept of plugins.
package enum PluginChange: Sendable, Equatable {
    /// More contents of a plugin are not kept: the oldest go.
    package static let contentLimit = 10

    /// In place of what was kept of the plugin.
    case keep(PluginRecord)
    /// Nothing is to be kept of the plugin but its contents.
    case forget(String)
    /// The newest content of its plugin; one that is there already becomes the newest.
    case content(PluginContentRecord)
}
