import Logging
import NightjarBus
import NightjarOTLP
import NightjarSignals

extension SignalEdge {
    /// What the configuration asks for.
    init(_ configuration: EngineConfiguration) {
        filter = configuration.redaction.isEnabled ? SensitiveDataFilter(configuration.redaction) : nil
        limits = configuration.limits
    }
}

extension PayloadRedactor {
    /// What the configuration asks for of OTLP bodies.
    init?(_ configuration: EngineConfiguration) {
        self.init(configuration.redaction, valueBytes: configuration.valueBytes)
    }

    /// The payload with secrets taken out and large values cut; nil where it stays as it is.
    func redacted(_ payload: Payload) -> Payload? {
        redacted(payload.bytes).map { Payload($0) }
    }
}

extension ObservabilityBus {
    /// The bus of an engine, with its exporters; what goes wrong on it goes to the engine's log.
    static func make(
        _ configuration: EngineConfiguration,
        clock: any PipelineClock,
        logger: Logger
    ) -> ObservabilityBus {
        let bus = ObservabilityBus(
            configuration.bus,
            now: { clock.now() },
            onFault: { fault in logger.log(level: Logger.Level(fault.level), "\(fault)") }
        )
        for exporter in configuration.exporters { bus.register(exporter) }
        return bus
    }
}

extension SamplingContext {
    /// What a sampler is told of a trace by the span that came first.
    init(_ span: Span) {
        self.init(
            traceID: span.traceID,
            name: span.name,
            type: span.type,
            metadata: span.metadata,
            serviceName: span.service,
            environment: span.environment
        )
    }
}
