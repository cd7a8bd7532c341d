import CNightjarSignals
import NightjarOTLP
import NightjarSignals
import Testing

/// One rule of the mapping: a span as a sender writes it, and what it says.
struct Rule: Sendable, CustomTestStringConvertible {
    /// The sender, or the rule's place in the mapping.
    let sender: String
    let name: String
    var scope = "test"
    var isRoot = false
    let attributes: [(String, TestValue)]
    /// The facts, as `key=value` in the order type, agent, model, provider, tool, workflow, session, status, tokens.
    let says: String

    var testDescription: String { "\(sender): \(name)" }

    init(
        _ sender: String,
        _ name: String,
        scope: String = "test",
        root: Bool = false,
        _ attributes: [(String, TestValue)],
        _ says: String
    ) {
        self.sender = sender
        self.name = name
        self.scope = scope
        isRoot = root
        self.attributes = attributes
        self.says = says
    }
}

/// The mapping's rules for senders of which there is no recording here, span by span.
struct MappingTests {
    static func facts(_ row: nj_span) -> String {
        var facts = ["type=\(row.type_text.string ?? "")"]
        func add(_ key: String, _ text: nj_text) {
            if let text = text.string { facts.append("\(key)=\(text)") }
        }
        func add(_ key: String, _ number: Double) {
            if !number.isNaN { facts.append("\(key)=\(Value.double(number).json)") }
        }
        add("agent", row.agent)
        add("model", row.model)
        add("response", row.response_model)
        add("provider", row.provider)
        add("tool", row.tool)
        add("workflow", row.workflow)
        add("session", row.session_id)
        add("user", row.user_id)
        if row.spanStatus == .error { facts.append("error=\(row.error_type.string ?? "")") }
        add("in", row.input_tokens)
        add("out", row.output_tokens)
        add("read", row.cache_read_tokens)
        add("write", row.cache_write_tokens)
        add("reasoning", row.reasoning_tokens)
        add("cost", row.cost)
        add("finish", row.finish_reason)
        add("ttft", row.time_to_first_token_ms)
        return facts.joined(separator: " ")
    }

    @Test(arguments: RuleTables.all)
    func `a span says what its convention means`(_ rule: Rule) throws {
        var span = TestSpan(parent: rule.isRoot ? [] : [9], name: rule.name)
        span.attributes = rule.attributes
        let request = try TraceRequest.decode(
            body([span], scope: rule.scope),
            encoding: .protobuf,
            receivedAt: Timestamp(unixNano: 1),
            workers: 1
        )
        defer { withExtendedLifetime(request) {} }
        #expect(Self.facts(try #require(request.references.first).row.pointee) == rule.says)
        let sentAsJSON = try TraceRequest.decode(
            jsonBody([span], scope: rule.scope),
            encoding: .json,
            receivedAt: Timestamp(unixNano: 1),
            workers: 1
        )
        defer { withExtendedLifetime(sentAsJSON) {} }
        #expect(Self.facts(try #require(sentAsJSON.references.first).row.pointee) == rule.says)
    }

    @Test(arguments: [
        (UInt64(2), "KeyError('x') in line 3", "KeyError"), (2, "ValueError: no price", "ValueError"),
        (2, "no price known", ""), (2, "Error code: 429", ""), (2, "", ""),
    ])
    func `a type name at the head of the status message is the error's type`(
        _ code: UInt64,
        _ message: String,
        _ type: String
    ) throws {
        let span = TestSpan(statusCode: code, statusMessage: message)
        let request = try TraceRequest.decode(
            body([span]),
            encoding: .protobuf,
            receivedAt: Timestamp(unixNano: 1),
            workers: 1
        )
        defer { withExtendedLifetime(request) {} }
        let row = try #require(request.references.first).row.pointee
        #expect(row.spanStatus == .error)
        #expect(row.error_type.string ?? "" == type)
    }

    @Test func `the last exception event names the error`() throws {
        var span = TestSpan(statusCode: 2, statusMessage: "failed")
        span.events = [
            ("exception", 1, [("exception.type", "First"), ("exception.message", "one")]),
            ("other", 2, [("exception.type", "NotThis")]),
            ("exception", 3, [("exception.type", "Last"), ("exception.stacktrace", "at line 1")]),
        ]
        let request = try TraceRequest.decode(
            body([span]),
            encoding: .protobuf,
            receivedAt: Timestamp(unixNano: 1),
            workers: 1
        )
        defer { withExtendedLifetime(request) {} }
        let decoded = OTLPSpanReader().span(try #require(request.references.first))
        #expect(decoded.errorInfo == Span.ErrorInfo(message: "failed", id: "Last", stack: "at line 1"))
    }

    @Test func `an exception does not fail a span, but LangSmith's it does`() throws {
        var span = TestSpan(statusCode: 1)
        span.events = [("exception", 1, [("exception.type", "Exception")])]
        for (scope, status) in [("test", SpanStatus.ok), ("langsmith", .error)] {
            let request = try TraceRequest.decode(
                body([span], scope: scope),
                encoding: .protobuf,
                receivedAt: Timestamp(unixNano: 1),
                workers: 1
            )
            defer { withExtendedLifetime(request) {} }
            #expect(request.references.first?.row.pointee.spanStatus == status)
        }
    }

    @Test func `the first chunk's event gives the time to the first token`() throws {
        var span = TestSpan(start: 1_000_000_000)
        span.events = [
            ("gen_ai.content.completion.chunk", 1_300_000_000, []),
            ("gen_ai.content.completion.chunk", 1_250_000_000, []),
        ]
        let request = try TraceRequest.decode(
            body([span]),
            encoding: .protobuf,
            receivedAt: Timestamp(unixNano: 1),
            workers: 1
        )
        defer { withExtendedLifetime(request) {} }
        #expect(request.references.first?.row.pointee.time_to_first_token_ms == 250)
    }

    @Test func `a span without an end is running`() throws {
        let request = try TraceRequest.decode(
            body([TestSpan(end: 0)]),
            encoding: .protobuf,
            receivedAt: Timestamp(unixNano: 1),
            workers: 1
        )
        defer { withExtendedLifetime(request) {} }
        #expect(request.references.first?.row.pointee.spanStatus == .running)
    }
}
