-- Calls of the basic functions, of utf8 and math, and of `load`.
local random = require("differential.random")
local below, one, chance = random.below, random.one, random.chance
local text, place, usually, integer = random.text, random.place, random.usually, random.integer

local generators = {}
local function add(weight, generator)
  for _ = 1, weight do generators[#generators + 1] = generator end
end

local function pair(...) return select("#", ...), ... end

add(4, function()
  if chance(2) then return "tonumber", tonumber, one(random.numerals) end
  return "tonumber", tonumber, one({ "10", "zz", "-ff", " 7f ", "1g", "", "7fffffffffffffff", "ffffffffffffffff1",
    "-0", "1.0", 12, "8" }), usually(random.between(1, 38))
end)
add(1, function() return "tonumber any", tonumber, random.any() end)
add(1, function() return "tonumber none", tonumber end)
add(4, function() return "tostring", tostring, random.number() end)
add(1, function() return "tostring text", tostring, one({ true, false, text(), nil }) end)
add(1, function() return "tostring none", tostring end)

-- No state tells where it keeps its memory, so an address is cut off where there is one.
local function text_of(value)
  local made = tostring(value)
  local at = made:find(": ", 1, true)
  return at and made:sub(1, at - 1) or made
end
local function answering(answer) return setmetatable({}, { __tostring = function() return answer end,
  __name = "Kind" }) end
add(3, function()
  local kind = below(4)
  if kind == 0 then return "tostring object", tostring, answering(usually(text())) end
  if kind == 1 then return "tostring reference", text_of, setmetatable({},
    { __name = one({ "Kind", 7, true, false }) }) end
  if kind == 2 then return "tostring failing", tostring, setmetatable({},
    { __tostring = function() error("refused", 0) end }) end
  return "tostring reference", text_of, one({ {}, print, coroutine.create(print), text_of })
end)
add(2, function() return "select", pair, select(one({ 1, 2, 3, -1, -2, "#", 4 }), random.any(), random.any(),
  random.any()) end)
add(2, function() return "select any", select, one({ "#", -5, 0, 1, 1.5, "2", "x", math.maxinteger,
  math.mininteger }), random.any(), random.any() end)
add(1, function() return "rawequal", rawequal, one({ 1, 1.0, "1", random.any() }), one({ 1, "1", random.any() }) end)
add(1, function() return "rawlen", rawlen, random.any() end)
add(1, function() return "rawget", rawget, usually({ 1, 2, x = 3 }), one({ 1, "x", 2.0, 3 }) end)
add(1, function() return "rawset", rawset, usually({ 1, 2, x = 3 }), one({ 1, "x", 2.0, 3, 0 / 0 }), random.any() end)
add(1, function() return "next", next, usually({ 1, "x" }), one({ 1, 2, "y", 3 }) end)
add(1, function() return "assert", assert, random.any(), one({ "text", 5, false }) end)
add(1, function() return "error", error, random.any(), one({ 0, 1, 2, 3 }) end)
add(1, function() return "type", type, random.any() end)

add(2, function() return "utf8.char", utf8.char, one({ 65, 228, 0x20AC, 0x10FFFF, 0x7FFFFFFF, -1, integer() }),
  integer() end)
add(2, function()
  local coded = one({ "äö€", "a\u{10FFFF}b", "\xff", "a\x80", "\u{7FFFFFFF}", text() })
  local name = one({ "len", "codepoint", "offset" })
  return "utf8." .. name, utf8[name], usually(coded), place(), place()
end)
local function codes(coded)
  local out = {}
  for at, code in utf8.codes(coded) do out[#out + 1] = at .. "=" .. code end
  return table.unpack(out)
end
add(1, function() return "utf8.codes", codes, one({ "äö€", "a\x80", "", "\u{D7FF}x", text() }) end)
local unary = { "abs", "ceil", "floor", "sqrt", "tointeger", "type", "modf", "exp", "sin" }
add(2, function()
  local name = one(unary)
  return "math." .. name, math[name], usually(random.number())
end)
add(2, function()
  local name = one({ "fmod", "max", "min", "ult", "log" })
  return "math." .. name, math[name], usually(random.number()), usually(random.number())
end)

-- Source texts, whole and broken, with what they are loaded with.
local sources = {
  "return 1, 'two', {}", "return ...", "x = 1 return x", "return x", "local a <const> = 1; a = 2",
  "error('raised', 0)", "error('raised')", "error({})",
  "return 'unfinished", "goto nowhere", "::a:: ::a::", "break", "for i = 1 do end", "return }", "",
  "\n\n return nil + 1", "local t = nil; t.x = 1",
  "return function() return x end", "-- only words", "return [[\nlong]]", "return '\\q'", "return 0x",
  "local function f(n) return n and f(n - 1) end",
  "return string.rep()", "return ('x'):rep()", "#!shell\nreturn 1", "return 3 // 0", "return 3 % 0", "return 1 < 'x'",
  "return #5",
  "return 2^53 | 0, 1 << 64, 7 // -2, -7 % 3, 7.5 // 0, 'a' .. 1.0", "return 1.5 | 0",
  "return '10' + 5, '0x10' * '2', 10 .. 20", "return 'a' + 1", "return {} .. 'x'",
}
local function run_loaded(...)
  _ENV.x = nil  -- what an earlier text has set
  local chunk, fault = load(...)
  if not chunk then return "refused", fault end
  return "loaded", pcall(chunk, 7, "eight")
end
-- Gives a source in pieces; what it makes of them may not be text.
local function reader(source, ending)
  local at = 0
  return function()
    at = at + 5
    if at - 5 >= #source then return ending end
    return source:sub(at - 4, at)
  end
end
local odd_readers = {
  function() return function() error("refused by the reader", 0) end end,
  function() return function() error({ "refused" }) end end,
  function() return function() return {} end end,
  function() return function() return true end end,
  function() return function() return false end end,
  function() return function() return coroutine.yield() end end,
  function()
    local numbers = { "return ", 1, 2, " + ", 0.5 }
    local at = 0
    return function()
      at = at + 1
      return numbers[at]
    end
  end,
  function() return function() end end,
  function()
    local called = 0
    return function()
      called = called + 1
      return called == 1 and "return 1" or called == 2 and "" or error("asked after the end", 0)
    end
  end,
}
local function environment() return one({ { x = "outside" }, {}, "text", 5, false }) end
add(3, function()
  local source = one(sources)
  local kind = below(6)
  if kind == 0 then return "load", run_loaded, source, "=case" end
  if kind == 1 then return "load", run_loaded, source, "@case.lua",
    one({ "t", "bt", "b", "", "x", "tb", 5, false }) end
  if kind == 2 then return "load", run_loaded, source, "=case", "t", environment() end
  if kind == 3 then return "load reader", run_loaded, reader(source, one({ "", false, nil }) or nil), "=case" end
  if kind == 4 then return "load reader", run_loaded, one(odd_readers)(), "=case", "t", environment() end
  return "load any", run_loaded, random.any(), one({ "=case", "@case", 5, "a line\nand more", "text" }),
    one({ "t", nil, "bt" })
end)
add(1, function() return "load none", run_loaded end)
add(1, function() return "load nil environment", run_loaded, one({ "return x", "return _ENV", "return 5" }), "=case",
  "t", nil end)

return generators
