import NightjarSignals
import Synchronization

/// What the server's connections hold, and what was refused. Safe to use from any thread.
final class ServerLoad: Sendable {
    let limits: ConnectionLimits
    /// Bodies, from their first byte to the answer.
    let bodies: ByteBudget
    /// Large answers, until they are taken.
    let answers: ByteBudget
    private let open = Mutex(0)
    private let refused: @Sendable (String) -> Void

    /// `refused` counts a refusal by its reason.
    init(_ configuration: ServerConfiguration, refused: @escaping @Sendable (String) -> Void) {
        limits = configuration.connections
        bodies = ByteBudget(limit: configuration.bodiesBytes, patience: limits.bodyPatience)
        answers = ByteBudget(limit: limits.answersBytes)
        self.refused = refused
    }

    /// How many connections are open.
    var connections: Int { open.withLock { $0 } }

    /// Whether one more connection may be open; then it counts until `leave`.
    func enter() -> Bool {
        open.withLock { open in
            guard open < limits.connections else { return false }
            open += 1
            return true
        }
    }

    func leave() { open.withLock { $0 -= 1 } }

    /// Counts something that was refused or cut off.
    func refuse(_ reason: RefusalReason) { refused(reason.rawValue) }

    /// Counts an error answer that sends a client away.
    func note(_ problem: Problem) {
        if let reason = problem.reason { refused(reason) }
    }
}

/// Why a connection refused something, or was cut off; each is a value of the label `reason`.
enum RefusalReason: String {
    case connections
    case bodies = "bodies_in_flight"
    case slowBody = "slow_body"
    case receiveTime = "receive_timeout"
    case answers = "answers_in_flight"
    case slowReader = "slow_reader"
    case pipelined
    case headers = "headers_too_large"
    case target = "target_too_long"
}
