package import NightjarSignals

/// What is made of the windows of a metric.
package enum MetricAggregation: String, Sendable, CaseIterable {
    /// The sum of the values; of a gauge that of the last values of its series.
    case sum
    /// The mean of the values.
    case avg
    /// The least value.
    case min
    /// The greatest value.
    case max
    /// How many observations there were.
    case count
    /// The sum of a counter, or the number of a histogram's values, per second.
    case rate
    /// The last value of a gauge by event time.
    case last
    /// The median.
    case p50
    /// What 90 % of the values do not exceed.
    case p90
    /// What 95 % of the values do not exceed.
    case p95
    /// What 99 % of the values do not exceed.
    case p99
    /// What 99.9 % of the values do not exceed.
    case p999

    /// The part of the values that lies below it, of a percentile.
    package var quantile: Double? {
        switch self {
        case .p50: 0.5
        case .p90: 0.9
        case .p95: 0.95
        case .p99: 0.99
        case .p999: 0.999
        default: nil
        }
    }

    /// Those that a type of metric has.
    package static func all(of type: MetricType) -> [MetricAggregation] {
        allCases.filter { one in
            switch one {
            case .sum, .avg, .min, .max, .count: true
            case .rate: type != .gauge
            case .last: type == .gauge
            default: type == .histogram
            }
        }
    }
}

/// What somebody wants to know of a metric.
package struct MetricQuery: Sendable, Equatable {
    /// The metric, by the name that people know it by or by the one that it is stored under.
    package var name: String
    /// What to make of its windows.
    package var aggregation: MetricAggregation
    /// The labels that make the groups; none: one group.
    package var groupBy: [String] = []
    /// For each label the values of which a series must have one; an empty one stands for a series without the label.
    package var filters: [String: Set<String>] = [:]
    /// Not before; nil: an hour before `to`.
    package var from: Timestamp?
    /// Before; nil: now.
    package var to: Timestamp?
    /// The length of a bucket in seconds; nil: one that gives up to 300 of them.
    package var stepSeconds: Int?
    /// Whether to look at the period before too.
    package var compares = true
    /// At most so many groups are given, those with the highest totals.
    package var groupLimit = 50

    /// More groups are not given at once.
    package static let largestGroupLimit = 500
    /// More labels make no groups.
    package static let groupByLimit = 8

    /// All of a metric in the last hour.
    package init(name: String, aggregation: MetricAggregation) {
        (self.name, self.aggregation) = (name, aggregation)
    }
}

/// Why a query cannot be answered.
package struct MetricQueryError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Whether there is no such metric; else what was asked does not fit together.
    package let isUnknownMetric: Bool
    /// What is wrong and what to write instead.
    package let description: String

    /// An error.
    package init(isUnknownMetric: Bool = false, _ description: String) {
        (self.isUnknownMetric, self.description) = (isUnknownMetric, description)
    }
}

