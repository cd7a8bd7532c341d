import CNightjarLua
import NightjarBus
package import NightjarSignals
import Synchronization

/// One version of a plugin, loaded for every worker, or once where its scope is global.
final class LoadedPlugin: Sendable {
    let source: PluginSource
    let version: String?
    let displayName: String?
    let description: String?
    let generation: Int
    let loadedAt: Timestamp
    let metrics: [InstrumentDescriptor]
    let policies: [String: LabelPolicy]
    let settings: Value.Object
    let isGlobal: Bool
    /// What it declares, and what is counted of each.
    let declared: [Rule]
    let rules: [RuleRecord]
    /// The names of its scorers.
    let scorers: [String]
    let errors: ErrorRecord
    let log: PluginLog
    let data: DataFiles
    /// Set where its states have run out of memory for good.
    let isExhausted = Atomic<Bool>(false)
    /// The one state of a global plugin.
    let shared: SharedInstance?
    /// Where `nightjar.state` comes from, until the first worker takes it up.
    let inheritance = Mutex<Inheritance?>(nil)
    /// What `nightjar.state` held when the version went.
    let lastState = Mutex<PackedState?>(nil)
    private let states: Mutex<[Handover?]>
    /// What the state of each worker holds, as last seen.
    private let memory = Mutex<[Int: Int]>([:])
    private let totals = Mutex<PluginTotals?>(nil)
    private let users = Atomic<Int>(0)

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
        let data = DataFiles()
        let now = environment.now()
        func make() throws(PluginFault) -> PluginInstance {
            let instance = try PluginInstance(
                source,
                limits: environment.limits,
                registry: environment.registry,
                settings: environment.settings[source.name] ?? [:],
                now: now,
                data: data,
                isWatched: environment.isWatched
            )
            environment.log.deliver(emissionsOf: instance, plugin: source.name)
            return instance
        }
        let first = try make()
        let declarations = first.declarations
        var instances: [Handover?] = []
        if declarations.isGlobal {
            shared = SharedInstance(first)
        } else {
            shared = nil
            instances.append(Handover(instance: first))
            for _ in 1..<max(workers, 1) { instances.append(Handover(instance: try make())) }
        }
        self.source = source
        self.data = data
        version = declarations.version
        displayName = declarations.displayName
        description = declarations.description
        metrics = declarations.metrics
        policies = declarations.policies
        settings = declarations.settings
        isGlobal = declarations.isGlobal
        declared = declarations.rules
        rules = RuleRecord.records(of: declarations.rules)
        scorers = declarations.rules.compactMap(\.scorer)
        self.generation = generation
        self.errors = errors
        log = environment.log
        loadedAt = now
        states = Mutex(instances)
    }

    deinit { totals.withLock { $0 }?.leave(self) }

    var name: String { source.name }
    var hash: String { source.hash }

    /// What its verdicts are signed with.
    var signature: String { "\(name)@\(version ?? String(hash.prefix(12)))" }

    /// The instance of a worker; once.
    func take(worker: Int) -> PluginInstance? {
        let handover = states.withLock { states -> Handover? in
            guard states.indices.contains(worker) else { return nil }
            defer { states[worker] = nil }
            return states[worker]
        }
        return handover?.instance
    }

    /// A worker has taken this version up.
    func join() { users.wrappingAdd(1, ordering: .acquiringAndReleasing) }

    /// A worker has left this version; true for the last one that had taken it up. Nobody takes up a version that has been
    /// replaced.
    func leave() -> Bool { users.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 }

    /// Whether it decides which traces are kept.
    var isSampling: Bool { declared.contains { if case .sampler = $0.role { true } else { false } } }

    /// Whoever has been in a state tells what it holds; one that all workers share is one.
    func note(memoryBytes: Int, worker: Int) {
        memory.withLock { $0[isGlobal ? 0 : worker] = memoryBytes }
    }

    var memoryBytes: Int { memory.withLock { $0.values.reduce(0, +) } }

    /// Has what the rules count added to what earlier versions counted.
    func count(into totals: PluginTotals) {
        self.totals.withLock { $0 = totals }
        totals.enter(self)
    }
}

