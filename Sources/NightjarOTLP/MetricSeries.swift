import NightjarSignals

/// The observations of one metric, added up by their labels.
struct MetricSeries {
    /// The metric's name.
    let name: String
    private let type: MetricType
    private var points: [(labels: [String: String], point: Point)] = []
    private var places: [[String: String]: Int] = [:]

    /// The observations of one set of labels.
    private struct Point {
        var first: Timestamp
        var last: Timestamp
        var values: [Double]
    }

    private struct Key: Hashable {
        let name: String
        let type: MetricType
    }

    /// Observations of a request by metric, in the order in which the metrics first appear.
    static func grouped(_ metrics: [Metric]) -> [MetricSeries] {
        var series: [MetricSeries] = []
        var places: [Key: Int] = [:]
        for metric in metrics {
            let key = Key(name: metric.name, type: metric.type)
            let place = places[key] ?? series.count
            if place == series.count {
                places[key] = place
                series.append(MetricSeries(name: metric.name, type: metric.type))
            }
            series[place].add(metric)
        }
        return series
    }

    private init(name: String, type: MetricType) {
        self.name = name
        self.type = type
    }

    private mutating func add(_ metric: Metric) {
        guard let place = places[metric.labels] else {
            places[metric.labels] = points.count
            let point = Point(first: metric.timestamp, last: metric.timestamp, values: [metric.value])
            points.append((metric.labels, point))
            return
        }
        let isLater = metric.timestamp >= points[place].point.last
        points[place].point.first = min(points[place].point.first, metric.timestamp)
        points[place].point.last = max(points[place].point.last, metric.timestamp)
        if type != .gauge {
            points[place].point.values.append(metric.value)
        } else if isLater {
            points[place].point.values = [metric.value]
        }
    }

    /// Writes the Metric message.
    func write(since start: Timestamp?, bounds: [Double], to writer: inout WireWriter) {
        writer.field(1, name)
        if let unit { writer.field(3, unit) }
        let kind: MetricKind =
            switch type {
            case .counter: .sum
            case .gauge: .gauge
            case .histogram: .histogram
            }
        writer.message(kind.rawValue) { writer in
            for (labels, point) in points {
                writer.message(1) { writer in
                    write(labels, point, since: start, to: &writer)
                    if type == .histogram {
                        write(point.values, bounds: bounds, to: &writer)
                    } else {
                        writer.fixed64(4, point.values.reduce(0, +).bitPattern)
                    }
                }
            }
            // Increments; a gauge has no such field.
            if type != .gauge { writer.varint(2, 1) }
            if type == .counter { writer.varint(3, 1) }
        }
    }

    private func write(
        _ labels: [String: String],
        _ point: Point,
        since start: Timestamp?,
        to writer: inout WireWriter
    ) {
        // A start that is its own time would mean an unknown one.
        let since = min(start ?? point.first, point.first).unixNano - 1
        if type != .gauge { writer.fixed64(2, UInt64(max(since, 0))) }
        writer.fixed64(3, UInt64(max(point.last.unixNano, 0)))
        for (key, value) in labels.sorted(by: { $0.key < $1.key }) {
            writer.attribute(type == .histogram ? 9 : 7, key, .string(value))
        }
    }

    private func write(_ values: [Double], bounds: [Double], to writer: inout WireWriter) {
        var counts = [UInt64](repeating: 0, count: bounds.count + 1)
        for value in values { counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1 }
        writer.fixed64(4, UInt64(values.count))
        writer.fixed64(5, values.reduce(0, +).bitPattern)
        for count in counts { writer.fixed64(6, count) }
        for bound in bounds { writer.fixed64(7, bound.bitPattern) }
        if let least = values.min() { writer.fixed64(11, least.bitPattern) }
        if let greatest = values.max() { writer.fixed64(12, greatest.bitPattern) }
    }

    /// The unit that the name ends with, as OTLP writes it.
    private var unit: String? {
        if name.hasSuffix("_ms") { return "ms" }
        if name.hasSuffix("_bytes") { return "By" }
        return name.hasSuffix("_tokens") ? "{token}" : nil
    }
}
