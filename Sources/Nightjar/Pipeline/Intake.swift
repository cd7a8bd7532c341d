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
    typealias LossHandler = @Sendable (Losses, _ reason: String) -> Void

    /// A batch holds at most so many events, so that what is decoded at once stays small.
    private static let batchEvents = 4096
    private static let blockLimit: TimeInterval = 5

    private let queue: IntakeQueue

    init(
        limitBytes: Int,
        whenFull: FullPolicy,
        handler: @escaping Handler,
        lost: @escaping LossHandler
    ) {
        let queue = IntakeQueue(
            limitBytes: limitBytes,
            chunkEvents: Self.batchEvents,
            patience: whenFull == .block ? Self.blockLimit : 0
        )
        self.queue = queue
        let thread = Thread {
            while let batch = queue.next() {
                if !batch.events.isEmpty, !handler(batch.events) {
                    lost(Losses(batch.events), "store_unavailable")
                }
                if !batch.losses.isEmpty { lost(batch.losses, "queue_full") }
                for done in batch.barriers { done() }
            }
            let late = queue.threadHasEnded()
            if !late.isEmpty { lost(late, "shut_down") }
        }
        thread.name = "nightjar-intake"
        // Values nest 64 deep, and are encoded recursively.
        thread.stackSize = 8 << 20
        thread.start()
    }

    /// Takes an event; never fails, and waits only where the policy says so. Runs no code but the queue's own, for its caller
    /// may hold a lock: what is lost is told by the thread.
    func emit(_ event: SignalEvent) { queue.append(event) }

    /// Waits for room where the policy says that a full queue blocks.
    func waitForRoom() { queue.waitForRoom() }

    /// What was refused after the thread had ended, since the last call.
    func takeLate() -> Losses { queue.takeLosses() }

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

/// How many signals of each kind were lost.
struct Losses: Sendable {
    private(set) var counts: [Signal: Int] = [:]

    init() {}

    init(_ events: [SignalEvent]) {
        for event in events { add(event.signal) }
    }

    var isEmpty: Bool { counts.isEmpty }

    mutating func add(_ signal: Signal) { counts[signal, default: 0] += 1 }
}

/// The queue of an ``Intake``.
private final class IntakeQueue: @unchecked Sendable {
    // Unchecked: every property is read and written under `condition` only.
    struct Batch {
        var events: [SignalEvent] = []
        var losses = Losses()
        var barriers: [@Sendable () -> Void] = []
    }

    /// Events that are handed out together.
    private struct Chunk {
        var events: [SignalEvent] = []
        var bytes = 0
    }

    private let condition = NSCondition()
    private let limitBytes: Int
    private let chunkEvents: Int
    private let patience: TimeInterval
    private var chunks: [Chunk] = []
    private var bytes = 0
    /// How many events were taken, and how many were handed out.
    private var taken = 0
    private var handedOut = 0
    private var losses = Losses()
    private var barriers: [(after: Int, done: @Sendable () -> Void)] = []
    private var isClosed = false
    private var hasEnded = false

    init(limitBytes: Int, chunkEvents: Int, patience: TimeInterval) {
        self.limitBytes = limitBytes
        self.chunkEvents = chunkEvents
        self.patience = patience
    }

    func append(_ event: SignalEvent) {
        let size = event.approximateBytes
        condition.withLock {
            wait(forBytes: size)
            // One that is larger than the queue is taken by an empty one, or it would never be.
            guard !isClosed, bytes == 0 || bytes + size <= limitBytes else { return losses.add(event.signal) }
            let wasEmpty = chunks.isEmpty
            if chunks.last.map({ $0.events.count >= chunkEvents }) ?? true { chunks.append(Chunk()) }
            chunks[chunks.count - 1].events.append(event)
            chunks[chunks.count - 1].bytes += size
            bytes += size
            taken += 1
            if wasEmpty { condition.broadcast() }
        }
    }

    func waitForRoom() {
        guard patience > 0 else { return }
        condition.withLock { wait(forBytes: 1) }
    }

    private func wait(forBytes size: Int) {
        guard patience > 0, bytes + size > limitBytes else { return }
        let end = Date(timeIntervalSinceNow: patience)
        while bytes + size > limitBytes, bytes > 0, !isClosed, condition.wait(until: end) {}
    }

    func append(barrier done: @escaping @Sendable () -> Void) -> Bool {
        condition.withLock {
            guard !hasEnded else { return false }
            barriers.append((taken, done))
            condition.broadcast()
            return true
        }
    }

    /// What was queued first; waits for something. Nil when closed and empty.
    func next() -> Batch? {
        condition.withLock {
            while chunks.isEmpty, barriers.isEmpty, !isClosed { condition.wait() }
            if chunks.isEmpty, barriers.isEmpty { return nil }
            var batch = Batch()
            if !chunks.isEmpty {
                let chunk = chunks.removeFirst()
                batch.events = chunk.events
                bytes -= chunk.bytes
            }
            handedOut += batch.events.count
            batch.barriers = barriers.filter { $0.after <= handedOut }.map(\.done)
            barriers.removeAll { $0.after <= handedOut }
            if !isClosed { swap(&batch.losses, &losses) }
            condition.broadcast()
            return batch
        }
    }

    func takeLosses() -> Losses {
        condition.withLock {
            defer { losses = Losses() }
            return losses
        }
    }

    func close() {
        condition.withLock {
            isClosed = true
            condition.broadcast()
        }
    }

    /// What was refused since the last batch.
    func threadHasEnded() -> Losses {
        condition.withLock {
            hasEnded = true
            condition.broadcast()
            defer { losses = Losses() }
            return losses
        }
    }

    func waitForEnd(until end: Date) -> Bool {
        condition.withLock {
            while !hasEnded, condition.wait(until: end) {}
            return hasEnded
        }
    }
}
