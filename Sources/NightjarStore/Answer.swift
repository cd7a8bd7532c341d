/// The outcome of a submission, for one who waits for it.
final class Answer: @unchecked Sendable {
    // Unchecked: `result` is only touched within `monitor.locked`.
    private let monitor = Monitor()
    private var result: Result<SubmissionReceipt, StoreError>?

    func give(_ result: Result<SubmissionReceipt, StoreError>) {
        monitor.locked {
            self.result = result
            monitor.wakeAll()
        }
    }

    /// The receipt.
    /// - Throws: What the submission failed with; `timeout` when there is no outcome in time: it may still come.
    func wait(atMost limit: Duration) throws(StoreError) -> SubmissionReceipt {
        let result = monitor.locked { () -> Result<SubmissionReceipt, StoreError>? in
            _ = monitor.wait(atMost: limit) { self.result != nil }
            return self.result
        }
        guard let result else { throw StoreError(code: .timeout, detail: "not committed within \(limit)") }
        return try result.get()
    }
}
