import CoreMetrics
public import Logging
import Tracing

/// The backends of Swift's own interfaces. What goes through them belongs to the span that is current in the task.
extension Observability {
    /// Where a `Logger` of a label writes to; for a `LoggingSystem` that is set up by hand.
    public func logHandler(
        label: String,
        metadataProvider: Logger.MetadataProvider? = nil
    ) -> NightjarLogHandler {
        NightjarLogHandler(label: label, live: live, metadataProvider: metadataProvider)
    }

    /// Makes the metrics of swift-metrics.
    public var metricsFactory: NightjarMetricsFactory { NightjarMetricsFactory(live, meters: meters) }

    /// Makes the spans of distributed tracing.
    public var tracer: NightjarTracer { NightjarTracer(live) }

    /// Makes this the backend of swift-log, swift-metrics and distributed tracing for the whole program. Each of them can be set
    /// once only: a second call, by whomever, ends the program.
    ///
    /// ```swift
    /// let observability = try Observability(.init(serviceName: "shop"))
    /// observability.bootstrap()
    /// let application = Application(router: router, services: [observability])
    /// ```
    ///
    /// - Parameters:
    ///   - logLevel: Lines below it are left out, until a logger is given another level.
    ///   - standardError: Whether log lines go to standard error too.
    ///   - metadataProvider: Asked for metadata at each line.
    public func bootstrap(
        logLevel: Logger.Level = .info,
        standardError: Bool = true,
        metadataProvider: Logger.MetadataProvider? = nil
    ) {
        LoggingSystem.bootstrap(
            { [self] label, provider in
                let onError = StreamLogHandler.standardError(label: label, metadataProvider: provider)
                // What the library itself has to say is no signal, and must not be lost for that.
                if label == NightjarLogHandler.ownLabel { return onError }
                var handlers: [any LogHandler] = [logHandler(label: label, metadataProvider: provider)]
                if standardError { handlers.append(onError) }
                var handler: any LogHandler =
                    handlers.count == 1 ? handlers[0] : MultiplexLogHandler(handlers)
                handler.logLevel = logLevel
                return handler
            },
            metadataProvider: metadataProvider
        )
        MetricsSystem.bootstrap(metricsFactory)
        InstrumentationSystem.bootstrap(tracer)
    }
}
