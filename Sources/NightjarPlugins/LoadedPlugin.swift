import NightjarBus
package import NightjarSignals
import Synchronization

/// One version of a plugin, loaded for every worker.
final class LoadedPlugin: Sendable {
    let name: String
    let hash: String
    let version: String?
    let displayName: String?
    let description: String?
    let generation: Int
    let loadedAt: Timestamp
    let metrics: [InstrumentDescriptor]
    let policies: [String: LabelPolicy]
    let rules: [RuleRecord]
    /// The names of its scorers.
    let scorers: [String]
    let errors: ErrorRecord
    let log: PluginLog
    /// Set where its states have run out of memory for good.
    let isExhausted = Atomic<Bool>(false)
    private let states: Mutex<[Handover?]>
    private let memory = Atomic<Int>(0)
    private let hasWork: (spans: Bool, traces: Bool)

    /// An instance on its way from the loader to its worker.
    private struct Handover: @unchecked Sendable {
        // Unchecked: the loader lets go of it when it puts it here, and a worker takes it out once.
        let instance: PluginInstance
    }

    /// Loads a plugin for a number of workers; call on a thread with a stack of 8 MiB or more.
    /// - Throws: ``PluginFault`` with file and line; nothing stays of a plugin that fails for one worker.
    init(
        _ source: PluginSource,
        generation: Int,
        workers: Int,
        environment: PluginEnvironment,
        errors: ErrorRecord
    ) throws(PluginFault) {
        var instances: [Handover?] = []
        let now = environment.now()
        for _ in 0..<max(workers, 1) {
            let instance = try PluginInstance(
                source,
                limits: environment.limits,
                registry: environment.registry,
                settings: environment.settings[source.name] ?? [:],
                now: now
            )
            environment.log.deliver(emissionsOf: instance, plugin: source.name)
            instances.append(Handover(instance: instance))
        }
        guard let declarations = instances.first??.instance.declarations else {
            throw PluginFault(code: .load, plugin: source.name, detail: "no state was made")
        }
        name = source.name
        hash = source.hash
        version = declarations.version
        displayName = declarations.displayName
        description = declarations.description
        metrics = declarations.metrics
        policies = declarations.policies
        rules = declarations.rules.map(RuleRecord.init)
        scorers = declarations.rules.compactMap(\.scorer)
        hasWork = (
            declarations.rules.contains { $0.event == .spanEnded },
            declarations.rules.contains { $0.event == .traceEnded }
        )
        self.generation = generation
        self.errors = errors
        log = environment.log
        loadedAt = now
        states = Mutex(instances)
    }

    var wantsSpans: Bool { hasWork.spans }
    var wantsTraces: Bool { hasWork.traces }

    /// The instance of a worker; once.
    func take(worker: Int) -> PluginInstance? {
        let handover = states.withLock { states -> Handover? in
            guard states.indices.contains(worker) else { return nil }
            defer { states[worker] = nil }
            return states[worker]
        }
        return handover?.instance
    }

    func note(memoryBytes: Int) { memory.store(memoryBytes, ordering: .relaxed) }

    var memoryBytes: Int { memory.load(ordering: .relaxed) }
}

/// What loading needs to know.
struct PluginEnvironment: Sendable {
    let registry: MetricRegistry
    let limits: PluginLimits
    let settings: [String: Value.Object]
    let log: PluginLog
    let now: @Sendable () -> Timestamp
}

/// Where lines about plugins go.
package struct PluginLogLine: Sendable, Equatable {
    /// How bad it is.
    package let level: LogLevel
    /// The plugin; nil for the folder itself.
    package let plugin: String?
    /// One printable line.
    package let message: String
}

/// Passes lines about plugins on, as one function.
struct PluginLog: Sendable {
    let receive: @Sendable (PluginLogLine) -> Void

    func write(_ level: LogLevel, _ plugin: String?, _ message: String) {
        receive(PluginLogLine(level: level, plugin: plugin, message: message))
    }
}
