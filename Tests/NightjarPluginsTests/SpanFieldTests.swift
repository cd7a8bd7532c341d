import CNightjarSignals
import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Testing

@Suite struct SpanFieldTests {
    /// Runs statements on a span with `s`, `a` (its attributes) at hand; what they fail with.
    private func run(_ body: String, reader: SpanContentReader = SpanContentReader()) throws -> String? {
        let fixture = try Fixture(
            "nightjar.on('span_ended', nil, function(s) local a = s.attributes\n\(body)\nend)",
            reader: reader
        )
        fixture.end(
            fixture.builder.span(
                "chat",
                type: .modelGeneration,
                id: 0xAB,
                parent: 0xCD,
                milliseconds: 250,
                status: .error,
                attributes: [
                    ("n", .int(9_007_199_254_740_993)), ("flag", .bool(false)), ("p", .double(0.5)),
                    ("t", .text("x\u{0}y")),
                ]
            ) { row, slab in
                row.response_model = SpanBuilder.text("gpt-4o", in: slab)
                row.settled_agent = SpanBuilder.text("outer", in: slab)
                row.error_message = SpanBuilder.text("boom", in: slab)
                row.error_type = SpanBuilder.text("Timeout", in: slab)
                row.input_tokens = 120
                row.cost = 0.25
                row.time_to_first_token_ms = 80
            }
        )
        return fixture.fault
    }

    @Test(arguments: [
        "assert(s.id == '00000000000000ab' and s.parent_span_id == '00000000000000cd')",
        "assert(s.trace_id == '00000000000000010000000000000002')",
        "assert(s.name == 'chat' and s.type == 'model_generation' and s.status == 'error' and s.kind == 'internal')",
        "assert(s.model == 'gpt-4o' and s.provider == nil and s.agent == 'outer')",
        "assert(s.duration_ms == 250 and s.start_time == 1700000000 and s.end_time == 1700000000.25)",
        "assert(s.error.message == 'boom' and s.error.id == 'Timeout')",
        "assert(a.n == 9007199254740993 and math.type(a.n) == 'integer' and a.flag == false and a.p == 0.5)",
        "assert(a.t == 'x\\0y' and a.missing == nil and #a.t == 3)",
        "local n = 0 for k, v in pairs(a) do n = n + 1 assert(a[k] == v) end assert(n == 4)",
        "assert(s.usage.input_tokens == 120 and s.usage.output_tokens == nil and s.usage.cost == 0.25)",
        "assert(math.type(s.usage.input_tokens) == 'integer' and s.time_to_first_token_ms == 80)",
        "assert(s.is_root == false and s.duplicate_of == nil and s.service == 'shop' and s.environment == 'prod')",
        "assert(s.resource['host.name'] == 'a1' and s.entity_type == nil)",
        "local c = s:copy() assert(c.name == 'chat' and c.attributes.p == 0.5 and c.usage.cost == 0.25)",
        "assert(s:trace() == nil and s:parent() == nil and #s:children() == 0)",
        "assert(s.attributes == a and s.usage == s.usage)",
        "assert(not pcall(function() s.name = 'x' end) and not pcall(function() a.x = 1 end))",
        "assert(getmetatable(s) == false and tostring(s) == 'span')",
    ])
    func `fields are what the row says`(_ body: String) throws {
        #expect(try run(body) == nil)
    }

    @Test(arguments: [
        ("return s.modle", "a span has no field 'modle'; did you mean 'model'?"),
        ("return s[1]", "named by text"), ("s.name = 'x'", "read only"),
        ("return nightjar.countr", "did you mean 'counter'?"),
        ("return nightjar.settings.nope", "no setting 'nope'"),
    ])
    func `a mistake is an error that helps`(_ body: String, _ expected: String) throws {
        let fault = try run(body)
        #expect(fault?.hasPrefix("rule.lua:2: ") == true)
        #expect(fault?.contains(expected) == true, "\(fault ?? "no error")")
    }

    @Test func `content is decoded when it is touched`() throws {
        var reader = SpanContentReader()
        reader.fixedInput = [
            "q": "why?", "none": .null, "big": 9_223_372_036_854_775_807, "list": [1, 2.5, true],
        ]
        reader.fixedOutput = "because"
        reader.fixedTags = ["a", "b"]
        reader.fixedMetadata = ["userId": "u1"]
        let fault = try run(
            """
            assert(s.input.q == "why?" and s.input.none == nightjar.null and s.input.big == math.maxinteger)
            assert(#s.input.list == 3 and s.input.list[2] == 2.5 and s.input == s.input)
            assert(s.output == "because" and s.output_text == "because" and s.messages == nil)
            assert(s.tags[2] == "b" and s.metadata.userId == "u1" and #s.events == 0)
            """,
            reader: reader
        )
        #expect(fault == nil)
    }

    @Test func `a span that outlives its call says so`() throws {
        let fixture = try Fixture(
            """
            nightjar.on("span_ended", nil, function(s)
              if kept then nightjar.log.info(select(2, pcall(function() return kept.name end))) return kept.id end
              kept = s
            end)
            """
        )
        fixture.end(fixture.builder.span(id: 1))
        fixture.end(fixture.builder.span(id: 2))
        #expect(fixture.receiver.logs.first?.message.contains("belongs to an event that is over") == true)
        #expect(fixture.fault?.contains("belongs to an event that is over") == true)
    }

    @Test func `a trace shows its tree`() throws {
        let fixture = try Fixture(
            """
            nightjar.on("trace_ended", nil, function(t)
              assert(t.id == "00000000000000010000000000000002" and t.status == "ok" and t.has_errors and t.error_count == 1)
              assert(#t.spans == 3 and t.spans[1] == t.root and t.root.type == "agent_run" and not t.is_partial)
              assert(#t.root:children() == 2 and t.root:children()[1]:parent() == t.root and t.root:parent() == nil)
              assert(t.getSpan("3").name == "gpt" and t:getSpan("99") == nil and t.root:trace() == t)
              assert(#t:find_spans { type = "tool_call" } == 1 and #t.find_spans { name = { prefix = "g" } } == 1)
              assert(t.usage.input_tokens == 30 and t.duration_ms == 10 and t.revision == 2 and t.service == "shop")
              t.addScore { scorer_name = "a", score = 1 }
              t:addScore { scorer_name = "b", score = 0.5, span = t.spans[2] }
              t.spans[3]:addScore { scorerName = "c", label = "good" }
              t.spans[3].addFeedback { feedback_type = "thumbs", value = "up", user_id = "u" }
            end, { again = true })
            nightjar.on("trace_ended", nil, function() nightjar.counter("once"):add(1) end)
            """
        )
        let root = fixture.builder.span(type: .agentRun, id: 1)
        let tool = fixture.builder.span(type: .toolCall, id: 2, parent: 1, status: .error)
        let model = fixture.builder.span("gpt", type: .modelGeneration, id: 3, parent: 1) { row, _ in
            row.input_tokens = 30
        }
        fixture.end(TraceView(id: TraceID(high: 1, low: 2), spans: [root, tool, model], revision: 2))
        #expect(fixture.fault == nil)
        #expect(fixture.receiver.scores.map(\.scorerName) == ["a", "b", "c"])
        #expect(fixture.receiver.scores.map(\.spanID?.value) == [nil, 2, 3])
        #expect(fixture.receiver.feedbacks.first?.metadata["userId"] == "u")
        #expect(fixture.receiver.total("once") == 0)
    }
}
