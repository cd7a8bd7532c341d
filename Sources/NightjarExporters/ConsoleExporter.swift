public import NightjarBus
public import NightjarSignals
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Writes signals as lines that people read: spans indented by their depth, with what they are about, how long they took and
/// what they used. Colours are used where the output is a terminal.
public final class ConsoleExporter: SpanExporter, LogExporter, MetricExporter, ScoreExporter,
    FeedbackExporter,
    DropExporter, TraceEndExporter
{
    /// What it is called in logs, metrics and drops.
    public let name: String
    /// The least level of the lines it takes.
    public let logLevel: LogLevel?
    private let writer: @Sendable (String) async throws -> Void
    private let style: ConsoleStyle
    private let depths = Mutex(SpanDepths())
    private let isShutDown = Atomic(false)

    /// Writes to the standard output.
    public convenience init(name: String = "console", logLevel: LogLevel? = nil) {
        let output = Mutex(LineFile(.standardOutput, maxBytes: .max, keeping: 0))
        self.init(name: name, logLevel: logLevel, colours: isatty(STDOUT_FILENO) == 1) { text in
            try output.withLock { output throws(ExportError) in try output.append([Array(text.utf8)]) }
        }
    }

    /// Gives whole lines, several at a time, each with its end, to `writer`; an error that it throws is the exporter's.
    public init(
        name: String = "console",
        logLevel: LogLevel? = nil,
        colours: Bool,
        writer: @escaping @Sendable (String) async throws -> Void
    ) {
        self.name = name
        self.logLevel = logLevel
        self.writer = writer
        style = ConsoleStyle(hasColours: colours)
    }

    /// Writes a line for each start and end; changes in between are not shown.
    public func exportSpans(_ events: [SignalEvent]) async throws {
        let lines = depths.withLock { depths in
            events.compactMap { event -> String? in
                switch event {
                case .spanStarted(let span): style.start(span, depth: depths.enter(span))
                case .spanEnded(let span): style.end(span, depth: depths.enter(span))
                default: nil
                }
            }
        }
        try await write(lines)
    }

    /// Writes log lines.
    public func exportLogs(_ logs: [Log]) async throws { try await write(logs.map(style.line)) }

    /// Writes observations.
    public func exportMetrics(_ metrics: [Metric]) async throws { try await write(metrics.map(style.line)) }

    /// Writes scores.
    public func exportScores(_ scores: [Score]) async throws { try await write(scores.map(style.line)) }

    /// Writes feedback.
    public func exportFeedback(_ feedback: [Feedback]) async throws {
        try await write(feedback.map(style.line))
    }

    /// Writes losses.
    public func exportDrops(_ drops: [Drop]) async throws { try await write(drops.map(style.line)) }

    /// Writes nothing; forgets what was known of the traces' trees.
    public func exportTraceEnds(_ ends: [TraceEnd]) async throws {
        depths.withLock { depths in
            for end in ends { depths.forget(end.traceID) }
        }
    }

    /// Takes nothing any more.
    public func shutdown() async throws { isShutDown.store(true, ordering: .relaxed) }

    private func write(_ lines: [String]) async throws {
        guard !isShutDown.load(ordering: .relaxed) else {
            throw ExportError(code: .shutDown, detail: "is shut down")
        }
        guard !lines.isEmpty else { return }
        try await writer(lines.joined(separator: "\n") + "\n")
    }
}

/// How deep spans lie in their trees, as far as it is known.
private struct SpanDepths {
    /// The most traces that are remembered; beyond it the oldest is forgotten, and its spans stand at the margin.
    private static let traces = 1000
    /// The most spans that are remembered of one trace.
    private static let spans = 10_000
    /// Deeper ones are not indented further: lines must stay readable.
    private static let deepest = 12

    private var byTrace: [TraceID: [SpanID: Int]] = [:]
    private var order: [TraceID] = []

    mutating func enter(_ span: Span) -> Int {
        if byTrace[span.traceID] == nil {
            order.append(span.traceID)
            if order.count > Self.traces { byTrace[order.removeFirst()] = nil }
        }
        var depths = byTrace.removeValue(forKey: span.traceID) ?? [:]
        defer { byTrace[span.traceID] = depths }
        if let depth = depths[span.id] { return depth }
        let depth = span.parentSpanID.flatMap { depths[$0] }.map { min($0 + 1, Self.deepest) } ?? 0
        if depths.count < Self.spans { depths[span.id] = depth }
        return depth
    }

    mutating func forget(_ trace: TraceID) {
        guard byTrace.removeValue(forKey: trace) != nil else { return }
        order.removeAll { $0 == trace }
    }
}
