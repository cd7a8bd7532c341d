package import NightjarSignals

/// One data point of a metric as a sender of OTLP has it.
package struct OTLPMetricPoint: Sendable, Equatable {
    /// Over which time a point adds up.
    package enum Temporality: Sendable {
        /// Not said, or without meaning: gauges and summaries.
        case unspecified
        /// Since the point before.
        case delta
        /// Since the start time.
        case cumulative
    }

    /// What was measured.
    package enum Reading: Sendable, Equatable {
        /// A sum; one that is not monotonic may fall.
        case sum(Double, isMonotonic: Bool)
        /// A value that stands for itself.
        case gauge(Double)
        /// A distribution over buckets with stated bounds.
        case histogram(Histogram)
        /// A distribution over buckets whose bounds are powers of a base.
        case exponentialHistogram(ExponentialHistogram)
        /// Quantiles that the sender made.
        case summary(Summary)
    }

    /// A distribution over buckets with stated bounds.
    package struct Histogram: Sendable, Equatable {
        /// The upper bounds, each part of its bucket, rising; the last bucket has none.
        package var bounds: [Double] = []
        /// How many values lie in each bucket, one more than there are bounds; none where only count and sum are known.
        package var counts: [UInt64] = []
        /// How many values there are.
        package var count: UInt64 = 0
        /// Their sum, where it was sent.
        package var sum: Double?
        /// The least of them, where it was sent.
        package var min: Double?
        /// The greatest of them, where it was sent.
        package var max: Double?

        /// No values.
        package init() {}
    }

    /// A distribution over buckets whose bounds are powers of a base: bucket i holds (base^i, base^(i+1)], the base being
    /// 2^(2^-scale).
    package struct ExponentialHistogram: Sendable, Equatable {
        /// Neighbouring buckets.
        package struct Buckets: Sendable, Equatable {
            /// The index of the first.
            package var offset: Int32 = 0
            /// How many values lie in each.
            package var counts: [UInt64] = []

            /// No buckets.
            package init() {}
        }

        /// How fine the buckets are.
        package var scale: Int32 = 0
        /// How many values are zero or too near to it to tell.
        package var zeroCount: UInt64 = 0
        /// The values above zero.
        package var positive = Buckets()
        /// The values below zero, by their distance from it.
        package var negative = Buckets()
        /// How many values there are.
        package var count: UInt64 = 0
        /// Their sum, where it was sent.
        package var sum: Double?
        /// The least of them, where it was sent.
        package var min: Double?
        /// The greatest of them, where it was sent.
        package var max: Double?

        /// No values.
        package init() {}
    }

    /// Quantiles that the sender made.
    package struct Summary: Sendable, Equatable {
        /// One quantile, 0 the least value and 1 the greatest.
        package struct Quantile: Sendable, Equatable {
            /// Which, from 0 to 1.
            package var quantile: Double
            /// Its value.
            package var value: Double
        }

        /// The quantiles in the order sent.
        package var quantiles: [Quantile] = []
        /// How many values there were.
        package var count: UInt64 = 0
        /// Their sum.
        package var sum: Double = 0

        /// No values.
        package init() {}
    }

    /// The metric's name as sent.
    package var name: String
    /// Its unit, as sent; empty where none was.
    package var unit: String
    /// What it means; empty where nothing was said.
    package var description: String
    /// What was measured.
    package var reading: Reading
    /// Over which time it adds up.
    package var temporality: Temporality
    /// Its attributes, those that are no text as JSON.
    package var labels: [String: String]
    /// The service that sent it.
    package var service: String?
    /// The environment that it comes from.
    package var environment: String?
    /// Since when it adds up; nil where that was not sent.
    package var startTime: Timestamp?
    /// When it was measured.
    package var time: Timestamp
    /// The identity of the series: a hash of the resource's attributes, the scope's name and version, the metric's name and
    /// kind, and the point's attributes. The same in every process, whatever their order.
    package var stream: UInt64

    /// A point; where it comes from may be unknown.
    package init(
        name: String,
        unit: String,
        description: String,
        reading: Reading,
        temporality: Temporality,
        labels: [String: String],
        service: String? = nil,
        environment: String? = nil,
        startTime: Timestamp?,
        time: Timestamp,
        stream: UInt64
    ) {
        self.name = name
        self.unit = unit
        self.description = description
        self.reading = reading
        self.temporality = temporality
        self.labels = labels
        self.service = service
        self.environment = environment
        self.startTime = startTime
        self.time = time
        self.stream = stream
    }
}
