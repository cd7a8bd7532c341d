import Foundation
import GRDB
import NightjarBus
import NightjarSignals

/// The one thread that writes: takes groups from the backlog, commits them, tells who waits.
final class GroupWriter: @unchecked Sendable {
    // Unchecked: `backlog`, `sweeps`, `status`, `flushers` and `isStopped` are only touched within `monitor.locked`; `commit` only in
    // `init` and by the writer's thread.

    /// A worker's rule may make a value nested 64 deep, which is written as JSON recursively.
    private static let stackBytes = 8 << 20

    private let database: any DatabaseWriter
    /// Outlives the connections, which the thread may be the last to use.
    private let file: DatabaseFile?
    private let settings: StoreSettings
    private let monitor = Monitor()
    private var backlog: CommitBacklog
    private var sweeps: SweepSchedule
    private var status = StoreStatus()
    private var flushers = 0
    private var isStopped = false
    private var commit: GroupCommit?

    init(
        _ database: any DatabaseWriter,
        _ file: DatabaseFile?,
        _ location: StoreLocation,
        ledger: SeriesLedger,
        settings: StoreSettings
    ) throws {
        self.database = database
        self.file = file
        self.settings = settings
        backlog = CommitBacklog(settings)
        sweeps = SweepSchedule(
            location == .memory ? nil : settings.retention,
            delay: settings.sweepDelay,
            interval: settings.sweepInterval,
            at: .now
        )
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
            let outcome = Result { () throws(StoreError) in
                try checkLog()
                try backlog.add(submission)
            }
            if case .failure = outcome { status.refusedSubmissions += 1 } else { monitor.wakeAll() }
            return outcome
        }
        try outcome.get()
    }

    /// Refuses what would make a log grow that is not written back.
    private func checkLog() throws(StoreError) {
        guard status.logPages >= settings.logPages else { return }
        throw StoreError(
            code: .full,
            detail:
                "the log of the database has \(status.logPages) pages; \(status.lastError?.detail ?? "a read holds it up")"
        )
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

    /// Keeps what comes, and what is there, for so long from now on.
    func set(_ retention: Retention?) {
        monitor.locked {
            sweeps.set(retention, at: .now)
            monitor.wakeAll()
        }
    }

    /// Sweeps as soon as a step is due, but not beyond a time; `completion` is called on the writer's thread.
    /// - Throws: ``StoreError`` `overloaded` or `closed`.
    func sweep(
        _ plan: SweepPlan,
        until deadline: ContinuousClock.Instant,
        completion: @escaping @Sendable (Result<SweepCount, StoreError>) -> Void
    ) throws(StoreError) {
        let refusal = monitor.locked { () -> StoreError? in
            guard !backlog.isClosing else { return StoreError(code: .closed, detail: "the store is closed") }
            guard sweeps.add(.init(plan: plan, completion: completion, deadline: deadline)) else {
                return StoreError(code: .overloaded, detail: "\(SweepSchedule.limit) cleanups wait already")
            }
            monitor.wakeAll()
            return nil
        }
        if let refusal { throw refusal }
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
            status.queuedEffectBytes = backlog.queuedEffectBytes
            return status
        }
    }

    private var timedOut: StoreError {
        StoreError(code: .timeout, detail: "not everything was committed within \(settings.flushPatience)")
    }

    // MARK: The thread

    private enum Turn {
        case commit(CommitBacklog.Group)
        case sweep
        case probe
        case stop
    }

    private func run() {
        loop: while true {
            switch nextTurn() {
            case .commit(let group):
                perform(group)
                // However much comes, what is too old goes.
                sweepIfDue()
            case .sweep: sweepIfDue()
            case .probe: probe()
            case .stop: break loop
            }
        }
        for sweep in monitor.locked({ sweeps.close() }) {
            sweep.completion?(.failure(StoreError(code: .closed, detail: "the store is closed")))
        }
        // Statements belong to the connection: they go where nobody else is using it.
        database.writeWithoutTransaction { _ in commit = nil }
        monitor.locked {
            isStopped = true
            monitor.wakeAll()
        }
    }

    /// Waits for what is to be done.
    private func nextTurn() -> Turn {
        monitor.locked {
            while true {
                switch backlog.next(at: .now) {
                case .commit(let group): return .commit(group)
                case .probe: return .probe
                case .stop: return .stop
                case .wait(let limit):
                    let pause = sweeps.pause(at: .now)
                    if pause == .zero { return .sweep }
                    monitor.wait(atMost: min(limit, pause ?? limit))
                }
            }
        }
    }

    /// Does one step of a sweep, where one is due.
    private func sweepIfDue() {
        let start = ContinuousClock.now
        let due = monitor.locked { sweeps.begin(at: start, wallTime: settings.now()) }
        guard let due, let commit else { return }
        let ended: (sweep: SweepSchedule.Sweep, failure: StoreError?)?
        do {
            let step = try database.writeWithoutTransaction {
                try commit.sweep($0, due.sweep.plan, isNew: due.isNew)
            }
            ended = monitor.locked {
                status.swept.add(step.count)
                return sweeps.stepped(step.count, isOver: step.isOver, from: start, to: .now)
                    .map { ($0, nil) }
            }
        } catch {
            ended = monitor.locked {
                status.swept.failures += 1
                return sweeps.failed(at: .now).map { ($0, StoreError(error)) }
            }
        }
        guard let ended else { return }
        ended.sweep.completion?(ended.failure.map { .failure($0) } ?? .success(ended.sweep.count))
    }

    /// Finds out whether the database can be written again, so that who asks is told without having to send something.
    private func probe() {
        do throws(StoreError) {
            try storeErrors { try database.writeWithoutTransaction { try commit?.probe($0) } }
            finish { backlog, status in
                backlog.probed()
                noteSuccess(&backlog, &status)
            }
        } catch {
            finish { backlog, status in
                backlog.probeAfterPause(.now)
                status.lastError = error
            }
        }
    }

    /// Takes note of a commit, and of how it stands with the disk and the log. On the writer's thread, within `monitor.locked`.
    private func noteSuccess(_ backlog: inout CommitBacklog, _ status: inout StoreStatus) {
        if status.lastError?.code == .full, file?.hasRoom == false {
            backlog.probeAfterPause(.now)
        } else if !backlog.isFailing {
            // While effects wait to be tried again, the disk is not well, whatever else it took.
            status.lastError = nil
        }
        guard let checkpoint = commit?.checkpoint else { return }
        status.logPages = checkpoint.logPages
        guard checkpoint.error != nil || status.logPages >= settings.logPages else { return }
        status.lastError = checkpoint.error ?? StoreError(code: .full, detail: "a read holds up the log")
        backlog.probeAfterPause(.now)
    }

    private func perform(_ group: CommitBacklog.Group) {
        switch transact(group) {
        case .success(let outcome):
            for (submission, receipt) in zip(group.submissions, outcome.receipts) {
                submission.completion(.success(receipt))
            }
            for batch in group.batches { batch.completion() }
            makeRoom()
            finish { backlog, status in
                backlog.committed(group, at: .now, effectsTook: outcome.effectsTime)
                status.commits += 1
                noteSuccess(&backlog, &status)
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
    ) -> Result<GroupCommit.Outcome, GroupCommit.Failure> {
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