/// A query made ready: which windows are read, and which buckets they go into.
package struct MetricPlan: Sendable, Equatable {
    /// More buckets are not made.
    package static let bucketLimit = 2000
    /// A step that is not given makes no more buckets.
    private static let usualBuckets = 300
    private static let steps = [
        10, 30, 60, 300, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400, 604_800, 2_592_000,
    ]
    /// Up to so many seconds fine windows are read where coarse ones would do: the ends of the range are exact then.
    private static let shortRange = 3 * 3600

    private static let longestStep = 366 * 86_400
    /// A step beyond it is still an instant.
    private static let farthest: Int64 = 9_000_000_000_000_000_000

    /// What was asked.
    package let query: MetricQuery
    /// The metric.
    package let instrument: InstrumentDescriptor
    /// Which windows are read.
    package let resolution: WindowResolution
    /// The length of a bucket in seconds.
    package let stepSeconds: Int
    /// The windows of the range, by number.
    package let windows: Range<Int64>
    /// The windows of the period before, as many.
    package let before: Range<Int64>
    /// Until when there can be something.
    let now: Timestamp

    /// The plan of a query for a metric.
    /// - Throws: ``MetricQueryError`` that says what to write instead.
    package init(
        _ query: MetricQuery,
        _ instrument: InstrumentDescriptor,
        now: Timestamp
    ) throws(MetricQueryError) {
        try Self.check(query, instrument)
        let to = query.to ?? now
        let from = query.from ?? to.advanced(by: .seconds(-3600))
        guard from < to else { throw MetricQueryError("from must lie before to") }
        let (length, overflow) = to.unixNano.subtractingReportingOverflow(from.unixNano)
        guard !overflow, from.unixNano >= -Self.farthest, to.unixNano <= Self.farthest else {
            throw MetricQueryError("from and to must lie between the years 1685 and 2255")
        }
        let seconds = Int(length / 1_000_000_000) + 1
        var step = query.stepSeconds ?? Self.usualStep(seconds)
        guard step > 0, step % WindowResolution.fine.seconds == 0, step <= Self.longestStep else {
            throw MetricQueryError("step must be a multiple of 10s of up to 366d, such as 10s, 1m or 1h")
        }
        let oldest = query.compares ? from.advanced(by: .nanoseconds(-length)) : from
        let isRecent = oldest >= now.advanced(by: .zero - WindowResolution.fine.age)
        let coarse = WindowResolution.coarse.seconds
        if !isRecent { step = (step + coarse - 1) / coarse * coarse }
        let resolution: WindowResolution =
            isRecent && (step % coarse != 0 || seconds <= Self.shortRange) ? .fine : .coarse
        let first = resolution.window(of: from)
        let last = resolution.window(of: to.advanced(by: .nanoseconds(-1))) + 1
        (self.query, self.instrument, self.now) = (query, instrument, now)
        (self.resolution, stepSeconds) = (resolution, step)
        windows = first..<last
        before = query.compares ? first - (last - first)..<first : first..<first
        guard bucketCount <= Self.bucketLimit else {
            let least = Self.steps.first { seconds / $0 + 1 < Self.bucketLimit } ?? seconds
            throw MetricQueryError(
                "a step of \(step) s gives \(bucketCount) points, at most \(Self.bucketLimit) are given; "
                    + "use a step of \(least) s or more, or a shorter range"
            )
        }
    }

    private static func check(
        _ query: MetricQuery,
        _ instrument: InstrumentDescriptor
    ) throws(MetricQueryError) {
        let possible = MetricAggregation.all(of: instrument.type)
        guard possible.contains(query.aggregation) else {
            let names = possible.map(\.rawValue).joined(separator: ", ")
            throw MetricQueryError(
                "\(instrument.shownName) is a \(instrument.type.rawValue), which has no \(query.aggregation.rawValue); use one of \(names)"
            )
        }
        guard query.groupBy.count <= MetricQuery.groupByLimit else {
            throw MetricQueryError("at most \(MetricQuery.groupByLimit) labels can make groups")
        }
    }

    private static func usualStep(_ seconds: Int) -> Int {
        steps.first { seconds / $0 < usualBuckets } ?? steps[steps.count - 1]
    }

    /// The number of the first bucket, counted from 1970.
    private var firstBucket: Int64 { bucketNumber(windows.lowerBound) }

    private func bucketNumber(_ window: Int64) -> Int64 {
        (window * Int64(resolution.seconds)).floored(by: Int64(stepSeconds))
    }

    /// How many buckets there are.
    package var bucketCount: Int {
        Int(clamping: bucketNumber(windows.upperBound - 1) - firstBucket + 1)
    }

    /// The place of the bucket that a window of the range goes into.
    func bucket(of window: Int64) -> Int { Int(bucketNumber(window) - firstBucket) }

    /// When a bucket begins: a multiple of the step since 1970, which may lie before the range.
    package func start(ofBucket bucket: Int) -> Timestamp {
        Timestamp(unixNano: (firstBucket + Int64(bucket)) * Int64(stepSeconds) * 1_000_000_000)
    }

    /// When the range begins: with a window.
    package var from: Timestamp { resolution.start(of: windows.lowerBound) }
    /// When it ends: with a window.
    package var to: Timestamp { resolution.start(of: windows.upperBound) }
    /// When the period before begins.
    package var beforeFrom: Timestamp { resolution.start(of: before.lowerBound) }

    /// How many seconds of a bucket lie within the range and are not to come.
    func seconds(ofBucket bucket: Int) -> Double {
        let start = start(ofBucket: bucket)
        return seconds(start, start.advanced(by: .seconds(stepSeconds)))
    }

    /// How many seconds of the range are not to come.
    var secondsOfAll: Double { seconds(from, to) }

    private func seconds(_ start: Timestamp, _ end: Timestamp) -> Double {
        let first = max(start, from)
        let last = min(end, to, max(now, first.advanced(by: .seconds(resolution.seconds))))
        return Double(max(0, last.unixNano - first.unixNano)) / 1_000_000_000
    }

    /// How long the period before is.
    var secondsBefore: Double { Double(before.count) * Double(resolution.seconds) }
}
