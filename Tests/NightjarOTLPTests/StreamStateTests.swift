import NightjarOTLP
import NightjarSignals
import Testing

/// What is stored of a stream between its points.
@Suite struct StreamStateTests {
    private typealias State = CumulativeToDelta.State

    private static var histogram: OTLPMetricPoint.Histogram {
        var histogram = OTLPMetricPoint.Histogram()
        (histogram.bounds, histogram.counts) = ([-1, 0.5, .infinity], [0, 1, .max, 300])
        (histogram.count, histogram.sum) = (.max, -2.5)
        return histogram
    }

    private static var exponential: OTLPMetricPoint.ExponentialHistogram {
        var histogram = OTLPMetricPoint.ExponentialHistogram()
        (histogram.scale, histogram.zeroCount, histogram.count, histogram.sum) = (-3, 2, 9, 1e300)
        (histogram.positive.offset, histogram.positive.counts) = (.min, [1, 0, 4])
        (histogram.negative.offset, histogram.negative.counts) = (.max, [2])
        return histogram
    }

    private static func state(
        _ reading: OTLPMetricPoint.Reading?,
        start: Int64? = 1,
        time: Int64 = .max
    ) -> CumulativeToDelta.State {
        let point = OTLPMetricPoint(
            name: "m",
            unit: "",
            description: "",
            reading: reading ?? .gauge(1),
            temporality: reading == nil ? .delta : .cumulative,
            labels: [:],
            startTime: start.map { Timestamp(unixNano: $0) },
            time: Timestamp(unixNano: time),
            stream: 1
        )
        return CumulativeToDelta.step(point, after: nil).state
    }

    static let readings: [OTLPMetricPoint.Reading?] = [
        nil, .sum(1.5, isMonotonic: true), .sum(-1, isMonotonic: false), .gauge(-0.0), .histogram(histogram),
        .histogram(OTLPMetricPoint.Histogram()), .exponentialHistogram(exponential),
        .exponentialHistogram(OTLPMetricPoint.ExponentialHistogram()),
    ]

    @Test(arguments: readings)
    func `a state comes back as it was`(reading: OTLPMetricPoint.Reading?) {
        for start in [nil, Int64.min, 5] {
            let state = Self.state(reading, start: start)
            #expect(State(encoded: state.encoded) == state)
        }
    }

    @Test(arguments: readings)
    func `bytes that are no state give none, and no bytes do harm`(reading: OTLPMetricPoint.Reading?) {
        let bytes = Self.state(reading).encoded
        #expect(State(encoded: []) == nil)
        #expect(State(encoded: [1]) == nil)
        #expect(State(encoded: [2] + bytes.dropFirst()) == nil)
        for place in bytes.indices {
            _ = State(encoded: Array(bytes[..<place]))
            for bit in 0..<8 {
                var damaged = bytes
                damaged[place] ^= 1 << bit
                guard let state = State(encoded: damaged), let reading else { continue }
                // Whatever came of it is a mark that a point can be measured from.
                var next = OTLPMetricPoint(
                    name: "m",
                    unit: "",
                    description: "",
                    reading: reading,
                    temporality: .cumulative,
                    labels: [:],
                    startTime: nil,
                    time: Timestamp(unixNano: .max),
                    stream: 1
                )
                next.reading = reading
                _ = CumulativeToDelta.step(next, after: state)
            }
        }
    }
}
