public import NightjarSignals

/// Writes log lines to the bus: those of a span carry its ids and metadata, those of no span belong to the program.
///
/// A value without state; safe to use from any thread. A line below the configuration's level never enters the bus.
public struct LoggerContext: Sendable {
    /// Writes nothing.
    public static let noOp = LoggerContext(.noOp, span: nil)

    private let context: LiveContext
    private let span: LiveSpan?

    /// The logger of a span, or of none.
    package init(_ context: LiveContext, span: LiveSpan?) {
        self.context = context
        self.span = span
    }

    /// Whether lines of a level go anywhere: to leave out work that only a line needs.
    public func isEnabled(_ level: LogLevel) -> Bool {
        context.sink != nil && level >= context.logLevel && span?.isSampled ?? true
    }

    /// Writes a line of a level. `data` holds what belongs to it, `metadata` goes on top of the span's.
    public func log(
        _ level: LogLevel,
        _ message: @autoclosure () -> String,
        data: @autoclosure () -> Value.Object = [:],
        metadata: Value.Object = [:],
        tags: [String] = []
    ) {
        guard isEnabled(level) else { return }
        var log = Log(timestamp: context.clock(), level: level, message: message(), data: data())
        log.tags = tags
        log.metadata = span.map { $0.metadata.merging(metadata) } ?? metadata
        log.traceID = span?.traceID
        log.spanID = span?.id
        log.correlation = span?.correlation ?? context.correlation
        context.sink?.emit(.log(log))
    }

    /// Writes a line for whoever looks for a fault.
    public func debug(_ message: @autoclosure () -> String, _ data: @autoclosure () -> Value.Object = [:]) {
        log(.debug, message(), data: data())
    }

    /// Writes a line of what happened in the ordinary course.
    public func info(_ message: @autoclosure () -> String, _ data: @autoclosure () -> Value.Object = [:]) {
        log(.info, message(), data: data())
    }

    /// Writes a line of what went wrong and was mended.
    public func warn(_ message: @autoclosure () -> String, _ data: @autoclosure () -> Value.Object = [:]) {
        log(.warn, message(), data: data())
    }

    /// Writes a line of what went wrong.
    public func error(_ message: @autoclosure () -> String, _ data: @autoclosure () -> Value.Object = [:]) {
        log(.error, message(), data: data())
    }

    /// Writes a line of what nothing can go on from; the program goes on.
    public func fatal(_ message: @autoclosure () -> String, _ data: @autoclosure () -> Value.Object = [:]) {
        log(.fatal, message(), data: data())
    }
}

extension LiveSpan {
    /// The logger of this span: its lines carry the span's ids, metadata and correlation as they are when a line is written.
    public var logger: LoggerContext { LoggerContext(context, span: self) }

    /// The metrics of this span: observations get the labels `entity_type` and `entity_name` unless they have their own.
    public var metrics: MetricsContext { MetricsContext(context, span: self) }
}
