package import NightjarBus
package import NightjarSignals
import Synchronization

/// What the user sets for plugins.
package struct PluginConfiguration: Sendable {
    /// The folder that plugins are read from.
    package var folder: String
    /// What each state may use.
    package var limits = PluginLimits()
    /// Settings of plugins by name, over the defaults that they declare.
    package var settings: [String: Value.Object] = [:]
    /// Plugins that are not to run, whatever is said while the process runs.
    package var disabled: Set<String> = []
    /// Metrics of a deleted plugin stay in view for so long, and so does its state.
    package var departure = Duration.seconds(300)
    /// Runs the tests that lie beside a plugin before a new version of it goes live, and tells which of them fail; nil: none are
    /// run. Called on the loader's thread.
    package var test: (@Sendable (PluginSource) -> [String])?

    /// The defaults, for a folder.
    package init(folder: String) { self.folder = folder }
}

/// Owns the plugins folder: loads what lies in it, follows its changes, and publishes sets of plugins that workers adopt.
/// Safe to use from any thread.
package final class PluginHost: Sendable {
    /// The sets that sessions adopt.
    package let sets: PluginSetSource

    struct State {
        var loaded: [String: LoadedPlugin] = [:]
        var generations: [String: Int] = [:]
        var seen: [String: String] = [:]
        var faults: [String: PluginFault] = [:]
        var lastLoads: [String: Timestamp] = [:]
        var loads: [String: PluginStatus.Loads] = [:]
        var totals: [String: PluginTotals] = [:]
        var errors: [String: ErrorRecord] = [:]
        var emptySince: [String: Int64] = [:]
        /// Why the folder could not be read when it was looked at last.
        var folderFault: String?
        /// What is kept beyond the process.
        var memories: [String: PluginMemory] = [:]
        /// Metrics of plugins that are gone, and since when.
        var departed: [String: (metrics: [String], since: Int64)] = [:]
        var lastStateSave: Int64 = 0
    }

    /// An editor may empty a file before it writes it anew.
    static let emptyFilePatienceNanoseconds: Int64 = 500_000_000
    /// So often is the state of plugins saved.
    static let stateSaveNanoseconds: Int64 = 10_000_000_000

    /// Tells of errors as they happen.
    package let errorFeed = PluginErrorFeed()
    let state: Mutex<State>
    let folder: PluginFolder
    let environment: PluginEnvironment
    let configuration: PluginConfiguration
    let archive: any PluginArchive
    let workers: Int
    private let watch: FolderWatch
    private let runMemories = Mutex<[RunMemory]>([])

    /// A host for a number of workers. Nothing is loaded before ``loadAll()``.
    package init(
        _ configuration: PluginConfiguration,
        registry: MetricRegistry,
        workers: Int,
        archive: any PluginArchive = InMemoryPluginArchive(),
        now: @escaping @Sendable () -> Timestamp,
        log: @escaping @Sendable (PluginLogLine) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.archive = archive
        sets = PluginSetSource(limits: configuration.limits)
        folder = PluginFolder(path: configuration.folder)
        environment = PluginEnvironment(
            registry: registry,
            limits: configuration.limits,
            settings: configuration.settings,
            log: PluginLog(receive: log, errors: errorFeed),
            now: now
        )
        self.workers = workers
        var initial = State()
        initial.memories = archive.memories()
        initial.lastStateSave = monotonicNow()
        state = Mutex(initial)
        watch = FolderWatch(path: configuration.folder)
    }

    deinit { watch.stop() }

    /// A session for one worker, numbered from 0. `traces` is where its rules find traces that they ask for by id.
    package func session(
        worker: Int,
        reader: any SpanReader,
        traces: (any PluginTraces)? = nil
    ) -> PluginSession {
        let memory = RunMemory()
        runMemories.withLock { $0.append(memory) }
        return PluginSession(sets, worker: worker, reader: reader, traces: traces, memory: memory)
    }

    /// What rules did for a trace, as far as it is remembered.
    package func runs(of trace: TraceID) -> [RunMemory.Run] {
        runMemories.withLock { $0 }.flatMap { $0.runs(of: trace) }
    }

    /// Loads what lies in the folder and publishes it; returns when it is done.
    package func loadAll() {
        onLoaderThread { self.look() }
    }

    /// Follows the folder's changes on threads of its own until ``stop()``.
    package func startWatching() {
        watch.start { [weak self] unsettled in
            guard let self else { return false }
            let changed = look(leaving: unsettled)
            keepHouse()
            return changed
        }
    }

    /// Stops following the folder; what is loaded stays.
    package func stop() { watch.stop() }

    func onLoaderThread(_ body: @escaping @Sendable () -> Void) {
        watch.serialised { runOnLargeStack(body) }
    }

    /// What is known of each plugin, by name.
    package var status: [PluginStatus] {
        state.withLock { state in
            let names = Set(state.loaded.keys).union(state.faults.keys)
            return names.sorted().map { status($0, state) }
        }
    }

    private func status(_ name: String, _ state: State) -> PluginStatus {
        let plugin = state.loaded[name]
        let fault = state.faults[name]
        let condition: PluginStatus.Condition =
            if isDisabled(name, state) {
                .disabled
            } else if plugin == nil || plugin?.isExhausted.load(ordering: .relaxed) == true {
                .failed
            } else {
                fault == nil ? .running : .stale
            }
        return PluginStatus(
            name: name,
            displayName: plugin?.displayName,
            description: plugin?.description,
            version: plugin?.version,
            hash: plugin?.hash,
            generation: plugin?.generation ?? 0,
            since: plugin?.loadedAt,
            condition: condition,
            isPinned: state.memories[name]?.pin != nil,
            rules: plugin?.rules.map(\.status) ?? [],
            totals: state.totals[name]?.sums ?? [:],
            metrics: plugin?.metrics.map(\.name) ?? [],
            memoryBytes: plugin?.memoryBytes ?? 0,
            failures: state.errors[name]?.all ?? [],
            loadFault: fault,
            lastLoad: state.lastLoads[name],
            loads: state.loads[name] ?? PluginStatus.Loads()
        )
    }

    func isDisabled(_ name: String, _ state: State) -> Bool {
        configuration.disabled.contains(name) || state.memories[name]?.isDisabled == true
    }
}
