import Foundation
import NightjarBus
package import NightjarSignals
import NightjarStore

/// Where a worker's effects go: to the store, or straight to the ledger where nothing is stored. Called on worker threads.
protocol EffectsSink: Sendable {
    /// Takes effects over. Waits while too many are queued; `completion` is called once they are durable.
    func commit(_ effects: Effects, completion: @escaping @Sendable () -> Void)
}

/// A thread with its share of the partitions: takes items in order and hands their effects over after each batch.
///
/// The queue is bounded by whoever fills it: `queuedBytes` tells how full it is, and the engine refuses requests beyond its
/// bound, so that a client keeps what was not accepted.
final class Worker: Sendable {
    /// The stack that Lua's parser and the pattern matcher were measured with.
    private static let stackBytes = 16 << 20
    /// The longest sleep: deadlines of traces are looked at so often at least.
    private static let tick: TimeInterval = 0.25

    private let inbox = Inbox()
    private let committed = CommittedTicket()

    /// Starts the thread. `makeCore` is called on it once: what it makes never leaves the thread.
    init(
        name: String,
        sink: any EffectsSink,
        clock: any PipelineClock,
        makeCore: @escaping @Sendable () -> WorkerCore
    ) {
        let (inbox, committed) = (inbox, committed)
        let thread = Thread {
            let core = makeCore()
            var ticket: UInt64 = 0
            while let items = inbox.next(within: Self.delay(core, clock)) {
                for item in items { core.handle(item, now: clock.now()) }
                core.advance(now: clock.now())
                ticket += 1
                let effects = core.take(ticket: ticket)
                let done = core.takeBarriers()
                // A barrier goes through the store even without effects: those of earlier batches may still wait there.
                if !effects.isEmpty || !done.isEmpty {
                    let current = ticket
                    sink.commit(effects) {
                        committed.reach(current)
                        for barrier in done { barrier() }
                    }
                }
                core.forget(committed: committed.value)
            }
            inbox.threadHasEnded()
        }
        thread.name = name
        thread.stackSize = Self.stackBytes
        thread.start()
    }

    /// How many bytes wait or are being processed.
    var queuedBytes: Int { inbox.bytes }

    /// Since when the oldest of that waits; nil: nothing does.
    var behindSince: ContinuousClock.Instant? { inbox.oldest }

    /// Adds an item; after `close` it is refused and false is returned.
    @discardableResult
    func enqueue(_ item: WorkItem) -> Bool { inbox.append(item) }

    /// Lets the thread finish what is queued and end; nothing more is taken.
    func close() { inbox.close() }

    /// Waits for the thread to end after `close`; false where it has not by then.
    func wait(until end: Date) -> Bool { inbox.wait(until: end) }

    private static func delay(_ core: WorkerCore, _ clock: any PipelineClock) -> TimeInterval {
        guard let due = core.nextDeadline else { return tick }
        let seconds = Double(due.unixNano &- clock.now().unixNano) / 1_000_000_000
        return min(max(seconds, 0), tick)
    }
}

/// The receive clock; a test gives its own.
package protocol PipelineClock: Sendable {
    /// Now.
    func now() -> Timestamp
}

/// The wall clock of the machine.
package struct SystemClock: PipelineClock {
    /// The wall clock.
    package init() {}

    /// Now.
    package func now() -> Timestamp { wallClock() }
}

/// A worker's queue: filled from anywhere, emptied as a whole by its thread.
private final class Inbox: @unchecked Sendable {
    // Unchecked: every property is read and written under `condition` only.
    private let condition = NSCondition()
    private var items: [WorkItem] = []
    private var queued = 0
    private var processing = 0
    private var queuedSince: ContinuousClock.Instant?
    private var processingSince: ContinuousClock.Instant?
    private var isClosed = false
    private var hasEnded = false

    var bytes: Int {
        condition.withLock { queued + processing }
    }

    var oldest: ContinuousClock.Instant? {
        condition.withLock { processingSince ?? queuedSince }
    }

    func append(_ item: WorkItem) -> Bool {
        condition.withLock {
            guard !isClosed else { return false }
            if item.isInput, queuedSince == nil { queuedSince = .now }
            items.append(item)
            queued += item.bytes
            condition.signal()
            return true
        }
    }

    /// Everything queued, after at most `delay` seconds; nil when closed and empty.
    func next(within delay: TimeInterval) -> [WorkItem]? {
        condition.withLock {
            (processing, processingSince) = (0, nil)
            let end = Date(timeIntervalSinceNow: delay)
            while items.isEmpty, !isClosed, condition.wait(until: end) {}
            if items.isEmpty, isClosed { return nil }
            defer {
                items = []
                (processing, processingSince) = (queued, queuedSince)
                (queued, queuedSince) = (0, nil)
            }
            return items
        }
    }

    func close() {
        condition.withLock {
            isClosed = true
            condition.broadcast()
        }
    }

    func wait(until end: Date) -> Bool {
        condition.withLock {
            while !hasEnded, condition.wait(until: end) {}
            return hasEnded
        }
    }

    func threadHasEnded() {
        condition.withLock {
            hasEnded = true
            condition.broadcast()
        }
    }
}

/// The number of the last hand-over that is durable.
private final class CommittedTicket: Sendable {
    private let state = LockedValue<UInt64>(0)

    var value: UInt64 { state.value }

    func reach(_ ticket: UInt64) { state.update { $0 = max($0, ticket) } }
}
