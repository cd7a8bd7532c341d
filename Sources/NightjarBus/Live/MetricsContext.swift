package import NightjarSignals

/// Observes metrics and sends each observation to the bus, where labels are filtered and observations add up to series.
///
/// A value without state; safe to use from any thread. What is refused (a value that is not finite, a negative increment, a name
/// that Prometheus does not take, a name in use with another type) is counted in `nightjar_metrics_rejected_total`.
public struct MetricsContext: Sendable {
    /// Observes nothing.
    public static let noOp = MetricsContext(.noOp, span: nil)

    private let context: LiveContext
    private let span: LiveSpan?

    /// The metrics of a span, or of none.
    package init(_ context: LiveContext, span: LiveSpan?) {
        self.context = context
        self.span = span
    }

    /// A sum that only grows.
    public struct Counter: Sendable {
        let metrics: MetricsContext
        let name: String

        /// Adds a value of at least 0.
        public func add(_ value: Double = 1, _ labels: [String: String] = [:]) {
            metrics.observe(name, .counter, value, labels)
        }
    }

    /// A value that goes up and down; the last by time holds.
    public struct Gauge: Sendable {
        let metrics: MetricsContext
        let name: String

        /// Sets the value.
        public func set(_ value: Double, _ labels: [String: String] = [:]) {
            metrics.observe(name, .gauge, value, labels)
        }
    }

    /// A distribution of values.
    public struct Histogram: Sendable {
        let metrics: MetricsContext
        let name: String

        /// Adds one value.
        public func record(_ value: Double, _ labels: [String: String] = [:]) {
            metrics.observe(name, .histogram, value, labels)
        }
    }

    /// The counter of a name.
    public func counter(_ name: String) -> Counter { Counter(metrics: self, name: name) }

    /// The gauge of a name.
    public func gauge(_ name: String) -> Gauge { Gauge(metrics: self, name: name) }

    /// The histogram of a name. A name that ends in `_ms`, `_tokens` or `_bytes` gets the buckets of that unit, unless the
    /// configuration has some for it.
    public func histogram(_ name: String) -> Histogram { Histogram(metrics: self, name: name) }

    /// Sends one observation; with a span it gets the labels of the span's entity.
    package func observe(_ name: String, _ type: MetricType, _ value: Double, _ labels: [String: String]) {
        guard let sink = context.sink else { return }
        var metric = Metric(timestamp: context.clock(), name: name, type: type, value: value, labels: labels)
        if let span {
            metric.traceID = span.traceID
            metric.spanID = span.id
            let known = span.known()
            (metric.correlation, metric.metadata) = (known.correlation, known.environmentFacts)
            let entity = known.correlation.fields.entity
            if let type = entity.type, labels["entity_type"] == nil { metric.labels["entity_type"] = type }
            if let name = entity.name, labels["entity_name"] == nil { metric.labels["entity_name"] = name }
        } else {
            metric.correlation = context.correlation
            metric.metadata = metric.correlation.environmentFacts
        }
        sink.emit(.metric(metric))
    }
}
