import NightjarOTLP
import NightjarSignals
import Testing

/// What points of one series add, one after the other.
struct CumulativeToDeltaTests {
    private typealias Reading = OTLPMetricPoint.Reading

    private static func point(
        _ reading: OTLPMetricPoint.Reading,
        at time: Int64,
        since start: Int64? = 1,
        _ temporality: OTLPMetricPoint.Temporality = .cumulative
    ) -> OTLPMetricPoint {
        OTLPMetricPoint(
            name: "m",
            unit: "",
            description: "",
            reading: reading,
            temporality: temporality,
            labels: [:],
            startTime: start.map { Timestamp(unixNano: $0) },
            time: Timestamp(unixNano: time),
            stream: 1
        )
    }

    private static func steps(_ points: [OTLPMetricPoint]) -> [OTLPMetricPoint.Reading?] {
        var state: CumulativeToDelta.State?
        return points.map { point in
            let step = CumulativeToDelta.step(point, after: state)
            state = step.state
            return step.increment
        }
    }

    private static func sums(_ points: [(value: Double, time: Int64, start: Int64?)]) -> [Double?] {
        steps(points.map { point(.sum($0.value, isMonotonic: true), at: $0.time, since: $0.start) }).map {
            reading in
            guard case .sum(let value, true)? = reading else { return nil }
            return value
        }
    }

    @Test func `the first point counts whole, each later one what it adds`() {
        #expect(Self.sums([(10, 5, 1), (10, 6, 1), (14, 7, 1)]) == [10, 0, 4])
    }

    @Test(arguments: [nil, 5] as [Int64?])
    func `a first point of unknown start only sets the mark`(_ start: Int64?) {
        #expect(Self.sums([(10, 5, start), (14, 7, start)]) == [nil, 4])
    }

    @Test func `a fall or a later start counts anew`() {
        #expect(Self.sums([(10, 5, 1), (3, 6, 1), (5, 7, 1)]) == [10, 3, 2])
        #expect(Self.sums([(10, 5, 1), (12, 8, 6), (13, 9, 6)]) == [10, 12, 1])
        #expect(Self.sums([(10, 5, 1), (12, 8, 3)]) == [10, 12])
        #expect(Self.sums([(10, 5, nil), (3, 6, nil)]) == [nil, 3])
        #expect(Self.sums([(10, 5, nil), (12, 8, 6)]) == [nil, 12])
        #expect(Self.sums([(10, 5, nil), (12, 8, 2)]) == [nil, 2])
    }

    @Test func `a start of unknown reset only sets the mark`() {
        #expect(Self.sums([(10, 5, 1), (100, 8, 8), (101, 9, 8)]) == [10, nil, 1])
    }

    @Test func `a point that came twice or too late gives nothing and changes nothing`() {
        #expect(Self.sums([(10, 5, 1), (10, 5, 1), (7, 4, 1), (11, 6, 1)]) == [10, nil, nil, 1])
    }

    @Test func `a value that is no number gives nothing and changes nothing`() {
        #expect(Self.sums([(10, 5, 1), (.nan, 6, 1), (12, 7, 1)]) == [10, nil, 2])
        #expect(Self.sums([(.infinity, 5, 1), (12, 7, 1)]) == [nil, 12])
    }

    @Test func `increments pass through, the same one once`() {
        let points = [(2.0, Int64(5)), (3, 6), (3, 6), (1, 4), (4, 7)].map {
            Self.point(.sum($0.0, isMonotonic: true), at: $0.1, .delta)
        }
        let one = { Reading.sum($0, isMonotonic: true) }
        #expect(Self.steps(points) == [one(2), one(3), nil, nil, one(4)])
    }

    @Test func `a sum that may fall is a value that stands for itself`() {
        let points = [(2.0, Int64(5)), (1, 6)].map { Self.point(.sum($0.0, isMonotonic: false), at: $0.1) }
        #expect(Self.steps(points) == [.gauge(2), .gauge(1)])
        #expect(Self.steps([Self.point(.gauge(3), at: 5, since: nil, .unspecified)]) == [.gauge(3)])
    }

    private static func histogram(_ counts: [UInt64], sum: Double, bounds: [Double] = [1, 2])
        -> OTLPMetricPoint.Histogram
    {
        var histogram = OTLPMetricPoint.Histogram()
        histogram.bounds = bounds
        histogram.counts = counts
        histogram.count = counts.reduce(0, +)
        histogram.sum = sum
        return histogram
    }

    @Test func `a histogram gives what each bucket gained`() {
        var first = Self.histogram([1, 2, 0], sum: 4)
        first.max = 2
        let points = [
            first, Self.histogram([1, 4, 1], sum: 11), Self.histogram([0, 1, 0], sum: 1.5),
            Self.histogram([1, 2], sum: 3, bounds: [5]),
        ]
        let found = Self.steps(
            points.enumerated().map { Self.point(.histogram($0.element), at: Int64($0.offset) + 2) }
        )
        #expect(
            found == [
                .histogram(first), .histogram(Self.histogram([0, 2, 1], sum: 7)),
                // A bucket fell, then the bounds changed: both counted anew.
                .histogram(points[2]), .histogram(points[3]),
            ]
        )
    }

    private static func exponential(scale: Int32, offset: Int32, _ counts: [UInt64], zeros: UInt64 = 0)
        -> OTLPMetricPoint.ExponentialHistogram
    {
        var histogram = OTLPMetricPoint.ExponentialHistogram()
        histogram.scale = scale
        histogram.positive.offset = offset
        histogram.positive.counts = counts
        histogram.zeroCount = zeros
        histogram.count = counts.reduce(zeros, +)
        return histogram
    }

    @Test func `an exponential histogram is compared at the coarser scale and wherever its buckets begin`() {
        let points = [
            Self.exponential(scale: 1, offset: -3, [1, 2, 3]),
            Self.exponential(scale: 1, offset: -4, [1, 1, 2, 3, 4], zeros: 1),
            // Indices -4 to 0 at scale 1 are -2, -2, -1, -1 and 0 at scale 0.
            Self.exponential(scale: 0, offset: -2, [3, 5, 6], zeros: 1),
            Self.exponential(scale: 3, offset: 0, [1]),
        ]
        let found = Self.steps(
            points.enumerated().map {
                Self.point(.exponentialHistogram($0.element), at: Int64($0.offset) + 2)
            }
        )
        #expect(
            found == [
                .exponentialHistogram(points[0]),
                .exponentialHistogram(Self.exponential(scale: 1, offset: -4, [1, 0, 0, 0, 4], zeros: 1)),
                .exponentialHistogram(Self.exponential(scale: 0, offset: -2, [1, 0, 2])),
                .exponentialHistogram(points[3]),
            ]
        )
    }
}
