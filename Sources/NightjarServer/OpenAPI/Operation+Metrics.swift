import HTTPTypes
import NightjarBus
import NightjarSignals

/// Metrics over time.
extension Operation {
    static let queryMetric = Operation(
        id: "queryMetric",
        group: "Metrics",
        about:
            "a metric over time, from what is committed; filter.LABEL=VALUE keeps series, several times any of the values",
        parameters: [
            Parameter("name", "of the metric", Schema.name, isRequired: true),
            Parameter(
                "agg",
                "what of it",
                Schema.one(of: MetricAggregation.allCases.map(\.rawValue)),
                isRequired: true
            ),
            Parameter("groupBy", "labels with commas between them"), from, to,
            Parameter("step", "of the points: seconds, or a duration such as 5m", duration),
            Parameter("compare", "with the time before, or not", Schema.one(of: ["previous", "none"])),
            Parameter(
                "limit",
                "of the series",
                Schema.integer(from: 1, to: Int64(MetricQuery.largestGroupLimit))
            ),
        ],
        answers: [.json(Schema.named("MetricAnswer"))] + .readFaults,
        takesAnyParameter: true
    )
}
