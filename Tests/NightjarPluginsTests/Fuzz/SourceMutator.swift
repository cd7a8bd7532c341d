import Foundation
import NightjarTesting

/// Makes sources out of the hostile collection and plugins like a user's: mostly still Lua, and in many ways not.
struct SourceMutator {
    private let corpus: [[UInt8]]
    private let tokens: [[UInt8]]

    init() {
        let hostile = HostileScript.all.map { $0.isRaw ? $0.bytes : Array(hostilePrelude.utf8) + $0.bytes }
        corpus = hostile + HostileScript.all.map(\.bytes) + Self.plugins.map { Array($0.utf8) }
        tokens = Self.words.split(separator: " ").map { Array($0.utf8) } + Self.odd
    }

    /// The next source.
    func source(using random: inout SeededGenerator) -> [UInt8] {
        var text =
            switch random.below(12) {
            case 0: bytes(random.below(3000), using: &random)
            case 1: nest(using: &random)
            case 2: huge(using: &random)
            // The plugins more often than their number: they load, and mostly still do.
            case 3...6: Array(random.pick(Self.plugins).utf8)
            default: random.pick(corpus)
            }
        // Some stay as they are.
        for _ in 0..<random.pick([0, 1, 1, 1, 2, 3, 6]) { change(&text, using: &random) }
        return text
    }

    private func change(_ text: inout [UInt8], using random: inout SeededGenerator) {
        let place = random.below(text.count + 1)
        switch random.below(14) {
        case 0:
            guard place < text.count else { return }
            text[place] ^= 1 << UInt8(random.below(8))
        case 1:
            guard place < text.count else { return }
            text[place] = UInt8(truncatingIfNeeded: random.next())
        case 2: text.removeSubrange(span(in: text, using: &random))
        case 3: text.insert(contentsOf: text[span(in: text, using: &random)], at: place)
        case 4: splice(&text, using: &random)
        case 5: text.removeSubrange(place...)
        case 6: text.insert(contentsOf: damage(using: &random), at: place)
        case 7: text.insert(contentsOf: huge(using: &random), at: tokenStart(in: text, using: &random))
        case 8: text.insert(contentsOf: nest(using: &random), at: tokenStart(in: text, using: &random))
        default: changeToken(of: &text, using: &random)
        }
    }

    /// A stretch of the text, mostly short.
    private func span(in text: [UInt8], using random: inout SeededGenerator) -> Range<Int> {
        let start = random.below(text.count + 1)
        let length = random.oneIn(4) ? random.below(4000) : random.below(40)
        return start..<min(start + length, text.count)
    }

    /// The head of this and the tail of another.
    private func splice(_ text: inout [UInt8], using random: inout SeededGenerator) {
        let other = random.pick(corpus)
        text.removeSubrange(tokenStart(in: text, using: &random)...)
        text += other[tokenStart(in: other, using: &random)...]
    }

    // MARK: Tokens

