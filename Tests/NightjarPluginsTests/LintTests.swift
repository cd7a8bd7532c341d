import Foundation
import NightjarBus
import NightjarPlugins
import NightjarSignals
import Testing

@Suite struct LintTests {
    private static let spanFields = [
        "id", "name", "model", "agent", "tool", "type", "status", "attributes", "duration_ms", "error",
        "input_text", "output_text", "parent", "children", "trace", "addScore", "add_score",
    ]

    /// The lints of a script as "line code", its functions of the given lines being rules on spans.
    private func lints(
        _ source: String,
        isGlobal: Bool = false,
        rules: [Int] = [],
        metrics: [String: Set<String>?] = [:]
    ) -> [String] {
        described(source, isGlobal: isGlobal, rules: rules, metrics: metrics).map {
            "\($0.line) \($0.code.rawValue)"
        }
    }

    private func described(
        _ source: String,
        isGlobal: Bool = false,
        rules: [Int] = [],
        metrics: [String: Set<String>?] = [:]
    ) -> [PluginLint] {
        let facts = LintFacts(
            isGlobalScope: isGlobal,
            rules: rules.map { ($0, "span_ended", Self.spanFields) },
            metrics: metrics
        )
        return NightjarPlugins.lints(of: Array(source.utf8), file: "rule.lua", facts: facts)
    }

    // MARK: Globals

