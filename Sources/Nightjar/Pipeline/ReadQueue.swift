import Foundation
import NightjarStore

/// Runs reads of the store away from the threads that Swift's tasks share: a slow read must not stop ingest. Safe to use from
/// any thread.
package final class ReadQueue: Sendable {
    /// As many as the store has readers.
    package static let atOnce = 4
    /// So many may wait for their turn; more are refused.
    package static let waitingLimit = 256

    private struct State: Sendable {
        var running = 0
        var waiting: [@Sendable () -> Void] = []
    }

    private let queue = DispatchQueue(label: "nightjar.reads", attributes: .concurrent)
    private let state = LockedValue(State())
    private let patience: Duration?

    /// A queue without reads; `patience`: how long one may wait and take together, nil: as long as the store lets it.
    package init(patience: Duration? = nil) { self.patience = patience }

    /// How many reads run, and how many wait.
    package var depth: (running: Int, waiting: Int) {
        state.update { ($0.running, $0.waiting.count) }
    }

    /// The result of `work`, which runs on a thread of the queue.
    /// - Throws: What `work` does; ``StoreError`` `overloaded` where too many wait, `timeout` where it took too long,
    ///   `abandoned` where nobody wants it any more.
    package func run<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result
    {
        let watch = patience.map { ReadWatch(patience: $0) }
        return try await withCheckedThrowingContinuation { continuation in
            let isTaken = add {
                continuation.resume(
                    with: Swift.Result {
                        try watch?.check()
                        return try ReadWatch.$current.withValue(watch) { try work() }
                    }
                )
            }
            guard !isTaken else { return }
            let error = StoreError(
                code: .overloaded,
                detail: "\(Self.waitingLimit) queries wait; ask again later"
            )
            continuation.resume(throwing: error)
        }
    }

    private func add(_ read: @escaping @Sendable () -> Void) -> Bool {
        let (isTaken, mustStart) = state.update { state in
            guard state.running >= Self.atOnce else {
                state.running += 1
                return (true, true)
            }
            guard state.waiting.count < Self.waitingLimit else { return (false, false) }
            state.waiting.append(read)
            return (true, false)
        }
        if mustStart { queue.async { self.work(from: read) } }
        return isTaken
    }

    /// Does a read, then those that wait.
    private func work(from first: @Sendable () -> Void) {
        first()
        while let next = next() { next() }
    }

    private func next() -> (@Sendable () -> Void)? {
        state.update { state in
            guard !state.waiting.isEmpty else {
                state.running -= 1
                return nil
            }
            return state.waiting.removeFirst()
        }
    }
}
