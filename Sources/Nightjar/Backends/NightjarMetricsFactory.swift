public import CoreMetrics
import NightjarBus
import NightjarSignals

/// Makes the handlers of swift-metrics: each observation goes to the bus, correlated with the span it was made in. Made by
/// ``Observability/metricsFactory``.
///
/// Counters stay counters; meters and gauges are gauges; recorders and timers are histograms, timers in milliseconds under a
/// name that ends in `_ms`. Dimensions are labels; in a span whose entity is known `entity_type` and `entity_name` come with
/// them. Names become what Prometheus takes: any other character is `_`, and a digit in front gets one before it. A handler
/// holds no observations, so that there is nothing to destroy but the value of a meter.
public struct NightjarMetricsFactory: MetricsFactory {
    private let live: LiveContext
    private let meters: MeterTable

    init(_ live: LiveContext, meters: MeterTable) {
        self.live = live
        self.meters = meters
    }

    /// A counter.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        Counter(series: series(label, .counter, dimensions))
    }

    /// A counter of fractions.
    public func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        FloatingPointCounter(series: series(label, .counter, dimensions))
    }

    /// A gauge that can be moved; all meters of one label and the same dimensions move one value.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        meters.meter(series(label, .gauge, dimensions))
    }

    /// A histogram, or a gauge where values are not to be aggregated.
    public func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        Recorder(series: series(label, aggregate ? .histogram : .gauge, dimensions))
    }

    /// A histogram of milliseconds.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        Timer(series: series(label.hasSuffix("_ms") ? label : label + "_ms", .histogram, dimensions))
    }

    /// Nothing: a counter holds nothing.
    public func destroyCounter(_ handler: any CounterHandler) {}
    /// Nothing: a counter holds nothing.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    /// Forgets the meter's value: the next of its name starts at 0.
    public func destroyMeter(_ handler: any MeterHandler) { meters.remove(handler) }
    /// Nothing: a recorder holds nothing.
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    /// Nothing: a timer holds nothing.
    public func destroyTimer(_ handler: any TimerHandler) {}

    private func series(_ label: String, _ type: MetricType, _ dimensions: [(String, String)]) -> MetricSeries
    {
        MetricSeries(
            live: live,
            name: prometheusName(label, allowsColon: true),
            type: type,
            labels: Dictionary(dimensions.map { (prometheusName($0, allowsColon: false), $1) }) { $1 }
        )
    }
}

/// The name that Prometheus takes instead of one that it may not.
private func prometheusName(_ name: String, allowsColon: Bool) -> String {
    var bytes = name.utf8.map { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            byte
        case UInt8(ascii: ":") where allowsColon: byte
        default: UInt8(ascii: "_")
        }
    }
    if bytes.first.map({ (48...57).contains($0) }) ?? true { bytes.insert(UInt8(ascii: "_"), at: 0) }
    return String(decoding: bytes, as: UTF8.self)
}
