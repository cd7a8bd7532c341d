import CNightjarLua
import NightjarTesting

/// Writes Lua programs that use all of the host's API in every way, most of them wrong. What there is to call is asked of the
/// host: of its tables of fields here, and of `nightjar` and the globals inside the state, so what is new is called too.
struct ApiProgram {
    private var random: SeededGenerator
    private var text: String
    private var room = 27_000

    /// The program of a seed.
    static func text(using random: SeededGenerator) -> String {
        var program = ApiProgram(random: random)
        program.write()
        return program.text
    }

    private init(random: SeededGenerator) {
        self.random = random
        var fields: Set<String> = []
        for object in 0..<Int32(NJ_OBJECT_COUNT.rawValue) {
            for field in 0..<nj_object_field_count(object) {
                guard let name = nj_object_field(object, field)?.pointee.name else { continue }
                fields.insert(String(cString: name))
            }
        }
        let names = fields.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
        text = "local names = { \(names) }\n" + Self.prelude
    }

    private static let prelude = """
        local pcall, select, type, next, pairs, words, sort = pcall, select, type, next, pairs, string.gmatch, table.sort
        local create, resume, yield, repeated, protect = coroutine.create, coroutine.resume, coroutine.yield, string.rep, setmetatable
        local known, api, lib = {}, {}, {}
        -- What calls gave, by its kind: the last few of each.
        local pools = { userdata = { nightjar.null }, ["function"] = { print }, table = { nightjar }, thread = { create(print) } }
        local kept = { userdata = 0, ["function"] = 0, table = 0, thread = 0 }
        for _, name in next, names do known[name] = true end
        -- All functions of a table and its tables, by name: the order of pairs is another in each state.
        local function gather(into, path, t, seen)
          seen[t] = true
          for key, value in pairs(t) do
            if type(value) == "function" then into[#into + 1] = { path .. "." .. key, value } end
            if type(value) == "table" and type(key) == "string" and not seen[value] then gather(into, path .. "." .. key, value, seen) end
          end
        end
        gather(api, "nightjar", nightjar, {})
        gather(lib, "", _G, { [nightjar] = true })
        sort(api, function(a, b) return a[1] < b[1] end)
        sort(lib, function(a, b) return a[1] < b[1] end)
        local function call(n) return api[n % #api + 1][2] end
        local function lua(n) return lib[n % #lib + 1][2] end
        local function name(n) return names[n % #names + 1] end
        local function at(kind, n) return pools[kind][n % #pools[kind] + 1] end
        local function user(n) return at("userdata", n) end
        local function fn(n) return at("function", n) end
        local function tab(n) return at("table", n) end
        local function co(n) return at("thread", n) end
        -- Keeps what can be used later, over the end of the event too; the first of each kind stays.
        local function keep(...)
          for i = 1, select("#", ...) do
            local value = select(i, ...)
            local kind = type(value)
            if pools[kind] then
              pools[kind][kept[kind] % 23 + 2] = value
              kept[kind] = kept[kind] + 1
            end
          end
        end
        -- A message that suggests a name teaches it.
        local function learn(done, ...)
          if done then return keep(...) end
          local message = ...
          if type(message) ~= "string" or #message > 500 then return end
          for word in words(message, "'([%a_][%w_]*)'") do
            if not known[word] and #names < 300 then
              known[word] = true
              names[#names + 1] = word
            end
          end
        end
        local function try(f, ...) learn(pcall(f, ...)) end
        local function walk(value)
          local step, state, first = pairs(value)
          keep(step, state)
          for key, item in step, state, first do keep(key, item) end
        end
        local function inside(body)
          local other = create(body)
          keep(other)
          learn(resume(other, user(3)))
        end
        -- Everything that an object has.
        local function fill(value)
          local known = #names
          for i = 1, known do learn(pcall(function() return value[names[i]] end)) end
        end
        local function rep(text, size) return repeated(text, size // #text) end
        local function nested(depth, key) local t = {} for _ = 1, depth do t = { [key or 1] = t } end return t end
        local function cycle() local t = {} t.t = t t[1] = t return t end
        local function wide(count) local t = {} for i = 1, count do t["k" .. i] = i end return t end
        local function long(count) local t = {} for i = 1, count do t[i] = i end return t end
        local function meta(key, value) return protect({ 1 }, { [key] = value }) end

        """

