import Foundation

/// Waits for several callbacks, but not for ever. A task that is cancelled goes on waiting: what is waited for is mostly the end
/// of something, which cancelled tasks have to see through.
enum Barrier {
    private struct State: Sendable {
        var left: Int
        var continuation: CheckedContinuation<Bool, Never>?
    }

    /// Calls `start` once with what is to be called `count` times; true when it was, false after `limit`.
    static func wait(
        count: Int,
        limit: Duration,
        _ start: (@escaping @Sendable () -> Void) -> Void
    ) async -> Bool {
        guard count > 0 else { return true }
        return await withCheckedContinuation { continuation in
            let state = LockedValue(State(left: count, continuation: continuation))
            let timeout = DispatchWorkItem { finish(state, reached: false) }
            DispatchQueue.global().asyncAfter(
                deadline: .now() + .nanoseconds(Int(clamping: limit.nanoseconds)),
                execute: timeout
            )
            start {
                let isLast = state.update { state in
                    state.left -= 1
                    return state.left == 0
                }
                guard isLast else { return }
                finish(state, reached: true)
            }
        }
    }

    private static func finish(_ state: LockedValue<State>, reached: Bool) {
        let continuation = state.update { state in
            defer { state.continuation = nil }
            return state.continuation
        }
        continuation?.resume(returning: reached)
    }
}
