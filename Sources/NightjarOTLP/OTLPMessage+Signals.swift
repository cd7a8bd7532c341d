/// The messages of logs and metrics.
extension OTLPMessage {
    /// The fields of a message of logs; nil for any other.
    var logs: [Field]? {
        switch self {
        case .logsRequest: [.init(1, "resourceLogs", "resource_logs", form: .message(.resourceLogs))]
        case .resourceLogs:
            [
                .init(1, "resource", form: .message(.resource)),
                .init(2, "scopeLogs", "scope_logs", form: .message(.scopeLogs)),
            ]
        case .scopeLogs:
            [
                .init(2, "logRecords", "log_records", form: .message(.logRecord)),
                .init(1, "scope", form: .message(.scope)),
            ]
        case .logRecord:
            [
                .init(1, "timeUnixNano", "time_unix_nano", form: .fixed64),
                .init(11, "observedTimeUnixNano", "observed_time_unix_nano", form: .fixed64),
                .init(2, "severityNumber", "severity_number", form: .severity),
                .init(3, "severityText", "severity_text", form: .text),
                .init(5, "body", form: .message(.anyValue)),
                .init(6, "attributes", form: .message(.keyValue)),
                .init(9, "traceId", "trace_id", form: .traceID),
                .init(10, "spanId", "span_id", form: .spanID),
                .init(12, "eventName", "event_name", form: .text),
            ]
        default: nil
        }
    }

    /// The fields of a message around data points; nil for any other.
    var metrics: [Field]? {
        switch self {
        case .metricsRequest:
            [.init(1, "resourceMetrics", "resource_metrics", form: .message(.resourceMetrics))]
        case .resourceMetrics:
            [
                .init(1, "resource", form: .message(.resource)),
                .init(2, "scopeMetrics", "scope_metrics", form: .message(.scopeMetrics)),
            ]
        case .scopeMetrics:
            [
                .init(2, "metrics", form: .message(.metric)),
                .init(1, "scope", form: .message(.scope)),
            ]
        case .metric:
            [
                .init(1, "name", form: .text),
                .init(2, "description", form: .text),
                .init(3, "unit", form: .text),
                .init(5, "gauge", form: .message(.gauge)),
                .init(7, "sum", form: .message(.sum)),
                .init(9, "histogram", form: .message(.histogram)),
                .init(
                    10,
                    "exponentialHistogram",
                    "exponential_histogram",
                    form: .message(.exponentialHistogram)
                ),
                .init(11, "summary", form: .message(.summary)),
            ]
        case .gauge: [.init(1, "dataPoints", "data_points", form: .message(.numberPoint))]
        case .sum:
            [
                .init(1, "dataPoints", "data_points", form: .message(.numberPoint)),
                .init(2, "aggregationTemporality", "aggregation_temporality", form: .temporality),
                .init(3, "isMonotonic", "is_monotonic", form: .bool),
            ]
        case .histogram:
            [
                .init(1, "dataPoints", "data_points", form: .message(.histogramPoint)),
                .init(2, "aggregationTemporality", "aggregation_temporality", form: .temporality),
            ]
        case .exponentialHistogram:
            [
                .init(1, "dataPoints", "data_points", form: .message(.exponentialPoint)),
                .init(2, "aggregationTemporality", "aggregation_temporality", form: .temporality),
            ]
        case .summary: [.init(1, "dataPoints", "data_points", form: .message(.summaryPoint))]
        default: nil
        }
    }

    /// The fields of a data point and of the messages in it.
    var points: [Field] {
        switch self {
        case .numberPoint:
            Self.common(attributes: 7, flags: 8) + [
                .init(4, "asDouble", "as_double", form: .double),
                .init(6, "asInt", "as_int", form: .fixed64),
            ]
        case .histogramPoint:
            Self.common(attributes: 9, flags: 10) + Self.distribution + [
                .init(6, "bucketCounts", "bucket_counts", form: .fixed64),
                .init(7, "explicitBounds", "explicit_bounds", form: .double),
                .init(11, "min", form: .double),
                .init(12, "max", form: .double),
            ]
        case .exponentialPoint:
            Self.common(attributes: 1, flags: 10) + Self.distribution + [
                .init(6, "scale", form: .zigzag),
                .init(7, "zeroCount", "zero_count", form: .fixed64),
                .init(8, "positive", form: .message(.exponentialBuckets)),
                .init(9, "negative", form: .message(.exponentialBuckets)),
                .init(12, "min", form: .double),
                .init(13, "max", form: .double),
                .init(14, "zeroThreshold", "zero_threshold", form: .double),
            ]
        case .exponentialBuckets:
            [
                .init(1, "offset", form: .zigzag),
                .init(2, "bucketCounts", "bucket_counts", form: .varint),
            ]
        case .summaryPoint:
            Self.common(attributes: 7, flags: 8) + Self.distribution + [
                .init(6, "quantileValues", "quantile_values", form: .message(.quantile))
            ]
        case .quantile: [.init(1, "quantile", form: .double), .init(2, "value", form: .double)]
        default: []
        }
    }

    private static func common(attributes: UInt32, flags: UInt32) -> [Field] {
        [
            .init(attributes, "attributes", form: .message(.keyValue)),
            .init(2, "startTimeUnixNano", "start_time_unix_nano", form: .fixed64),
            .init(3, "timeUnixNano", "time_unix_nano", form: .fixed64),
            .init(flags, "flags", form: .varint),
        ]
    }

    private static let distribution: [Field] = [
        .init(4, "count", form: .fixed64),
        .init(5, "sum", form: .double),
    ]
}
