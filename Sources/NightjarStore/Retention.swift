import NightjarBus
package import NightjarSignals

/// How long what is stored is kept, counted from its receipt (signals contract, section 12). Totals of series do not expire.
package struct Retention: Sendable, Equatable {
    /// Of traces, with their spans, logs, scores and feedback.
    package var traces = Duration.seconds(10 * 86_400)
    /// Of logs; those of a trace go with it at the latest.
    package var logs = Duration.seconds(10 * 86_400)
    /// Of scores and feedback; where it is longer than that of traces, they outlive their trace.
    package var scores = Duration.seconds(10 * 86_400)
    /// Of metric windows of 10 s; those of 5 min stay nine times as long.
    package var metrics = Duration.seconds(10 * 86_400)
    /// How large the database may be, in bytes; beyond, the oldest traces and logs go. Nil: as large as it gets.
    package var maximumBytes: Int?

    /// The defaults of the contract.
    package init() {}

    /// What is too old at a time.
    func plan(at now: Timestamp) -> SweepPlan {
        var plan = SweepPlan()
        plan.traces = now.advanced(by: .zero - traces)
        plan.logs = now.advanced(by: .zero - logs)
        plan.scores = now.advanced(by: .zero - scores)
        plan.metrics = now.advanced(by: .zero - metrics)
        plan.longMetrics = now.advanced(by: .zero - metrics * 9)
        plan.keepsScores = scores > traces
        plan.maximumBytes = maximumBytes
        return plan
    }
}

/// What ages on its own.
package enum RetainedSignal: String, Sendable, CaseIterable {
    /// Traces with everything that belongs to them.
    case traces
    /// Logs.
    case logs
    /// Metric windows.
    case metrics
    /// Scores and feedback.
    case scores
}

/// What one sweep deletes: what was received before these times; nil: nothing of that kind.
package struct SweepPlan: Sendable, Equatable {
    /// Traces that are over, by the receipt of their last span.
    package var traces: Timestamp?
    /// Logs.
    package var logs: Timestamp?
    /// Scores and feedback, and versions of them that were replaced, once they are counted.
    package var scores: Timestamp?
    /// Metric windows of 10 s.
    package var metrics: Timestamp?
    /// Metric windows of 5 min.
    package var longMetrics: Timestamp?
    /// Whether scores and feedback stay when their trace goes.
    package var keepsScores = false
    /// Beyond so many bytes the oldest traces and logs go, whatever their age.
    package var maximumBytes: Int?
    /// How many times as long as a step took the writer is left alone after it.
    var pauses = 4

    /// Nothing.
    package init() {}

    /// Everything of some kinds that was received before a time.
    package init(_ signals: Set<RetainedSignal>, before time: Timestamp, keepsScores: Bool) {
        traces = signals.contains(.traces) ? time : nil
        logs = signals.contains(.logs) ? time : nil
        scores = signals.contains(.scores) ? time : nil
        metrics = signals.contains(.metrics) ? time : nil
        longMetrics = metrics
        self.keepsScores = keepsScores
        pauses = 1
    }
}

/// What a sweep deleted, or all sweeps since the start.
package struct SweepCount: Sendable, Equatable {
    /// Traces.
    package var traces = 0
    /// Logs, those of such traces among them.
    package var logs = 0
    /// Scores, those of such traces among them; not the versions that were replaced.
    package var scores = 0
    /// Feedback, that on such traces among it; not the versions that were replaced.
    package var feedback = 0
    /// Metric windows.
    package var windows = 0
    /// By how many bytes the file became smaller.
    package var returnedBytes = 0
    /// How many bytes of the file are free to be written again.
    package var freeBytes = 0
    /// How many steps it took.
    package var steps = 0
    /// How long the steps took.
    package var time = Duration.zero
    /// How many sweeps were finished.
    package var sweeps = 0
    /// How many steps failed.
    package var failures = 0

    /// Nothing.
    package init() {}

    /// Adds what another deleted; what is free is as the other found it.
    package mutating func add(_ other: SweepCount) {
        traces += other.traces
        logs += other.logs
        scores += other.scores
        feedback += other.feedback
        windows += other.windows
        returnedBytes += other.returnedBytes
        freeBytes = other.freeBytes
        steps += other.steps
        time += other.time
        sweeps += other.sweeps
        failures += other.failures
    }
}

/// The blocks of metric windows of one resolution, as a sweep sees them.
struct ExpiringWindows: Sendable {
    let resolution: WindowResolution
    let table: String
    /// Which time of a plan holds for them.
    let cutoff: @Sendable (SweepPlan) -> Timestamp?

    /// Deletes at most `?2` blocks whose key is below `?1`.
    var delete: String {
        "DELETE FROM \(table) WHERE id IN (SELECT id FROM \(table) WHERE id < ?1 ORDER BY id LIMIT ?2)"
    }

    static let all = [
        ExpiringWindows(resolution: .fine, table: "windows_fine", cutoff: \.metrics),
        ExpiringWindows(resolution: .coarse, table: "windows_coarse", cutoff: \.longMetrics),
    ]
}
