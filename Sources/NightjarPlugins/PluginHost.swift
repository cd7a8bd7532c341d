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
    /// Plugins that are not to run.
    package var disabled: Set<String> = []

    /// The defaults, for a folder.
    package init(folder: String) { self.folder = folder }
}

/// Owns the plugins folder: loads what lies in it, follows its changes, and publishes sets of plugins that workers adopt.
/// Safe to use from any thread.
package final class PluginHost: Sendable {
    /// The sets that sessions adopt.
    package let sets = PluginSetSource()

    private struct State {
        var loaded: [String: LoadedPlugin] = [:]
        var generations: [String: Int] = [:]
        var seen: [String: String] = [:]
        var faults: [String: PluginFault] = [:]
        var lastLoads: [String: Timestamp] = [:]
        var errors: [String: ErrorRecord] = [:]
        var disabled: Set<String> = []
        var emptySince: [String: Int64] = [:]
    }

    /// An editor may empty a file before it writes it anew.
    private static let emptyFilePatienceNanoseconds: Int64 = 500_000_000

    private let state: Mutex<State>
    private let folder: PluginFolder
    private let environment: PluginEnvironment
    private let workers: Int
    private let watch: FolderWatch

    /// A host for a number of workers. Nothing is loaded before ``loadAll()``.
    package init(
        _ configuration: PluginConfiguration,
        registry: MetricRegistry,
        workers: Int,
        now: @escaping @Sendable () -> Timestamp,
        log: @escaping @Sendable (PluginLogLine) -> Void = { _ in }
    ) {
        folder = PluginFolder(path: configuration.folder)
        environment = PluginEnvironment(
            registry: registry,
            limits: configuration.limits,
            settings: configuration.settings,
            log: PluginLog(receive: log),
            now: now
        )
        self.workers = workers
        var initial = State()
        initial.disabled = configuration.disabled
        state = Mutex(initial)
        watch = FolderWatch(path: configuration.folder)
    }

    deinit { watch.stop() }

    /// A session for one worker, numbered from 0.
    package func session(worker: Int, reader: any SpanReader) -> PluginSession {
        PluginSession(sets, worker: worker, reader: reader)
    }

    /// Loads what lies in the folder and publishes it; returns when it is done.
    package func loadAll() {
        onLoaderThread { self.reload(self.folder.scan()) }
    }

    /// Follows the folder's changes on threads of its own until ``stop()``.
    package func startWatching() {
        watch.start { [weak self] in
            guard let self else { return false }
            return reload(folder.scan())
        }
    }

    /// Stops following the folder; what is loaded stays.
    package func stop() { watch.stop() }

    /// Loads a plugin once more, whether or not its content changed.
    /// - Throws: ``PluginFault`` where it does not load; what was running stays.
    package func reload(_ name: String) throws(PluginFault) {
        state.withLock { _ = $0.seen.removeValue(forKey: name) }
        loadAll()
        if let fault = state.withLock({ $0.faults[name] }) { throw fault }
    }

    /// Switches a plugin off or on again.
    package func setEnabled(_ enabled: Bool, _ name: String) {
        state.withLock { state in
            if enabled { state.disabled.remove(name) } else { state.disabled.insert(name) }
        }
        publish()
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
            if state.disabled.contains(name) {
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
            rules: plugin?.rules.map(\.status) ?? [],
            metrics: plugin?.metrics.map(\.name) ?? [],
            memoryBytes: plugin?.memoryBytes ?? 0,
            failures: state.errors[name]?.all ?? [],
            loadFault: fault,
            lastLoad: state.lastLoads[name]
        )
    }

    // MARK: Loading

    /// Brings what is loaded in line with the folder; whether anything changed. Runs on one thread at a time: the loader's.
    @discardableResult
    private func reload(_ entries: [String: PluginFolder.Entry]) -> Bool {
        var changed = false
        // Told after the set is out: who reads the line finds the version there.
        var news: [(name: String, text: String)] = []
        for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
            let mark = entry.mark
            guard state.withLock({ $0.seen[name] != mark }), !isMomentarilyEmpty(name, entry) else {
                continue
            }
            if load(name, entry) {
                changed = true
                let generation = state.withLock { $0.generations[name] ?? 0 }
                news.append((name, "loaded, generation \(generation)"))
            }
            state.withLock { $0.seen[name] = mark }
        }
        let gone = state.withLock { state in Set(state.seen.keys).subtracting(entries.keys) }
        for name in gone.sorted() {
            changed = true
            state.withLock { state in
                state.seen[name] = nil
                state.loaded[name] = nil
                state.faults[name] = nil
                state.errors[name] = nil
            }
            environment.registry.setPolicies([:], source: name)
            environment.registry.withdraw(source: name)
            news.append((name, "unloaded: its file is gone"))
        }
        if changed { publish() }
        for line in news { environment.log.write(.info, line.name, line.text) }
        return changed
    }

    /// Whether a running plugin's file is empty, and has been for no longer than a save takes.
    private func isMomentarilyEmpty(_ name: String, _ entry: PluginFolder.Entry) -> Bool {
        state.withLock { state in
            guard case .source(let source) = entry, source.text.isEmpty, state.loaded[name] != nil else {
                state.emptySince[name] = nil
                return false
            }
            let since = state.emptySince[name] ?? monotonicNow()
            state.emptySince[name] = since
            return monotonicNow() - since < Self.emptyFilePatienceNanoseconds
        }
    }

    /// Loads one entry; whether a new version is there.
    private func load(_ name: String, _ entry: PluginFolder.Entry) -> Bool {
        let (generation, errors) = state.withLock { state -> (Int, ErrorRecord) in
            let errors = state.errors[name] ?? ErrorRecord()
            state.errors[name] = errors
            state.lastLoads[name] = environment.now()
            return ((state.generations[name] ?? 0) + 1, errors)
        }
        do throws(PluginFault) {
            guard case .source(let source) = entry else {
                if case .unreadable(let fault) = entry { throw fault }
                return false
            }
            let plugin = try LoadedPlugin(
                source,
                generation: generation,
                workers: workers,
                environment: environment,
                errors: errors
            )
            try checkScorers(of: plugin)
            try declareMetrics(of: plugin)
            state.withLock { state in
                state.loaded[name] = plugin
                state.generations[name] = generation
                state.faults[name] = nil
            }
            return true
        } catch {
            let keeps = state.withLock { state in
                state.faults[name] = error
                return state.loaded[name] != nil
            }
            let rest = keeps ? "; the running version stays" : ""
            environment.log.write(.error, name, "does not load: \(error.detail)\(rest)")
            return false
        }
    }

    /// A scorer of a name that another plugin has would replace its verdicts: the one that runs stays.
    private func checkScorers(of plugin: LoadedPlugin) throws(PluginFault) {
        let others = state.withLock { state in state.loaded.values.filter { $0.name != plugin.name } }
        for other in others.sorted(by: { $0.name < $1.name }) {
            guard let scorer = plugin.scorers.first(where: other.scorers.contains) else { continue }
            throw PluginFault(
                code: .load,
                plugin: plugin.name,
                detail: "the scorer \(scorer) is \(other.name)'s already; give it another name"
            )
        }
    }

    /// Metrics and policies are the process's before any worker can use them.
    private func declareMetrics(of plugin: LoadedPlugin) throws(PluginFault) {
        do throws(MetricError) {
            for metric in plugin.metrics {
                _ = try environment.registry.instrument(metric, source: plugin.name)
            }
        } catch {
            throw PluginFault(code: .load, plugin: plugin.name, detail: error.description)
        }
        environment.registry.setPolicies(plugin.policies, source: plugin.name)
    }

    private func publish() {
        let plugins = state.withLock { state in
            state.loaded.values.filter { !state.disabled.contains($0.name) }
        }
        sets.publish(plugins)
    }

    private func onLoaderThread(_ body: @escaping @Sendable () -> Void) {
        watch.serialised { runOnLargeStack(body) }
    }
}

