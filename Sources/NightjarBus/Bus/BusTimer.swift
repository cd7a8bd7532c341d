import Synchronization

/// A clock without its type: time since the timer was made, and sleeping.
struct BusTimer: Sendable {
    /// The time since the timer was made.
    let elapsed: @Sendable () -> Duration
    /// Sleeps; throws when the task is cancelled.
    let sleep: @Sendable (Duration) async throws -> Void

    init(_ clock: some Clock<Duration>) {
        let start = clock.now
        elapsed = { start.duration(to: clock.now) }
        sleep = { try await clock.sleep(until: clock.now.advanced(by: $0), tolerance: nil) }
    }

    /// Returns true when `isOver` says so, false when `left`, asked again after each wait, says that no time is left.
    func wait(for gate: Gate, left: @Sendable () -> Duration) async -> Bool {
        while !gate.isOpen {
            let left = left()
            guard left > .zero else { return false }
            await withTaskGroup { group in
                group.addTask { await gate.wait() }
                // A cancelled sleep has nothing to tell: the gate is open.
                group.addTask { try? await sleep(left) }
                await group.next()
                group.cancelAll()
            }
            if Task.isCancelled { return gate.isOpen }
        }
        return true
    }
}

/// Opens once; whoever waits goes on then.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var next = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    var isOpen: Bool { state.withLock { $0.isOpen } }

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values { waiter.resume() }
    }

    /// Returns when it is open or the task is cancelled.
    func wait() async {
        let ticket = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDone = state.withLock { state in
                    if state.isOpen || Task.isCancelled { return true }
                    state.waiters[ticket] = continuation
                    return false
                }
                if isDone { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: ticket) }?.resume()
        }
    }
}
