import NightjarBus
import NightjarSignals
import Synchronization

/// Why a plugin cannot be controlled as asked.
package enum PluginControlError: Error, Sendable, CustomStringConvertible {
    /// There is none of this name.
    case unknown(String)
    /// There is no content before the running one.
    case noEarlierContent(String)
    /// The configuration switches it off.
    case disabledByConfiguration(String)
    /// It does not load.
    case fault(PluginFault)

    /// One line that a person can act on.
    package var description: String {
        switch self {
        case .unknown(let name): "there is no plugin '\(name)'"
        case .noEarlierContent(let name): "plugin \(name): there is no earlier content to go back to"
        case .disabledByConfiguration(let name):
            "plugin \(name) is switched off by plugins.disabled in the configuration"
        case .fault(let fault): fault.description
        }
    }
}

extension PluginHost {
    /// Loads a plugin once more, whether or not its content changed.
    /// - Throws: ``PluginControlError`` where it does not load; what was running stays.
    package func reload(_ name: String) throws(PluginControlError) {
        try checkKnown(name)
        state.withLock { _ = $0.seen.removeValue(forKey: name) }
        loadAll()
        if let fault = state.withLock({ $0.faults[name] }) { throw .fault(fault) }
    }

    /// Switches a plugin off, also for later runs.
    /// - Throws: ``PluginControlError`` where there is none.
    package func disable(_ name: String) throws(PluginControlError) {
        try checkKnown(name)
        onLoaderThread { [self] in
            if let plugin = state.withLock({ $0.loaded[name] }), plugin.isGlobal { keepState(of: plugin) }
        }
        remember(name) { $0.isDisabled = true }
        environment.registry.setPolicies([:], source: name)
        publish()
    }

    /// Switches a plugin on again; it starts anew, with the state that it kept.
    /// - Throws: ``PluginControlError`` where there is none, or it does not load.
    package func enable(_ name: String) throws(PluginControlError) {
        try checkKnown(name)
        guard !configuration.disabled.contains(name) else { throw .disabledByConfiguration(name) }
        guard state.withLock({ $0.memories[name]?.isDisabled == true }) else { return }
        remember(name) { $0.isDisabled = false }
        do throws(PluginControlError) {
            // Its states were given back when workers let go of them.
            try reload(name)
        } catch {
            remember(name) { $0.isDisabled = true }
            throw error
        }
    }

    /// Goes back to the content before the running one, until the file changes.
    /// - Throws: ``PluginControlError`` where there is none; what was running stays.
    package func rollBack(_ name: String) throws(PluginControlError) {
        try checkKnown(name)
        let (running, mark, pin) = state.withLock {
            ($0.loaded[name]?.hash, $0.seen[name], $0.memories[name]?.pin)
        }
        let contents = archive.contents(of: name)
        let place = contents.firstIndex { $0.source.hash == running }
        let earlier = contents.dropFirst(place.map { $0 + 1 } ?? 0).first
        guard let earlier, let mark else { throw .noEarlierContent(name) }
        remember(name) { $0.pin = PluginMemory.Pin(hash: earlier.source.hash, mark: mark) }
        onLoaderThread { [self] in
            if load(name, .source(earlier.source), isPinned: true) {
                publish()
                environment.log.write(.info, name, "rolled back to \(earlier.source.hash.prefix(12))")
            }
        }
        if let fault = state.withLock({ $0.faults[name] }) {
            remember(name) { $0.pin = pin }
            throw .fault(fault)
        }
    }

    /// The text that runs; nil where none does.
    package func source(of name: String) -> PluginSource? { state.withLock { $0.loaded[name]?.source } }

    /// The metrics of plugins that have been gone for a while, which are not to be shown.
    package var hiddenMetrics: Set<String> {
        state.withLock { state in
            let limit = monotonicNow() - configuration.departure.nanoseconds
            let gone = state.departed.values.filter { $0.since <= limit }.flatMap(\.metrics)
            return Set(gone).subtracting(state.loaded.values.flatMap { $0.metrics.map(\.name) })
        }
    }

    /// Whether a plugin that runs decides which traces are kept.
    package var hasSamplers: Bool {
        state.withLock { state in
            state.loaded.values.contains { $0.isSampling && !isDisabled($0.name, state) }
        }
    }

    private func checkKnown(_ name: String) throws(PluginControlError) {
        guard state.withLock({ $0.loaded[name] != nil || $0.faults[name] != nil }) else {
            throw .unknown(name)
        }
    }

    // MARK: What outlives the process

    /// Changes what is kept of a plugin.
    func remember(_ name: String, _ change: (inout PluginMemory) -> Void) {
        state.withLock { state in
            change(&state.memories[name, default: PluginMemory()])
            // Under the lock, so that what is kept last is what was changed last.
            archive.keep(state.memories[name], of: name)
        }
    }

    /// Saves the state of every plugin that keeps one: at the end, when no worker calls any more.
    package func saveStates() { onLoaderThread { self.saveEachState() } }

    private func saveEachState() {
        for plugin in state.withLock({ Array($0.loaded.values) }) where plugin.isGlobal {
            keepState(of: plugin)
        }
    }

    func keepState(of plugin: LoadedPlugin) {
        guard let packed = plugin.packedState() else { return }
        guard state.withLock({ $0.memories[plugin.name]?.packedState != packed }) else { return }
        remember(plugin.name) { memory in
            memory.state = packed.bytes
            memory.stateVersion = packed.version
            memory.stateHash = packed.hash
        }
    }

    /// What is due now and then: saves states, forgets what plugins that are gone left behind.
    func keepHouse() {
        let now = monotonicNow()
        let (saves, forgotten) = state.withLock { state -> (Bool, [String]) in
            let saves = now - state.lastStateSave >= Self.stateSaveNanoseconds
            if saves { state.lastStateSave = now }
            let old = state.departed.filter { now - $0.value.since >= configuration.departure.nanoseconds }
                .keys
            let forgotten = old.filter { state.memories[$0]?.state != nil }
            for name in forgotten { state.memories[name]?.state = nil }
            return (saves, Array(forgotten))
        }
        for name in forgotten { remember(name) { $0.state = nil } }
        if saves { saveEachState() }
    }
}
