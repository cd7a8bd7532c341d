public import NightjarBus
public import NightjarSignals
import Synchronization

/// Writes each event as one line of JSON, to a file that rotates by size or to the standard output. A file is continued after a
/// restart; a line is written whole or not at all.
public final class JSONLinesExporter: SpanExporter, LogExporter, MetricExporter, ScoreExporter,
    FeedbackExporter,
    DropExporter, TraceEndExporter
{
    /// What it is called in logs, metrics and drops.
    public let name: String
    /// The least level of the lines it takes.
    public let logLevel: LogLevel?
    private let file: Mutex<LineFile>

    /// Writes to the standard output.
    public init(name: String = "json", logLevel: LogLevel? = nil) {
        self.name = name
        self.logLevel = logLevel
        file = Mutex(LineFile(.standardOutput, maxBytes: .max, keeping: 0))
    }

    /// Writes to a file, which is made where it is not there; its folder must be.
    ///
    /// Before the file grows beyond `maxBytes` it becomes `path.1`, `path.1` becomes `path.2`, and so on; `keeping` of those are
    /// kept. A single line may be longer than that.
    public init(
        path: String,
        maxBytes: Int = 100 << 20,
        keeping: Int = 5,
        name: String = "json",
        logLevel: LogLevel? = nil
    ) {
        self.name = name
        self.logLevel = logLevel
        file = Mutex(LineFile(.path(path), maxBytes: max(maxBytes, 1), keeping: max(keeping, 0)))
    }

    /// Writes tracing events.
    public func exportSpans(_ events: [SignalEvent]) async throws { try write(events) }

    /// Writes log lines.
    public func exportLogs(_ logs: [Log]) async throws { try write(logs.map(SignalEvent.log)) }

    /// Writes observations.
    public func exportMetrics(_ metrics: [Metric]) async throws { try write(metrics.map(SignalEvent.metric)) }

    /// Writes scores.
    public func exportScores(_ scores: [Score]) async throws { try write(scores.map(SignalEvent.score)) }

    /// Writes feedback.
    public func exportFeedback(_ feedback: [Feedback]) async throws {
        try write(feedback.map(SignalEvent.feedback))
    }

    /// Writes losses.
    public func exportDrops(_ drops: [Drop]) async throws { try write(drops.map(SignalEvent.drop)) }

    /// Writes ends of traces.
    public func exportTraceEnds(_ ends: [TraceEnd]) async throws {
        try write(ends.map(SignalEvent.traceEnded))
    }

    /// Returns when the file is safe on its disk.
    public func flush() async throws { try file.withLock { file throws(ExportError) in try file.sync() } }

    /// Closes the file.
    public func shutdown() async throws {
        try file.withLock { file throws(ExportError) in try file.finish() }
    }

    private func write(_ events: [SignalEvent]) throws(ExportError) {
        let lines = events.map { event in
            var writer = JSONWriter()
            writer.write(event.json)
            return writer.bytes + [UInt8(ascii: "\n")]
        }
        try file.withLock { file throws(ExportError) in try file.append(lines) }
    }
}
