import Foundation
import Synchronization

/// Ctrl-C, or being told to stop, as a question that a command asks between two steps. The second time the process ends at
/// once.
final class Interrupt: @unchecked Sendable {
    // Unchecked: `sources` is written by the initialiser only.
    private let hasCome = Atomic<Bool>(false)
    private var sources: [any DispatchSourceSignal] = []
    private let waiters = Mutex<[DispatchSemaphore]>([])
    private static let killed: Int32 = 130

    /// From now on a signal no longer ends the process by itself.
    init() {
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [weak self] in self?.take() }
            source.resume()
            sources.append(source)
        }
    }

    /// Whether to stop.
    var isStopped: Bool { hasCome.load(ordering: .relaxed) }

    /// Signals a semaphore when it is time to stop.
    func wake(_ waiter: DispatchSemaphore) {
        waiters.withLock { $0.append(waiter) }
        if isStopped { waiter.signal() }
    }

    private func take() {
        if hasCome.exchange(true, ordering: .relaxed) { exit(Self.killed) }
        for waiter in waiters.withLock({ $0 }) { waiter.signal() }
    }
}