    private mutating func write() {
        for _ in 0..<random.below(12) { line("try(function(...) \(action(0)) end)") }
        if random.oneIn(2) { line("nightjar.plugin { scope = \"global\", settings = { n = 1 } }") }
        line("try(nightjar.process, \"span\", \(body(6))) try(nightjar.process, \"log\", \(body(4)))")
        line("try(nightjar.sampler, \(body(4))) try(nightjar.every, 1, \(body(4)))")
        for event in ["log", "metric", "score", "feedback", "drop", "span_started"] {
            line("try(nightjar.on, \"\(event)\", \(body(4)))")
        }
        for event in ["span_ended", "trace_ended"] {
            for _ in 0..<random.below(3) + 1 {
                let options = random.pick(["{ duplicates = true, again = true }", "nil", expression(2)])
                // A match that means nothing must not keep the rule from being there.
                let match = random.oneIn(3) ? self.match() : "nil"
                line("try(nightjar.on, \"\(event)\", \(match), \(body(8)), \(options))")
            }
            if random.oneIn(2) {
                let options = random.oneIn(3) ? "range = { 0, 1 }" : "categories = { \"a\", \"b\" }"
                line("try(nightjar.scorer, \(string()), { on = \"\(event)\", \(options) }, \(body(6)))")
            }
        }
        // Whatever takes functions gets some, in each of the usual places.
        for _ in 0..<random.below(8) {
            let first = random.pick(["\(string()), ", "\(number()), ", "\(string()), \(expression(1)), ", ""])
            line("try(call(\(random.below(1000))), \(first)\(body(3)))")
        }
        if random.oneIn(2) { line("nightjar.on_unload(\(body(4)))") }
    }

    private mutating func line(_ code: String) {
        guard code.utf8.count < room else { return }
        room -= code.utf8.count + 1
        text += code + "\n"
    }

    // MARK: Statements

    private mutating func body(_ most: Int, depth: Int = 0) -> String {
        let actions = (0..<1 + random.below(most)).map { _ in "  " + action(depth) + "\n" }
        let start = depth == 0 && random.oneIn(2) ? "fill((...))" : "keep(...)"
        return "function(...)\n  \(start)\n\(actions.joined())end"
    }

    private mutating func action(_ depth: Int) -> String {
        switch random.below(depth > 2 ? 14 : 22) {
        case 0, 1: return "try(call(\(random.below(1000)))\(arguments(after: true)))"
        case 2: return "try(lua(\(random.below(1000)))\(arguments(after: true)))"
        case 3, 4:
            let first = random.oneIn(4) ? "nightjar.null" : object()
            return "try(fn(\(random.below(24))), \(first)\(arguments(after: true)))"
        case 5: return "try(function() keep(\(object())[\(key())]) end)"
        case 6, 7: return method()
        case 8: return "try(function() \(object())[\(expression(1))] = \(expression(1)) end)"
        case 9: return "try(function() keep(\(operation())) end)"
        case 10: return "try(\(random.pick(["walk", "ipairs", "next", "pairs", "fill"])), \(object()))"
        case 11, 12, 13: return wellFormed()
        case 14: return "inside(\(body(3, depth: depth + 1)))"
        case 15: return "inside(function(...) keep(yield(\(object()))) \(action(depth + 1)) end)"
        case 16: return "try(resume, \(object())\(arguments(after: true)))"
        case 17:
            return
                "try(xpcall, \(body(2, depth: depth + 1)), function(e) \(action(depth + 1)) return e end, \(object()))"
        case 18:
            let callback = "function(a, b) \(action(depth + 1)) return \(expression(2)) end"
            return random.oneIn(2)
                ? "try(table.sort, { 3, 1, 2, 5 }, \(callback))"
                : "try(string.gsub, \"abc\", \".\", \(callback))"
        case 19:
            let event = random.pick([
                "__index", "__tostring", "__len", "__pairs", "__call", "__eq", "__concat",
            ])
            return "keep(meta(\"\(event)\", \(body(2, depth: depth + 1))))"
        case 20: return loaded()
        // Unprotected: the rest of the call is left out if it fails.
        default: return "call(\(random.below(1000)))(\(arguments(after: false)))"
        }
    }

