import CNightjarSignals
import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Testing

/// Why rules did what they did for a trace, as far as it is remembered, and else by the trace itself.
@Suite struct ExplanationTests {
    private static let id = TraceID(high: 1, low: 2)

    /// A run that calls a model, which calls a tool; the tool call failed.
    private static func view(revision: Int = 1, change: (inout nj_span, Slab) -> Void = { _, _ in })
        -> TraceView
    {
        let builder = SpanBuilder(service: "shop")
        let root = builder.span("invoke_agent", type: .agentRun, id: 1) { row, slab in
            row.agent = SpanBuilder.text("support", in: slab)
        }
        let model = builder.span("chat", type: .modelGeneration, id: 2, parent: 1, milliseconds: 250) {
            row,
            slab in
            row.model = SpanBuilder.text("gpt-4o", in: slab)
            change(&row, slab)
        }
        let tool = builder.span("lookup", type: .toolCall, id: 3, parent: 1, status: .error) { row, slab in
            row.tool = SpanBuilder.text("lookup_price", in: slab)
        }
        return TraceView(id: Self.id, spans: [root, model, tool], revision: revision)
    }

    private static func explanations(
        _ script: String,
        in trace: ExplainedTrace? = ExplainedTrace(view: view(), isOpen: false, pending: [])
    ) throws -> [RuleExplanation] {
        let fixture = try PluginFolderFixture(["a.lua": script], watches: false)
        #expect(fixture.host.status.first?.loadFault == nil)
        return fixture.host.explanations(of: id, in: trace, reader: SpanContentReader())
    }

