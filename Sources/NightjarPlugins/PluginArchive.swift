package import NightjarSignals
import Synchronization

/// What is kept of one plugin beyond the process.
package struct PluginMemory: Sendable, Equatable {
    /// Whether it was switched off.
    package var isDisabled = false
    /// The content that runs in place of the file's, until that changes.
    package var pin: Pin?
    /// What `nightjar.state` held, packed.
    package var state: [UInt8]?
    /// The version of the content that packed it, and the content's hash.
    package var stateVersion: String?
    /// The hash of the content that packed the state.
    package var stateHash: String?

    /// An earlier content that is to run while the file is as it was.
    package struct Pin: Sendable, Equatable {
        /// The hash of the content.
        package let hash: String
        /// What the file's content was when the pin was set.
        package let mark: String

        /// A pin.
        package init(hash: String, mark: String) {
            self.hash = hash
            self.mark = mark
        }
    }

    /// Nothing kept.
    package init() {}

    /// The state with who packed it.
    var packedState: PackedState? {
        state.map { PackedState(bytes: $0, version: stateVersion, hash: stateHash) }
    }
}

/// A content that a plugin had.
package struct PluginContent: Sendable, Equatable {
    /// The text.
    package let source: PluginSource
    /// When it was first loaded.
    package let loadedAt: Timestamp

    /// A content.
    package init(source: PluginSource, loadedAt: Timestamp) {
        self.source = source
        self.loadedAt = loadedAt
    }
}

/// Keeps what plugins need beyond the process: in the store, or in memory where nothing is stored. Safe to use from any thread.
/// A failure to write is the archive's to report: no plugin waits for it.
package protocol PluginArchive: Sendable {
    /// What is kept, by plugin.
    func memories() -> [String: PluginMemory]
    /// Keeps what is known of a plugin; nil forgets it.
    func keep(_ memory: PluginMemory?, of plugin: String)
    /// Keeps a content that loaded; of each plugin the last ten stay.
    func keep(_ content: PluginContent)
    /// The contents of a plugin, the newest first.
    func contents(of plugin: String) -> [PluginContent]
}

/// An archive that lasts as long as the process.
package final class InMemoryPluginArchive: PluginArchive {
    /// So many contents of a plugin are kept.
    package static let contentLimit = 10

    private struct State {
        var memories: [String: PluginMemory] = [:]
        var contents: [String: [PluginContent]] = [:]
    }

    private let state = Mutex(State())

    /// An empty archive.
    package init() {}

    /// What is kept, by plugin.
    package func memories() -> [String: PluginMemory] { state.withLock { $0.memories } }

    /// Keeps what is known of a plugin; nil forgets it.
    package func keep(_ memory: PluginMemory?, of plugin: String) {
        state.withLock { $0.memories[plugin] = memory }
    }

    /// Keeps a content that loaded.
    package func keep(_ content: PluginContent) {
        state.withLock { state in
            var contents = state.contents[content.source.name] ?? []
            contents.removeAll { $0.source.hash == content.source.hash }
            contents.insert(content, at: 0)
            state.contents[content.source.name] = Array(contents.prefix(Self.contentLimit))
        }
    }

    /// The contents of a plugin, the newest first.
    package func contents(of plugin: String) -> [PluginContent] {
        state.withLock { $0.contents[plugin] ?? [] }
    }
}

extension PluginSource {
    /// The text in a form that stores keep: names and bytes with their lengths.
    package var packed: [UInt8] {
        var bytes: [UInt8] = []
        func put(_ part: some Collection<UInt8>) {
            withUnsafeBytes(of: UInt32(part.count).littleEndian) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: part)
        }
        put(file.utf8)
        put(text)
        for (name, module) in modules.sorted(by: { $0.key < $1.key }) {
            put(name.utf8)
            put(module)
        }
        return bytes
    }

    /// Reads what `packed` gave; nil where that is damaged.
    package init?(name: String, packed: [UInt8], folder: String?) {
        var parts: [[UInt8]] = []
        var at = 0
        while at < packed.count {
            guard packed.count - at >= 4 else { return nil }
            let size = packed[at..<at + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
            guard size <= packed.count - at - 4 else { return nil }
            parts.append(Array(packed[at + 4..<at + 4 + size]))
            at += 4 + size
        }
        guard parts.count >= 2, parts.count.isMultiple(of: 2) else { return nil }
        var modules: [String: [UInt8]] = [:]
        for place in stride(from: 2, to: parts.count, by: 2) {
            modules[String(decoding: parts[place], as: UTF8.self)] = parts[place + 1]
        }
        self.init(
            name: name,
            file: String(decoding: parts[0], as: UTF8.self),
            text: parts[1],
            modules: modules,
            folder: folder
        )
    }
}
