import NightjarOTLP
import NightjarSignals
import NightjarTesting
import Testing

/// Data points that came.
struct MetricRequestTests {
    private static let now = Timestamp(unixNano: 1_700_000_000_000_000_000)

    private static func json(_ metrics: String, resource: String = "", scope: String = "s") throws
        -> MetricRequest
    {
        let body = """
            {"resourceMetrics":[{"resource":{"attributes":[\(resource)]},
            "scopeMetrics":[{"scope":{"name":"\(scope)"},"metrics":[\(metrics)]}]}]}
            """
        return try MetricRequest.decode(Array(body.utf8), encoding: .json, receivedAt: now)
    }

    private static func attribute(_ key: String, _ value: String) -> String {
        #"{"key":"\#(key)","value":\#(value)}"#
    }

    /// A request of one metric, `points` in the field of its kind.
    private static func protobuf(_ kind: UInt64, _ build: (inout Message) -> Void) throws -> MetricRequest {
        var body = Message()
        body.message(1) { resourceMetrics in
            resourceMetrics.message(2) { scopeMetrics in
                scopeMetrics.message(2) { metric in
                    metric.text(1, "m")
                    metric.message(kind, build)
                }
            }
        }
        return try MetricRequest.decode(body.bytes, encoding: .protobuf, receivedAt: now)
    }

