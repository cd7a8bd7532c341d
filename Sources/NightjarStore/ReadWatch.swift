/// Until when a read for somebody who waits may go on.
package struct ReadWatch: Sendable {
    /// Tells whether nobody waits any more for what is being read; set around a request.
    @TaskLocal package static var isAbandoned: (@Sendable () -> Bool)?
    /// That of the read which is being done on this thread; without one the store's own bound holds.
    @TaskLocal package static var current: ReadWatch?

    /// How long it may take in all.
    package let patience: Duration
    /// When it has to be done.
    package let deadline: ContinuousClock.Instant
    private let isAbandoned: (@Sendable () -> Bool)?

    /// A watch that begins now, for the request around it.
    package init(patience: Duration) {
        self.patience = patience
        deadline = .now + patience
        isAbandoned = Self.isAbandoned
    }

    /// Whether the read is to stop.
    package var isOver: Bool { ContinuousClock.now >= deadline || isAbandoned?() == true }

    /// - Throws: ``StoreError`` `timeout` or `abandoned` where the read is to stop.
    package func check() throws(StoreError) {
        guard !isOver else { throw error }
    }

    /// What a read that was stopped ends with.
    package var error: StoreError {
        if isAbandoned?() == true {
            return StoreError(code: .abandoned, detail: "the client left, and the query was stopped")
        }
        return StoreError(
            code: .timeout,
            detail: "the query took longer than \(patience.milliseconds) ms and was stopped"
        )
    }
}