    @Test func `a global that is set is told of once a line`() {
        let source = """
            count = 0
            function helper() end
            nightjar.on("span_ended", nil, function()
              count = count + 1; count = count + 2
              local f = function() other = 1 end
            end)
            """
        #expect(
            lints(source) == [
                "1 global_assignment", "2 global_assignment", "4 global_assignment", "5 global_assignment",
            ]
        )
        let first = described(source).first
        #expect(first?.description == "rule.lua:1: global variable 'count' is set; declare it with local")
    }

    @Test(arguments: [
        "local count = 0 count = count + 1",
        "function nightjar.migrate(old) return old end",
        "local t = {} function t.go() end t.x = 1 string.helper = t",
        "local _ENV = { ipairs = ipairs } count = 1 function go() other = 2 end",
        "local function go(_ENV) count = 1 end go({})",
        "local function go(_ENV) return function() count = 1 end end go({})",
        "_ENV = setmetatable({}, { __index = _ENV }) count = 1",
    ])
    func `what is no global is none`(_ source: String) {
        #expect(lints(source) == [])
    }

    // MARK: Shared variables

    @Test func `a variable that a rule changes is told of`() {
        let source = """
            local seen, last = 0
            local function note(value) last = value end
            local function unused() end
            nightjar.on("span_ended", nil, function(span)
              seen = seen + 1
              note(span.id)
              return function() seen = 0 end
            end)
            """
        #expect(lints(source) == ["2 shared_upvalue", "5 shared_upvalue", "7 shared_upvalue"])
        #expect(lints(source, isGlobal: true) == [])
        let message = described(source).last?.message
        #expect(message?.hasPrefix("'seen' is changed here") == true)
        #expect(
            message?.contains("each worker has its own copy; use scope = \"global\" or nightjar.state")
                == true
        )
    }

    @Test(arguments: [
        // A rule that was made by a function, by name, by a method, later on, in a table, with others.
        "local n = 0 local function rule() n = n + 1 end nightjar.on('log', rule)",
        "local n = 0 local function make() return function() n = n + 1 end end nightjar.on('log', make())",
        "local n = 0 local function add(e) nightjar.on(e, function() n = 1 end) end add('log') add('drop')",
        "local n = 0 local t = {} function t:go() n = n + 1 end nightjar.on('log', function() t:go() end)",
        "local n, go = 0 go = function() n = n + 1 end nightjar.on('log', function() go() end)",
        "local n = 0 local f, g = function() n = 1 end, 1 nightjar.on('log', function() f() end) print(g)",
        "local n local function a() n = 1 end local function b() a() end nightjar.on('log', function() b() end)",
        "do local n = 0 nightjar.on('log', function() n = n + 1 end) end",
        "for i = 1, 3 do local n = i nightjar.on('log', function() n = n + 1 end) end",
        "local n = 0 local function a() n = n + 1 end local b = a b() nightjar.on('log', b)",
        "local n = 0 return { go = function() n = n + 1 end }",
    ])
    func `it is told of however the rule came about`(_ source: String) {
        #expect(lints(source) == ["1 shared_upvalue"])
    }

    @Test(arguments: [
        // Only while the file loads.
        "local n = 0 local function add(x) n = n + x end add(1) nightjar.on('log', function() return n end)",
        "local n = 0 (function() n = 1 end)() nightjar.on('log', function() return n end)",
        "local n = 0 local function a() n = n + 1 end local function b() a() end b()",
        "local n = 0 local function a(x) n = n + x if x > 0 then a(x - 1) end end a(3)",
        // Of the rule alone, or a table.
        "nightjar.on('log', function() local n = 0 local function f() n = n + 1 end f() end)",
        "local seen = {} nightjar.on('log', function(e) seen[e.id] = true seen.last = e.id end)",
        "local n = 0 n = n + 1 nightjar.on('log', function() local n = 0 n = n + 1 end)",
        "local function f(x) if x > 0 then return f(x - 1) end end nightjar.on('log', function() f(3) end)",
    ])
    func `a variable that no event changes is let be`(_ source: String) {
        #expect(lints(source) == [])
    }

    // MARK: Fields

    @Test func `a field that the event does not have is told of`() {
        let source = """
            nightjar.on("span_ended", nil, function(span, trace)
              print(span.modle, span.model, span.attributes.modle, trace.modle)
              span:addScor { score = 1 }
              local each = function()
                return span.agnet, span:child(), span.agent, span:parent()
              end
            end)
            """
        let found = described(source, rules: [1])
        #expect(found.map(\.line) == [2, 3, 5, 5])
        #expect(found.allSatisfy { $0.code == .unknownField })
        #expect(found.first?.message == "a span has no field 'modle'; did you mean 'model'?")
        #expect(found.map(\.message).contains { $0.contains("'child'") })
        #expect(lints(source) == [])
    }

    @Test(arguments: [
        // The parameter may be something else by then.
        "nightjar.on('span_ended', nil, function(span) span = span.attributes print(span.modle) end)",
        "nightjar.on('span_ended', nil, function(span) if span.id then span = nil end return span.modle end)",
        "nightjar.on('span_ended', nil, function(s)\n local function f() s = {} end f() return s.modle end)",
        // It is called by others too, or cannot be told from its neighbours.
        "local function f(span) return span.modle end nightjar.on('span_ended', f) f({ modle = 1 })",
        "local function f(n) return n.up and f(n.up) or n.modle end nightjar.on('span_ended', f)",
        "nightjar.on('span_ended', nil, function(s) each(s.tags, function(t) return t.modle end) end)",
        "nightjar.on('span_ended', nil, function() local span = {} return span.modle end)",
        // Other objects.
        "nightjar.on('span_ended', nil, function(s)\n each(function(s) return s.modle end) end)",
        "nightjar.on('span_ended', nil, function(s)\n do local s = {} print(s.modle) end t.x = s end)",
        "nightjar.on('span_ended', nil, function(s) return s.attributes.modle, s[s.id], s.trace().modle end)",
    ])
    func `a field of something else is let be`(_ source: String) {
        #expect(lints(source, rules: [1]) == [])
    }

    @Test func `a function for several events may read the fields of each`() {
        let source = "nightjar.on(event, nil, function(e) return e.id, e.root, e.model, e.nothing end)"
        let rules: [LintFacts.Rule] = [
            (1, "span_ended", ["id", "model"]), (1, "trace_ended", ["id", "root"]),
        ]
        let found = NightjarPlugins.lints(
            of: Array(source.utf8),
            file: "rule.lua",
            facts: LintFacts(rules: rules)
        )
        #expect(found.map(\.message) == ["the event has no field 'nothing'"])
    }

    // MARK: Metrics

    @Test func `a metric that nobody uses is told of`() {
        let source = """
            local a = nightjar.counter("a_total")
            local b <const>, c = nightjar.gauge("b"), nightjar.histogram("c", {
              buckets = { 1, 2 },
            })
            nightjar.on("log", function() b:set(1) end)
            """
        let found = described(source)
        #expect(found.map(\.code) == [.unusedMetric, .unusedMetric])
        #expect(found.map(\.line) == [1, 2])
        #expect(
            found.map(\.message) == [
                "metric 'a_total' is declared and never used", "metric 'c' is declared and never used",
            ]
        )
    }

    @Test(arguments: [
        "local m = nightjar.counter('m') nightjar.on('log', function() return function() m:add(1) end end)",
        "local m = nightjar.counter('m') m:add(1)",
        "local m = nightjar.counter('m') return m",
        "local m = nightjar.counter('m') return { m = m }",
        "local m = nightjar.counter('m') local t = {} t.m = m",
        "local m = nightjar.counter('m') print(m)",
        "local m = nightjar.counter('m') local all = { 1, m }",
        "local _m = nightjar.counter('m')",
        // By its name alone, in a call.
        "local m = nightjar.counter('m', {}) nightjar.on('log', function() nightjar.counter('m'):add(1) end)",
        "local m = nightjar.counter('m', {}) nightjar.counter('m'):add(1)",
        // No metric as far as can be seen.
        "local m = nightjar.window(60)", "local m = other.counter('m')", "local m = nightjar.counter(name)",
        "local m = nightjar.counter('m' .. name)", "local nightjar = {} local m = nightjar.counter('m')",
        "local m = nightjar.counter('m'):add(1)", "nightjar.counter('m')",
        "local m = flag and nightjar.counter('m') or nightjar",
    ])
    func `a metric that may be used is let be`(_ source: String) {
        #expect(lints(source) == [])
    }

    // MARK: Labels

    private static let shop = """
        local m, other = nightjar.counter("shop_total", { labels = { "tool", "agent" } }),
            nightjar.gauge("free")

        """

    @Test func `a label that the allow-list drops is told of`() {
        let source =
            Self.shop + """
                nightjar.on("span_ended", nil, function(span)
                  m:add(1, { tool = span.tool, agnet = span.agent })
                  other:set(1, { anything = 1 })
                  return function() return m:add(f(span.id, 1, 2), {
                    tool = f(1, 2, 3),
                    model = f { unknown = 1 },
                  }) end
                end)
                m:add(1, { tool = "x", user = "y" })
                """
        let found = described(source, metrics: ["shop_total": ["tool", "agent"], "free": nil])
        #expect(found.map(\.line) == [4, 8, 11])
        #expect(found.allSatisfy { $0.code == .labelNotAllowed })
        #expect(
            found.first?.message
                == "label 'agnet' is not on the allow-list of metric 'shop_total'; did you mean 'agent'?"
        )
        #expect(lints(source, metrics: ["shop_total": nil, "free": nil]) == [])
        #expect(lints(source) == [])
    }

    @Test(arguments: [
        "m:add(1) other:set(1, { user = 1 })",
        "m:add(1, { tool = 1, agent = 2 }) other:set(1)",
        "m:add(1, { agent = 2, user = nil }) other:set(1)",
        "m:add({ user = 1 }) other:set(1)",
        "m:add(#{ user = 1 }, { tool = 1 }) other:set(1)",
        "m:add(1, f { user = 1 }) other:set(1)",
        "m:add(1, { tool = { user = 1 } }) other:set(1)",
        "m:describe(1, { user = 1 }) other:set(1)",
        "local l = { tool = 1 } m:add(1, l) l.user = 1 other:set(1)",
        "m = other m:set(1, { user = 1 })",
        "local function f() m = other m:set(1, { user = 1 }) end f()",
        "m:add(1) local m = other m:set(1, { user = 1 })",
        "m:add(1, { [key] = 1 }) other:set(1)",
    ])
    func `a label of something else is let be`(_ source: String) {
        #expect(lints(Self.shop + source, metrics: ["shop_total": ["tool", "agent"], "free": nil]) == [])
    }

    @Test func `a variable that becomes nil together with others is no metric any more`() {
        let source = "local n, m = 1, nightjar.counter('m') n = nil m = nil m:add(1, { user = 1 })"
        #expect(lints(source, metrics: ["m": ["tool"]]) == [])
    }

    // MARK: Policies

    private func allow(_ labels: String...) -> LabelPolicy {
        var policy = LabelPolicy()
        policy.allow = Set(labels)
        return policy
    }

    @Test func `allow-lists that leave less than either wants are told of`() {
        let found = overlaps([
            ("first", "calls", allow("tool", "agent")), ("second", "calls", allow("tool", "model")),
            ("third", "tokens", allow("model")), ("fourth", "tokens", allow("agent")),
        ])
        #expect(found.map(\.file) == ["second.lua", "fourth.lua"])
        #expect(
            found.map(\.description) == [
                "second.lua: plugins 'first' and 'second' both limit the labels of metric 'calls': "
                    + "only tool passes both",
                "fourth.lua: plugins 'third' and 'fourth' both limit the labels of metric 'tokens': "
                    + "no label passes both",
            ]
        )
        #expect(found.allSatisfy { $0.code == .overlappingPolicies && $0.line == 0 })
    }

    @Test func `a policy for all metrics overlaps with one for a metric`() {
        let found = overlaps([("all", "*", allow("tool", "agent")), ("one", "calls", allow("tool", "model"))])
        #expect(found.map(\.file) == ["one.lua"])
        let reverse = overlaps([
            ("one", "calls", allow("tool", "model")), ("all", "*", allow("tool", "agent")),
        ])
        #expect(reverse.map(\.file) == ["all.lua"])
        let both = overlaps([
            ("a", "*", allow("tool")), ("a", "calls", allow("tool")), ("b", "*", allow("agent")),
            ("b", "calls", allow("agent")),
        ])
        #expect(
            both.map(\.message) == [
                "plugins 'a' and 'b' both limit the labels of all metrics: no label passes both"
            ]
        )
    }

    @Test func `policies that get along are let be`() {
        var limit = LabelPolicy()
        limit.cardinalityLimit = 5
        #expect(
            overlaps([
                ("a", "calls", allow("tool", "agent")), ("b", "calls", allow("tool")), ("c", "calls", limit),
                ("d", "tokens", allow("model")), ("d", "tokens", allow("model", "agent")),
                ("e", "calls", allow("tool", "agent")), ("a", "*", allow("tool", "agent", "model")),
            ]) == []
        )
        #expect(overlaps([("a", "calls", allow()), ("b", "calls", allow())]) == [])
    }

    // MARK: Whole files

    @Test func `the plugins that come along have no lints`() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "plugins")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasSuffix(".lua") }
        #expect(!files.isEmpty)
        for file in files {
            let source = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
            #expect(
                described(
                    source,
                    isGlobal: source.contains("scope = \"global\""),
                    metrics: ["tool_failures_total": ["tool", "agent", "error_type"]]
                ) == [],
                "\(file)"
            )
        }
    }

    @Test func `a source that does not compile has no lints`() { #expect(lints("x = = 1") == []) }

    @Test(arguments: HostileScript.all)
    func `no script brings the lints down`(_ script: HostileScript) {
        let facts = LintFacts(rules: (1...20).map { ($0, "span_ended", Self.spanFields) })
        for lint in NightjarPlugins.lints(of: script.bytes, file: "hostile.lua", facts: facts) {
            #expect(lint.line > 0)
        }
    }
}
