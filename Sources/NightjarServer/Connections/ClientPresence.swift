import NightjarSignals
import Synchronization

/// What the handling of requests knows of the connection that they came on. Safe to use from any thread.
final class ClientPresence: Sendable {
    /// That of the connection whose request is being handled.
    @TaskLocal static var current: ClientPresence?

    /// A client that has stopped sending may still wait for its answer, so that it is given this long before it counts as gone.
    private static let farewell = Duration.seconds(1)

    private struct State {
        var begun = 0
        var refusedBodies: Set<Int> = []
        /// Bodies that are here as a whole, until their requests are answered.
        var bodies: [Int: Payload] = [:]
        var finishedAt: ContinuousClock.Instant?
        var isClosed = false
    }

    /// What the connection's bodies hold.
    let bodies: ByteShare
    let load: ServerLoad
    private let state = Mutex(State())

    init(load: ServerLoad, bodies: ByteShare) { (self.load, self.bodies) = (load, bodies) }

    /// Whether nobody waits for an answer any more.
    var isGone: Bool {
        state.withLock { state in
            state.isClosed || state.finishedAt.map { ContinuousClock.now - $0 > Self.farewell } ?? false
        }
    }

    /// The number of the request whose handling begins: they are handled in the order in which they came.
    func begin() -> Int {
        state.withLock { state in
            defer { state.begun += 1 }
            return state.begun
        }
    }

    /// Whether the body of a request was thrown away because there was no room for it.
    func isRefused(_ number: Int) -> Bool { state.withLock { $0.refusedBodies.contains(number) } }

    func refuseBody(of number: Int) { state.withLock { _ = $0.refusedBodies.insert(number) } }

    /// The body of a request, beside which no other piece of it comes.
    func keep(_ body: Payload, of number: Int) { state.withLock { $0.bodies[number] = body } }

    /// The body of a request, which this gives away; nil where it came in pieces or was thrown away.
    func takeBody(of number: Int) -> Payload? { state.withLock { $0.bodies.removeValue(forKey: number) } }

    func answered(_ number: Int) {
        let body = state.withLock { state in
            state.refusedBodies.remove(number)
            return state.bodies.removeValue(forKey: number)
        }
        // Nobody has asked for it, and it is not freed under the lock.
        withExtendedLifetime(body) {}
    }

    func finishedSending() { state.withLock { $0.finishedAt = $0.finishedAt ?? .now } }

    func closed() {
        state.withLock { state in
            state.isClosed = true
            state.bodies = [:]
        }
        bodies.close()
    }
}
