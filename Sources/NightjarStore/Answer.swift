/// The outcome of what the writer was asked for, for one who waits for it.
final class Answer<Value: Sendable>: @unchecked Sendable {
    // Unchecked: `result` is only touched within `monitor.locked`.
    private let monitor = Monitor()
    private var result: Result<Value, StoreError>?

    func give(_ result: Result<Value, StoreError>) {
        monitor.locked {
            self.result = result
            monitor.wakeAll()
        }
    }

    /// What was asked for.
    /// - Throws: What it failed with; `timeout` when there is no outcome in time: it may still come.
    func wait(atMost limit: Duration) throws(StoreError) -> Value {
        let result = monitor.locked { () -> Result<Value, StoreError>? in
            _ = monitor.wait(atMost: limit) { self.result != nil }
            return self.result
        }
        guard let result else { throw StoreError(code: .timeout, detail: "not done within \(limit)") }
        return try result.get()
    }
}
