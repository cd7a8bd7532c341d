/// Leaves a rule out for a while when it fails again and again (plugin contract, section 6). A plain value: the caller brings
/// the time, in nanoseconds of any clock that does not go back.
struct Circuit {
    static let errorLimit = 50
    static let timeoutLimit = 3
    private static let shortest: Int64 = 1_000_000_000
    private static let longest: Int64 = 300_000_000_000

    private var errors = 0
    private var timeouts = 0
    private var wait = shortest
    /// Until when calls are left out; 0 while the circuit is closed.
    private(set) var openUntil: Int64 = 0

    /// Whether the last calls failed.
    var hasFailures: Bool { errors != 0 || openUntil != 0 }

    /// Whether a call may be tried: always while closed, once per wait while open.
    func allowsCall(at now: @autoclosure () -> Int64) -> Bool { openUntil == 0 || now() >= openUntil }

    /// A call succeeded; true where this closes the circuit.
    mutating func succeeded() -> Bool {
        let wasOpen = openUntil != 0
        self = Circuit()
        return wasOpen
    }

    /// A call failed; true where this opens the circuit, or keeps it open for longer.
    mutating func failed(isTimeout: Bool, at now: Int64) -> Bool {
        errors += 1
        timeouts = isTimeout ? timeouts + 1 : 0
        if openUntil != 0 {
            wait = min(wait * 2, Self.longest)
        } else if errors < Self.errorLimit, timeouts < Self.timeoutLimit {
            return false
        }
        openUntil = now + wait
        return true
    }

    /// Opens it for the shortest while, or for longer than last time where it had to be opened before.
    mutating func open(at now: Int64) {
        if openUntil != 0 { wait = min(wait * 2, Self.longest) }
        openUntil = now + wait
    }

    /// For how long it is open, in seconds.
    var waitSeconds: Int64 { wait / 1_000_000_000 }
}

/// What share of its worker a rule takes (plugin contract, section 6). A plain value; times in nanoseconds.
struct ShareMeter {
    /// How a call is timed. Reading the clock of a thread is a system call, which takes as long as two small rules; the time of
    /// day costs a thirtieth of it, and shows whether a closer look is due.
    enum Timing {
        case none
        /// By the time that passes.
        case glance
        /// By the thread's own clock.
        case full
    }

    private static let span: Int64 = 1_000_000_000
    private static let slowCall = 1_000_000
    /// Of its calls the first is timed in full, and every so many-th is glanced at.
    private static let glanceEvery = 16
    /// So long after a call was timed in full, the next glance has another one timed: what the clock costs is bounded by time.
    private static let fullEvery: Int64 = 10_000_000

    private var began: Int64 = 0
    private var calls = 0
    private var samples = 0
    private var sampled = 0
    /// By rule: where two are called in turns, a count over both would time one of them always and the other never.
    private var total = 0
    private var lastFull: Int64 = 0
    /// Whether the next call is to be timed in full: its turn has come, or its calls are slow, and then each is.
    private var isDue = true

    /// Counts a call, and says how it is to be timed.
    mutating func count() -> Timing {
        calls &+= 1
        total &+= 1
        if isDue { return .full }
        return total & (Self.glanceEvery - 1) == 0 ? .glance : .none
    }

    /// Takes the time that passed during a call that ended at `now`.
    mutating func glanced(_ nanoseconds: Int64, at now: Int64) {
        isDue = nanoseconds > Int64(Self.slowCall) || now - lastFull > Self.fullEvery
    }

    /// Adds a call that was timed; true where the rule takes over `limit` of the second that has passed, in calls of over 1 ms.
    mutating func add(_ nanoseconds: Int, at now: Int64, limit: Double) -> Bool {
        samples += 1
        sampled += nanoseconds
        let mean = sampled / samples
        isDue = mean > Self.slowCall || nanoseconds > Self.slowCall
        lastFull = now
        if began == 0 { began = now }
        guard now - began >= Self.span else { return false }
        let share = Double(mean) * Double(calls) / Double(now - began)
        (began, calls, samples, sampled) = (now, 0, 0, 0)
        return mean > Self.slowCall && share > limit
    }
}
