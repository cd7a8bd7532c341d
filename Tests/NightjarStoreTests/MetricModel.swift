import NightjarBus
import NightjarSignals
import NightjarTesting

/// What queries have to give, made of the observations themselves.
struct MetricModel {
    struct Observation {
        let metric: String
        let type: MetricType
        let labels: [String: String]
        let value: Double
        let time: Timestamp

        var event: Metric {
            Metric(timestamp: time, name: metric, type: type, value: value, labels: labels)
        }
    }

    /// The middle of what observations lie around.
    static let noon = Timestamp(unixNano: 1_790_000_000_000_000_000)
    static let metrics: [(name: String, type: MetricType)] = [
        ("orders_total", .counter), ("queue_depth", .gauge), ("wait_ms", .histogram),
    ]

    var observations: [Observation] = []

    /// Observations of all metrics over some hours, in no order of time.
    static func random(_ count: Int, _ generator: inout SeededGenerator) -> [Observation] {
        (0..<count).map { index in
            let metric = metrics[Int(generator.next() % 3)]
            // No two at the same instant: of a gauge only one is the last.
            let offset = Int64(generator.next() % 30_000) * 1_000_000_000 + Int64(index)
            var labels = ["region": ["north", "south", "east"][Int(generator.next() % 3)]]
            if generator.next() % 4 > 0 { labels["kind"] = "kind-\(generator.next() % 3)" }
            let whole = Double(generator.next() % 1000)
            return Observation(
                metric: metric.name,
                type: metric.type,
                labels: labels,
                value: metric.type == .counter ? whole : whole - 300 + Double(index % 7) / 8,
                time: Timestamp(unixNano: noon.unixNano - offset)
            )
        }
    }

    /// The value of each bucket that has one, by its start, and of the whole range, of the group with these labels.
    func values(_ plan: MetricPlan, _ group: [String: String]) -> (
        points: [Timestamp: Double], total: Double?
    ) {
        let matching = observations.filter { one in
            one.metric == plan.query.name && plan.from <= one.time && one.time < plan.to
                && plan.query.filters.allSatisfy { $0.value.contains(one.labels[$0.key] ?? "") }
                && plan.query.groupBy.allSatisfy { one.labels[$0] == group[$0] }
        }
        let step = Int64(plan.stepSeconds) * 1_000_000_000
        let buckets = Dictionary(grouping: matching) { Timestamp(unixNano: $0.time.unixNano / step * step) }
        return (
            buckets.compactMapValues { value(plan.query.aggregation, $0, Double(plan.stepSeconds)) },
            value(
                plan.query.aggregation,
                matching,
                Double(plan.to.unixNano - plan.from.unixNano) / 1_000_000_000
            )
        )
    }

    private func value(
        _ aggregation: MetricAggregation,
        _ observations: [Observation],
        _ seconds: Double
    ) -> Double? {
        guard let type = observations.first?.type else { return nil }
        let values = observations.map(\.value)
        let last = observations.max { $0.time < $1.time }?.value
        switch aggregation {
        case .sum where type == .gauge:
            return Dictionary(grouping: observations, by: \.labels).values
                .compactMap { $0.max { $0.time < $1.time }?.value }.reduce(0, +)
        case .sum: return values.reduce(0, +)
        case .avg: return values.reduce(0, +) / Double(values.count)
        case .min: return values.min()
        case .max: return values.max()
        case .count: return Double(values.count)
        case .rate:
            return (type == .counter ? values.reduce(0, +) : Double(values.count)) / seconds
        case .last: return last
        default:
            let place = (aggregation.quantile ?? 0) * Double(values.count - 1)
            return values.sorted()[Int(place)]
        }
    }
}
