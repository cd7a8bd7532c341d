import CoreMetrics
import NightjarBus
import NightjarSignals
import Synchronization

/// What a handler observes.
struct MetricSeries: Sendable {
    /// What makes two of them one.
    struct Key: Hashable {
        let name: String
        let labels: [String: String]
    }

    let live: LiveContext
    let name: String
    let type: MetricType
    let labels: [String: String]

    var key: Key { Key(name: name, labels: labels) }

    func observe(_ value: Double) {
        MetricsContext(live, span: live.currentSpan).observe(name, type, value, labels)
    }
}

extension NightjarMetricsFactory {
    /// Adds whole numbers. Sums are kept behind the bus and never go back, so that a reset has no effect.
    final class Counter: CounterHandler {
        private let series: MetricSeries

        init(series: MetricSeries) { self.series = series }

        func increment(by amount: Int64) { series.observe(Double(amount)) }

        func reset() {}
    }

    /// Adds fractions; a reset has no effect, as above.
    final class FloatingPointCounter: FloatingPointCounterHandler {
        private let series: MetricSeries

        init(series: MetricSeries) { self.series = series }

        func increment(by amount: Double) { series.observe(amount) }

        func reset() {}
    }

    /// Observes values as they come.
    final class Recorder: RecorderHandler {
        private let series: MetricSeries

        init(series: MetricSeries) { self.series = series }

        func record(_ value: Int64) { series.observe(Double(value)) }

        func record(_ value: Double) { series.observe(value) }
    }

    /// Observes nanoseconds as milliseconds, the unit of all our durations; a preferred unit has no effect.
    final class Timer: TimerHandler {
        private let series: MetricSeries

        init(series: MetricSeries) { self.series = series }

        func recordNanoseconds(_ duration: Int64) { series.observe(Double(duration) / 1_000_000) }
    }

    /// A value that is set and moved.
    final class Meter: MeterHandler {
        let series: MetricSeries
        private let value = Mutex(0.0)

        init(series: MetricSeries) { self.series = series }

        func set(_ value: Int64) { set(Double(value)) }

        func set(_ value: Double) { change { $0 = value } }

        func increment(by amount: Double) { change { $0 += amount } }

        func decrement(by amount: Double) { change { $0 -= amount } }

        /// A move that leads to no number is left out, lest the value be none for ever.
        private func change(_ body: (inout Double) -> Void) {
            // Under the lock: the last value sent is the last value set.
            value.withLock { value in
                var next = value
                body(&next)
                if next.isFinite { value = next }
                series.observe(next)
            }
        }
    }
}

/// The meters in use, for a meter that is made anew goes on from where the last was.
final class MeterTable: Sendable {
    /// As many as there may be metrics; a meter beyond it has a value of its own.
    private static let limit = 10_000

    private let meters = Mutex<[MetricSeries.Key: NightjarMetricsFactory.Meter]>([:])

    func meter(_ series: MetricSeries) -> NightjarMetricsFactory.Meter {
        meters.withLock { meters in
            if let meter = meters[series.key] { return meter }
            let meter = NightjarMetricsFactory.Meter(series: series)
            if meters.count < Self.limit { meters[series.key] = meter }
            return meter
        }
    }

    func remove(_ handler: any MeterHandler) {
        guard let meter = handler as? NightjarMetricsFactory.Meter else { return }
        meters.withLock { meters in
            if meters[meter.series.key] === meter { meters[meter.series.key] = nil }
        }
    }
}
