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

    func answered(_ number: Int) { state.withLock { _ = $0.refusedBodies.remove(number) } }

    func finishedSending() { state.withLock { $0.finishedAt = $0.finishedAt ?? .now } }

    func closed() {
        state.withLock { $0.isClosed = true }
        bodies.close()
    }
}
