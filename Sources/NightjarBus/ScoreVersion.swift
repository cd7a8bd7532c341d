package import NightjarSignals

/// Which scores one version of a plugin wrote: those of its scorers that it signed.
package struct ScoreVersion: Sendable, Equatable {
    /// The names of the scorers.
    package let scorers: [String]
    /// The signature in `metadata.plugin`, NAME@VERSION.
    package let plugin: String
    /// How the content hash in `metadata.pluginHash` may begin instead; empty: the signature alone counts.
    package let hash: String

    /// Fewer digits of a hash could be a version by chance.
    package static let shortestHash = 8

    /// The scores of these scorers with this signature, or with a content whose hash begins so.
    package init(scorers: [String], plugin: String, hash: String = "") {
        self.scorers = scorers
        self.plugin = plugin
        self.hash = hash
    }

    /// A version of a plugin as a user writes it: `1.2.0`, `NAME@1.2.0`, or the first eight or more digits of a content's hash.
    package init(_ text: String, of plugin: String, scorers: [String]) {
        let isHash = text.utf8.count >= Self.shortestHash && text.allSatisfy(\.isHexDigit)
        self.init(
            scorers: scorers,
            plugin: text.contains("@") ? text : "\(plugin)@\(text)",
            hash: isHash ? text.lowercased() : ""
        )
    }

    /// The version as `POST /api/scores/undo` takes it.
    package var json: Value {
        ["scorers": .array(scorers.map(Value.string)), "plugin": .string(plugin), "hash": .string(hash)]
    }
}

/// What taking scores back has done.
package struct UndoCount: Sendable, Equatable {
    /// How many scores are gone, for nothing had been there before them.
    package var deleted = 0
    /// How many are again what they were before.
    package var restored = 0
    /// How many had been replaced since: only their place in the history is gone.
    package var forgotten = 0

    /// Nothing done.
    package init() {}
}
