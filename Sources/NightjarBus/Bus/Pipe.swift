import NightjarSignals
import Synchronization

/// The way to one exporter or subscriber: a bounded queue and the one task that empties it, so that nobody waits for another
/// and every call comes after the one before.
final class Pipe: Sendable {
    /// A call that has not returned. Whoever takes it out of the state accounts for its events, once.
    private struct Call {
        let progress: Progress
        let signal: Signal
        let count: Int
    }

    private struct State {
        var queue: PipeQueue
        var waiter: CheckedContinuation<Void, Never>?
        var call: Call?
        /// When it last got on with something.
        var movedAt = Duration.zero
        /// Whether it must not begin another call.
        var isStopped = false
        var task: Task<Void, Never>?
    }

    private enum Attempt {
        /// So many events are done with, delivered or lost.
        case took(Int)
        case failed(after: Int, any Error)
        /// Someone else accounted for the events; there is nothing to go on with.
        case over
    }

    let id: Int
    let destination: Destination
    /// Opens when the last call has returned and the exporter is shut down.
    let ended = Gate()

    private let limits: BusConfiguration
    private let policy: RetryPolicy
    private let core: BusCore
    private let state: Mutex<State>
    private let hasFailedFlush = Atomic(false)

    init(id: Int, _ destination: Destination, limits: BusConfiguration, policy: RetryPolicy, core: BusCore) {
        self.id = id
        self.destination = destination
        self.limits = limits
        self.policy = policy
        self.core = core
        let queue = PipeQueue(maxEvents: limits.queueEvents, maxBytes: limits.queueBytes)
        state = Mutex(State(queue: queue))
    }

    var name: String { destination.name }

    /// Whether it is told what the others lose.
    var takesDrops: Bool { destination.signals.contains(.drop) }

    /// Starts the task; it ends after `close` or `stop`.
    func start() {
        let task = Task { await run() }
        state.withLock { $0.task = task }
    }

    // MARK: From the outside

    /// Queues what the destination wants; what there is no room for is returned. With `inOrder` nothing is taken after the first
    /// that is not.
    func offer(_ envelopes: some Collection<Envelope>, inOrder: Bool) -> [Envelope] {
        var refused: [Envelope] = []
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard !state.queue.isClosed else {
                // It closed between the bus's look and this one: what comes now is as late as what comes after.
                refused = envelopes.filter { wants($0.event) }
                return nil
            }
            for envelope in envelopes where wants(envelope.event) {
                if inOrder && !refused.isEmpty || !state.queue.append(envelope) { refused.append(envelope) }
            }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
        return refused
    }

    /// A gate that opens when everything queued so far was handed over, after a flush of the exporter where asked for.
    func barrier(flushes: Bool) -> Gate {
        let gate = Gate()
        wake { $0.queue.mark(gate, flushes: flushes) }
        return gate
    }

    /// Takes nothing any more, hands over what waits, flushes and shuts down the exporter.
    func close() { wake { $0.queue.close() } }

    /// Forgets what waits and lets a call that runs come to its end.
    func discard() {
        let call = wake { state in
            state.queue.close()
            _ = state.queue.discard()
            state.isStopped = true
            return state.call.take()
        }
        if let call { core.ledger.count(call.progress.stop(), call.signal, BusCount.delivered, pipe: name) }
    }

    /// Cancels the call that runs and counts it and what waits as lost.
    func stop() {
        let (call, waiting, task) = wake { state in
            state.queue.close()
            state.isStopped = true
            return (state.call.take(), state.queue.discard(), state.task)
        }
        task?.cancel()
        for (signal, count) in waiting { lose(count, signal, "shut_down") }
        if let call {
            let handled = call.progress.stop()
            core.ledger.count(handled, call.signal, BusCount.delivered, pipe: name)
            lose(call.count - handled, call.signal, "shut_down")
        }
    }

    /// Waits for a gate of this pipe; false where it got on with nothing for the limit of a call, or took too long in all.
    func wait(for gate: Gate) async -> Bool {
        let start = core.timer.elapsed()
        let isOpen = await core.timer.wait(for: gate) { [core, limits] in
            let now = core.timer.elapsed()
            let moved = self.state.withLock { max(start, $0.movedAt, $0.call?.progress.movedAt ?? start) }
            return min(limits.callLimit - (now - moved), limits.flushLimit - (now - start))
        }
        if !isOpen { core.report(.notFlushed, name, "is not done in time; what it holds may be lost") }
        return isOpen && !hasFailedFlush.load(ordering: .relaxed)
    }

    /// Changes the state and lets the task look at it.
    @discardableResult
    private func wake<Answer>(_ change: (inout State) -> Answer) -> Answer {
        let (answer, waiter) = state.withLock { state in
            let answer = change(&state)
            return (answer, state.waiter.take())
        }
        waiter?.resume()
        return answer
    }

    private func wants(_ event: SignalEvent) -> Bool {
        if case .log(let log) = event, log.level < destination.logLevel { return false }
        return destination.signals.contains(event.signal)
    }

    // MARK: The task

