import NightjarSignals

/// When the writer sweeps: decides, but does nothing. A sweep goes in steps, and between two of them the writer does what it
/// is there for.
struct SweepSchedule {
    /// A sweep that somebody waits for, or one of the clock's.
    struct Sweep {
        let plan: SweepPlan
        var count = SweepCount()
        /// Called on the writer's thread at the end; nil for one of the clock's.
        var completion: (@Sendable (Result<SweepCount, StoreError>) -> Void)?
        /// Asked before each step whether to go on later instead of now; nil: to the end.
        var deadline: ContinuousClock.Instant?
    }

    /// So many that somebody waits for; beyond, they are refused.
    static let limit = 4

    /// What is kept for how long; nil: everything for ever, unless somebody asks.
    var retention: Retention?
    private let delay: Duration
    private let interval: Duration
    private var nextSweep: ContinuousClock.Instant
    private var nextStep: ContinuousClock.Instant
    private(set) var current: Sweep?
    private var waiting: [Sweep] = []

    init(_ retention: Retention?, delay: Duration, interval: Duration, at now: ContinuousClock.Instant) {
        self.retention = retention
        self.delay = delay
        self.interval = interval
        nextSweep = now + delay
        nextStep = now
    }

    /// Takes another retention, and looks soon whether anything is too old by it.
    mutating func set(_ retention: Retention?, at now: ContinuousClock.Instant) {
        self.retention = retention
        nextSweep = now + delay
    }

    /// Queues a sweep that somebody waits for; false where too many wait.
    mutating func add(_ sweep: Sweep) -> Bool {
        guard waiting.count < Self.limit else { return false }
        waiting.append(sweep)
        return true
    }

    /// How long there is nothing to sweep; zero: a step is due, nil: nothing is planned.
    func pause(at now: ContinuousClock.Instant) -> Duration? {
        if current != nil || !waiting.isEmpty { return max(nextStep - now, .zero) }
        return retention == nil ? nil : max(max(nextSweep, nextStep) - now, .zero)
    }

    /// The sweep whose step is due, begun where none was under way. `wallTime` is what ages are counted from.
    mutating func begin(at now: ContinuousClock.Instant, wallTime: Timestamp) -> (sweep: Sweep, isNew: Bool)?
    {
        guard pause(at: now) == .zero else { return nil }
        if let current { return (current, false) }
        if !waiting.isEmpty {
            current = waiting.removeFirst()
        } else if let retention {
            nextSweep = now + interval
            current = Sweep(plan: retention.plan(at: wallTime))
        }
        return current.map { ($0, true) }
    }

    /// Takes note of a step; the sweep where it is over.
    mutating func stepped(
        _ count: SweepCount,
        isOver: Bool,
        from start: ContinuousClock.Instant,
        to end: ContinuousClock.Instant
    ) -> Sweep? {
        guard var sweep = current else { return nil }
        sweep.count.add(count)
        nextStep = end + (end - start) * sweep.plan.pauses
        let isLate = sweep.deadline.map { end >= $0 } ?? false
        current = isOver || isLate ? nil : sweep
        return current == nil ? sweep : nil
    }

    /// Gives up a sweep whose step failed; the clock's next one tries again.
    mutating func failed(at now: ContinuousClock.Instant) -> Sweep? {
        nextStep = now + .seconds(1)
        defer { current = nil }
        return current
    }

    /// Everything that somebody waits for, given up.
    mutating func close() -> [Sweep] {
        defer { (current, waiting, retention) = (nil, [], nil) }
        return (current.map { [$0] } ?? []) + waiting
    }
}
