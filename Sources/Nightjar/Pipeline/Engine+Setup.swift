import Logging
import NightjarBus
import NightjarOTLP

extension SignalEdge {
    /// What the configuration asks for, by the process's rules.
    init(_ configuration: EngineConfiguration, rules: RedactionRules) {
        filter = configuration.redaction.isEnabled ? SensitiveDataFilter(rules) : nil
        limiter = ValueLimiter(configuration.limits)
    }
}

extension PayloadRedactor {
    /// What the configuration asks for of OTLP bodies, by the process's rules.
    init(_ configuration: EngineConfiguration, rules: RedactionRules) {
        var limits = Limits()
        limits.valueBytes = configuration.valueBytes
        self.init(rules, limits: limits)
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
            onFault: { fault in logger.warning("\(fault)") }
        )
        for exporter in configuration.exporters { bus.register(exporter) }
        return bus
    }
}
