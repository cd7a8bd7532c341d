import CNightjarSignals
import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Testing

@Suite struct MatchTests {
    /// Whether a rule with this match sees the span of the fixture.
    private func matches(_ match: String) throws -> Bool {
        var reader = SpanContentReader()
        reader.fixedMetadata = ["tier": "gold", "user.id": 7]
        reader.fixedOutput = "The answer is 42"
        reader.fixedTags = ["beta", "eu"]
        let fixture = try Fixture(
            "nightjar.on('span_ended', \(match), function() nightjar.counter('hits'):add(1) end)",
            reader: reader
        )
        fixture.end(
            fixture.builder.span(
                "Chat GPT",
                type: .modelGeneration,
                id: 0xAB,
                milliseconds: 250,
                attributes: [
                    ("gen_ai.n", .int(3)), ("flag", .bool(true)), ("city", .text("Berlin")),
                    ("p", .double(0.5)),
                ]
            ) { row, slab in
                row.model = SpanBuilder.text("gpt-4o-mini", in: slab)
                row.input_tokens = 120
            }
        )
        #expect(fixture.fault == nil)
        return fixture.receiver.total("hits") == 1
    }

    @Test(arguments: [
        "{ type = 'model_generation' }", "{ type = { 'tool_call', 'model_generation' } }",
        "{ type = { prefix = 'model_' } }", "{ type = nightjar.none_of('tool_call', 'agent_run') }",
        "{ name = { prefix = 'Chat' } }", "{ name = { suffix = 'gpt', ignore_case = true } }",
        "{ name = { contains = 't G' } }", "{ name = { pattern = '^%u%l+ %u+$' } }",
        "{ model = { contains = 'MINI', ignore_case = true } }", "{ duration_ms = { gt = 200, le = 250 } }",
        "{ duration_ms = 250 }", "{ status = 'ok' }", "{ status = { 'error', 'ok' } }",
        "{ tool = { exists = false } }",
        "{ model = { exists = true } }", "{ ['attributes.gen_ai.n'] = 3 }", "{ ['attributes.flag'] = true }",
        "{ ['attributes.city'] = { 'Paris', 'Berlin' } }", "{ ['attributes.p'] = { lt = 1 } }",
        "{ ['attributes.nothing'] = { exists = false } }", "{ ['usage.input_tokens'] = { ge = 120 } }",
        "{ is_root = true }", "{ id = '00000000000000ab' }", "{ service = 'shop', environment = 'prod' }",
        "{ ['resource.host.name'] = 'a1' }", "{ ['metadata.tier'] = 'gold' }", "{ ['metadata.user.id'] = 7 }",
        "{ output_text = { contains = '42' } }", "{ tags = 'eu' }",
        "{ { type = 'tool_call' }, { name = 'Chat GPT' } }",
        "{}", "nil", "{ model = nightjar.none_of({ prefix = 'claude' }) }",
        "{ tool = nightjar.none_of('x') }",
        "{ error = { exists = false } }", "{ kind = 'internal' }",
        "{ durationMs = { gt = 200 }, isRoot = true }",
        "{ ['usage.inputTokens'] = { ge = 120 } }",
    ])
    func `a condition that holds calls the rule`(_ match: String) throws {
        #expect(try matches(match))
    }

    @Test(arguments: [
        "{ type = 'tool_call' }", "{ type = nightjar.none_of('model_generation') }", "{ name = 'chat gpt' }",
        "{ name = { pattern = '^%d' } }", "{ duration_ms = { gt = 250 } }", "{ status = 'error' }",
        "{ tool = 'x' }", "{ tool = { prefix = '' } }", "{ ['attributes.gen_ai.n'] = '3' }",
        "{ ['attributes.flag'] = false }",
        "{ ['attributes.nothing'] = 'x' }", "{ ['usage.cost'] = { gt = 0 } }", "{ is_root = false }",
        "{ ['metadata.tier'] = 'silver' }", "{ type = 'model_generation', name = 'other' }",
        "{ { type = 'tool_call' }, { name = 'x' } }", "{ output_text = { prefix = '42' } }",
        "{ type = 'never_heard_of' }",
    ])
    func `a condition that does not hold keeps the rule out`(_ match: String) throws {
        #expect(try !matches(match))
    }

    @Test(arguments: [
        ("{ typ = 'x' }", "unknown match key 'typ'; did you mean 'type'?"),
        ("{ name = { prefx = 'x' } }", "unknown operator 'prefx'; did you mean 'prefix'?"),
        ("{ name = { pattern = '[a' } }", "missing ']'"), ("{ duration_ms = 'long' }", "takes a number"),
        ("{ duration_ms = { gt = 'x' } }", "gt takes a number"),
        ("{ status = 'okay' }", "running, ok or error"),
        ("{ attributes = 'x' }", "name an attribute"),
        ("{ ['usage.input_token'] = 1 }", "did you mean 'input_tokens'?"),
        ("{ name = { exists = 1 } }", "exists is true or false"), ("{ name = {} }", "says nothing"),
        ("{ model = { 'a', { sufix = 'b' } } }", "did you mean 'suffix'?"),
    ])
    func `a malformed match is a load error with place and key`(_ match: String, _ expected: String) {
        let fault = loadFault("\n\nnightjar.on('span_ended', \(match), print)")
        #expect(fault?.hasPrefix("rule.lua:3: ") == true)
        #expect(fault?.contains(expected) == true, "\(fault ?? "it loaded")")
    }

    @Test func `a trace is matched by its root, by any and by all of its spans`() throws {
        let fixture = try Fixture(
            """
            local function count(name, match)
              nightjar.on("trace_ended", match, function(trace) nightjar.counter(name):add(1) end)
            end
            count("root", { root = { type = "agent_run" } })
            count("any", { any = { type = "tool_call", status = "error" } })
            count("all", { all = { duration_ms = { le = 10 } } })
            count("not_all", { all = { type = "agent_run" } })
            count("facts", { has_errors = true, error_count = 1, status = "ok", is_partial = false, service = "shop" })
            count("no_facts", { error_count = { gt = 1 } })
            count("usage", { ["usage.input_tokens"] = 30 })
            """
        )
        let root = fixture.builder.span(type: .agentRun, id: 1)
        let tool = fixture.builder.span(type: .toolCall, id: 2, parent: 1, status: .error)
        let first = fixture.builder.span(type: .modelGeneration, id: 3, parent: 1) { row, _ in
            row.input_tokens = 30
        }
        let inner = fixture.builder.span(type: .modelGeneration, id: 4, parent: 3) { row, _ in
            row.input_tokens = 30
            row.duplicate_of = 3
        }
        fixture.end(TraceView(id: TraceID(high: 1, low: 2), spans: [root, tool, first, inner], revision: 1))
        #expect(fixture.fault == nil)
        #expect(Set(fixture.receiver.metrics.map(\.name)) == ["root", "any", "all", "facts", "usage"])
    }
}
