import NightjarSignals
import NightjarTesting
import Testing

/// Events as JSON: signals contract, section 2.
@Suite struct SignalEventTests {
    private static let now = Timestamp(unixNano: 1_790_000_000_123_456_789)

    /// A random event of every kind but spans, which have a test of their own.
    private static func event(_ random: inout SeededGenerator) -> SignalEvent {
        func text() -> String {
            ["", "a", "größer 日本語", "line\n\"quoted\" \\", "null", "42"].randomElement(using: &random) ?? ""
        }
        func maybe() -> String? { Bool.random(using: &random) ? text() : nil }
        func fraction() -> Double { Double.random(in: 0.001..<1, using: &random) }
        var fields = Correlation.Fields()
        fields.entity = .init(type: maybe(), id: maybe(), name: maybe())
        (fields.userID, fields.experiment, fields.serviceName) = (maybe(), maybe(), maybe())
        fields.tags = Bool.random(using: &random) ? ["prod", text()] : []
        let correlation = Correlation(fields)
        let trace = Bool.random(using: &random) ? TraceID(high: 7, low: random.next() | 1) : nil
        let time = Timestamp(unixNano: Int64.random(in: 0..<4_000_000_000_000_000_000, using: &random))
        switch Int.random(in: 0..<6, using: &random) {
        case 0:
            var log = Log(timestamp: time, level: .warn, message: text(), data: ["a": [1, .null, 0.5]])
            (log.traceID, log.tags, log.correlation) = (trace, ["x"], correlation)
            return .log(log)
        case 1:
            var metric = Metric(
                timestamp: time,
                name: "orders_total",
                type: MetricType.allCases.randomElement(using: &random) ?? .gauge,
                value: fraction(),
                labels: ["kind": text()]
            )
            (metric.traceID, metric.correlation) = (trace, correlation)
            return .metric(metric)
        case 2:
            var score = Score(id: "s1", timestamp: time, scorerName: "tone", metadata: ["k": "v"])
            (score.traceID, score.score, score.label) = (trace, fraction(), maybe())
            (score.reason, score.correlation) = (maybe(), correlation)
            return .score(score)
        case 3:
            var feedback = Feedback(
                id: "f1",
                timestamp: time,
                source: "user",
                feedbackType: "rating",
                value: Bool.random(using: &random) ? .double(fraction()) : .string(text())
            )
            (feedback.traceID, feedback.comment, feedback.correlation) = (trace, maybe(), correlation)
            return .feedback(feedback)
        case 4:
            return .drop(
                Drop(
                    signal: .log,
                    reason: "queue_full",
                    count: 3,
                    timestamp: time,
                    exporter: maybe(),
                    detail: maybe()
                )
            )
        default:
            return .traceEnded(TraceEnd(traceID: TraceID(high: 0, low: 9), revision: 2, isPartial: true))
        }
    }

    @Test(arguments: 0..<200) func `what is written of an event is read back`(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let event = Self.event(&random)
        let json = try Value(json: event.json.json)
        #expect(try SignalEvent(json: json, now: Self.now) == event)
    }

    @Test(arguments: [("span_started", SpanStatus.running), ("span_ended", .ok)])
    func `a span's event says whether it has ended`(name: String, status: SpanStatus) throws {
        let event = try SignalEvent(
            json: [
                "type": .string(name),
                "exportedSpan": ["id": "1", "traceId": "2", "name": "n", "startTime": 1_767_225_600_000],
            ],
            now: Self.now
        )
        #expect(event.name == name)
        #expect(event.span?.status == status)
        #expect(event.span?.startTime == Timestamp(iso8601: "2026-01-01T00:00:00Z"))
    }

    @Test func `what a sender may leave out is filled in`() throws {
        let log = try SignalEvent(json: ["type": "log", "log": ["message": "m"]], now: Self.now)
        guard case .log(let line) = log else { return #expect(Bool(false), "is a log") }
        #expect(line.timestamp == Self.now)
        #expect(line.level == .info)
        let score = try SignalEvent(
            json: ["type": "score", "score": ["scorerName": "s", "score": 1]],
            now: Self.now
        )
        guard case .score(let verdict) = score else { return #expect(Bool(false), "is a score") }
        #expect(verdict.id.count == 32)
    }

    @Test(arguments: [
        ("{}", "type"), (#"{"type":"spam"}"#, "type"), (#"{"type":"log"}"#, "log"),
        (#"{"type":"metric","metric":{"name":"x","metricType":"counter"}}"#, "metric.value"),
        (
            #"{"type":"metric","metric":{"name":"x","metricType":"counter","value":1,"labels":{"a":[]}}}"#,
            "metric.labels.a"
        ),
        (#"{"type":"log","log":{"level":"loud"}}"#, "log.level"),
    ]) func `a fault is told with its place`(text: String, path: String) throws {
        let json = try Value(json: text)
        let errors = #expect(throws: InputErrors.self) { try SignalEvent(json: json, now: Self.now) }
        #expect(errors?.errors.map(\.path) == [path])
    }

    @Test func `labels that are numbers or truth values become their text`() throws {
        let metric = try Metric(
            json: [
                "timestamp": 0, "name": "x", "metricType": "gauge", "value": 1,
                "labels": ["n": 3, "b": true, "none": .null],
            ]
        )
        #expect(metric.labels == ["n": "3", "b": "true"])
    }

    @Test func `a correlation is changed without touching its copies`() {
        var first = Correlation()
        first.userID = "u1"
        var second = first
        second.userID = "u2"
        second.tags = ["x"]
        #expect(first.userID == "u1")
        #expect(first.tags.isEmpty)
        #expect(!first.isEmpty)
        #expect(Correlation().isEmpty)
        #expect(first != second)
    }
}
