/// Decides what becomes of events that an exporter did not take.
struct RetryPolicy: Sendable {
    enum Decision: Equatable {
        /// The same events again after a pause.
        case retry(after: Duration)
        /// They are lost: the reason, and how many of the batch where the exporter says so.
        case lose(reason: String, count: Int?)
    }

    /// The longest pause that a destination may ask for: beyond it the queue of a busy process is lost anyway.
    static let longestPause = Duration.seconds(60)

    let retries: Int
    let backOff: ClosedRange<Duration>
    /// A number from 0 to below 1.
    let random: @Sendable () -> Double

    /// After `attempts` failures of the same events, the last of which was `error`.
    func decide(_ error: any Error, attempts: Int) -> Decision {
        guard let error = error as? ExportError else { return .lose(reason: "rejected", count: nil) }
        switch error.code {
        case .rejected: return .lose(reason: "rejected", count: error.lostCount)
        case .shutDown: return .lose(reason: "shut_down", count: nil)
        case .unavailable:
            guard attempts <= retries else { return .lose(reason: "retries_exhausted", count: nil) }
            return .retry(after: error.retryAfter.map { min($0, Self.longestPause) } ?? pause(attempts))
        }
    }

    /// Anything up to the back-off of this attempt ("full jitter"), so that many clients do not come back at once.
    private func pause(_ attempts: Int) -> Duration {
        // 2^20 times the least pause is past any sensible bound, and does not overflow.
        let grown = backOff.lowerBound * (1 << min(max(attempts - 1, 0), 20))
        return min(grown, backOff.upperBound) * random()
    }
}
