import Foundation
import NightjarBus
import NightjarSignals

/// The queue between the code that makes signals and the event path: filled from anywhere, emptied in order by a thread of its
/// own, which hands each batch over and waits until it is durable. What gathers meanwhile is the next batch, so that a slow
/// disk makes batches larger instead of more.
final class Intake: Sendable {
    /// What happens to an event that finds the queue full.
    enum FullPolicy: Sendable {
        /// It is dropped, and counted.
        case dropNewest
        /// Whoever emits waits for room, 5 seconds at most; then the event is dropped, and counted.
        case block
    }

    /// Takes a batch over; called on the intake's thread. False: it could not be kept, and is lost.
    typealias Handler = @Sendable ([SignalEvent]) -> Bool
    /// Is told what was lost, by signal and reason.
    typealias LossHandler = @Sendable ([SignalEvent], _ reason: String) -> Void

    /// A batch holds at most so many events, so that what is decoded at once stays small.
    private static let batchEvents = 4096
    private static let blockLimit: TimeInterval = 5

    private let queue: IntakeQueue
    private let lost: LossHandler

    init(
        limitBytes: Int,
        whenFull: FullPolicy,
        handler: @escaping Handler,
        lost: @escaping LossHandler
    ) {
        let queue = IntakeQueue(
            limitBytes: limitBytes,
            patience: whenFull == .block ? Self.blockLimit : 0
        )
        (self.queue, self.lost) = (queue, lost)
        let thread = Thread {
            while let batch = queue.next(atMost: Self.batchEvents) {
                if !batch.events.isEmpty, !handler(batch.events) { lost(batch.events, "store_unavailable") }
                for done in batch.barriers { done() }
            }
            queue.threadHasEnded()
        }
        thread.name = "nightjar-intake"
        // Values nest 64 deep, and are encoded recursively.
        thread.stackSize = 8 << 20
        thread.start()
    }

    /// Takes an event; never fails, and waits only where the policy says so.
    func emit(_ event: SignalEvent) {
        switch queue.append(event) {
        case .taken: break
        case .full: lost([event], "queue_full")
        case .closed: lost([event], "shut_down")
        }
    }

    /// Returns when everything emitted before has been handed over; false after 30 s.
    func flush() async -> Bool {
        await Barrier.wait(count: 1, limit: .seconds(30)) { done in
            if !queue.append(barrier: done) { done() }
        }
    }

    /// Takes nothing more, and waits until what was taken is handed over; false where it is not by then.
    func close(until end: Date) -> Bool {
        queue.close()
        return queue.waitForEnd(until: end)
    }
}

/// The queue of an ``Intake``.
private final class IntakeQueue: @unchecked Sendable {
    // Unchecked: every property is read and written under `condition` only.
    enum Outcome {
        case taken
        case full
        case closed
    }

    struct Batch {
        var events: [SignalEvent] = []
        var barriers: [@Sendable () -> Void] = []
    }

    private let condition = NSCondition()
    private let limitBytes: Int
    private let patience: TimeInterval
    private var events: [SignalEvent] = []
    private var bytes = 0
    /// How many events were taken, and how many were handed out.
    private var taken = 0
    private var handedOut = 0
    private var barriers: [(after: Int, done: @Sendable () -> Void)] = []
    private var isClosed = false
    private var hasEnded = false

    init(limitBytes: Int, patience: TimeInterval) {
        self.limitBytes = limitBytes
        self.patience = patience
    }

    func append(_ event: SignalEvent) -> Outcome {
        let size = event.approximateBytes
        return condition.withLock {
            if bytes + size > limitBytes, patience > 0 {
                let end = Date(timeIntervalSinceNow: patience)
                while bytes + size > limitBytes, !isClosed, condition.wait(until: end) {}
            }
            guard !isClosed else { return .closed }
            // One that is larger than the queue is taken by an empty one, or it would never be.
            guard bytes == 0 || bytes + size <= limitBytes else { return .full }
            let wasEmpty = events.isEmpty
            events.append(event)
            bytes += size
            taken += 1
            if wasEmpty { condition.broadcast() }
            return .taken
        }
    }

    func append(barrier done: @escaping @Sendable () -> Void) -> Bool {
        condition.withLock {
            guard !hasEnded else { return false }
            barriers.append((taken, done))
            condition.broadcast()
            return true
        }
    }

    /// What is queued; waits for something. Nil when closed and empty.
    func next(atMost limit: Int) -> Batch? {
        condition.withLock {
            while events.isEmpty, barriers.isEmpty, !isClosed { condition.wait() }
            if events.isEmpty, barriers.isEmpty { return nil }
            var batch = Batch()
            if events.count <= limit {
                swap(&batch.events, &events)
                bytes = 0
            } else {
                batch.events = Array(events[..<limit])
                events.removeFirst(limit)
                bytes = events.reduce(0) { $0 + $1.approximateBytes }
            }
            handedOut += batch.events.count
            batch.barriers = barriers.filter { $0.after <= handedOut }.map(\.done)
            barriers.removeAll { $0.after <= handedOut }
            condition.broadcast()
            return batch
        }
    }

    func close() {
        condition.withLock {
            isClosed = true
            condition.broadcast()
        }
    }

    func threadHasEnded() {
        condition.withLock {
            hasEnded = true
            condition.broadcast()
        }
    }

    func waitForEnd(until end: Date) -> Bool {
        condition.withLock {
            while !hasEnded, condition.wait(until: end) {}
            return hasEnded
        }
    }
}
