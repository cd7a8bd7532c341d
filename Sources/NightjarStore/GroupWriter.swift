import Foundation
import GRDB
import NightjarBus
import NightjarSignals

/// The one thread that writes: takes groups from the backlog, commits them, tells who waits.
final class GroupWriter: @unchecked Sendable {
    // Unchecked: `backlog`, `status`, `flushers` and `isStopped` are only touched within `monitor.locked`; `commit` only in
    // `init` and by the writer's thread.

    /// A worker's rule may make a value nested 64 deep, which is written as JSON recursively.
    private static let stackBytes = 8 << 20

    private let database: any DatabaseWriter
    private let settings: StoreSettings
    private let monitor = Monitor()
    private var backlog: CommitBacklog
    private var status = StoreStatus()
    private var flushers = 0
    private var isStopped = false
    private var commit: GroupCommit?

    init(
        _ database: any DatabaseWriter,
        _ location: StoreLocation,
        ledger: SeriesLedger,
        settings: StoreSettings
    ) throws {
        self.database = database
        self.settings = settings
        backlog = CommitBacklog(settings)
        commit = try database.writeWithoutTransaction {
            try GroupCommit($0, location, ledger: ledger, settings: settings)
        }
    }

    /// Starts the thread, which keeps the writer alive until `stop`.
    func start() {
        let thread = Thread { self.run() }
        thread.name = "nightjar-store"
        thread.stackSize = Self.stackBytes
        thread.start()
    }

    func submit(_ submission: Submission) throws(StoreError) {
        let outcome = monitor.locked { () -> Result<Void, StoreError> in
            let outcome = Result { () throws(StoreError) in try backlog.add(submission) }
            if case .failure = outcome { status.refusedSubmissions += 1 } else { monitor.wakeAll() }
            return outcome
        }
        try outcome.get()
    }

    func add(_ effects: Effects, _ completion: @escaping @Sendable () -> Void) {
        monitor.locked {
            let hasRoom = monitor.wait(atMost: settings.effectsPatience) {
                backlog.hasRoomForEffects || backlog.isClosing
            }
            // Dropping the batch would lose what was processed, so it is queued all the same. That is bounded: while the
            // queue is beyond its bound no submissions are taken, so there is nothing new to process.
            if !hasRoom { status.delayedEffects += 1 }
            if backlog.add(effects, at: .now, completion) { monitor.wakeAll() }
        }
    }

    func flush() throws(StoreError) {
        let isDone = monitor.locked {
            let (submitted, handedOver) = (backlog.submitted, backlog.handedOver)
            flushers += 1
            backlog.isFlushing = true
            monitor.wakeAll()
            let isDone = monitor.wait(atMost: settings.flushPatience) {
                backlog.answered >= submitted && backlog.stored >= handedOver
            }
            flushers -= 1
            backlog.isFlushing = flushers > 0
            return isDone
        }
        guard isDone else { throw timedOut }
    }

    /// Takes nothing more, and ends the thread when everything is done.
    func stop() {
        monitor.locked {
            backlog.close()
            monitor.wakeAll()
        }
    }

    /// Waits for the end of the thread.
    func join() throws(StoreError) {
        guard monitor.locked({ monitor.wait(atMost: settings.flushPatience) { isStopped } }) else {
            throw timedOut
        }
    }

    func currentStatus() -> StoreStatus {
        monitor.locked {
            var status = status
            status.queuedBytes = backlog.queuedBytes
            status.queuedSubmissions = backlog.queuedSubmissions
            status.queuedEffects = backlog.queuedBatches
            return status
        }
    }

    private var timedOut: StoreError {
        StoreError(code: .timeout, detail: "not everything was committed within \(settings.flushPatience)")
    }

    // MARK: The thread

    private func run() {
        while let group = nextGroup() { perform(group) }
        // Statements belong to the connection: they go where nobody else is using it.
        database.writeWithoutTransaction { _ in commit = nil }
        monitor.locked {
            isStopped = true
            monitor.wakeAll()
        }
    }

    /// Waits for the next group; nil at the end.
    private func nextGroup() -> CommitBacklog.Group? {
        monitor.locked {
            while true {
                switch backlog.next(at: .now) {
                case .commit(let group): return group
                case .stop: return nil
                case .wait(let limit): monitor.wait(atMost: limit)
                }
            }
        }
    }

    private func perform(_ group: CommitBacklog.Group) {
        switch transact(group) {
        case .success(let receipts):
            for (submission, receipt) in zip(group.submissions, receipts) {
                submission.completion(.success(receipt))
            }
            for batch in group.batches { batch.completion() }
            makeRoom()
            finish { backlog, status in
                backlog.committed(group, at: .now)
                status.commits += 1
                // While effects wait to be tried again, the disk is not well, whatever else it took.
                if !backlog.isFailing { status.lastError = nil }
            }
        case .failure(let failure) where failure.isOfEffects && !group.submissions.isEmpty:
            var effects = group
            (effects.submissions, effects.bytes) = ([], 0)
            fail(effects, failure.error)
            var inputs = group
            inputs.batches = []
            perform(inputs)
        case .failure(let failure) where failure.error.code == .failed && group.isMixed:
            performOneByOne(group)
        case .failure(let failure):
            fail(group, failure.error)
        }
    }

    /// What the database itself refuses, as opposed to the disk, must not take others with it, again and again.
    private func performOneByOne(_ group: CommitBacklog.Group) {
        for (index, submission) in group.submissions.enumerated() {
            var alone = CommitBacklog.Group()
            alone.submissions = [submission]
            // The weight is known for all together; it is given back with the first.
            alone.bytes = index == 0 ? group.bytes : 0
            perform(alone)
        }
        var effects = group
        (effects.submissions, effects.bytes) = ([], 0)
        if !effects.batches.isEmpty { perform(effects) }
    }

    private func transact(
        _ group: CommitBacklog.Group
    ) -> Result<[SubmissionReceipt], GroupCommit.Failure> {
        database.writeWithoutTransaction { db in
            Result { () throws(GroupCommit.Failure) in
                guard let commit else {
                    throw GroupCommit.Failure(
                        error: StoreError(code: .closed, detail: "the store is closed"),
                        isOfEffects: false
                    )
                }
                return try commit.run(
                    db,
                    submissions: group.submissions,
                    effects: group.batches.map(\.effects)
                )
            }
        }
    }

    /// Lets go of idle series, and of the oldest, step by step, while a database in memory is larger than it may be; reads come
    /// in between.
    private func makeRoom() {
        do {
            try database.writeWithoutTransaction { try commit?.expireSeries($0) }
            while let eviction = try database.writeWithoutTransaction({ try commit?.makeRoom($0) }) {
                finish { _, status in
                    status.evictedTraces += eviction.traces
                    status.evictedLogs += eviction.logs
                    status.evictedAnnotations += eviction.annotations
                }
            }
        } catch {
            // The next commit tries again.
            finish { _, status in status.failures += 1 }
        }
    }

    private func fail(_ group: CommitBacklog.Group, _ error: StoreError) {
        for submission in group.submissions { submission.completion(.failure(error)) }
        finish { backlog, status in
            backlog.failed(group, at: .now)
            status.failures += 1
            status.lastError = error
        }
    }

    private func finish(_ note: (inout CommitBacklog, inout StoreStatus) -> Void) {
        monitor.locked {
            note(&backlog, &status)
            monitor.wakeAll()
        }
    }
}
