package import Logging
package import NightjarPlugins
package import NightjarSignals
package import NightjarStore

/// Keeps in the store what plugins need beyond the process. What was kept is known here at once; the store has it a moment later.
/// What it cannot take is kept here and handed over again with what is kept next. Safe to use from any thread.
package final class StorePluginArchive: PluginArchive {
    /// A content that is not known to be in the store; one that is under way is not handed over again.
    private struct Unsaved {
        let number: Int
        let content: PluginContent
        var isUnderWay = false
    }

    private struct State: Sendable {
        var memories: [String: PluginMemory]
        /// The plugins whose memory the store refused.
        var refused: Set<String> = []
        /// The oldest first.
        var contents: [Unsaved] = []
        var contentNumber = 0
    }

    private let store: SQLiteStore
    private let folder: String
    private let now: @Sendable () -> Timestamp
    private let logger: Logger
    private let state: LockedValue<State>

    /// Reads what plugins of a folder kept.
    /// - Throws: ``StoreError`` where that cannot be read.
    package init(
        _ store: SQLiteStore,
        folder: String,
        now: @escaping @Sendable () -> Timestamp,
        logger: Logger
    ) throws(StoreError) {
        self.store = store
        self.folder = folder
        self.now = now
        self.logger = logger
        let records = try store.plugins()
        state = LockedValue(
            State(memories: Dictionary(records.map { ($0.name, PluginMemory($0)) }) { $1 })
        )
    }

    /// What is kept, by plugin.
    package func memories() -> [String: PluginMemory] { state.value.memories }

    /// Keeps what is known of a plugin; nil forgets it.
    package func keep(_ memory: PluginMemory?, of plugin: String) {
        report(
            state.update { state in
                state.memories[plugin] = memory
                return handOver(&state, memoriesOf: [plugin])
            }
        )
    }

    /// Keeps a content that loaded.
    package func keep(_ content: PluginContent) {
        report(
            state.update { state in
                state.contentNumber += 1
                state.contents.append(Unsaved(number: state.contentNumber, content: content))
                return handOver(&state, memoriesOf: [])
            }
        )
    }

    /// The contents of a plugin, the newest first.
    package func contents(of plugin: String) -> [PluginContent] {
        // Before the store is read: what is committed in between is then found twice rather than not at all.
        var contents = state.value.contents.reversed().map(\.content).filter { $0.source.name == plugin }
        do throws(StoreError) {
            contents += try store.contents(ofPlugin: plugin).compactMap(content)
        } catch {
            logger.error("the earlier contents of plugin \(plugin) cannot be read: \(error)")
        }
        var seen: Set<String> = []
        contents.removeAll { !seen.insert($0.source.hash).inserted }
        return Array(contents.prefix(PluginChange.contentLimit))
    }

    private func content(_ record: PluginContentRecord) -> PluginContent? {
        guard let source = PluginSource(name: record.name, packed: record.packed, in: folder) else {
            logger.error("content \(record.hash) of plugin \(record.name) is damaged and left out")
            return nil
        }
        return PluginContent(source: source, loadedAt: record.loadedAt)
    }

    /// Gives the store the memories of some plugins, and everything that it refused before. Called under the lock, so that what is
    /// kept last is written last: the store queues it and calls back later. Why the store did not take it, nil where it did.
    private func handOver(_ state: inout State, memoriesOf plugins: Set<String>) -> StoreError? {
        let names = plugins.union(state.refused)
        state.refused = []
        var changes = names.sorted().map { PluginChange($0, state.memories[$0]) }
        var numbers: Set<Int> = []
        for place in state.contents.indices where !state.contents[place].isUnderWay {
            state.contents[place].isUnderWay = true
            numbers.insert(state.contents[place].number)
            changes.append(.content(PluginContentRecord(state.contents[place].content)))
        }
        let handed = numbers
        let submission = Submission(plugins: changes, receivedAt: now()) { [weak self] result in
            self?.settle(names, handed, result)
        }
        do throws(StoreError) {
            try store.submit(submission)
            return nil
        } catch {
            Self.refuse(&state, names, numbers)
            return error
        }
    }

    /// Takes note of what became of a submission.
    private func settle(
        _ names: Set<String>,
        _ numbers: Set<Int>,
        _ result: Result<SubmissionReceipt, StoreError>
    ) {
        switch result {
        case .success: state.update { $0.contents.removeAll { numbers.contains($0.number) } }
        case .failure(let error):
            state.update { Self.refuse(&$0, names, numbers) }
            report(error)
        }
    }

    private static func refuse(_ state: inout State, _ names: Set<String>, _ numbers: Set<Int>) {
        state.refused.formUnion(names)
        for place in state.contents.indices where numbers.contains(state.contents[place].number) {
            state.contents[place].isUnderWay = false
        }
    }

    private func report(_ error: StoreError?) {
        guard let error else { return }
        logger.error("what plugins keep is not stored yet; it is tried again with the next of it: \(error)")
    }
}

extension PluginChange {
    /// What the store is to keep of a plugin.
    fileprivate init(_ name: String, _ memory: PluginMemory?) {
        guard let memory, memory != PluginMemory() else {
            self = .forget(name)
            return
        }
        var record = PluginRecord(name: name)
        record.isDisabled = memory.isDisabled
        (record.pinHash, record.pinMark) = (memory.pin?.hash, memory.pin?.mark)
        (record.state, record.stateVersion, record.stateHash) = (
            memory.state, memory.stateVersion, memory.stateHash
        )
        self = .keep(record)
    }
}

extension PluginMemory {
    /// What the store kept of a plugin.
    fileprivate init(_ record: PluginRecord) {
        self.init()
        isDisabled = record.isDisabled
        if let hash = record.pinHash, let mark = record.pinMark { pin = Pin(hash: hash, mark: mark) }
        (state, stateVersion, stateHash) = (record.state, record.stateVersion, record.stateHash)
    }
}

extension PluginContentRecord {
    fileprivate init(_ content: PluginContent) {
        self.init(
            name: content.source.name,
            hash: content.source.hash,
            loadedAt: content.loadedAt,
            packed: content.source.packed
        )
    }
}

extension PluginSource {
    /// A text that was kept, as if it lay in the folder of plugins, where its data files are; nil where it is damaged.
    fileprivate init?(name: String, packed: [UInt8], in folder: String) {
        guard let kept = PluginSource(name: name, packed: packed, folder: folder) else { return nil }
        let isFolder = kept.file.hasSuffix("/init.lua")
        self.init(
            name: name,
            file: kept.file,
            text: kept.text,
            modules: kept.modules,
            folder: isFolder ? "\(folder)/\(name)" : folder
        )
    }
}
