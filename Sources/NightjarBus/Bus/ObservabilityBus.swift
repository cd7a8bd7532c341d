public import NightjarSignals
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Carries signals to exporters and subscribers (signals contract, section 10).
///
/// Each of them has a bounded queue and a task of its own: one that fails or hangs keeps nothing from the others. Events reach
/// each in the order in which they were emitted. All functions may be called from any thread.
public final class ObservabilityBus: Sendable {
    /// The bit of a bus that is shut down; the bits below stand for signals.
    private static let closed: UInt8 = 1 << 7

    private let configuration: BusConfiguration
    private let policy: RetryPolicy
    private let core: BusCore
    private let wanted = Atomic<UInt8>(0)
    private let nextID = Atomic(0)
    private let ending = Mutex<Task<Void, Never>?>(nil)

    /// A bus without exporters.
    ///
    /// `clock` measures limits and pauses, `now` dates what the bus itself tells, `random` (0 to below 1) spreads pauses before
    /// retries. `onFault` is called from any thread, at most once a minute for each kind of fault of an exporter.
    public init(
        _ configuration: BusConfiguration = .init(),
        clock: any Clock<Duration> = ContinuousClock(),
        now: @escaping @Sendable () -> Timestamp,
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) },
        onFault: @escaping @Sendable (BusFault) -> Void = { _ in }
    ) {
        self.configuration = configuration
        policy = RetryPolicy(retries: configuration.retries, backOff: configuration.backOff, random: random)
        core = BusCore(timer: BusTimer(clock), now: now, onFault: onFault)
    }

    deinit {
        // Without a shutdown the pipes still hand over what they hold, and then end.
        for pipe in core.pipes { pipe.close() }
        core.stopTelling()
    }

    // MARK: Who listens

    /// Adds an exporter; it gets what is emitted from now on. Does nothing after the shutdown.
    public func register(_ exporter: any SignalExporter) {
        let ceiling = configuration.logLevel
        var level = ceiling
        if let own = (exporter as? any LogExporter)?.logLevel {
            level = max(own, ceiling)
            if own < ceiling {
                core.report(
                    .levelRaised,
                    exporter.name,
                    "its log level \(own.name) is looser than the bus's and was raised to \(ceiling.name)"
                )
            }
        }
        add(Destination(exporter, logLevel: level))
    }

    /// Calls `handler` with each event of the given signals, one at a time, until the subscription is cancelled; letting go of
    /// the subscription does not cancel it. An event for which the handler throws is counted as lost, or, for a retryable
    /// ``ExportError``, handed over again.
    @discardableResult
    public func subscribe(
        _ name: String,
        to signals: Set<Signal> = Set(Signal.allCases),
        _ handler: @escaping @Sendable (SignalEvent) async throws -> Void
    ) -> Subscription {
        let pipe = add(
            Destination(name: name, signals: signals, logLevel: configuration.logLevel, handler: handler)
        )
        return Subscription(name: name) { [weak self] in
            pipe.discard()
            self?.core.remove(pipe)
            self?.updateWanted()
        }
    }

    /// Whether anyone listens to a signal; costs one load, so that nobody need make a value that no one takes.
    public func wants(_ signal: Signal) -> Bool {
        wanted.load(ordering: .relaxed) & signal.bit != 0
    }

    // MARK: Events

    /// Sends an event to everyone who wants it. Does not wait, unless the configuration says so, and never fails.
    public func emit(_ event: SignalEvent) { emit(CollectionOfOne(event)) }

    /// Sends events in order; cheaper than one by one.
    public func emit(_ events: [SignalEvent]) { emit(events[...]) }

    private func emit(_ events: some Collection<SignalEvent>) {
        let wanted = wanted.load(ordering: .acquiring)
        guard wanted & Self.closed == 0 else {
            for event in events { core.ledger.count(1, event.signal, "shut_down", pipe: BusCount.bus) }
            return
        }
        let envelopes = Array(
            events.lazy.filter { wanted & $0.signal.bit != 0 && self.isLoudEnough($0) }.map(Envelope.init)
        )
        guard !envelopes.isEmpty else { return }
        let mayBlock = configuration.whenFull == .block
        var deadline: Duration?
        for pipe in core.pipes {
            var refused = pipe.offer(envelopes, inOrder: mayBlock)
            while mayBlock, !refused.isEmpty {
                let end = deadline ?? core.timer.elapsed() + configuration.blockLimit
                deadline = end
                guard core.timer.elapsed() < end else { break }
                // The standard library has nothing that a thread can wait for; a millisecond is short beside what fills a queue.
                usleep(1000)
                refused = pipe.offer(refused, inOrder: true)
            }
            let lost = refused.reduce(into: [:]) { $0[$1.event.signal, default: 0] += 1 }
            for (signal, count) in lost { core.lose(count, signal, "queue_full", pipe: pipe, detail: nil) }
        }
    }

    // MARK: The end

    /// Returns when everything emitted before was handed to every exporter and their own flush has returned. Who gets nothing
    /// done for the limit of a call is not waited for any longer, and named in the report.
    @discardableResult
    public func flush() async -> FlushReport {
        let losses = core.ledger.losses
        var late = await settle(core.pipes) { $0.barrier(flushes: true) }
        if core.tellLosses() || core.ledger.losses != losses {
            let listeners = core.pipes.filter { $0.takesDrops && late[$0.id] == nil }
            late.merge(await settle(listeners) { $0.barrier(flushes: true) }) { $1 }
        }
        return FlushReport(unfinished: late.sorted { $0.key < $1.key }.map(\.value))
    }

    /// Refuses further events, hands over those emitted before, and flushes and shuts down each exporter once. Afterwards nobody
    /// receives anything. What an exporter could not take within the limits is counted as lost. A second call returns with the
    /// first.
    public func shutdown() async {
        let task = ending.withLock { ending in
            if let task = ending { return task }
            wanted.store(Self.closed, ordering: .sequentiallyConsistent)
            let task = Task { await end() }
            ending = task
            return task
        }
        await task.value
    }

    private func end() async {
        let pipes = core.pipes
        await core.endTelling()
        // Those that take drops end last: the others may still lose something that they are to be told.
        let listeners = pipes.filter { $0.takesDrops }
        let others = pipes.filter { !$0.takesDrops }
        for pipe in others { pipe.close() }
        let gates = Dictionary(uniqueKeysWithValues: listeners.map { ($0.id, $0.barrier(flushes: false)) })
        let late = await settle(pipes) { gates[$0.id] ?? $0.ended }
        for pipe in pipes where late[pipe.id] != nil && !pipe.ended.isOpen { pipe.stop() }
        core.tellLosses()
        for pipe in listeners { pipe.close() }
        let left = await settle(pipes, \.ended)
        for pipe in listeners where left[pipe.id] != nil { pipe.stop() }
        for pipe in pipes { core.remove(pipe) }
    }

    /// Waits for one gate of each pipe; the names of those that did not open in time, by the pipes' numbers.
    private func settle(_ pipes: [Pipe], _ gate: (Pipe) -> Gate) async -> [Int: String] {
        let gates = pipes.map { ($0, gate($0)) }
        return await withTaskGroup(of: (Int, String)?.self) { group in
            for (pipe, gate) in gates {
                group.addTask { await pipe.wait(for: gate) ? nil : (pipe.id, pipe.name) }
            }
            return await group.reduce(into: [:]) { late, one in
                if let one { late[one.0] = one.1 }
            }
        }
    }

    // MARK: Counting

    /// How many events each exporter took and lost, by signal and reason, since the start.
    package func counts() -> [BusCount] { core.ledger.counts }

    @discardableResult
    private func add(_ destination: Destination) -> Pipe {
        let id = nextID.add(1, ordering: .relaxed).newValue
        let pipe = Pipe(id: id, destination, limits: configuration, policy: policy, core: core)
        let isOpen = ending.withLock { ending in
            if ending == nil { core.add(pipe) }
            return ending == nil
        }
        if isOpen {
            pipe.start()
            updateWanted()
        }
        return pipe
    }

    /// Under the lock of the ending, so that it cannot undo that.
    private func updateWanted() {
        ending.withLock { ending in
            guard ending == nil else { return }
            let bits = core.pipes.reduce(UInt8(0)) { $1.destination.signals.reduce($0) { $0 | $1.bit } }
            wanted.store(bits, ordering: .releasing)
        }
    }

    private func isLoudEnough(_ event: SignalEvent) -> Bool {
        if case .log(let log) = event { return log.level >= configuration.logLevel }
        return true
    }
}

/// A listener's place on the bus.
public final class Subscription: Sendable {
    /// The name it was made with.
    public let name: String
    private let end: @Sendable () -> Void

    init(name: String, end: @escaping @Sendable () -> Void) {
        self.name = name
        self.end = end
    }

    /// Ends it: the handler gets nothing that it has not begun with, and what waits for it is forgotten. Again: nothing.
    public func cancel() { end() }
}

extension Signal {
    fileprivate var bit: UInt8 {
        switch self {
        case .tracing: 1
        case .log: 1 << 1
        case .metric: 1 << 2
        case .score: 1 << 3
        case .feedback: 1 << 4
        case .drop: 1 << 5
        case .traceEnded: 1 << 6
        }
    }
}
