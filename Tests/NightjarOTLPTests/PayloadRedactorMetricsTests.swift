import NightjarBus
import NightjarOTLP
import NightjarSignals
import NightjarTesting
import Testing

/// Secrets in the labels of data points.
@Suite struct PayloadRedactorMetricsTests {
    private func redactor(
        _ style: RedactionConfiguration.Style = .full,
        valueBytes: Int = 1 << 20
    ) -> PayloadRedactor {
        var configuration = RedactionConfiguration()
        configuration.style = style
        var limits = PayloadRedactor.Limits()
        limits.valueBytes = valueBytes
        return PayloadRedactor(RedactionRules(configuration), limits: limits)
    }

    /// The rewritten bytes, nil where they stay.
    private func redact(_ body: [UInt8], _ redactor: PayloadRedactor? = nil) throws -> [UInt8]? {
        try (redactor ?? self.redactor()).redactedMetrics(Payload(body))?.array
    }

    private func decode(_ body: [UInt8]) throws -> MetricRequest {
        try MetricRequest.decode(body, encoding: .protobuf, receivedAt: Timestamp(unixNano: 1))
    }

    @Test func `recordings and points without secrets stay the bytes that came`() throws {
        let requests = Captures.all.flatMap(\.requests).filter { $0.signal == "metrics" && !$0.isJSON }
        #expect(!requests.isEmpty)
        for request in requests {
            #expect(try redactor().redactedMetrics(request.inflated()) == nil, "\(request.file)")
        }
        #expect(
            try redact(TestPoint.request(TestPoint.kinds, [("gen_ai.token.type", "input"), ("n", 7)])) == nil
        )
        #expect(try redact([]) == nil)
    }

    @Test(arguments: TestPoint.kinds)
    func `secrets are hidden in points and exemplars of each kind, and nothing else changes`(
        _ kind: TestPoint.Kind
    ) throws {
        func body(_ secret: TestValue, _ json: String) -> [UInt8] {
            TestPoint.request(
                [kind],
                [("a", 1), ("app.password", secret), ("args", .text(json)), ("z", "y")]
            )
        }
        let original = body("s3cret", #"{"token":"s3cret"}"#)
        let found = try #require(try redact(original))
        #expect(found == body("[REDACTED]", #"{"token":"[REDACTED]"}"#))
        #expect(try redact(found) == nil)

        let (before, after) = (try decode(original), try decode(found))
        #expect(before.points.count == 2 && before.rejected == 0 && after.rejected == 0)
        let expected = zip(before.points, after.points).map { old, new in
            var point = old
            point.labels["app.password"] = "[REDACTED]"
            point.labels["args"] = #"{"token":"[REDACTED]"}"#
            // The identity of a series is that of its attributes.
            point.stream = new.stream
            return point
        }
        #expect(after.points == expected)
    }

    @Test(arguments: TestPoint.kinds)
    func `a secret in one place only is found there`(_ kind: TestPoint.Kind) throws {
        func body(_ secret: TestValue, inExemplar: Bool) -> [UInt8] {
            let labels: [(String, TestValue)] = [("token", secret)]
            return TestPoint.request([kind], inExemplar ? [] : labels, exemplar: inExemplar ? labels : [])
        }
        #expect(
            try redact(body("s", inExemplar: false)) == body("[REDACTED]", inExemplar: false)
        )
        let isHidden = try redact(body("s", inExemplar: true)) == body("[REDACTED]", inExemplar: true)
        // Points of summaries have no exemplars.
        #expect(isHidden == (kind.exemplar != nil))
    }

    @Test func `resource, scope and what has the labels' numbers elsewhere are not redacted`() throws {
        var pair = Message()
        pair.attribute("token", "s")
        var request = Message()
        request.message(1) { resourceMetrics in
            resourceMetrics.message(1) { $0.data(1, pair.bytes) }
            resourceMetrics.message(2) { scopeMetrics in
                scopeMetrics.message(1) { $0.data(3, pair.bytes) }
                scopeMetrics.message(2) { metric in
                    metric.message(9) { $0.message(1) { $0.data(7, pair.bytes) } }
                    metric.message(6) { $0.message(1) { $0.data(7, pair.bytes) } }
                }
            }
        }
        #expect(try redact(request.bytes) == nil)
    }

    @Test func `data that another of the same metric replaces is redacted too`() throws {
        func body(_ secret: TestValue) -> [UInt8] {
            var request = Message()
            request.message(1) {
                $0.message(2) {
                    $0.message(2) { metric in
                        for kind in TestPoint.kinds {
                            metric.message(kind.field) { data in
                                data.message(1) { $0.message(kind.attribute) { $0.attribute("key", secret) } }
                            }
                        }
                    }
                }
            }
            return request.bytes
        }
        #expect(try redact(body("s")) == body("[REDACTED]"))
    }

    @Test func `labels have no pseudonyms, not even those of exemplars with a trace`() throws {
        let found = try redact(
            TestPoint.request(TestPoint.kinds, [("token", "s3cret")]),
            redactor(.pseudonymise)
        )
        #expect(found == TestPoint.request(TestPoint.kinds, [("token", "[REDACTED]")]))
    }

    @Test func `labels are marked as the filter of metrics marks them`() throws {
        for style in [RedactionConfiguration.Style.full, .partial, .pseudonymise] {
            var configuration = RedactionConfiguration()
            configuration.style = style
            let rules = RedactionRules(configuration)
            let labels = ["token": "abcdefghijk", "password": "short", "other": #"{"key":"abcdefghijk"}"#]
            let filtered = SensitiveDataFilter(rules).processMetric(
                Metric(timestamp: Timestamp(unixNano: 1), name: "m", type: .gauge, value: 0, labels: labels)
            )
            let body = TestPoint.request(TestPoint.kinds, labels.map { ($0.key, .text($0.value)) })
            let found = try #require(try redact(body, PayloadRedactor(rules)))
            for point in try decode(found).points { #expect(point.labels == filtered?.labels) }
        }
    }

    @Test func `long values are cut, once`() throws {
        let redactor = redactor(valueBytes: 10)
        let found = try redact(TestPoint.request(TestPoint.kinds, [("a", "123456789é")]), redactor)
        #expect(found == TestPoint.request(TestPoint.kinds, [("a", "123456789…[truncated]")]))
        #expect(try redact(try #require(found), redactor) == nil)
    }

    @Test(arguments: TestPoint.kinds)
    func `malformed bytes are refused with their place`(_ kind: TestPoint.Kind) throws {
        // A pair whose key is longer than it.
        let bad: [UInt8] = [0x0A, 0x7F]
        var places = [[kind.attribute]]
        if let exemplar = kind.exemplar { places.append([exemplar, 7]) }
        for place in places {
            let point = place.reversed().reduce(bad) { content, field in
                var message = Message()
                message.data(field, content)
                return message.bytes
            }
            var metric = Message()
            metric.text(1, "m")
            metric.message(kind.field) { $0.data(1, point) }
            var scope = Message()
            scope.data(2, TestPoint(kind, labels: []).metric)
            scope.data(2, metric.bytes)
            var resource = Message()
            resource.message(2) { _ in }
            resource.data(2, scope.bytes)
            var request = Message()
            request.message(1) { _ in }
            request.data(1, resource.bytes)
            let error = #expect(throws: OTLPError.self) { try redact(request.bytes) }
            #expect(error?.code == .malformed)
            #expect(error?.path == "resource_metrics[1].scope_metrics[1].metrics[1]")
            #expect(error?.offset == request.bytes.count)
        }
        #expect(throws: OTLPError.self) { try redact([0x0A, 0x05, 0x01]) }
    }
}

/// A metric of two data points that a test writes, with every field of its kind.
struct TestPoint {
    /// A kind of metric, by the numbers of its fields.
    struct Kind: Sendable, CustomStringConvertible {
        let description: String
        let field: UInt64
        let attribute: UInt64
        /// Nil where points of the kind have none.
        let exemplar: UInt64?
        let values: @Sendable (inout Message) -> Void
    }

    let kind: Kind
    let labels: [(String, TestValue)]
    let exemplar: [(String, TestValue)]

    init(_ kind: Kind, labels: [(String, TestValue)], exemplar: [(String, TestValue)]? = nil) {
        self.kind = kind
        self.labels = labels
        self.exemplar = exemplar ?? labels
    }

    static let kinds: [Kind] = [
        Kind(description: "gauge", field: 5, attribute: 7, exemplar: 5) { $0.fixed64(6, 42) },
        Kind(description: "sum", field: 7, attribute: 7, exemplar: 5) { $0.fixed64(4, (1.5).bitPattern) },
        Kind(description: "histogram", field: 9, attribute: 9, exemplar: 8) { point in
            point.fixed64(4, 3)
            point.fixed64(5, (4.5).bitPattern)
            for count: UInt64 in [1, 2] { point.fixed64(6, count) }
            point.fixed64(7, (0.5).bitPattern)
            point.fixed64(11, (0.25).bitPattern)
            point.fixed64(12, (3.0).bitPattern)
        },
        Kind(description: "exponential histogram", field: 10, attribute: 1, exemplar: 11) { point in
            point.fixed64(4, 3)
            point.fixed64(5, (4.5).bitPattern)
            point.number(6, 3)
            point.fixed64(7, 1)
            for field: UInt64 in [8, 9] {
                point.message(field) { buckets in
                    buckets.number(1, 5)
                    buckets.data(2, [1, 0xAC, 0x02])
                }
            }
            point.fixed64(12, (0.25).bitPattern)
            point.fixed64(13, (3.0).bitPattern)
        },
        Kind(description: "summary", field: 11, attribute: 7, exemplar: nil) { point in
            point.fixed64(4, 3)
            point.fixed64(5, (4.5).bitPattern)
            point.message(6) { quantile in
                quantile.fixed64(1, (0.5).bitPattern)
                quantile.fixed64(2, (2.0).bitPattern)
            }
        },
    ]

    /// The Metric message.
    var metric: [UInt8] {
        var metric = Message()
        metric.text(1, "m")
        metric.text(2, "token")
        metric.text(3, "1")
        metric.message(kind.field) { data in
            data.number(2, 2)
            for time: UInt64 in [9, 10] { data.message(1) { point(&$0, time) } }
        }
        return metric.bytes
    }

    private func point(_ point: inout Message, _ time: UInt64) {
        for (key, value) in labels { point.message(kind.attribute) { $0.attribute(key, value) } }
        point.fixed64(2, 5)
        point.fixed64(3, time)
        kind.values(&point)
        if let field = kind.exemplar {
            point.message(field) { message in
                message.fixed64(2, time)
                message.data(5, Array(repeating: 0xA1, count: 16))
                for (key, value) in exemplar { message.message(7) { $0.attribute(key, value) } }
            }
        }
        // A field that nobody knows.
        point.text(99, "token")
    }

    /// A request of one resource and scope, with a metric of each kind.
    static func request(
        _ kinds: [Kind],
        _ labels: [(String, TestValue)],
        exemplar: [(String, TestValue)]? = nil
    ) -> [UInt8] {
        var request = Message()
        request.message(1) { resourceMetrics in
            resourceMetrics.message(1) { $0.message(1) { $0.attribute("service.name", "tests") } }
            resourceMetrics.message(2) { scopeMetrics in
                scopeMetrics.message(1) { $0.text(1, "test") }
                for kind in kinds {
                    scopeMetrics.data(2, TestPoint(kind, labels: labels, exemplar: exemplar).metric)
                }
            }
        }
        return request.bytes
    }
}
