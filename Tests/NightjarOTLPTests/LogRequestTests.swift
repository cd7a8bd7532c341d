import NightjarOTLP
import NightjarSignals
import NightjarTesting
import Testing

/// Log records that came: what they say, and which of them are verdicts.
struct LogRequestTests {
    private static let now = Timestamp(unixNano: 1_700_000_000_000_000_000)

    private static func decode(_ body: [UInt8], _ encoding: TraceRequest.Encoding = .protobuf) throws
        -> LogRequest
    {
        try LogRequest.decode(body, encoding: encoding, receivedAt: now)
    }

    /// A request of one record.
    private static func request(_ build: (inout Message) -> Void) throws -> LogRequest {
        var body = Message()
        body.message(1) { resourceLogs in
            resourceLogs.message(1) { resource in
                resource.message(1) { $0.attribute("service.name", "api") }
                resource.message(1) { $0.attribute("deployment.environment.name", "prod") }
            }
            resourceLogs.message(2) { scopeLogs in
                scopeLogs.message(1) { $0.text(1, "scope") }
                scopeLogs.message(2, build)
            }
        }
        return try decode(body.bytes)
    }

    private static func json(_ record: String) throws -> LogRequest {
        try decode(
            Array(#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[\#(record)]}]}]}"#.utf8),
            .json
        )
    }

    private static func event(_ attributes: [(String, TestValue)]) throws -> LogRequest {
        try request { record in
            record.fixed64(1, 5)
            record.data(9, Array(repeating: 1, count: 16))
            record.data(10, Array(repeating: 2, count: 8))
            record.text(12, "gen_ai.evaluation.result")
            for (key, value) in attributes { record.message(6) { $0.attribute(key, value) } }
        }
    }

    @Test func `a record is a log line of its trace, service and session`() throws {
        let request = try Self.request { record in
            record.fixed64(1, 7)
            record.fixed64(11, 9)
            record.number(2, 17)
            record.data(5, TestValue.text("it failed").encoded)
            record.message(6) { $0.attribute("session.id", "s") }
            record.message(6) { $0.attribute("user.id", 42) }
            record.message(6) { $0.attribute("n", 1.5) }
            record.data(9, Array(repeating: 1, count: 16))
            record.data(10, Array(repeating: 2, count: 8))
        }
        let log = try #require(request.logs.first)
        #expect(log.timestamp == Timestamp(unixNano: 7))
        #expect(log.level == .error)
        #expect(log.message == "it failed")
        #expect(log.data == ["session.id": "s", "user.id": 42, "n": 1.5])
        #expect(log.traceID?.description == String(repeating: "01", count: 16))
        #expect(log.spanID?.description == String(repeating: "02", count: 8))
        #expect(log.correlation.serviceName == "api")
        #expect(log.correlation.environment == "prod")
        #expect(log.correlation.sessionID == "s")
        #expect(log.correlation.userID == "42")
    }

    @Test func `a body that is no text is data, and an event's name too`() throws {
        let log = try #require(
            try Self.json(
                #"{"body":{"kvlistValue":{"values":[{"key":"a","value":{"intValue":"1"}}]}},"eventName":"e"}"#
            ).logs.first
        )
        #expect(log.message == "")
        #expect(log.data == ["body": ["a": 1], "event.name": "e"])
    }

    @Test func `a record without a time has that at which it was observed, else received`() throws {
        #expect(
            try Self.json(#"{"observedTimeUnixNano":"9"}"#).logs.first?.timestamp == Timestamp(unixNano: 9)
        )
        #expect(try Self.json("{}").logs.first?.timestamp == Self.now)
    }