/// What a plugin's state held, and which content packed it.
struct PackedState: Sendable, Equatable {
    let bytes: [UInt8]
    let version: String?
    let hash: String?

    /// What the content of a hash is told of who packed it; nil where that was the same content.
    func version(for hash: String) -> String? {
        self.hash == hash ? nil : version ?? self.hash.map { String($0.prefix(12)) }
    }
}

/// Where the state of a global plugin comes from.
enum Inheritance: Sendable {
    /// From the version that ran before, which goes on until this one is taken up.
    case running(LoadedPlugin)
    /// From what was stored.
    case stored(PackedState)

    /// What there is to inherit now; nil where that is nothing.
    var packedState: PackedState? {
        switch self {
        case .running(let old): old.packedState()
        case .stored(let packed): packed
        }
    }
}

extension LoadedPlugin {
    /// Fills the state of an instance with what it inherits; call before it is used.
    func inherit(into state: LuaState) {
        let source = inheritance.withLock { inheritance in
            defer { inheritance = nil }
            return inheritance
        }
        guard let packed = source?.packedState,
            state.unpackState(packed.bytes, version: packed.version(for: hash)) != .ok
        else { return }
        log.write(.error, name, "its state could not be handed over: \(state.failure.message)")
    }

    /// What `nightjar.state` holds now, or held at the end, or will hold at first where no worker has taken the version up yet;
    /// nil where there is none or it cannot be kept.
    func packedState() -> PackedState? {
        guard let shared else { return nil }
        if let source = inheritance.withLock({ $0 }) { return source.packedState }
        if let last = lastState.withLock({ $0 }) { return last }
        return shared.enter { instance in
            guard let state = instance.state else { return nil }
            guard let packed = state.packState() else {
                log.write(.error, name, "its state is not kept: \(state.failure.message)")
                return nil
            }
            return PackedState(bytes: packed, version: version, hash: hash)
        }
    }
}

/// The one state of a global plugin: whichever worker has an event for it enters it, one at a time.
final class SharedInstance: Sendable {
    private struct Content: @unchecked Sendable {
        // Unchecked: reached under the lock only.
        let instance: PluginInstance
        /// Whether the first worker could take it up; nil before it tried.
        var isFit: Bool?
    }

    private let content: Mutex<Content>

    init(_ instance: PluginInstance) { content = Mutex(Content(instance: instance)) }

    /// Calls with the instance while no other worker is in it.
    func enter<Result>(_ body: (PluginInstance) -> Result) -> Result {
        // Unsafe by name only: the body runs before this returns, on the caller's thread, and the instance does not leave it.
        nonisolated(unsafe) let body = body
        nonisolated(unsafe) var result: Result?
        content.withLock { result = body($0.instance) }
        guard let result else { preconditionFailure("the body was called") }
        return result
    }

    /// Calls the first worker's body with the instance, before any worker is in it; true where it is fit to be used.
    func takeUp(_ body: (PluginInstance) -> Bool) -> Bool {
        // Unsafe by name only, as above.
        nonisolated(unsafe) let body = body
        return content.withLock { content in
            if content.isFit == nil { content.isFit = body(content.instance) }
            return content.isFit == true
        }
    }
}

/// What loading needs to know.
struct PluginEnvironment: Sendable {
    let registry: MetricRegistry
    let limits: PluginLimits
    let settings: [String: Value.Object]
    let log: PluginLog
    let now: @Sendable () -> Timestamp
    /// Whether the lines that run are noted.
    var isWatched = false
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
    /// Who is told of errors as they happen.
    var errors: PluginErrorFeed?

    func write(_ level: LogLevel, _ plugin: String?, _ message: String) {
        receive(PluginLogLine(level: level, plugin: plugin, message: message))
    }
}
