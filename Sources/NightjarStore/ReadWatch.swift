/// On whose behalf something is read.
package protocol ReadClient: Sendable {
    /// Whether nobody waits any more for what is being read.
    var isAbandoned: Bool { get }
}

/// Until when a read for somebody who waits may go on.
package struct ReadWatch: Sendable {
    /// Who waits for what is being read; set around a request.
    @TaskLocal package static var client: (any ReadClient)?
    /// That of the read which is being done on this thread; without one the store's own bound holds.
    @TaskLocal package static var current: ReadWatch?

    /// How long it may take in all.
    package let patience: Duration
    /// When it has to be done.
    package let deadline: ContinuousClock.Instant
    private let client: (any ReadClient)?

    /// A watch that begins now, for the request around it.
    package init(patience: Duration) {
        self.patience = patience
        deadline = .now + patience
        client = Self.client
    }

    /// Whether the read is to stop.
    package var isOver: Bool { ContinuousClock.now >= deadline || client?.isAbandoned == true }

    /// - Throws: ``StoreError`` `timeout` or `abandoned` where the read is to stop.
    package func check() throws(StoreError) {
        guard !isOver else { throw error }
    }

    /// What a read that was stopped ends with.
    package var error: StoreError {
        if client?.isAbandoned == true {
            return StoreError(code: .abandoned, detail: "the client left, and the query was stopped")
        }
        return StoreError(
            code: .timeout,
            detail: "the query took longer than \(patience.milliseconds) ms and was stopped"
        )
    }
}