    @Test(
        arguments: [
            ("{ type = 'tool_call', tool = 'issue_refund' }", "tool", 3),
            ("{ tool = 'issue_refund', type = 'tool_call', status = 'ok' }", "status", 3),
            ("{ type = 'workflow_run' }", "type", 1),
            ("{ type = 'model_generation', duration_ms = { gt = 500 } }", "duration_ms", 2),
            ("{ type = 'agent_run', ['attributes.tier'] = 'gold' }", "attributes.tier", 1),
            ("{ type = 'model_generation', output_text = { contains = 'sorry' } }", "output_text", 2),
        ] as [(String, String, UInt64)]
    )
    func `a rule of spans fails at the first key of the span that comes nearest`(
        match: String,
        key: String,
        span: UInt64
    ) throws {
        let rule = try #require(
            try Self.explanations("nightjar.on('span_ended', \(match), function() end)").first
        )
        #expect(rule.outcome == .noMatch)
        #expect(rule.key == key)
        #expect(rule.span == SpanID(value: span))
        #expect(rule.calls == nil)
    }

    @Test(
        arguments: [
            ("{ root = { type = 'agent_run', agent = 'sales' } }", "root.agent", 1),
            ("{ any = { type = 'tool_call', tool = 'issue_refund' } }", "any.tool", 3),
            ("{ all = { status = 'ok' } }", "all.status", 3), ("{ error_count = 0 }", "error_count", nil),
            ("{ service = 'shop', ['usage.cost'] = { gt = 1 } }", "usage.cost", nil),
        ] as [(String, String, UInt64?)]
    )
    func `a rule of traces names the part and its key`(match: String, key: String, span: UInt64?) throws {
        let rule = try #require(
            try Self.explanations("nightjar.on('trace_ended', \(match), function() end)").first
        )
        #expect(rule.outcome == .noMatch)
        #expect(rule.key == key)
        #expect(rule.span == span.map { SpanID(value: $0) })
    }

    @Test func `a list of alternatives fails without a key`() throws {
        let rules = try Self.explanations(
            """
            nightjar.on("span_ended", { { tool = "a" }, { tool = "b" } }, function() end)
            nightjar.on("trace_ended", { { status = "error" }, { error_count = 7 } }, function() end)
            """
        )
        #expect(rules.map(\.outcome) == [.noMatch, .noMatch])
        #expect(rules.allSatisfy { $0.key == nil && $0.span == nil })
    }

    @Test func `what matches and is not remembered would run, and what is not kept is not told`() throws {
        let rules = try Self.explanations(
            """
            nightjar.on("span_ended", { type = "tool_call" }, function() end)
            nightjar.on("trace_ended", { has_errors = true }, function() end)
            nightjar.on("log", nil, function() end)
            nightjar.on("span_updated", nil, function() end)
            nightjar.process("span", { type = "tool_call" }, function() end)
            nightjar.sampler(function() return true end)
            """
        )
        #expect(rules.map(\.outcome) == [.wouldRun, .wouldRun, .noEvent, .noEvent, .wouldRun, .wouldRun])
        #expect(
            rules.map(\.rule) == [
                "span_ended", "trace_ended", "log", "span_updated", "process span", "sampler",
            ]
        )
    }

    @Test func `a duplicate is left out, but for a rule that takes it`() throws {
        let view = Self.view { row, _ in row.duplicate_of = 9 }
        let rules = try Self.explanations(
            """
            nightjar.on("span_ended", { type = "model_generation" }, function() end)
            nightjar.on("span_ended", { type = "model_generation" }, function() end, { duplicates = true })
            """,
            in: ExplainedTrace(view: view, isOpen: false, pending: [])
        )
        #expect(rules.map(\.outcome) == [.noMatch, .wouldRun])
        #expect(rules.first?.key == "duplicate_of")
        #expect(rules.first?.span == SpanID(value: 2))
    }

    @Test func `a scorer that takes no share is sampled out, where its match holds`() throws {
        let rules = try Self.explanations(
            """
            local function score(name, on, match, sample)
              nightjar.scorer(name, { on = on, match = match, sample = sample }, function() end)
            end
            score("none", "span_ended", { type = "tool_call" }, 0)
            score("all", "span_ended", { type = "tool_call" }, 1)
            score("other", "span_ended", { type = "workflow_run" }, 0)
            score("trace", "trace_ended", nil, 0)
            """
        )
        #expect(rules.map(\.outcome) == [.sampledOut, .wouldRun, .noMatch, .sampledOut])
    }

    @Test func `an open trace and spans that are not settled are waited for`() throws {
        let script = """
            nightjar.on("trace_ended", { root = { agent = "sales" } }, function() end)
            nightjar.on("span_ended", { type = "tool_call" }, function() end)
            nightjar.on("span_ended", { type = "workflow_run" }, function() end)
            nightjar.on("span_ended", { type = "agent_run" }, function() end)
            nightjar.on("span_ended", { type = "tool_call" }, function() end, { early = true })
            """
        let open = try Self.explanations(
            script,
            in: ExplainedTrace(view: Self.view(revision: 0), isOpen: true, pending: [SpanID(value: 3)])
        )
        #expect(open.map(\.outcome) == [.waiting, .waiting, .waiting, .wouldRun, .wouldRun])
        let everySpan = try Self.explanations(
            script,
            in: ExplainedTrace(view: Self.view(revision: 0), isOpen: true, pending: [SpanID(value: 0)])
        )
        #expect(everySpan.map(\.outcome) == [.waiting, .waiting, .waiting, .waiting, .wouldRun])
        let running = Self.view { row, _ in row.end_nano = 0 }
        let model = "nightjar.on('span_ended', { type = 'model_generation' }, function() end)"
        let rule = try Self.explanations(model, in: ExplainedTrace(view: running, isOpen: false, pending: []))
        #expect(rule.map(\.outcome) == [.waiting])
        // Reopened: a rule that runs at the first end alone has had it.
        let again = try Self.explanations(
            """
            nightjar.on("trace_ended", { root = { agent = "sales" } }, function() end)
            nightjar.on("trace_ended", { root = { agent = "sales" } }, function() end, { again = true })
            """,
            in: ExplainedTrace(view: Self.view(revision: 1), isOpen: true, pending: [])
        )
        #expect(again.map(\.outcome) == [.noMatch, .waiting])
    }

    @Test func `calls are remembered with what they emitted, and with those that failed or were left out`()
        throws
    {
        let fixture = try PluginFolderFixture(
            [
                "a.lua": """
                local hits = nightjar.counter("hits")
                nightjar.on("span_ended", nil, function() hits:add(1) hits:add(1) end)
                nightjar.on("span_ended", nil, function() error("no") end)
                nightjar.on("span_ended", { type = "workflow_run" }, function() end)
                """
            ],
            watches: false
        )
        func rules() -> [RuleExplanation] {
            fixture.host.explanations(of: Self.id, in: nil, reader: SpanContentReader())
        }
        #expect(rules().map(\.outcome) == [.notStored, .notStored, .notStored])
        for _ in 1...3 { _ = fixture.metrics() }
        let told = rules()
        #expect(told.map(\.outcome) == [.ran, .failed, .notStored])
        #expect(told.map(\.rule) == ["span_ended", "span_ended#2", "span_ended#3"])
        #expect(told[0].calls?.calls == 3 && told[0].calls?.emitted == 6 && told[0].calls?.errors == 0)
        #expect(told[1].calls?.calls == 3 && told[1].calls?.errors == 3)
        #expect(told[0].calls?.meanMicroseconds ?? 0 > 0)
        for _ in 1...50 { _ = fixture.metrics() }
        #expect(rules()[1].outcome == .circuitOpen)
        #expect(rules()[1].calls?.calls == 50)
    }

    @Test func `a call of an earlier version is told as such`() throws {
        let script = "local c = nightjar.counter('c') nightjar.on('span_ended', nil, function() c:add(1) end)"
        let fixture = try PluginFolderFixture(["a.lua": script], watches: false)
        _ = fixture.metrics()
        try fixture.write("a.lua", script + "\n-- changed")
        fixture.host.loadAll()
        let rule = try #require(
            fixture.host.explanations(of: Self.id, in: nil, reader: SpanContentReader()).first
        )
        #expect(rule.outcome == .ran)
        #expect(rule.generation == 2 && rule.calls?.generation == 1)
    }
}
