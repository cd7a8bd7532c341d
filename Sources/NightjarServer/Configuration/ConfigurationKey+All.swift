import Nightjar
import NightjarBus
import NightjarSignals

/// The keys of the command line's contract.
extension ConfigurationKey {
    /// Every key that can be set, in the order in which they are shown.
    static let all = places + plugins + logs + metrics + traces + signals + retention

    /// Keys of the contract that nothing stands behind yet, each with all below it; refused by name.
    static let unavailable = [
        "plugins.allowWrites",
        "service", "environment", "auth", "tls",
    ]

    private static let places = [
        ConfigurationKey(
            "listen",
            .address,
            \.listen,
            flag: "--listen",
            "where to listen; port 0 takes a free one"
        ),
        ConfigurationKey("db", .text, \.database, flag: "--db", "the database file; none stores nothing"),
    ]

    private static let logs = [
        ConfigurationKey(
            "logLevel",
            ValueKind<LogLevel>.level.optional,
            \.logLevel,
            flag: "--log-level",
            "the least level of log lines taken in, and of the server's own"
        )
    ]

    private static let metrics = [
        ConfigurationKey(
            "metrics.enabled",
            .flag,
            \.hasBuiltInMetrics,
            "whether the built-in metrics are counted"
        ),
        ConfigurationKey(
            "metrics.prefix",
            .metricPrefix,
            \.engine.metricsPrefix,
            "what is put before the names of the built-in metrics"
        ),
        ConfigurationKey(
            "metrics.disabled",
            .set("a list of built-in metrics, such as [mastra_scores_total]", fault: builtInFault),
            \.engine.disabledMetrics,
            "built-in metrics to leave out, by name without prefix"
        ),
        ConfigurationKey(
            "metrics.buckets",
            .buckets,
            \.engine.buckets,
            "bounds of histograms by metric name or unit suffix"
        ),
        ConfigurationKey(
            "metrics.cardinality.blockedLabels",
            .set(),
            \.engine.cardinality.blockedLabels,
            "labels that no metric may have"
        ),
        ConfigurationKey(
            "metrics.cardinality.allowedLabels",
            .set(),
            \.engine.cardinality.allowedLabels,
            "labels that pass though they are blocked or look like a UUID"
        ),
        ConfigurationKey(
            "metrics.cardinality.blockUUIDs",
            .flag,
            \.engine.cardinality.blockUUIDs,
            "whether labels whose value is a UUID are dropped"
        ),
        ConfigurationKey(
            "metrics.cardinality.cardinalityLimit",
            .count,
            \.engine.cardinality.cardinalityLimit,
            "how many label sets a metric may have"
        ),
        ConfigurationKey(
            "metrics.cardinality.perMetric",
            .policies,
            \.engine.cardinality.perMetric,
            "allow, block, cardinalityLimit and maxValueLength by metric name"
        ),
    ]

    private static let traces = [
        ConfigurationKey(
            "extraction.parentWait",
            .duration,
            \.effectiveParentWait,
            "how long a span waits for its ancestors; trace.maxAge where it is not set"
        ),
        ConfigurationKey(
            "trace.idlePeriod",
            .duration,
            \.engine.trace.idlePeriod,
            "a complete trace ends when nothing came for so long"
        ),
        ConfigurationKey(
            "trace.idleTimeout",
            .duration,
            \.engine.trace.idleTimeout,
            "an incomplete trace ends when nothing came for so long"
        ),
        ConfigurationKey(
            "trace.maxAge",
            .duration,
            \.engine.trace.maxAge,
            "any trace ends so long after its first receipt"
        ),
        ConfigurationKey(
            "sampling.type",
            .choice,
            \.sampling.type,
            "which traces are kept: always, never, ratio"
        ),
        ConfigurationKey(
            "sampling.probability",
            ValueKind<Double>.ratio.optional,
            \.sampling.probability,
            "the part of traces that ratio keeps, 0 to 1"
        ),
    ]

    private static let signals = [
        ConfigurationKey(
            "redaction.enabled",
            .flag,
            \.engine.redaction.isEnabled,
            "whether secrets are hidden before anything is written"
        ),
        ConfigurationKey(
            "redaction.keys",
            .texts(),
            \.engine.redaction.keys,
            "the keys whose values are secrets"
        ),
        ConfigurationKey(
            "redaction.style",
            .choice,
            \.engine.redaction.style,
            "what stands in the place of a secret: full, partial, pseudonymise"
        ),
        ConfigurationKey("exporters", .exporters, \.exporters, "where signals go beside the store"),
        ConfigurationKey(
            "queue.bytes",
            .size,
            \.engine.queueBytes,
            "what may wait for the workers; half of it for each exporter"
        ),
        ConfigurationKey(
            "queue.whenFull",
            .choice,
            \.engine.bus.whenFull,
            "what an exporter's full queue does: drop_newest, block"
        ),
        ConfigurationKey("limits.bodyBytes", .size, \.bodyBytes, "the largest request body, as it is sent"),
        ConfigurationKey(
            "limits.inflatedBytes",
            .size,
            \.inflatedBytes,
            "the largest request body, once it is inflated"
        ),
        ConfigurationKey("limits.valueBytes", .size, \.engine.valueBytes, "a larger OTLP attribute is cut"),
        ConfigurationKey("limits.spanBytes", .size, \.engine.spanBytes, "a larger OTLP span is rejected"),
        ConfigurationKey(
            "limits.traceSpans",
            .count,
            \.engine.trace.traceSpans,
            "a trace with so many spans takes no more of them"
        ),
        ConfigurationKey(
            "limits.traceBytes",
            .size,
            \.engine.trace.traceBytes,
            "a trace whose spans have so many bytes takes no more of them"
        ),
        ConfigurationKey(
            "limits.connections",
            .count,
            \.connections.connections,
            "how many connections may be open; more are turned away"
        ),
        ConfigurationKey(
            "query.timeout",
            .duration,
            \.engine.queryTimeout,
            "how long a query may take; then it is stopped"
        ),
    ]

    @Sendable private static func builtInFault(_ name: String) -> String? {
        let known = EngineConfiguration.builtInMetricNames
        guard !known.contains(name) else { return nil }
        let cure = nearestName(to: name, among: known).map { "; did you mean \($0)?" } ?? ""
        return "\(name) is no built-in metric" + cure
    }
}
