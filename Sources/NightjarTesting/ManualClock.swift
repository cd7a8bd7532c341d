import Synchronization

/// A clock that stands still until a test moves it.
package final class ManualClock: Clock, Sendable {
    /// Time since the clock was made.
    package struct Instant: InstantProtocol {
        /// The time.
        package let elapsed: Duration

        /// The instant `duration` later.
        package func advanced(by duration: Duration) -> Instant { Instant(elapsed: elapsed + duration) }

        /// From this to another instant.
        package func duration(to other: Instant) -> Duration { other.elapsed - elapsed }

        /// Earlier first.
        package static func < (left: Instant, right: Instant) -> Bool { left.elapsed < right.elapsed }
    }

    private struct Sleeper {
        let deadline: Instant
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now = Instant(elapsed: .zero)
        var next = 0
        var sleepers: [Int: Sleeper] = [:]
    }

    private let state = Mutex(State())

    /// A clock at zero.
    package init() {}

    /// Now.
    package var now: Instant { state.withLock { $0.now } }

    /// It tells all instants apart.
    package var minimumResolution: Duration { .zero }

    /// How long it is to each sleeper's deadline, in order.
    package var sleeps: [Duration] {
        state.withLock { state in state.sleepers.values.map { state.now.duration(to: $0.deadline) }.sorted() }
    }

    /// Sleeps until the clock is moved to the deadline.
    package func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        let ticket = state.withLock { state in
            state.next += 1
            return state.next
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let end = state.withLock { state -> Result<Void, any Error>? in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if deadline <= state.now { return .success(()) }
                    state.sleepers[ticket] = Sleeper(deadline: deadline, continuation: continuation)
                    return nil
                }
                if let end { continuation.resume(with: end) }
            }
        } onCancel: {
            let sleeper = state.withLock { $0.sleepers.removeValue(forKey: ticket) }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }

    /// Moves the clock and wakes those whose time has come, earliest first.
    package func advance(by duration: Duration) {
        let due = state.withLock { state in
            state.now = state.now.advanced(by: duration)
            let due = state.sleepers.filter { $0.value.deadline <= state.now }
            for ticket in due.keys { state.sleepers[ticket] = nil }
            return due.values.sorted { $0.deadline < $1.deadline }
        }
        for sleeper in due { sleeper.continuation.resume() }
    }

    /// Waits until someone sleeps for exactly this long from now and nobody else begins or ends a sleep for a few looks, then
    /// moves the clock by it: calls that only watch their limit come and go quickly.
    /// - Throws: ``WaitError`` where nobody does.
    package func pass(_ duration: Duration) async throws {
        var (last, looks) = ([Int](), 0)
        _ = try await wait(for: "a sleep of \(duration)", detail: "sleeps: \(self.sleeps)") { () -> Void? in
            let tickets = state.withLock { $0.sleepers.keys.sorted() }
            looks = tickets == last ? looks + 1 : 0
            last = tickets
            return looks >= 3 && self.sleeps.contains(duration) ? () : nil
        }
        advance(by: duration)
    }
}