extension PluginFolder.Entry {
    /// What a change of the entry changes.
    fileprivate var mark: String {
        switch self {
        case .source(let source): source.hash
        case .unreadable(let fault): fault.detail
        }
    }
}

extension PluginHost {
    /// Loads plugins once, for commands that run them without a folder.
    /// - Throws: ``PluginFaults`` with every fault, when any file does not load.
    package static func load(
        files: [PluginSource],
        limits: PluginLimits = PluginLimits(),
        settings: [String: Value.Object] = [:],
        registry: MetricRegistry,
        workers: Int = 1,
        now: @escaping @Sendable () -> Timestamp,
        log: @escaping @Sendable (PluginLogLine) -> Void = { _ in }
    ) throws(PluginFaults) -> PluginSetSource {
        let environment = PluginEnvironment(
            registry: registry,
            limits: limits,
            settings: settings,
            log: PluginLog(receive: log),
            now: now
        )
        let outcome = Mutex<(plugins: [LoadedPlugin], faults: [PluginFault])>(([], []))
        runOnLargeStack {
            for file in files {
                do throws(PluginFault) {
                    let plugin = try LoadedPlugin(
                        file,
                        generation: 1,
                        workers: workers,
                        environment: environment,
                        errors: ErrorRecord()
                    )
                    outcome.withLock { $0.plugins.append(plugin) }
                } catch {
                    outcome.withLock { $0.faults.append(error) }
                }
            }
        }
        let (plugins, faults) = outcome.withLock { $0 }
        guard faults.isEmpty else { throw PluginFaults(faults: faults) }
        for plugin in plugins { registry.setPolicies(plugin.policies, source: plugin.name) }
        let source = PluginSetSource()
        source.publish(plugins)
        return source
    }
}

/// Why some plugins cannot be loaded.
package struct PluginFaults: Error, Sendable, CustomStringConvertible {
    /// One for each plugin that does not load.
    package let faults: [PluginFault]

    /// A line for each.
    package var description: String { faults.map(\.description).joined(separator: "\n") }
}
