import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Testing

/// What the fuzz tests have found, each as the shortest script that shows it. Some show it under the address sanitizer only.
@Suite struct FuzzFindingTests {
    @Test func `require takes no notice of further arguments`() throws {
        let source = PluginSource(
            name: "rule",
            file: "rule.lua",
            text: Array(
                "assert(require('rule.part', 3).x == 1 and require('rule.part', nil, {}).x == 1)".utf8
            ),
            modules: ["rule.part": Array("return { x = 1 }".utf8)]
        )
        #expect(throws: Never.self) {
            try PluginHost.load(files: [source], registry: MetricRegistry(), now: { moment })
        }
    }

    @Test func `the step function of attributes refuses what are none`() throws {
        let fixture = try Fixture(
            """
            nightjar.on("span_ended", nil, function(s)
              local step = pairs(s.attributes)
              for _, other in ipairs { nightjar.null, s, nightjar.counter("c"), {}, "x", print } do
                local ok, message = pcall(step, other)
                assert(not ok and message:find("attributes expected"))
              end
              nightjar.log.info("through")
            end)
            """
        )
        fixture.end(fixture.builder.span(attributes: [("k", .int(1))]))
        #expect(fixture.fault == nil)
        #expect(fixture.receiver.logs.map(\.message) == ["through"])
    }

    @Test func `the message of a refused label shows the label and no more`() throws {
        let fixture = try Fixture(
            """
            nightjar.on("span_ended", nil, function(s) nightjar.log.info(("#"):rep(64)) end)
            nightjar.scorer("kind", { on = "span_ended", categories = { "a" } }, function(s) s:addScore { label = "12345678" } end)
            nightjar.scorer("kind2", { on = "span_ended", categories = { "a" } }, function(s) s:addScore { label = "1234567" } end)
            """
        )
        for _ in 0..<2 { fixture.end(fixture.builder.span()) }
        let messages = fixture.lines.all.map(\.message)
        #expect(messages.contains { $0.contains("label '12345678' is none") })
        #expect(messages.contains { $0.contains("label '1234567' is none") })
    }

    @Test func `a long text may be loaded under an empty name`() {
        #expect(
            loadFault("local f, e = load(('x = 1 '):rep(7000), '') assert(not f and e:find('^: source of'))")
                == nil
        )
    }

    @Test func `an error without a message has one`() {
        #expect(loadFault("error('', 0)") == "(error without a message)")
    }

    @Test func `the place of a rule cannot forge log lines`() throws {
        let fixture = try Fixture(
            """
            load("nightjar.on('span_ended', nil, function() error('no') end)", "=a\\27[31m\\nb")()
            """
        )
        for _ in 0..<60 { fixture.end(fixture.builder.span()) }
        #expect(fixture.lines.all.contains { $0.message.contains("left out for 1 s") })
        #expect(fixture.lines.all.compactMap { unprintable($0.message) } == [])
    }

    @Test func `a setting that is asked for by an object tells no address`() {
        let fault = loadFault("local x = nightjar.settings[{}]")
        #expect(fault == "rule.lua:1: settings are named by text, not by a table")
    }

    @Test func `texts of more than half the limit are formatted and read`() {
        let script = """
            local text = ("x"):rep(700000)
            assert(#string.format(text) == 700000)
            assert(#nightjar.json.decode('"' .. text .. '\\\\n"') == 700001)
            """
        #expect(loadFault(script) == nil)
    }

    @Test func `print takes as many values as there is room for`() {
        let script = """
            assert(not pcall(print, string.byte(("x"):rep(150000), 1, -1)))
            """
        #expect(loadFault(script)?.contains("out of memory") == true)
    }

    @Test func `searching a long text for a long text takes no time`() throws {
        var reader = SpanContentReader()
        reader.fixedInput = .string(String(repeating: "a", count: 500_000))
        let fixture = try Fixture(
            """
            local wanted = ("a"):rep(30000) .. "b"
            nightjar.on("span_ended", { input_text = { contains = wanted } }, print)
            nightjar.on("span_ended", nil, function(s) nightjar.counter("seen"):add(1) end)
            """,
            reader: reader
        )
        let seconds = BusyClock.thread.measure { fixture.end(fixture.builder.span()) }
        #expect(fixture.receiver.total("seen") == 1)
        #expect(seconds < 1)
    }

    @Test func `a condition of many slow patterns does not hold up an event`() throws {
        var reader = SpanContentReader()
        reader.fixedInput = .string(String(repeating: "a", count: 2000))
        let fixture = try Fixture(
            """
            local many = {}
            for i = 1, 1000 do many[i] = { pattern = "a-a-a-b" .. i } end
            nightjar.on("span_ended", { input_text = many }, print)
            nightjar.on("span_ended", nil, function(s) s:trace():find_spans { input_text = many } end)
            nightjar.on("span_ended", nil, function(s) nightjar.counter("seen"):add(1) end)
            """,
            reader: reader
        )
        let span = fixture.builder.span()
        let trace = TraceView(id: TraceID(high: 1, low: 2), spans: [span], revision: 1)
        let seconds = BusyClock.thread.measure { fixture.end(span, in: trace) }
        #expect(fixture.receiver.total("seen") == 1, "\(fixture.fault ?? "")")
        #expect(seconds < 1)
    }

    @Test func `a match is of a size that can be evaluated, and a wrong key of any size is refused at once`()
    {
        let script = """
            local many, long = {}, ("k"):rep(60000)
            for i = 1, 20000 do many[i] = "n" .. i end
            local on, scorer = nightjar.on, nightjar.scorer
            local ok, message = pcall(on, "span_ended", { name = many }, print)
            assert(not ok and message:find("at most 65536"))
            ok, message = pcall(scorer, "s", { on = "span_ended", match = { name = many } }, print)
            assert(not ok and message:find("at most 65536"))
            ok, message = pcall(on, "span_ended", { [long] = 1 }, print)
            assert(not ok and message:find("unknown match key"))
            """
        #expect(loadFault(script) == nil)
    }

    @Test func `emissions of an event have a size together, and it is given back`() throws {
        let fixture = try Fixture(
            """
            local text = ("x"):rep(60000)
            nightjar.on("span_ended", { name = "much" }, function(s) for i = 1, 500 do nightjar.log.info(text) end end)
            nightjar.on("span_ended", { name = "less" }, function(s) for i = 1, 100 do nightjar.log.info(text) end end)
            """
        )
        fixture.end(fixture.builder.span("much"))
        #expect(fixture.fault?.contains("out of memory") == true)
        fixture.receiver.clear()
        for _ in 0..<3 { fixture.end(fixture.builder.span("less")) }
        #expect(fixture.receiver.logs.count == 300)
    }
}
