import CNightjarSignals
import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Testing

@Suite struct ApiTests {
    @Test func `a call that fails emits logs and nothing else`() throws {
        let fixture = try Fixture(
            """
            local hits = nightjar.counter("hits")
            nightjar.on("span_ended", nil, function(s)
              hits:add(1)
              s:addScore { scorer_name = "x", score = 1 }
              print("kept", 1, nil)
              error("no")
            end)
            nightjar.on("span_ended", nil, function() hits:add(10) end)
            """
        )
        fixture.end(fixture.builder.span())
        #expect(fixture.fault == "rule.lua:6: no")
        #expect(fixture.receiver.metrics.map(\.value) == [10])
        #expect(fixture.receiver.scores.isEmpty)
        #expect(fixture.receiver.logs.map(\.message) == ["kept\t1\tnil"])
        #expect(fixture.receiver.logs.first?.spanID == SpanID(value: 1))
    }

    @Test(arguments: [
        ("nightjar.counter('c'):add(0/0)", "finite"), ("nightjar.counter('c'):add(-1)", "cannot go down"),
        ("nightjar.counter('c'):add('1')", "needs a number"), ("nightjar.gauge('g'):set(1/0)", "finite"),
        ("nightjar.counter('c').add(1)", "colon"), ("nightjar.counter('a b'):add(1)", "not a metric name"),
        ("nightjar.counter('c'):add(1, { ['a-b'] = 1 })", "invalid label name"),
        ("nightjar.counter('c', { help = 'x' })", "while the file loads"),
        ("s:addScore { scorer_name = 'x', score = 0/0 }", "finite"),
        ("s:addScore { score = 1 }", "'scorer_name' is needed"),
        ("s:addScore { scorer_name = 'x', scor = 1 }", "did you mean 'score'?"),
        ("s:addScore { scorer_name = 'x' }", "'score' is needed"),
        ("nightjar.score { scorer_name = 'x', score = 1, trace_id = 'zz' }", "no id"),
        ("nightjar.score { scorer_name = 'x', score = 1 }", "'trace_id' or 'session_id'"),
        ("s:addFeedback { feedback_type = 'x', value = {} }", "'value'"),
        ("nightjar.on('span_ended', nil, print)", "while the file loads"),
        ("nightjar.every(1, print)", "while the file loads"),
        ("local t = {} t.t = t nightjar.log.info('x', t)", "within itself"),
    ])
    func `a wrong use is an error of that call`(_ body: String, _ expected: String) throws {
        let fixture = try Fixture("nightjar.on('span_ended', nil, function(s)\n\(body)\nend)")
        fixture.end(fixture.builder.span())
        #expect(fixture.fault?.hasPrefix("rule.lua:2: ") == true)
        #expect(fixture.fault?.contains(expected) == true, "\(fixture.fault ?? "no error")")
    }

    @Test(arguments: [
        ("nightjar.on('span_endd', nil, print)", "did you mean 'span_ended'?"),
        ("nightjar.counter('c', { lables = {} })", "did you mean 'labels'?"),
        ("nightjar.scorer('x', {}, print)", "needs on ="),
        ("nightjar.scorer('x', { on = 'span_ended', range = { 1, 0 } }, print)", "{low, high}"),
        ("nightjar.scorer('x', { on = 'span_ended', sample = 2 }, print)", "from 0 to 1"),
        ("nightjar.histogram('h', { buckets = { 2, 1 } })", "ascending"),
        ("nightjar.counter('c') nightjar.gauge('c')", "is a counter in this plugin already"),
        ("nightjar.counter('c'):add(1)", "not while the file loads"), ("x = = 1", "unexpected symbol"),
        ("error({})", "(error object is a table)"), ("nightjar.plugin { api = 2 }", "api 1"),
        ("nightjar.labels('m', { alow = {} })", "did you mean 'allow'?"),
        ("require('other')", "no such module"),
        ("nightjar.unknown()", "nightjar has no 'unknown'"),
    ])
    func `a wrong declaration is a load error with its line`(_ script: String, _ expected: String) {
        let fault = loadFault("\n" + script)
        #expect(fault?.contains(expected) == true, "\(fault ?? "it loaded")")
        if !script.hasPrefix("error") { #expect(fault?.hasPrefix("rule.lua:2: ") == true, "\(fault ?? "")") }
    }

    @Test func `sources with a mark, a first line for the shell and other line ends load`() {
        #expect(loadFault([0xEF, 0xBB, 0xBF] + Array("return 1".utf8)) == nil)
        #expect(loadFault("#!/usr/bin/lua\r\nlocal x = 1\r\nassert(x == 1)\r\n") == nil)
        #expect(loadFault("#!x\nerror('y')")?.hasPrefix("rule.lua:2: ") == true)
        #expect(loadFault([0xFF, 0xFE, 0x41, 0x00])?.contains("UTF-16") == true)
        #expect(loadFault([0x1B] + Array("Lua".utf8))?.contains("binary") == true)
        #expect(loadFault(Array("x = 1".utf8) + [0])?.contains("NUL") == true)
    }

    @Test func `helpers answer`() throws {
        #expect(
            loadFault(
                """
                local j = nightjar.json
                assert(j.encode({ 1, "a\\n", true, nightjar.null }) == '[1,"a\\\\n",true,null]')
                assert(j.encode({ a = 1.0 }) == '{"a":1.0}' and j.encode({}) == "{}")
                local t = j.decode('{"a":[1,2.5,null],"b":"\\\\u00e9\\\\ud83d\\\\ude00","n":9007199254740993}')
                assert(t.a[1] == 1 and math.type(t.a[1]) == "integer" and t.a[3] == nightjar.null and t.b == "é😀")
                assert(t.n == 9007199254740993 and not pcall(j.decode, "{") and not pcall(j.decode, "1 2"))
                assert(nightjar.hash("abc"):sub(1, 16) == "ba7816bf8f01cfea" and #nightjar.uuid_like("x") == 36)
                assert(nightjar.uuid_like("x") == nightjar.uuid_like("x") and nightjar.now() == 1700000000.5)
                assert(nightjar.name == "rule" and nightjar.version == nil)
                assert(not pcall(function() nightjar.x = 1 end) and getmetatable(nightjar) == false)
                """
            ) == nil
        )
    }

