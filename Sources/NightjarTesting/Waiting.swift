/// What did not happen in time.
package struct WaitError: Error, Sendable, CustomStringConvertible {
    /// What was waited for.
    package let event: String
    /// How long.
    package let limit: Duration
    /// What is known of why, like the last lines of a process.
    package let detail: String

    /// One line, then the detail.
    package var description: String { "waited \(limit) for \(event)" + (detail.isEmpty ? "" : "\n\(detail)") }
}

/// Waits for an event that announces itself only by a condition coming true: a file that appears, a count that is reached.
/// Returns as soon as the condition holds; `limit` is how long a broken test takes to fail, not how long a good one takes.
/// Time in which this task could not run is not counted.
/// - Throws: ``WaitError`` at the limit; whatever the condition throws; `CancellationError`.
package func wait(
    for event: String,
    limit: Duration = .seconds(60),
    until condition: () async throws -> Bool
) async throws {
    _ = try await wait(for: event, limit: limit) { () async throws -> Bool? in
        try await condition() ? true : nil
    }
}

/// Waits until `value` is there and returns it; otherwise as the other form. `detail` explains a failure.
package func wait<Value>(
    for event: String,
    limit: Duration = .seconds(60),
    detail: @autoclosure () -> String = "",
    until value: () async throws -> Value?
) async throws -> Value {
    // The pauses are added up, not the time: where hundreds of tests hold all threads, what is waited for gets none either.
    var waited = Duration.zero
    // From 1 ms, so that a quick event costs no time, to 32 ms, so that a slow one costs no processor.
    var pause = Duration.milliseconds(1)
    while true {
        if let value = try await value() { return value }
        guard waited < limit else { throw WaitError(event: event, limit: limit, detail: detail()) }
        try await Task.sleep(for: pause)
        waited += pause
        pause = min(pause * 2, .milliseconds(32))
    }
}