    private func run() async {
        while true {
            switch await next() {
            case .batch(let signal, let envelopes): await deliver(signal, envelopes.map(\.event))
            case .barrier(let gates, let flushes):
                if flushes { await finish("flush", destination.flush) }
                moved()
                for gate in gates { gate.open() }
            case .finish:
                // A task of their own: this one may be cancelled, and an exporter must be let go of all the same.
                await Task {
                    await finish("flush", destination.flush)
                    await finish("shutdown", destination.shutdown)
                }.value
                return ended.open()
            }
        }
    }

    private func next() async -> PipeQueue.Work {
        while true {
            let work = state.withLock {
                $0.queue.next(maxEvents: limits.batchEvents, maxBytes: limits.batchBytes)
            }
            if let work { return work }
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    guard state.queue.isIdle else { return true }
                    state.waiter = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        }
    }

    private func deliver(_ signal: Signal, _ events: [SignalEvent]) async {
        var rest = events[...]
        var attempts = 0
        while !rest.isEmpty {
            switch await attempt(signal, Array(rest)) {
            case .over: return
            case .took(let count):
                rest = rest.dropFirst(count)
                attempts = 0
            case .failed(let handled, let error):
                rest = rest.dropFirst(handled)
                attempts = handled > 0 ? 1 : attempts + 1
                switch policy.decide(error, attempts: attempts) {
                case .retry(let pause):
                    do {
                        try await core.timer.sleep(pause)
                    } catch {
                        return lose(rest.count, signal, "shut_down")
                    }
                case .lose(let reason, let count):
                    let unit = destination.isPerEvent ? 1 : rest.count
                    let lost = min(count ?? unit, unit)
                    lose(lost, signal, reason, detail: "\(error)")
                    core.ledger.count(unit - lost, signal, BusCount.delivered, pipe: name)
                    rest = rest.dropFirst(unit)
                    attempts = 0
                    moved()
                }
            }
        }
    }

    private func attempt(_ signal: Signal, _ events: [SignalEvent]) async -> Attempt {
        let progress = Progress(elapsed: core.timer.elapsed)
        let call = Call(progress: progress, signal: signal, count: events.count)
        let isStopped = state.withLock { state in
            if !state.isStopped { state.call = call }
            return state.isStopped
        }
        if isStopped { return .over }
        var settled: Int?
        let failure = await limited(progress) {
            settled = loseLate()
        } call: { [destination] in
            try await destination.deliver(signal, events, progress)
        }
        if let settled { return .took(settled) }
        guard state.withLock({ $0.call.take() }) != nil else { return .over }
        let handled = progress.stop()
        core.ledger.count(handled, signal, BusCount.delivered, pipe: name)
        if handled > 0 { moved() }
        return failure.map { .failed(after: handled, $0) } ?? .took(handled)
    }

    /// Accounts for the call that is over its limit; how many events that settles.
    private func loseLate() -> Int? {
        guard let call = state.withLock({ $0.call.take() }) else { return nil }
        let handled = call.progress.stop()
        let lost = destination.isPerEvent ? 1 : call.count - handled
        core.ledger.count(handled, call.signal, BusCount.delivered, pipe: name)
        lose(lost, call.signal, "timeout", detail: "a call took longer than \(limits.callLimit)")
        return handled + lost
    }

    private func finish(_ action: String, _ body: @escaping @Sendable () async throws -> Void) async {
        let progress = Progress(elapsed: core.timer.elapsed)
        let failure = await limited(progress) {
            core.report(.timeout, name, "\(action) takes longer than \(limits.callLimit) and was cancelled")
        } call: {
            try await body()
        }
        hasFailedFlush.store(failure != nil, ordering: .relaxed)
        if let failure { core.report(.notFlushed, name, "\(action) failed: \(failure)") }
    }

    /// Makes a call and waits for its end, however long it takes; what it threw. When it made no progress for the limit,
    /// `atLimit` is called and the call is cancelled.
    private func limited(
        _ progress: Progress,
        atLimit: () -> Void,
        call: @escaping @Sendable () async throws -> Void
    ) async -> (any Error)? {
        enum End {
            case returned((any Error)?)
            case late
            case unwatched
        }
        let (timer, limit) = (core.timer, limits.callLimit)
        return await withTaskGroup(of: End.self) { group in
            group.addTask {
                do { try await call() } catch { return .returned(error) }
                return .returned(nil)
            }
            group.addTask {
                while true {
                    let left = limit - (timer.elapsed() - progress.movedAt)
                    guard left > .zero else { return .late }
                    do { try await timer.sleep(left) } catch { return .unwatched }
                }
            }
            var failure: (any Error)?
            while let end = await group.next() {
                switch end {
                case .returned(let error): failure = error
                case .late: atLimit()
                case .unwatched: continue
                }
                group.cancelAll()
            }
            return failure
        }
    }

    private func moved() {
        let now = core.timer.elapsed()
        state.withLock { $0.movedAt = now }
    }

    private func lose(_ count: Int, _ signal: Signal, _ reason: String, detail: String? = nil) {
        core.lose(count, signal, reason, pipe: self, detail: detail)
    }
}