    @Test func `the sandbox has what scripts need and nothing else`() {
        #expect(
            loadFault(
                """
                for _, name in ipairs { "dofile", "loadfile", "io", "package", "warn", "debug.sethook", "os.exit", "os.getenv",
                  "string.dump" } do
                  local value = _G
                  for part in name:gmatch("[^.]+") do value = value and value[part] end
                  assert(value == nil, name)
                end
                assert(load("return 1 + 1")() == 2 and load("x = 5", "c", "t", {}) and not load("x =") and not load("\\27Lua"))
                assert(collectgarbage("count") > 1 and not pcall(collectgarbage))
                assert(os.time() > 0 and type(os.date()) == "string" and debug.traceback("m"):find("^m\\nstack"))
                assert(tostring({}) == "table" and tostring(print) == "function" and tostring(1.5) == "1.5")
                local class = {} class.__index = class function class.hi() return "hi" end
                local mt = { __index = class, __tostring = function() return "T" end }
                local object = setmetatable({}, mt)
                assert(object.hi() == "hi" and getmetatable(object) == mt and tostring(object) == "T")
                for _, field in ipairs { "__gc", "__close", "__mode" } do
                  assert(not pcall(setmetatable, {}, { [field] = print }))
                end
                assert(getmetatable("") == false and ("x"):upper() == "X")
                """
            ) == nil
        )
    }

    @Test func `settings are read back and typed`() throws {
        let script = """
            nightjar.plugin { name = "Slow", version = "2", settings = { threshold_ms = 5000, label = "x" } }
            assert(nightjar.settings.threshold_ms == 100 and nightjar.settings.label == "x" and nightjar.version == "2")
            """
        _ = try Fixture(["rule": script], settings: ["rule": ["threshold_ms": 100]])
        #expect(throws: PluginFaults.self) {
            try Fixture(["rule": script], settings: ["rule": ["threshold_ms": "soon"]])
        }
        #expect(throws: PluginFaults.self) {
            try Fixture(["rule": script], settings: ["rule": ["treshold": 1]])
        }
    }

    @Test func `scores keep to range and categories and replace themselves`() throws {
        let fixture = try Fixture(
            """
            nightjar.scorer("good", { on = "span_ended", range = { 0, 1 }, version = "3", experiment = "e" }, function(s, trace)
              s:addScore { score = 0.5 }
            end)
            nightjar.scorer("outside", { on = "span_ended", range = { 0, 1 } }, function(s) s:addScore { score = 2 } end)
            nightjar.scorer("twice", { on = "span_ended" }, function(s) s:addScore { score = 1 } s:addScore { score = 1 } end)
            nightjar.scorer("kind", { on = "span_ended", categories = { "a", "b" } }, function(s) s:addScore { label = "c" } end)
            nightjar.scorer("never", { on = "span_ended", sample = 0 }, function(s) s:addScore { score = 1 } end)
            """
        )
        fixture.end(fixture.builder.span())
        fixture.end(fixture.builder.span())
        let scores = fixture.receiver.scores
        #expect(scores.map(\.scorerName) == ["good", "good"])
        #expect(Set(scores.map(\.id)).count == 1)
        #expect(scores.first?.scorerVersion == "3" && scores.first?.experiment == "e")
        let errors = fixture.lines.all.map(\.message).joined(separator: "\n")
        #expect(errors.contains("outside of the range {0, 1}"))
        #expect(errors.contains("judged this target"))
        #expect(errors.contains("label 'c' is none of the categories"))
    }

    @Test func `duplicates are left out unless asked for`() throws {
        let fixture = try Fixture(
            """
            nightjar.on("span_ended", nil, function() nightjar.counter("plain"):add(1) end)
            nightjar.on("span_ended", nil, function(s) nightjar.counter("all"):add(1, { of = s.duplicate_of }) end, { duplicates = true })
            """
        )
        fixture.end(fixture.builder.span { row, _ in row.duplicate_of = 7 })
        #expect(fixture.receiver.metrics.map(\.name) == ["all"])
        #expect(fixture.receiver.metrics.first?.labels == ["of": "0000000000000007"])
    }

    @Test func `label policies of the plugin reach the registry`() throws {
        let fixture = try Fixture(
            """
            nightjar.labels("mastra_tool_calls_ended", { allow = { "tool", "status" }, cardinality_limit = 500 })
            nightjar.labels("*", { block = { "secret" } })
            """
        )
        #expect(fixture.registry.policy(of: "mastra_tool_calls_ended").allow == ["tool", "status"])
        #expect(fixture.registry.policy(of: "mastra_tool_calls_ended").cardinalityLimit == 500)
        #expect(fixture.registry.policy(of: "x").block == ["secret"])
    }

    @Test func `a rule that keeps failing is left out`() throws {
        let fixture = try Fixture(
            "nightjar.on('span_ended', nil, function() nightjar.log.info('x') error('no') end)"
        )
        for _ in 1...60 { fixture.end(fixture.builder.span()) }
        #expect(fixture.receiver.logs.count == 50)
        #expect(fixture.lines.all.contains { $0.message.contains("left out for 1 s") })
    }
}
