/// How observations of a metric add up.
public enum MetricType: String, Sendable, CaseIterable {
    /// A sum that only grows.
    case counter
    /// The last value by event time.
    case gauge
    /// A distribution over buckets.
    case histogram
}

/// One observation of a metric, as it travels on the bus.
public struct Metric: Sendable, Equatable {
    /// When it was observed.
    public var timestamp: Timestamp
    /// The metric's name.
    public var name: String
    /// How its observations add up.
    public var type: MetricType
    /// What was observed: the increment of a counter, the value of a gauge, one value of a histogram.
    public var value: Double
    /// The labels that make the series.
    public var labels: [String: String]
    /// The trace it was observed in.
    public var traceID: TraceID?
    /// The span it was observed in.
    public var spanID: SpanID?
    /// Facts that are no labels: organization, environment, service.
    public var metadata: Value.Object
    /// What it belongs to.
    public var correlation = Correlation()

    /// An observation without a trace.
    public init(
        timestamp: Timestamp,
        name: String,
        type: MetricType,
        value: Double,
        labels: [String: String] = [:],
        metadata: Value.Object = [:]
    ) {
        self.timestamp = timestamp
        self.name = name
        self.type = type
        self.value = value
        self.labels = labels
        self.metadata = metadata
    }
}

extension Metric {
    /// The observation as the API and the JSON exporter give it: camelCase, labels by name, absent fields left out. A value that
    /// is not finite has no JSON form and is written as null.
    public var json: Value {
        var object: Value.Object = [
            "timestamp": .string(timestamp.description), "name": .string(name),
            "metricType": .string(type.rawValue), "value": .double(value),
        ]
        var sorted = Value.Object()
        for (name, value) in labels.sorted(by: { $0.key < $1.key }) { sorted[name] = .string(value) }
        object["labels"] = sorted.ifAny
        object["traceId"] = traceID.map { .string($0.description) }
        object["spanId"] = spanID.map { .string($0.description) }
        object["metadata"] = metadata.ifAny
        object["correlation"] = correlation.jsonIfAny
        return .object(object)
    }

    /// Reads what `json` wrote. Labels may be numbers or truth values too: they become their text.
    /// - Throws: ``InputErrors`` with the place of everything that is missing or of the wrong kind.
    public init(json: Value, path: String = "") throws(InputErrors) {
        var reader = ObjectReader(json, path: path)
        let typeName = reader.requiredText("metricType", aliases: ["type"])
        let type = MetricType(rawValue: typeName)
        if type == nil, !typeName.isEmpty {
            reader.refuse("metricType", "must be counter, gauge or histogram")
        }
        let faults = reader.errors.count
        let value = reader.number("value")
        if value == nil, reader.errors.count == faults { reader.refuse("value", "is required") }
        self.init(
            timestamp: reader.requiredInstant("timestamp"),
            name: reader.requiredText("name"),
            type: type ?? .gauge,
            value: value ?? 0,
            metadata: reader.members("metadata")
        )
        for (name, label) in reader.members("labels").entries {
            switch label {
            case .string(let text): labels[name] = text
            case .int, .double, .bool: labels[name] = label.json
            case .null: break
            default: reader.refuse("labels.\(name)", "must be text")
            }
        }
        traceID = reader.traceID("traceId")
        spanID = reader.spanID("spanId")
        correlation = reader.correlation()
        try reader.finish()
    }
}
