import Logging
import NightjarBus
import NightjarOTLP
import NightjarStore

extension SignalEdge {
    /// What the configuration asks for, by the process's rules.
    init(_ configuration: EngineConfiguration, rules: RedactionRules, limits: SizeLimits? = nil) {
        filter = configuration.redaction.isEnabled ? SensitiveDataFilter(rules) : nil
        limiter = ValueLimiter(limits ?? configuration.limits)
    }
}

extension SignalEdge {
    /// The same for what came by OTLP, whose senders may nest and list as they like (signals contract, section 11).
    init(received configuration: EngineConfiguration, rules: RedactionRules) {
        self.init(configuration, rules: rules, limits: SizeLimits(valueBytes: configuration.valueBytes))
    }
}

extension SizeLimits {
    /// No limits but that on the size of one value.
    fileprivate init(valueBytes: Int) {
        self.init()
        characters = valueBytes
        (depth, elements, keys) = (64, 1_000_000, 1_000_000)
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

extension EngineConfiguration {
    /// Opens the store; nil where nothing is stored.
    func openStore(_ ledger: SeriesLedger) throws -> SQLiteStore? {
        try store.map {
            try SQLiteStore(opening: $0, ledger: ledger, queueBytes: queueBytes, retention: retention)
        }
    }

    /// The host's own names come first: neither a plugin nor what is stored can take them.
    func declareNames(_ registry: MetricRegistry) throws {
        _ = try HostMetrics(registry)
        try PluginCounts.declare(registry)
        try LiveCounts.declare(registry)
        try registry.setBuckets(buckets)
    }
}
