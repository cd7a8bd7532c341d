import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

@Suite struct SensitiveDataFilterTests {
    private static let hidden: Value = "[REDACTED]"
    private static let time = Timestamp(unixNano: 1)
    private static let trace = TraceID(high: 1, low: 2)
    private let filter = SensitiveDataFilter()

    private func filter(_ style: RedactionConfiguration.Style, seed: UInt64 = 1) -> SensitiveDataFilter {
        var configuration = RedactionConfiguration()
        configuration.style = style
        var generator = SeededGenerator(seed: seed)
        return SensitiveDataFilter(RedactionRules(configuration, using: &generator))
    }

    @Test func `every field of a span that may hold a secret is redacted, and the rest stays`() throws {
        var span = Span(id: SpanID(value: 1), traceID: Self.trace, name: "token", startTime: Self.time)
        span.attributes = [
            "app.api_key": "k", "gen_ai.usage.input_tokens": 3, "http.header.authorization.0": "b",
        ]
        span.metadata = ["secret": "s", "userId": "u"]
        span.input = ["messages": [["password": "p", "role": "user"]]]
        span.output = #"{"jwt":"j"}"#
        span.events = [
            Span.Event(name: "e", timestamp: Self.time, attributes: ["ok": 1]),
            Span.Event(name: "e", timestamp: Self.time, attributes: ["x.token": "t"]),
        ]
        span.links = [Span.Link(traceID: Self.trace, spanID: SpanID(value: 2), attributes: ["auth": "a"])]
        span.errorInfo = Span.ErrorInfo(message: #"{"ssn":1}"#, stack: "at token")
        span.errorInfo?.details = ["bearer": "b", "code": 4]
        span.resource = ["key": "r"]

        let found = try #require(filter.processSpan(span))
        var expected = span
        expected.attributes = [
            "app.api_key": Self.hidden, "gen_ai.usage.input_tokens": 3,
            "http.header.authorization.0": Self.hidden,
        ]
        expected.metadata = ["secret": Self.hidden, "userId": "u"]
        expected.input = ["messages": [["password": Self.hidden, "role": "user"]]]
        expected.output = #"{"jwt":"[REDACTED]"}"#
        expected.events[1].attributes = ["x.token": Self.hidden]
        expected.links[0].attributes = ["auth": Self.hidden]
        expected.errorInfo?.message = #"{"ssn":"[REDACTED]"}"#
        expected.errorInfo?.details = ["bearer": Self.hidden, "code": 4]
        #expect(found == expected)
        #expect(filter.processSpan(found) == found)
    }

    @Test func `logs, metrics, scores and feedback are redacted`() throws {
        var log = Log(timestamp: Self.time, level: .info, message: #"{"token":"t"}"#)
        log.data = ["body": ["key": 1], "net.auth": "a"]
        log.metadata = ["password": "p"]
        let newLog = try #require(filter.processLog(log))
        #expect(newLog.message == #"{"token":"[REDACTED]"}"#)
        #expect(newLog.data == ["body": ["key": Self.hidden], "net.auth": Self.hidden])
        #expect(newLog.metadata == ["password": Self.hidden])

        var metric = Metric(timestamp: Self.time, name: "m", type: .counter, value: 1)
        metric.labels = ["api_key": "k", "tool": "t"]
        metric.metadata = ["secret": "s"]
        let newMetric = try #require(filter.processMetric(metric))
        #expect(newMetric.labels == ["api_key": "[REDACTED]", "tool": "t"])
        #expect(newMetric.metadata == ["secret": Self.hidden])

        var score = Score(id: "1", timestamp: Self.time, scorerName: "s", metadata: ["jwt": "j"])
        score.reason = #"[{"secret":"s"}]"#
        score.error = #"{"secret":"s"}"#
        let newScore = filter.score(score)
        #expect(newScore.reason == #"[{"secret":"[REDACTED]"}]"#)
        #expect(newScore.error == #"{"secret":"[REDACTED]"}"#)
        #expect(newScore.metadata == ["jwt": Self.hidden])

        var feedback = Feedback(
            id: "1",
            timestamp: Self.time,
            source: "user",
            feedbackType: "comment",
            value: #"{"key":1}"#
        )
        feedback.comment = #"{"key":1}"#
        feedback.metadata = ["ssn": 1]
        let newFeedback = filter.feedback(feedback)
        #expect(newFeedback.value == #"{"key":"[REDACTED]"}"#)
        #expect(newFeedback.comment == #"{"key":"[REDACTED]"}"#)
        #expect(newFeedback.metadata == ["ssn": Self.hidden])
    }

    @Test func `nothing is hidden where the filter is off`() {
        let filter = SensitiveDataFilter(RedactionConfiguration(isEnabled: false))
        #expect(filter.value(["password": "p"]) == ["password": "p"])
    }

    @Test
    func `a list under a sensitive key is hidden element by element, an object is walked by its own keys`() {
        let value: Value = [
            "auth": ["user": "u", "password": "p"],
            "tokens": ["t"],
            "token": ["a", 1, true, .null, ["b"], ["name": "n", "key": "k"]],
        ]
        #expect(
            filter.value(value) == [
                "auth": ["user": "u", "password": Self.hidden],
                "tokens": ["t"],
                "token": [
                    Self.hidden, Self.hidden, Self.hidden, Self.hidden, [Self.hidden],
                    ["name": "n", "key": Self.hidden],
                ],
            ]
        )
    }

    @Test func `a dotted key counts by its last segment in attributes only`() {
        #expect(filter.value(["app.password": "p"]) == ["app.password": "p"])
    }

    @Test(
        arguments: [
            "Pass-Word", "PASS_WORD", "p.a.s.s.w.o.r.d", " password ", "password™", "to\u{212A}en",
            "pass word\u{200B}",
        ]
    )
    func `case and what is no letter or digit does not matter`(_ key: String) {
        #expect(filter.value([key: "x"])[key] == Self.hidden)
        let json = Value.object([key: "x"]).json
        #expect(filter.value(.string(json)).string == Value.object([key: Self.hidden]).json)
    }

    @Test(
        arguments: [
            "passwords", "mypassword", "keys", "monkey", "inputTokens", "", "_", "тoken", "key2", "9key",
        ]
    )
    func `only the whole key counts`(_ key: String) {
        #expect(filter.value([key: "x"])[key] == "x")
    }

    @Test func `keys of any length and script can be listed`() {
        var configuration = RedactionConfiguration()
        configuration.keys = [
            "x", "id", "Contraseña", "пароль", "a-very-long-key-of-more-than-sixteen-bytes", "--",
        ]
        let filter = SensitiveDataFilter(configuration)
        let keys = ["X", "_x", "i.d", "contraseña", "ПАРОЛЬ", "aVeryLongKeyOfMoreThanSixteenBytes"]
        for key in keys {
            #expect(filter.value([key: "v"])[key] == Self.hidden, "\(key)")
            let json = Value.object([key: "v"]).json
            #expect(filter.value(.string(json)).string?.contains("REDACTED") == true, "\(key)")
        }
        for key in ["xx", "", "--", "password"] { #expect(filter.value([key: "v"])[key] == "v", "\(key)") }
    }

    @Test func `partial style goes by characters and by the text of numbers`() {
        let filter = filter(.partial)
        let value: Value = [
            "key": "äöüßéèê", "token": 1_234_567, "secret": 1.5, "jwt": "👩‍👩‍👧‍👦bcdef", "auth": true,
        ]
        #expect(
            filter.value(value) == [
                "key": "äöü…éèê", "token": "123…567", "secret": Self.hidden, "jwt": Self.hidden,
                "auth": Self.hidden,
            ]
        )
    }

    @Test func `a pseudonym is the same for the same value within a trace, and another one elsewhere`() throws
    {
        let filter = filter(.pseudonymise)
        let value: Value = ["a": ["api_key": "v1"], "b": ["api_key": "v1"], "c": ["api_key": "v2"]]
        let found = filter.value(value, trace: Self.trace)
        let token = try #require(found["a"]?["api_key"]?.string)
        #expect(token.hasPrefix("[apikey:") && token.hasSuffix("]") && token.utf8.count == 17)
        #expect(found["b"]?["api_key"]?.string == token)
        #expect(found["c"]?["api_key"]?.string != token)
        #expect(filter.value(found, trace: Self.trace) == found)

        let text = filter.value(.string(value.json), trace: Self.trace)
        #expect(text.string == found.json)
        #expect(filter.value(text, trace: Self.trace) == text)

        let other = filter.value(value, trace: TraceID(high: 1, low: 3))
        #expect(other["a"]?["api_key"]?.string != token)
        let stranger = self.filter(.pseudonymise, seed: 2).value(value, trace: Self.trace)
        #expect(stranger["a"]?["api_key"]?.string != token)
    }

    @Test func `without a trace, and in labels, there are no pseudonyms`() throws {
        let filter = filter(.pseudonymise)
        #expect(filter.value(["key": "v"]) == ["key": Self.hidden])
        var metric = Metric(timestamp: Self.time, name: "m", type: .counter, value: 1, labels: ["key": "v"])
        metric.traceID = Self.trace
        #expect(filter.processMetric(metric)?.labels == ["key": "[REDACTED]"])
    }

    @Test func `values nested too deeply to be examined are withheld`() {
        var deep: Value = ["password": "p"]
        for _ in 0..<80 { deep = ["a": deep] }
        #expect(!filter.value(deep).json.contains("\"p\""))
        #expect(filter.value(deep).json.contains("[REDACTED]"))
        var list: Value = "x"
        for _ in 0..<80 { list = [list] }
        #expect(filter.value(list).json.contains("[REDACTED]"))
    }
}
