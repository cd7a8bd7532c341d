import Foundation
import Logging
public import NightjarBus
import NightjarExporters
public import NightjarSignals

/// Observability of one program: spans, logs, metrics, scores and feedback go in; extraction, plugins, the store and exporters
/// take them from there. The entry point of the library.
///
/// ```swift
/// let observability = try Observability(.init(serviceName: "shop", exporters: [ConsoleExporter()]))
/// observability.withSpan("support", type: .agentRun, with: .init(input: "Where is my order?")) { run in
///     run.logger.info("asked the shop")
///     run.end(output: "On its way.")
/// }
/// await observability.shutdown()
/// ```
///
/// Safe to use from any thread and task. Nothing that makes a signal blocks or fails; what finds the queue full is dropped and
/// counted, unless the configuration says otherwise.
public final class Observability: Sendable {
    /// Log lines that belong to no span.
    public var logger: LoggerContext { LoggerContext(live, span: nil) }

    /// Metrics that belong to no span: no labels are added.
    public var metrics: MetricsContext { MetricsContext(live, span: nil) }

    /// The bus: subscribe to it, or add exporters while the program runs.
    public var bus: ObservabilityBus { engine.bus }

    /// The event path behind it.
    package let engine: Engine
    let live: LiveContext
    let meters = MeterTable()
    let intake: Intake
    let log: Logger

    /// Opens the store, loads the plugins and starts the event path.
    /// - Throws: When the store cannot be opened or the configuration cannot hold, saying why.
    public convenience init(_ configuration: Configuration = Configuration()) throws {
        try self.init(configuration, clock: SystemClock())
    }

    /// The same with a clock of the caller's.
    package init(_ configuration: Configuration, clock: any PipelineClock) throws {
        let engine = try Engine(configuration.engine(), logger: configuration.logger, clock: clock)
        self.engine = engine
        log = configuration.logger
        let intake = Intake(
            limitBytes: configuration.queue.bytes,
            whenFull: configuration.queue.whenFull == .block ? .block : .dropNewest,
            handler: { engine.take($0) },
            lost: { losses, reason in engine.lost(losses, reason) }
        )
        self.intake = intake
        live = LiveContext(
            sink: EngineSink(intake: intake, engine: engine),
            serviceName: configuration.serviceName,
            environment: configuration.environment,
            logLevel: configuration.logLevel,
            clock: { clock.now() }
        )
    }

    /// Starts a span: within the task's current one, or as the root of a new trace, unless `parent` says otherwise.
    public func startSpan(
        _ name: String,
        type: SpanType = .generic,
        with options: SpanOptions = SpanOptions(),
        parent: SpanParent = .current
    ) -> LiveSpan {
        live.startSpan(name, type: type, with: options, parent: parent)
    }

    /// Runs `body` in a new span, which is the current one within it, and ends the span when it returns. An error that `body`
    /// throws is the span's, and goes on to the caller.
    @discardableResult
    public func withSpan<Result>(
        _ name: String,
        type: SpanType = .generic,
        with options: SpanOptions = SpanOptions(),
        parent: SpanParent = .current,
        isolation: isolated (any Actor)? = #isolation,
        _ body: (LiveSpan) async throws -> Result
    ) async rethrows -> Result {
        let span = startSpan(name, type: type, with: options, parent: parent)
        do {
            let result = try await span.withCurrent { try await body(span) }
            span.end()
            return result
        } catch {
            span.error(error)
            throw error
        }
    }

    /// Runs `body` in a new span, as the asynchronous form does.
    @discardableResult
    public func withSpan<Result>(
        _ name: String,
        type: SpanType = .generic,
        with options: SpanOptions = SpanOptions(),
        parent: SpanParent = .current,
        _ body: (LiveSpan) throws -> Result
    ) rethrows -> Result {
        let span = startSpan(name, type: type, with: options, parent: parent)
        do {
            let result = try span.withCurrent { try body(span) }
            span.end()
            return result
        } catch {
            span.error(error)
            throw error
        }
    }

    /// A stored trace with its spans as a list and as a tree, its scores, feedback and logs; nil for an unknown one, and for
    /// one that is sampled out.
    /// - Throws: When the store cannot be read.
    public func getTrace(_ id: TraceID) async throws -> RecordedTrace? { try await engine.trace(id) }

    /// A stored trace by its id as text (1 to 32 hex digits); nil for an unknown one and for text that is no id.
    /// - Throws: When the store cannot be read.
    public func getTrace(_ id: String) async throws -> RecordedTrace? {
        guard let id = TraceID(id) else { return nil }
        return try await getTrace(id)
    }

    /// Every metric with its totals so far, as Prometheus scrapes it: text 0.0.4, or OpenMetrics 1.0 where the scraper's
    /// `Accept` header asks for it. The content type to answer with comes beside it.
    public func prometheus(accept: String? = nil) -> (text: String, contentType: String) {
        engine.counts.lose(intake.takeLate(), "shut_down")
        let format = PrometheusText.Format(accept: accept)
        let document = PrometheusText.document(engine.series, format: format)
        return (String(decoding: document, as: UTF8.self), format.contentType)
    }

    /// Returns when everything made before is processed, stored, and handed to every exporter; false if that took longer than
    /// its limit (30 s for processing, the bus's own for exporters).
    @discardableResult
    public func flush() async -> Bool {
        guard await intake.flush(), await engine.flush() else { return false }
        return await engine.bus.flush().isComplete
    }

    /// Finishes what was made, flushes and closes every exporter, and closes the store. What comes afterwards is dropped and
    /// counted. Calling it again does nothing.
    public func shutdown() async {
        // A task of its own, so that a caller that is cancelled does not cut it short; a second call returns with the first.
        let task = ending.update { ending in
            let task = ending ?? Task { await end() }
            ending = task
            return task
        }
        await task.value
    }

    private let ending = LockedValue<Task<Void, Never>?>(nil)

    private func end() async {
        let limit = Date(timeIntervalSinceNow: 5)
        let isTaken = LockedValue(false)
        _ = await Barrier.wait(count: 1, limit: .seconds(6)) { [intake] done in
            // Waiting blocks, so it has a thread of its own.
            DispatchQueue.global().async {
                let isEmpty = intake.close(until: limit)
                isTaken.update { $0 = isEmpty }
                done()
            }
        }
        if !isTaken.value { log.error("signals that were made last were not taken in time") }
        // Without a file nobody goes on with what is open: it ends here.
        _ = engine.isKeptInFile ? await engine.flush() : await engine.finish()
        await engine.shutdown()
    }
}

/// Where live spans, loggers and metrics send what they make.
private final class EngineSink: LiveSink {
    private let intake: Intake
    private let engine: Engine

    init(intake: Intake, engine: Engine) {
        self.intake = intake
        self.engine = engine
    }

    func emit(_ event: SignalEvent) { intake.emit(event) }

    func waitForRoom() { intake.waitForRoom() }

    func isKept(_ root: Span) -> Bool {
        engine.sampler.isKept(root.traceID) { SamplingContext(root) }
    }

    func report(invalidID: String) { engine.report(invalidID: invalidID) }
}
