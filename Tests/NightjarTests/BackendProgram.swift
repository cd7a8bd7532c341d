import Logging
import Nightjar

/// A program that uses the library through Swift's own interfaces, with the backends at hand and none set for the process.
struct BackendProgram {
    let observability: Observability
    let collected: Collected

    /// Runs `body` in a program, then shuts it down.
    static func run(
        sampling: [Sampling] = [],
        logLevel: LogLevel = .debug,
        _ body: (BackendProgram) async throws -> Void
    ) async throws {
        var logger = Logger(label: "test", factory: StreamLogHandler.standardError(label:))
        logger.logLevel = .critical
        let collected = Collected()
        var configuration = Observability.Configuration(
            serviceName: "shop",
            environment: "test",
            exporters: [collected],
            sampling: sampling,
            logger: logger
        )
        configuration.logLevel = logLevel
        let program = BackendProgram(observability: try Observability(configuration), collected: collected)
        do {
            try await body(program)
        } catch {
            await program.observability.shutdown()
            throw error
        }
        await program.observability.shutdown()
    }

    /// A logger that writes to the bus, at a level that leaves nothing out.
    func logger(_ label: String = "shop") -> Logger {
        var logger = Logger(label: label) { observability.logHandler(label: $0) }
        logger.logLevel = .trace
        return logger
    }

    /// What came out after everything was handed over.
    func flushed() async -> Collected {
        await observability.flush()
        return collected
    }
}

/// What came out of a program, in order.
final class Collected: SpanExporter, LogExporter, MetricExporter {
    let name = "collected"
    private let kept = Locked<[SignalEvent]>([])
    private let ending = Locked(false)

    var isShutDown: Bool { ending.current }

    var events: [SignalEvent] { kept.current }
    var spans: [Span] { events.compactMap { if case .spanEnded(let span) = $0 { span } else { nil } } }
    var logs: [Log] { events.compactMap { if case .log(let log) = $0 { log } else { nil } } }
    var metrics: [Metric] { events.compactMap { if case .metric(let metric) = $0 { metric } else { nil } } }

    func span(_ name: String) -> Span? { spans.first { $0.name == name } }
    func metrics(_ name: String) -> [Metric] { metrics.filter { $0.name == name } }

    func shutdown() async throws { ending.update { $0 = true } }
    func exportSpans(_ events: [SignalEvent]) async throws { kept.update { $0 += events } }
    func exportLogs(_ logs: [Log]) async throws { kept.update { $0 += logs.map(SignalEvent.log) } }
    func exportMetrics(_ metrics: [Metric]) async throws {
        kept.update { $0 += metrics.map(SignalEvent.metric) }
    }
}