    /// A call through an object, with the right self, the wrong one or none.
    private mutating func method() -> String {
        let (owner, key) = (object(), key())
        switch random.below(4) {
        case 0: return "try(function() keep(\(owner)[\(key)](\(arguments(after: false)))) end)"
        case 1: return "try(function() keep(\(owner)[\(key)](\(object())\(arguments(after: true)))) end)"
        default:
            return "try(function() local o = \(owner) keep(o[\(key)](o\(arguments(after: true)))) end)"
        }
    }

    /// A call that the API means, with values that it may not.
    private mutating func wellFormed() -> String {
        let (metric, verb) = random.pick([("counter", "add"), ("gauge", "set"), ("histogram", "record")])
        switch random.below(10) {
        case 0, 1:
            let labels =
                random.oneIn(2) ? "{ a = \(expression(1)), [\(key())] = \(expression(2)) }" : expression(1)
            return "try(function() nightjar.\(metric)(\(string()))"
                + ":\(verb)(\(random.oneIn(3) ? expression(2) : number()), \(labels)) end)"
        case 2, 3:
            let verb = random.pick(["addScore", "addFeedback"])
            let joint = random.pick([".", ":"])
            return "try(function() local o = \(object()) o\(joint)\(verb)(\(annotation())) end)"
        case 4: return "try(nightjar.\(random.pick(["score", "feedback"])), \(annotation()))"
        case 5:
            return "try(nightjar.log.\(random.pick(["info", "error"])), \(expression(1)), \(expression(1)))"
        case 6: return "try(function() keep(\(object()):find_spans(\(match()))) end)"
        case 7:
            return "try(function() keep(nightjar.json.decode(nightjar.json.encode(\(expression(0))))) end)"
        case 8:
            let module = random.oneIn(2) ? "\"fuzz.part\"" : string()
            return "try(require, \(module)\(arguments(after: true)))"
        default:
            return "try(function() local o = \(object()) o:trace() walk(o:copy()) walk(o.attributes) end)"
        }
    }

    private mutating func annotation() -> String {
        var fields = ["scorer_name = \(string())", "score = \(number())"]
        if random.oneIn(2) { fields = ["feedback_type = \(string())", "value = \(number())"] }
        if random.oneIn(3) { fields.append("metadata = \(expression(1))") }
        if random.oneIn(3) { fields.append("trace_id = \(string())") }
        if random.oneIn(4) { fields.append("span = \(object())") }
        if random.oneIn(2) {
            let more = [
                "label", "reason", "error", "comment", "session_id", "id", "span_id", "experiment", "user_id",
            ]
            fields.append("\(random.pick(more)) = \(expression(1))")
        }
        if random.oneIn(6) { fields.remove(at: random.below(fields.count)) }
        return "{ " + fields.joined(separator: ", ") + " }"
    }

    private mutating func match() -> String {
        let keys = [
            "name", "type", "status", "[\"attributes.k\"]", "root", "any", "usage", "input_text",
            "[\(key())]", "tags",
        ]
        let tests = (0..<1 + random.below(3)).map { _ -> String in
            let test = random.pick([
                "{ pattern = \(string()) }", "{ contains = \(string()), ignore_case = true }",
                "{ ge = \(number()) }",
                "{ exists = true }", "nightjar.none_of(\(string()), \(expression(2)))", string(),
                expression(1),
                "{ name = { prefix = \(string()) } }",
            ])
            return "\(random.pick(keys)) = \(test)"
        }
        let table = "{ " + tests.joined(separator: ", ") + " }"
        return random.oneIn(4) ? "{ \(table), \(expression(1)) }" : table
    }

    /// A text that is loaded under a name of the script's choice, and declares and fails there.
    private mutating func loaded() -> String {
        let code = random.pick([
            "nightjar.on('span_ended', nil, function(s) error(s) end)",
            "nightjar.counter('c' .. ...):add(0/0)",
            "local f = ... return f.x", "return function() nightjar.log.info(...) error('x') end", "x = = 1",
        ])
        let source = random.oneIn(6) ? "rep(\"x = 1 \", \(random.pick([5000, 7000])))" : "\"\(code)\""
        return "try(function(...) keep(load(\(source), \(string()))(...)) end\(arguments(after: true)))"
    }

    private mutating func operation() -> String {
        let (left, right) = (object(), random.oneIn(2) ? object() : expression(1))
        return random.pick([
            "\(left) == \(right)", "\(left) < \(right)", "\(left) .. \(right)", "\(left) + \(right)",
            "#\(left)",
            "-\(left)", "\(left)(\(right))", "\(left) // \(right)", "~\(left)", "tostring(\(left))",
            "\(left).x.y",
            "rawequal(\(left), \(right))", "string.format(\"%s %q\", \(left), \(right))", "rawlen(\(left))",
        ])
    }