    /// Words, numbers, runs of blanks, and every other byte for itself: near enough to what Lua's lexer sees.
    private func tokenRanges(of text: [UInt8]) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start = 0
        for place in text.indices.dropFirst()
        where !isWord(text[place]) || !isWord(text[place - 1]) {
            ranges.append(start..<place)
            start = place
        }
        if start < text.count { ranges.append(start..<text.count) }
        return ranges
    }

    private func isWord(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || (48..<58).contains(byte) || (65..<91).contains(byte)
            || (97..<123).contains(byte)
    }

    private func tokenStart(in text: [UInt8], using random: inout SeededGenerator) -> Int {
        var place = random.below(text.count + 1)
        while place > 0, place < text.count, isWord(text[place]), isWord(text[place - 1]) { place -= 1 }
        return place
    }

    private func changeToken(of text: inout [UInt8], using random: inout SeededGenerator) {
        let ranges = tokenRanges(of: text).filter { text[$0.lowerBound] > 32 }
        guard !ranges.isEmpty else { return }
        let place = random.pick(ranges)
        switch random.below(4) {
        case 0: text.removeSubrange(place)
        case 1: text.replaceSubrange(place, with: random.pick(tokens))
        case 2: text.insert(contentsOf: [32] + random.pick(tokens) + [32], at: place.lowerBound)
        default: text.replaceSubrange(place, with: Array(text[random.pick(ranges)]))
        }
    }

    // MARK: What is made anew

    private func bytes(_ count: Int, using random: inout SeededGenerator) -> [UInt8] {
        let isText = random.oneIn(2)
        return (0..<count).map { _ in
            let byte = UInt8(truncatingIfNeeded: random.next())
            return isText ? 32 + byte % 95 : byte
        }
    }

    /// One construct within itself, with or without its ends.
    private func nest(using random: inout SeededGenerator) -> [UInt8] {
        let (open, middle, close) = random.pick(Self.nests)
        let count = random.pick([5, 60, 190, 201, 260, 1000, 4000, 12_000])
        let closings = random.oneIn(3) ? random.below(count) : count
        // Of what is far too long, only the size is refused.
        let most = 40_000 / max(open.utf8.count + close.utf8.count, 1)
        var text = random.oneIn(2) ? "local x = " : ""
        text += String(repeating: open, count: min(count, most)) + middle
        text += String(repeating: close, count: min(closings, most))
        return Array(text.utf8)
    }

    /// One literal, list or chain of great length.
    private func huge(using random: inout SeededGenerator) -> [UInt8] {
        let (head, part, tail) = random.pick(Self.chains)
        let count = random.pick([3, 50, 200, 256, 1000, 8000])
        var text = head
        for number in 0..<count where text.utf8.count < 36_000 {
            text += part.replacingOccurrences(of: "$", with: String(number))
        }
        return Array((text + tail).utf8)
    }

    /// What is no UTF-8, or no text.
    private func damage(using random: inout SeededGenerator) -> [UInt8] {
        random.pick(Self.odd + [bytes(random.below(12), using: &random)])
    }

    private static let odd: [[UInt8]] = [
        [0], [0xEF, 0xBB, 0xBF], [0xFF, 0xFE], [0xFE, 0xFF], [0x1B, 0x4C, 0x75, 0x61, 0x54], [0xC0, 0x80],
        [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x80, 0xAE], [0xC3], [0x80, 0x80, 0x80], [0x0D],
        [0x1B, 0x5B, 0x33, 0x31, 0x6D], [0xE2, 0x80, 0xA8], Array("#!".utf8), Array("\r\n#".utf8),
    ]

    private static let nests: [(String, String, String)] = [
        ("(", "1", ")"), ("{", "", "}"), ("do ", "", " end"), ("function() return ", "1", " end"),
        ("if x then ", "", " end"), ("while false do ", "", " end"), ("[", "", "]"), ("{[", "1", "]=1}"),
        ("-", "1", ""), ("not ", "x", ""), ("- -", "1", ""), ("~", "1", ""), ("#", "x", ""), ("a.", "b", ""),
        ("a[", "1", "]"), ("f(", "", ")"), ("1 .. ", "1", ""), ("2 ^ ", "1", ""), ("x = ", "1", ""),
        ("for i=1,1 do ", "", " end"), ("repeat ", "", " until true "), ("[[", "", "]]"), ("--[[", "", "]]"),
        ("(function(...) local a = ... ", "", " end)(1)"), ("load[[", "", "]]"), ("x and ", "x", ""),
        ("pcall(", "error", ")"), ("coroutine.wrap(function() ", "", " end)()"), ("{x=", "1", "}"),
        ("local function f() ", "return f", " end "), ("f{", "", "}"), ("f\"\"", ":x()", ""),
    ]

    private static let chains: [(String, String, String)] = [
        ("local x = ", "9", ""), ("local x = 0x", "f", ""), ("local x = 0x.", "f", "p-9999"),
        ("local x = 1e", "9", ""), ("local x = \"", "\\u{7FFFFFFF}", "\""), ("local x = '", "\\x00", "'"),
        ("local x = '", "\\z \n", "'"), ("local x = [", "=", "[ "), ("--[", "=", "[ "),
        ("local x = '", "\\999", "'"), ("", "local v$ = $ ", ""), ("local x = {", "$,", "}"),
        ("local x = {", "k$ = {},", "}"), ("return ", "$ == x and ", "1"), ("", "::l$:: ", "goto l0"),
        ("", "goto l$ ", ""), ("", "if x == $ then elseif ", ""), ("x = ", "a$ .. ", "''"),
        ("local function f(", "a$,", "...) end"), ("f(", "$,", "nil)"), ("", "local x <const> = $ ", ""),
        ("local x = {", "[$.5] = '$',", "}"), ("", "nightjar.counter('m$') ", ""), ("a", ".b$", " = 1"),
        ("nightjar.on('span_ended', {", "name = {'$'},", "}, print)"), ("", "print('$') ", ""),
        ("nightjar.plugin { settings = { ", "s$ = $,", " } }"), ("a", ", a$", " = f()"), ("", "\n", "x ="),
        ("nightjar.labels('m', { allow = { ", "'l$',", " } })"), ("local x <close> = ", "{$},", ""),
    ]

    private static let words = """
        and break do else elseif end false for function goto if in local nil not or repeat return then true until \
        while + - * / // % ^ # & ~ | << >> == ~= <= >= < > = ( ) { } [ ] :: ; : , . .. ... <const> <close> _ENV _G 0 1 -1 \
        0x7fffffffffffffff 0xffffffffffffffff 9223372036854775808 1e308 1e309 0/0 -0.0 3. .5 0x1p-1074 '' "" error('') [[]] \
        '\\0' "\\xff" '\\u{110000}' --[[ ]] [==[ nightjar nightjar.on nightjar.counter nightjar.scorer nightjar.plugin \
        nightjar.labels nightjar.log.info nightjar.json.decode nightjar.json.encode nightjar.null nightjar.settings \
        nightjar.on_unload nightjar.none_of 'span_ended' 'trace_ended' error pcall xpcall load require setmetatable \
        getmetatable coroutine.wrap coroutine.yield coroutine.close string.rep string.format string.gsub string.pack \
        string.unpack table.concat table.unpack table.sort table.move math.huge math.mininteger utf8.char utf8.codes \
        os.date os.time debug.traceback select next pairs ipairs rawset rawlen tostring tonumber print collectgarbage
        """

    /// What users write.
    static let plugins: [String] = [
        """
        local refunds = nightjar.counter("refunds_total", { help = "Refunds", labels = { "currency", "agent" } })
        nightjar.on("span_ended", { type = "tool_call", tool = { prefix = "issue" }, status = "ok" }, function(span)
          refunds:add(1, { currency = span.attributes["refund.currency"], agent = span.agent })
        end)
        nightjar.labels("refunds_total", { allow = { "currency" }, cardinality_limit = 500 })
        """,
        """
        nightjar.scorer("concise", { on = "trace_ended", range = { 0, 1 }, sample = 0.25 }, function(trace)
          local text = trace.root.output_text or ""
          trace.addScore { score = math.min(1, 400 / math.max(1, #text)), reason = #text .. " characters" }
        end)
        """,
        """
        nightjar.plugin { name = "Slow", version = "2", settings = { threshold_ms = 5000, names = { "a", "b" } } }
        local slow = nightjar.histogram("slow_ms", { buckets = { 1, 10, 100 }, unit = "ms" })
        local open <const>, seen = nightjar.gauge("open"), {}
        nightjar.on("span_ended", function(span)
          if (span.duration_ms or 0) > nightjar.settings.threshold_ms then
            slow:record(span.duration_ms, { model = span.model, kind = span.kind })
          end
          seen[#seen + 1] = span.id
          open:set(#seen)
        end)
        nightjar.on_unload(function() nightjar.log.info("seen", { count = #seen }) end)
        """,
        """
        local words = {}
        nightjar.on("span_ended", { ["attributes.user"] = { exists = true }, name = nightjar.none_of("a", "b") }, function(s)
          for word in (s.input_text or ""):gmatch("%w+") do words[word] = (words[word] or 0) + 1 end
          for key, value in pairs(s.attributes) do print(key, value) end
          local trace = s:trace()
          if trace then for _, span in ipairs(trace:find_spans { type = { "tool_call" } }) do print(span.name) end end
          s:addFeedback { feedback_type = "thumbs", value = 1, comment = ("%q"):format(s.name) }
        end)
        """,
        """
        local class = {}
        class.__index = class
        function class.new(limit) return setmetatable({ limit = limit, items = {} }, class) end
        function class:add(item) table.insert(self.items, 1, item) if #self.items > self.limit then table.remove(self.items) end end
        local last = class.new(10)
        local each = coroutine.wrap(function() while true do for _, v in ipairs(last.items) do coroutine.yield(v) end
          coroutine.yield(nil) end end)
        nightjar.on("trace_ended", { root = { type = "agent_run" } }, function(trace)
          last:add(nightjar.json.encode(trace.root:copy()))
          goto done
          ::done::
          nightjar.log.warn(string.format("%5.1f %s %d", trace.duration_ms or 0, each() or "-", #trace.spans))
        end, { again = true })
        """,
        "local part = require('fuzz.part')\nlocal x <close> = nil\nreturn part.double(2) // 1 | 3 ~ 5 >> 1",
        "local t = { 1, 2.5, 'x', [10] = 0x10, a = { b = 1e3 } } for k, v in pairs(t) do t[k] = nil end return #t",
        "local ok, e = pcall(error, { code = 1 }) assert(not ok and e.code == 1) local s = ('x'):rep(100, ',') return s:len()",
        "local f = load('return ... + 1', 'chunk', 't', {}) print(f(1), select('#', table.unpack({}, 1, 3)))",
    ]
}