    @Test func `a sum says what was added, since when, and for whom`() throws {
        let service = Self.attribute("service.name", #"{"stringValue":"api"}"#)
        let environment = Self.attribute("deployment.environment", #"{"stringValue":"prod"}"#)
        let request = try Self.json(
            #"{"name":"claude_code.token.usage","unit":"tokens","description":"d","sum":{"aggregationTemporality":2,"#
                + #""isMonotonic":true,"dataPoints":[{"asInt":"42","startTimeUnixNano":"5","timeUnixNano":"9","attributes":["#
                + Self.attribute("type", #"{"stringValue":"input"}"#) + ","
                + Self.attribute("n", #"{"intValue":"3"}"#) + ","
                + Self.attribute("b", #"{"boolValue":true}"#)
                + "]}]}}",
            resource: "\(service),\(environment)"
        )
        let point = try #require(request.points.first)
        #expect(point.name == "claude_code.token.usage")
        #expect(point.unit == "tokens")
        #expect(point.description == "d")
        #expect(point.reading == .sum(42, isMonotonic: true))
        #expect(point.temporality == .cumulative)
        #expect(point.labels == ["type": "input", "n": "3", "b": "true"])
        #expect(point.startTime == Timestamp(unixNano: 5))
        #expect(point.time == Timestamp(unixNano: 9))
        #expect(point.service == "api")
        #expect(point.environment == "prod")
    }

    @Test func `gauges, negative whole numbers and names of temporalities are read`() throws {
        let request = try Self.json(
            #"{"name":"g","gauge":{"dataPoints":[{"asInt":"-7"},{"asDouble":1.5}]}},"#
                + #"{"name":"s","sum":{"aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA","#
                + #""dataPoints":[{"asDouble":2}]}}"#
        )
        #expect(request.points.map(\.reading) == [.gauge(-7), .gauge(1.5), .sum(2, isMonotonic: false)])
        #expect(request.points.map(\.temporality) == [.unspecified, .unspecified, .delta])
        #expect(request.points[0].time == Self.now)
        #expect(request.points[0].startTime == nil)
    }

    @Test(arguments: [true, false])
    func `a histogram has its buckets, packed or not`(_ isPacked: Bool) throws {
        let request = try Self.protobuf(9) { histogram in
            histogram.number(2, 1)
            histogram.message(1) { point in
                point.fixed64(3, 9)
                point.fixed64(4, 3)
                point.fixed64(5, (4.5).bitPattern)
                let counts: [UInt64] = [1, 0, 2]
                let bounds = [0.5, 1].map(\.bitPattern)
                if isPacked {
                    var packed = Message()
                    for value in counts { packed.raw64(value) }
                    point.data(6, packed.bytes)
                    packed = Message()
                    for value in bounds { packed.raw64(value) }
                    point.data(7, packed.bytes)
                } else {
                    for value in counts { point.fixed64(6, value) }
                    for value in bounds { point.fixed64(7, value) }
                }
                point.fixed64(11, (0.25).bitPattern)
                point.fixed64(12, (3.0).bitPattern)
            }
        }
        var expected = OTLPMetricPoint.Histogram()
        expected.bounds = [0.5, 1]
        expected.counts = [1, 0, 2]
        expected.count = 3
        expected.sum = 4.5
        expected.min = 0.25
        expected.max = 3
        #expect(request.points.map(\.reading) == [.histogram(expected)])
    }

    @Test func `an exponential histogram reads the same from protobuf and from JSON`() throws {
        let binary = try Self.protobuf(10) { histogram in
            histogram.number(2, 2)
            histogram.message(1) { point in
                point.fixed64(3, 9)
                point.fixed64(4, 7)
                point.fixed64(5, (10.0).bitPattern)
                point.number(6, 3)
                point.fixed64(7, 1)
                point.message(8) { buckets in
                    buckets.number(1, 5)
                    buckets.data(2, [1, 0xAC, 0x02])
                }
                point.message(9) { buckets in
                    buckets.number(1, 4)
                    buckets.number(2, 6)
                }
                point.fixed64(12, (-1.0).bitPattern)
                point.fixed64(13, (8.0).bitPattern)
            }
        }
        let json = try Self.json(
            #"{"name":"m","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"9","#
                + #""count":"7","sum":10,"scale":-2,"zeroCount":"1","positive":{"offset":-3,"bucketCounts":["1","300"]},"#
                + #""negative":{"offset":2,"bucketCounts":[6]},"min":-1,"max":8}]}}"#
        )
        var expected = OTLPMetricPoint.ExponentialHistogram()
        expected.scale = -2
        expected.zeroCount = 1
        expected.positive.offset = -3
        expected.positive.counts = [1, 300]
        expected.negative.offset = 2
        expected.negative.counts = [6]
        expected.count = 7
        expected.sum = 10
        expected.min = -1
        expected.max = 8
        #expect(binary.points.map(\.reading) == [.exponentialHistogram(expected)])
        #expect(json.points.map(\.reading) == [.exponentialHistogram(expected)])
    }

    @Test func `a summary has its quantiles`() throws {
        let request = try Self.json(
            #"{"name":"m","summary":{"dataPoints":[{"count":"4","sum":9.5,"quantileValues":["#
                + #"{"quantile":0.5,"value":2},{"quantile":1,"value":4}]}]}}"#
        )
        guard case .summary(let summary)? = request.points.first?.reading else {
            Issue.record("no summary")
            return
        }
        #expect(summary.count == 4)
        #expect(summary.sum == 9.5)
        #expect(summary.quantiles.map(\.quantile) == [0.5, 1])
        #expect(summary.quantiles.map(\.value) == [2, 4])
    }

    @Test func `a point that says that nothing was recorded is left out and not refused`() throws {
        let request = try Self.json(
            #"{"name":"g","gauge":{"dataPoints":[{"asDouble":1,"flags":1},{"asDouble":2}]}}"#
        )
        #expect(request.points.map(\.reading) == [.gauge(2)])
        #expect(request.rejected == 0)
    }

    @Test func `what is no point is refused alone, with the reason`() throws {
        let request = try Self.json(
            #"{"name":"a","gauge":{"dataPoints":[{},{"asDouble":2}]}},{"name":"none"},"#
                + #"{"gauge":{"dataPoints":[{"asDouble":2}]}},"#
                + #"{"name":"h","histogram":{"dataPoints":[{"count":"1","bucketCounts":["1"],"explicitBounds":[1,2]},"#
                + #"{"count":"1","bucketCounts":["1","0","0"],"explicitBounds":[2,1]},{"count":"1"}]}}"#
        )
        #expect(request.points.count == 2)
        #expect(request.rejected == 5)
        #expect(
            request.rejectedMessage
                == "rejected data points: 2 without a name or without data of a known kind, "
                + "3 without a value or with buckets that do not fit their bounds; "
                + "the first is resource_metrics[0].scope_metrics[0].metrics[0]"
        )
    }

    @Test func `a series has one identity, whatever the order of its attributes`() throws {
        func stream(_ attributes: String, name: String = "g", resource: String = "", scope: String = "s")
            throws
            -> UInt64
        {
            let metric =
                #"{"name":"\#(name)","gauge":{"dataPoints":[{"asDouble":1,"attributes":[\#(attributes)]}]}}"#
            return try #require(try Self.json(metric, resource: resource, scope: scope).points.first?.stream)
        }
        let a = Self.attribute("a", #"{"stringValue":"1"}"#)
        let b = Self.attribute("b", #"{"stringValue":"2"}"#)
        let number = Self.attribute("a", #"{"intValue":"1"}"#)
        let one = try stream("\(a),\(b)")
        #expect(try stream("\(b),\(a)") == one)
        // A constant: stores keep identities from one version to the next.
        #expect(one == 14_832_204_517_632_287_150)
        let others = [
            try stream(a), try stream("\(number),\(b)"), try stream("\(a),\(b)", name: "h"),
            try stream("\(a),\(b)", resource: a), try stream("\(a),\(b)", scope: "t"),
        ]
        #expect(Set(others + [one]).count == 6)
    }

    @Test(arguments: Captures.names)
    func `recorded metrics have their names and whole points`(_ client: String) throws {
        let capture = try Captures.named(client)
        var names: Set<String> = []
        for file in capture.requests where file.signal == "metrics" {
            let request = try MetricRequest.decode(
                try file.inflated(),
                encoding: file.isJSON ? .json : .protobuf,
                receivedAt: Self.now
            )
            #expect(request.rejected == 0)
            for point in request.points {
                names.insert(point.name)
                #expect(point.service?.hasPrefix("demo-") == true)
                #expect(point.startTime ?? point.time <= point.time)
                if case .histogram(let histogram) = point.reading {
                    #expect(histogram.counts.reduce(0, +) == histogram.count)
                }
                if case .exponentialHistogram(let histogram) = point.reading {
                    let parts = histogram.positive.counts + histogram.negative.counts + [histogram.zeroCount]
                    #expect(parts.reduce(0, +) == histogram.count)
                }
            }
        }
        #expect(names.sorted() == capture.expectedMetricNames.sorted())
    }

    @Test func `any bytes end in points or an error`() throws {
        var random = SeededGenerator(seed: 5)
        let file = try #require(try Captures.named("pydantic-ai").requests.first { $0.signal == "metrics" })
        let body = try file.inflated().array
        for _ in 0..<300 {
            var bytes = body
            for _ in 0..<4 {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(
                    in: 0...255,
                    using: &random
                )
            }
            do throws(OTLPError) {
                let request = try MetricRequest.decode(bytes, encoding: .protobuf, receivedAt: Self.now)
                for point in request.points {
                    var later = point
                    later.time.unixNano &+= 1
                    let state = CumulativeToDelta.step(point, after: nil).state
                    _ = CumulativeToDelta.step(later, after: state)
                }
            } catch {
                #expect(error.code == .malformed)
            }
        }
    }
}

extension Message {
    /// Eight bytes, as a packed list has them.
    mutating func raw64(_ value: UInt64) {
        for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(value >> UInt64(shift) & 0xFF)) }
    }
}
