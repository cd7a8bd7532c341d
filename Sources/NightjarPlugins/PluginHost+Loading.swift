package import NightjarBus
package import NightjarSignals
import Synchronization

extension PluginHost {
    /// Reads the folder and follows it, but for the plugins that `unsettled` names after it was read; whether anything
    /// changed. What runs goes on where the folder cannot be read.
    @discardableResult
    func look(leaving unsettled: () -> Set<String> = { [] }) -> Bool {
        do throws(PluginFolder.Unreadable) {
            let entries = try folder.entries()
            state.withLock { $0.folderFault = nil }
            return reload(entries, leaving: unsettled())
        } catch {
            let isKnown = state.withLock { state in
                defer { state.folderFault = error.reason }
                return state.folderFault == error.reason
            }
            guard !isKnown else { return false }
            environment.log.write(
                .error,
                nil,
                "the plugins folder cannot be read: \(error.reason); what runs goes on"
            )
            return false
        }
    }

    /// Brings what is loaded in line with the folder, but for some plugins; whether anything changed. Runs on one thread
    /// at a time: the loader's.
    private func reload(_ entries: [String: PluginFolder.Entry], leaving unsettled: Set<String>) -> Bool {
        var changed = false
        let known = state.withLock { Set($0.seen.keys).union($0.loaded.keys) }
        let gone = known.subtracting(entries.keys).subtracting(unsettled).filter(folder.isAbsent).sorted()
        // Before the others load: a plugin under a new name has the scorers of the old one.
        for name in gone { depart(name) }
        // Told after the set is out: who reads the line finds the version there.
        var news: [(name: String, text: String)] = []
        for (name, found) in entries.sorted(by: { $0.key < $1.key }) where !unsettled.contains(name) {
            let mark = found.mark
            let isSeen = state.withLock { $0.seen[name] == mark }
            let hasNewData = hasNewData(name)
            guard !isSeen || hasNewData, !isMomentarilyEmpty(name, found) else { continue }
            let (entry, isPinned) = pinned(name, found)
            if !hasNewData, isBackToWhatRuns(name, mark) {
                news.append((name, "its file holds what runs again"))
            } else if load(name, entry, isPinned: isPinned) {
                changed = true
                let generation = state.withLock { $0.generations[name] ?? 0 }
                news.append((name, "loaded, generation \(generation)"))
            }
            state.withLock { $0.seen[name] = mark }
        }
        for name in gone {
            changed = true
            environment.registry.setPolicies([:], source: name)
            environment.registry.withdraw(source: name)
            news.append((name, "unloaded: its file is gone"))
        }
        if changed { publish() }
        for line in news { environment.log.write(.info, line.name, line.text) }
        return changed
    }

    /// Whether a file that could not be loaded has become what runs: then there is nothing to load.
    private func isBackToWhatRuns(_ name: String, _ mark: String) -> Bool {
        state.withLock { state in
            guard state.seen[name] != nil, state.loaded[name]?.hash == mark else { return false }
            state.faults[name] = nil
            return true
        }
    }

    /// What runs: the content that was pinned, where one was and the file is as it was then, else the file's.
    private func pinned(
        _ name: String,
        _ entry: PluginFolder.Entry
    ) -> (entry: PluginFolder.Entry, isPinned: Bool) {
        guard let pin = state.withLock({ $0.memories[name]?.pin }) else { return (entry, false) }
        guard pin.mark == entry.mark else {
            remember(name) { $0.pin = nil }
            return (entry, false)
        }
        guard let content = archive.contents(of: name).first(where: { $0.source.hash == pin.hash }) else {
            return (entry, false)
        }
        return (.source(content.source), true)
    }

    /// Whether a data file of a running plugin has changed.
    private func hasNewData(_ name: String) -> Bool {
        guard let stamps = state.withLock({ $0.loaded[name]?.data.stamps }) else { return false }
        return stamps.contains { FileStamp(path: $0.path) != $0 }
    }