    // MARK: Expressions

    private mutating func arguments(after: Bool) -> String {
        var list = (0..<random.pick([0, 1, 1, 2, 2, 3, 5])).map { _ in expression(1) }
        if random.oneIn(40) {
            list.append(
                random.pick([
                    "string.byte(rep(\"x\", 150000), 1, -1)", "table.unpack(long(7000))", "co(1), nil, nil",
                ])
            )
        }
        return (after && !list.isEmpty ? ", " : "") + list.joined(separator: ", ")
    }

    private mutating func object() -> String {
        random.pick(["user", "user", "user", "fn", "tab", "tab", "co"]) + "(\(random.below(24)))"
    }

    private mutating func key() -> String { random.oneIn(8) ? expression(2) : "name(\(random.below(1000)))" }

    private mutating func expression(_ depth: Int) -> String {
        switch random.below(depth > 2 ? 8 : 14) {
        case 0:
            return random.pick(["nil", "true", "false", "nightjar.null", "nightjar", "_G", "print"])
        case 1: return number()
        case 2, 3: return string()
        case 4, 5: return object()
        case 6: return random.oneIn(2) ? "call(\(random.below(1000)))" : "lua(\(random.below(1000)))"
        case 7:
            return random.pick([
                "nested(5)", "nested(63)", "nested(64)", "nested(300, \"a\")", "cycle()", "wide(5)",
                "wide(65)",
                "wide(3000)", "long(300)", "long(20000)", "create(print)", "{}", "{ nil, nil, 3 }",
            ])
        case 8: return "{ \(expression(depth + 1)), \(expression(depth + 1)) }"
        case 9, 10:
            return
                "{ [\(key())] = \(expression(depth + 1)), \(random.pick(["x", "name", "on", "a"])) = \(expression(depth + 1)) }"
        case 11:
            return
                "meta(\"\(random.pick(["__index", "__name", "__tostring", "__len", "__pairs"]))\", \(expression(depth + 1)))"
        case 12: return "function(...) keep(...) return \(expression(depth + 1)) end"
        default:
            return "coroutine.wrap(function(...) keep(yield(...)) error(\(expression(depth + 1)), 0) end)"
        }
    }

    private mutating func number() -> String {
        random.pick([
            "0", "1", "-1", "0.5", "2", "100", "1e308", "-1e308", "1/0", "-1/0", "0/0", "-0.0", "5e-324",
            "1 << 53",
            "math.maxinteger", "math.mininteger", "2^63", "255", "65536", "0.1",
        ])
    }

    private mutating func string() -> String {
        if random.oneIn(4) { return "name(\(random.below(1000)))" }
        if random.oneIn(12) {
            let part = random.pick(["x", "\\0", "\\xff", "[", "{\\\"a\\\":", "\\\"", "%", "a.", "é"])
            return "rep(\"\(part)\", \(random.pick([41, 300, 5000, 70_000, 500_000, 1_048_576])))"
        }
        return random.pick([
            "\"\"", "\"a\"", "\"m\"", "\"b\"", "\"\\0\"", "\"a\\0b\"", "\"\\xff\\xfe\"",
            "\"\\xed\\xa0\\x80\"", "\"é😀\"", "\"%\"",
            "\"%s%n%999d\"", "\"[a-\"", "\"(()\"", "\"%bx\"", "\"[%a-z]*-\"", "\"span_ended\"",
            "\"trace_ended\"", "\"tool_call\"",
            "\"ok\"", "\"0000000000000001\"", "\"00000000000000010000000000000002\"", "\"zz\"", "\"{}\"",
            "\"[1,2\"",
            "\"{\\\"a\\\":[1,{\\\"b\\\":null}]}\"", "\"1e999\"", "\"a b\"", "\"\\27[31mred\"", "\"=\\n\\27\"",
            "\"@\\u{202E}x\"", "\"__index\"",
            "\"attributes.k\"", "\"span\"", "\"log\"", "\"metric\"", "\"count\"", "\"fuzz.part\"",
            "\"prices.json\"", "\"*\"", "\"*t\"",
        ])
    }
}