    @Test(arguments: [
        (1, "", LogLevel.debug), (8, "", .debug), (9, "", .info), (12, "", .info), (13, "", .warn),
        (16, "", .warn),
        (17, "", .error), (20, "", .error), (21, "", .fatal), (24, "", .fatal), (0, "Warning", .warn),
        (0, "ERR", .error), (0, "critical", .fatal), (0, "trace", .debug), (0, "", .info),
        (99, "what", .info),
    ])
    func `severity is a level`(_ number: Int, _ text: String, _ level: LogLevel) throws {
        let request = try Self.json(#"{"severityNumber":\#(number),"severityText":"\#(text)"}"#)
        #expect(request.logs.first?.level == level)
    }

    @Test func `severity may be given by name`() throws {
        #expect(try Self.json(#"{"severityNumber":"SEVERITY_NUMBER_FATAL2"}"#).logs.first?.level == .fatal)
    }

    @Test func `an id of zeros or of no bytes is absent, one too long refuses its record alone`() throws {
        let zeros = try Self.json(#"{"traceId":"00000000000000000000000000000000","spanId":""}"#)
        #expect(zeros.logs.first?.traceID == nil)
        #expect(zeros.rejected == 0)
        let long = try Self.json(#"{"spanId":"0102030405060708090a"},{"body":{"stringValue":"ok"}}"#)
        #expect(long.rejected == 1)
        #expect(long.logs.map(\.message) == ["ok"])
        #expect(
            long.rejectedMessage == "rejected log records: 1 with a malformed trace or span id; "
                + "the first is resource_logs[0].scope_logs[0].log_records[0]"
        )
    }

    @Test(arguments: [[0x0A, 0x05, 0x01], [0x0A], [0x0A, 0x02, 0x12, 0x7F], [0x0B]] as [[UInt8]])
    func `bytes that are no request refuse it whole`(_ bytes: [UInt8]) {
        #expect(throws: OTLPError.self) { try Self.decode(bytes) }
    }

    @Test func `any bytes end in records or an error`() throws {
        var random = SeededGenerator(seed: 3)
        let capture = try #require(try Captures.named("otel-eval").requests.first { $0.signal == "logs" })
        let body = try capture.inflated().array
        for _ in 0..<500 {
            var bytes = body
            for _ in 0..<4 {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(
                    in: 0...255,
                    using: &random
                )
            }
            do { _ = try Self.decode(bytes) } catch is OTLPError {}
        }
    }

    @Test(arguments: Captures.names)
    func `recorded records are counted under their event's name`(_ client: String) throws {
        let capture = try Captures.named(client)
        for expected in capture.expectedLogs {
            let file = try #require(capture.requests.first { $0.file == expected["request"]?.string })
            let request = try LogRequest.decode(
                try file.inflated(),
                encoding: file.isJSON ? .json : .protobuf,
                receivedAt: Self.now
            )
            var counts = Value.Object()
            func count(_ name: String) {
                counts[name] = .int((counts[name]?.number).map { Int64($0) + 1 } ?? 1)
            }
            for log in request.logs { count(log.data["event.name"]?.string ?? "(plain log)") }
            for _ in request.evaluations { count("gen_ai.evaluation.result") }
            #expect(.object(counts) == expected["by_event"])
            #expect(request.rejected == 0)
        }
    }

    @Test(arguments: Captures.names)
    func `recorded verdicts are read wherever they stand`(_ client: String) throws {
        let capture = try Captures.named(client)
        for file in capture.requests where file.signal != "metrics" {
            let found =
                file.signal == "logs"
                ? try LogRequest.decode(
                    try file.inflated(),
                    encoding: file.isJSON ? .json : .protobuf,
                    receivedAt: Self.now
                ).evaluations
                : try file.decoded().references.flatMap(Evaluation.evaluations)
            let expected = capture.expectedEvaluations.filter { $0["request"]?.string == file.file }
            #expect(found.count == expected.count)
            for (evaluation, wanted) in zip(found, expected) {
                let input = evaluation.input
                #expect(input.scorerName == wanted["name"]?.string)
                #expect(input.score == wanted["value"]?.number)
                #expect(input.label == wanted["label"]?.string)
                #expect(input.error == wanted["error_type"]?.string)
                #expect(input.traceID?.description == wanted["trace_id"]?.string)
                #expect(input.spanID?.description == wanted["span_id"]?.string)
                #expect(input.metadata["gen_ai.response.id"]?.string == wanted["response_id"]?.string)
            }
        }
    }

    @Test func `a verdict sent again has the same id, a later one another`() throws {
        let attributes: [(String, TestValue)] = [
            ("gen_ai.evaluation.name", "tone"), ("gen_ai.evaluation.score.value", 1),
        ]
        let first = try #require(try Self.event(attributes).evaluations.first)
        #expect(try Self.event(attributes).evaluations == [first])
        let changed = try Self.event([attributes[0], ("gen_ai.evaluation.score.value", 0.5)])
        #expect(changed.evaluations.first?.input.id == first.input.id)
        let later = try Self.request { record in
            record.fixed64(1, 6)
            record.data(9, Array(repeating: 1, count: 16))
            record.data(10, Array(repeating: 2, count: 8))
            record.text(12, "gen_ai.evaluation.result")
            for (key, value) in attributes { record.message(6) { $0.attribute(key, value) } }
        }
        #expect(later.evaluations.first?.input.id != first.input.id)
    }

    @Test func `an event that says no verdict stays a log line`() throws {
        for attributes: [(String, TestValue)] in [
            [("gen_ai.evaluation.name", "tone")], [("gen_ai.evaluation.score.value", 1)],
        ] {
            let request = try Self.event(attributes)
            #expect(request.evaluations.isEmpty)
            #expect(request.logs.count == 1)
        }
    }

    @Test func `without a trace a verdict judges the session that it names`() throws {
        let request = try Self.json(
            #"{"eventName":"gen_ai.evaluation.result","attributes":["#
                + #"{"key":"gen_ai.evaluation.name","value":{"stringValue":"tone"}},"#
                + #"{"key":"gen_ai.evaluation.score.label","value":{"stringValue":"warm"}},"#
                + #"{"key":"session.id","value":{"stringValue":"s"}}]}"#
        )
        #expect(request.evaluations.first?.input.sessionID == "s")
    }

    @Test func `lists of verdicts judge the span, the trace and the session`() throws {
        var span = TestSpan()
        span.attributes = [
            ("openinference.span.kind", "LLM"), ("session.id", "s"),
            ("evaluations.0.evaluation.name", "a"), ("evaluations.0.evaluation.score", 1),
            ("evaluations.1.evaluation.name", "b"), ("evaluations.1.evaluation.label", "good"),
            ("evaluations.1.evaluation.annotator_kind", "HUMAN"),
            ("trace.evaluations.0.evaluation.name", "c"), ("trace.evaluations.0.evaluation.score", "0.5"),
            ("session.evaluations.0.evaluation.name", "d"), ("session.evaluations.0.evaluation.score", 0),
            ("session.evaluations.0.evaluation.identifier", "i"),
        ]
        let found = try Self.evaluations(span)
        #expect(found.map(\.input.scorerName) == ["a", "b", "c", "d"])
        #expect(found.map { $0.input.spanID != nil } == [true, true, false, false])
        #expect(found.map { $0.input.traceID != nil } == [true, true, true, false])
        #expect(found.map(\.input.score) == [1, nil, 0.5, 0])
        #expect(found[1].input.annotatorKind == "human")
        #expect(found[3].input.sessionID == "s")
        #expect(found[3].input.metadata == ["identifier": "i"])
        #expect(Set(found.map(\.input.id)).count == 4)
        span.end += 1
        #expect(try Self.evaluations(span).map(\.input.id) == found.map(\.input.id))
    }

    private static func evaluations(_ span: TestSpan) throws -> [Evaluation] {
        let request = try TraceRequest.decode(
            body([span]),
            encoding: .protobuf,
            receivedAt: now,
            workers: 1
        )
        return request.references.flatMap(Evaluation.evaluations)
    }
}
