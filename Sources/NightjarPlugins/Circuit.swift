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
    var hasFailures: Bool { errors != 0 }

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

    /// For how long it is open, in seconds.
    var waitSeconds: Int64 { wait / 1_000_000_000 }
}