    private func depart(_ name: String) {
        let plugin = state.withLock { state -> LoadedPlugin? in
            let plugin = state.loaded[name]
            if let plugin { state.departed[name] = (plugin.metrics.map(\.name), monotonicNow()) }
            state.seen[name] = nil
            state.loaded[name] = nil
            state.faults[name] = nil
            state.errors[name] = nil
            state.totals[name] = nil
            return plugin
        }
        if let plugin, plugin.isGlobal { keepState(of: plugin) }
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

    /// Loads one entry; whether a new version is there. One that is pinned keeps its place among the contents, so that the next
    /// rollback goes further back.
    func load(_ name: String, _ entry: PluginFolder.Entry, isPinned: Bool = false) -> Bool {
        let (generation, errors, previous) = state.withLock { state -> (Int, ErrorRecord, LoadedPlugin?) in
            let errors = state.errors[name] ?? ErrorRecord()
            state.errors[name] = errors
            state.lastLoads[name] = environment.now()
            return ((state.generations[name] ?? 0) + 1, errors, state.loaded[name])
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
            try checkTests(of: source)
            try inherit(plugin, from: previous)
            try declareMetrics(of: plugin)
            if !isPinned { archive.keep(PluginContent(source: source, loadedAt: environment.now())) }
            state.withLock { state in
                let totals = state.totals[name] ?? PluginTotals()
                state.totals[name] = totals
                plugin.count(into: totals)
                state.loads[name, default: PluginStatus.Loads()].succeeded += 1
                state.loaded[name] = plugin
                state.generations[name] = generation
                state.faults[name] = nil
                state.departed[name] = nil
            }
            return true
        } catch {
            let keeps = state.withLock { state in
                state.faults[name] = error
                state.loads[name, default: PluginStatus.Loads()].failed += 1
                return state.loaded[name] != nil
            }
            let rest = keeps ? "; the running version stays" : ""
            environment.log.write(.error, name, "does not load: \(error.detail)\(rest)")
            environment.log.errors?.tell(PluginErrorNotice(error, at: environment.now()))
            return false
        }
    }

    /// A scorer of a name that another plugin has would replace its verdicts: the one that runs stays.
    private func checkScorers(of plugin: LoadedPlugin) throws(PluginFault) {
        let others = state.withLock { state in
            state.loaded.values.filter { $0.name != plugin.name && !isDisabled($0.name, state) }
        }
        for other in others.sorted(by: { $0.name < $1.name }) {
            guard let scorer = plugin.scorers.first(where: other.scorers.contains) else { continue }
            throw PluginFault(
                code: .load,
                plugin: plugin.name,
                detail: "the scorer \(scorer) is \(other.name)'s already; give it another name"
            )
        }
    }

    private func checkTests(of source: PluginSource) throws(PluginFault) {
        guard let failures = configuration.test?(source), let first = failures.first else { return }
        let more = failures.count > 1 ? " (and \(failures.count - 1) more)" : ""
        throw PluginFault(code: .tests, plugin: source.name, detail: "its tests fail: \(first)\(more)")
    }

    /// Decides where the state of a global plugin comes from, and tries on a copy whether it takes what there is.
    private func inherit(_ plugin: LoadedPlugin, from previous: LoadedPlugin?) throws(PluginFault) {
        guard plugin.isGlobal, let source = inheritance(from: previous, plugin.name) else { return }
        plugin.inheritance.withLock { $0 = source }
        guard let packed = source.packedState else { return }
        let trial = try PluginInstance(
            plugin.source,
            limits: environment.limits,
            registry: environment.registry,
            settings: environment.settings[plugin.name] ?? [:],
            now: environment.now(),
            data: plugin.data
        )
        guard let copy = trial.state,
            copy.unpackState(packed.bytes, version: packed.version(for: plugin.hash)) != .ok
        else { return }
        throw PluginFault(
            code: .state,
            plugin: plugin.name,
            detail: "cannot take over the state: \(copy.failure.message)",
            traceback: copy.failure.traceback
        )
    }

    private func inheritance(from previous: LoadedPlugin?, _ name: String) -> Inheritance? {
        let (isOff, stored) = state.withLock { (isDisabled(name, $0), $0.memories[name]?.packedState) }
        guard let previous, previous.isGlobal else { return stored.map(Inheritance.stored) }
        // No worker takes up one that is switched off: what it was to inherit is passed on, so that no chain of them grows.
        if isOff, let pending = previous.inheritance.withLock({ $0 }) { return pending }
        return .running(previous)
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
        let isOff = state.withLock { isDisabled(plugin.name, $0) }
        environment.registry.setPolicies(isOff ? [:] : plugin.policies, source: plugin.name)
    }

    func publish() {
        // Under the lock, so that a set that is older never replaces a newer one.
        state.withLock { state in
            sets.publish(state.loaded.values.filter { !isDisabled($0.name, state) })
        }
    }
}

extension PluginFolder.Entry {
    /// What a change of the entry changes.
    var mark: String {
        switch self {
        case .source(let source): source.hash
        case .unreadable(let fault): fault.detail
        }
    }
}

extension PluginHost {
    /// Loads plugins once, for commands that run them without a folder; with `isWatched`, the lines that run are noted.
    /// - Throws: ``PluginFaults`` with every fault, when any file does not load.
    package static func load(
        files: [PluginSource],
        limits: PluginLimits = PluginLimits(),
        settings: [String: Value.Object] = [:],
        registry: MetricRegistry,
        workers: Int = 1,
        isWatched: Bool = false,
        now: @escaping @Sendable () -> Timestamp,
        log: @escaping @Sendable (PluginLogLine) -> Void = { _ in }
    ) throws(PluginFaults) -> PluginSetSource {
        let environment = PluginEnvironment(
            registry: registry,
            limits: limits,
            settings: settings,
            log: PluginLog(receive: log),
            now: now,
            isWatched: isWatched
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
        let source = PluginSetSource(limits: limits)
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
