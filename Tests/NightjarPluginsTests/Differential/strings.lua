-- Calls of the string library.
local random = require("differential.random")
local pattern = require("differential.patterns")
local below, one, chance = random.below, random.one, random.chance
local text, place, usually, integer = random.text, random.place, random.usually, random.integer

local find, match, gmatch, gsub, format = string.find, string.match, string.gmatch, string.gsub, string.format
local sub = string.sub

-- A text that a pattern may find something in.
local function subject(wanted)
  if chance(8) then return wanted end
  if chance(8) then return text() .. wanted .. text() end
  return text()
end

local function wrong() error("refused by the callback", 0) end
local function count_captures(...) return select("#", ...) end
local function keep_going(...) return ... end
local function swap(first, second) return second or first end
local function join(...)
  local out = ""
  for i = 1, select("#", ...) do out = out .. "<" .. tostring((select(i, ...))) .. ">" end
  return out
end
local function yield() coroutine.yield() end
local callbacks = {
  wrong, count_captures, keep_going, swap, join, function() end, function() return false end,
  function() return true end,
  function() return {} end, function() return "" end, function() return 1.5 end,
  function(part) return part .. part end, yield,
  string.upper, string.len, string.byte, string.reverse, string.rep,
}

local templates = {
  "", "x", "%0", "%1", "%2", "%1%2", "<%0>", "%%", "%", "a%", "%x", "[%1]", "%9", "%0%0", "%2%1", "\0", "%%1",
  "long replacement text ", "%3%0", "%\0", "%a",
}
local by_word = setmetatable({},
  { __index = function(_, key) return type(key) == "string" and #key > 1 and key:upper() or nil end })
local failing = setmetatable({}, { __index = function() error("refused by the table", 0) end })
local tables = { {}, { a = "A", b = false, c = 3, x = 1.5 }, { "one", "two", true }, { a = {}, [" "] = "_" }, by_word,
  failing, { [""] = "e", one = "1", ab = true } }

local function replacement()
  local kind = below(10)
  if kind < 4 then return one(templates) end
  if kind < 7 then return one(callbacks) end
  if kind < 9 then return one(tables) end
  return random.any()
end

local function collect(subject_text, wanted, ...)
  local out = {}
  local iterate = gmatch(subject_text, wanted, ...)
  for i = 1, 40 do
    local first, second, third = iterate()
    if first == nil then break end
    out[i] = { first, second, third }
  end
  return out
end

local function methods(name)
  local source = "local keep = ...; return function(s, ...) return keep(s:" .. name .. "(...)) end"
  return load(source, "=method")(keep_going)
end
local by_method = {}
for _, name in ipairs { "find", "match", "gmatch", "gsub", "format", "upper", "lower", "reverse", "byte", "sub",
  "len" } do
  by_method[#by_method + 1] = { name, methods(name) }
end

-- No state tells where it keeps its memory, so an address is cut off where there is one.
local function without_addresses(...)
  local made = format(...)
  return (gsub(made, "(%a): [%w()]+", "%1"))
end

local flags = { "", "", "", "", "-", "+", " ", "#", "0", "-+", "+0", " 0", "#0", "--", "-+ #0", "000" }
local widths = { "", "", "", "1", "5", "10", "20", "99", "100", "05", "123" }
local precisions = { "", "", "", "", ".0", ".", ".3", ".10", ".20", ".99", ".100", ".1.2", ".-1" }
local letters = "ddiuoxXcaAeEfgGsqdfgsqFnlhyzD"

local function spec()
  local at = below(#letters) + 1
  if chance(150) then return "%" end
  return "%" .. one(flags) .. one(widths) .. one(precisions) .. sub(letters, at, at)
end

local named = setmetatable({}, { __tostring = function() return "named\0thing" end })
local badly_named = setmetatable({}, { __tostring = function() return {} end })
local called = setmetatable({}, { __name = "Kind" })

local function format_argument(item)
  local letter = sub(item, -1)
  if chance(12) then
    local value = random.any()
    -- What has an address is for the generator that cuts it off.
    return type(value) ~= "table" and type(value) ~= "function" and value or nil
  end
  if letter == "s" or letter == "q" then
    local kind = below(8)
    if kind == 0 then return random.number() end
    if kind == 1 then return one({ true, false, named, badly_named }) end
    return text()
  end
  if letter == "c" then return below(256) end
  if find("aAeEfgG", letter, 1, true) then return random.number() end
  if chance(6) then return one(random.numerals) end
  return random.chance(3) and random.number() or integer()
end

local generators = {}
local function add(weight, generator)
  for _ = 1, weight do generators[#generators + 1] = generator end
end

add(16, function()
  local wanted = pattern()
  if chance(3) then return "find", find, usually(subject(wanted)), usually(wanted), place() end
  if chance(5) then return "find", find, subject(wanted), wanted, place(), usually(true) end
  return "find", find, usually(subject(wanted)), usually(wanted)
end)
add(14, function()
  local wanted = pattern()
  if chance(3) then return "match", match, usually(subject(wanted)), usually(wanted), place() end
  return "match", match, usually(subject(wanted)), usually(wanted)
end)
add(10, function()
  local wanted = pattern()
  if chance(3) then return "gmatch", collect, usually(subject(wanted)), usually(wanted), place() end
  return "gmatch", collect, usually(subject(wanted)), usually(wanted)
end)
add(22, function()
  local wanted = pattern()
  if chance(4) then return "gsub", gsub, usually(subject(wanted)), usually(wanted), replacement(), place() end
  return "gsub", gsub, usually(subject(wanted)), usually(wanted), replacement()
end)
-- Deep ones: the way back through each optional item is a level of recursion.
add(1, function()
  local depth = random.between(190, 210)
  local wanted, subject_text = ("a?"):rep(depth), ("a"):rep(depth - below(2))
  return "match deep", match, subject_text, wanted
end)
add(1, function()
  local captures = random.between(29, 35)
  return "find captures", find, ("a"):rep(40), ("(a)"):rep(captures) .. (chance(2) and "%1" or "")
end)
add(2, function()
  local wanted, whole = text(), text()
  return "find plain", find, whole .. wanted .. whole, wanted, place(), true
end)
add(14, function()
  local item = spec()
  if chance(6) then return "format", format, item end
  return "format", format, one({ "", "", "a", "%%" }) .. item .. one({ "", "", "b", "%" }), format_argument(item)
end)
add(3, function()
  if chance(2) then return "format literal", format, "%q", one({ true, false, nil, {}, text }) end
  return "format literal", format, "%q|%q", random.number(), one({ random.integer(), text() })
end)
add(1, function() return "format long", format, one({ "%-5s", "%.20s", "%105s", "%99s", "%s" }),
  ("ab"):rep(48 + below(5)) end)
add(6, function()
  local first, second, third = spec(), spec(), spec()
  return "format three", format, first .. text() .. second .. "|" .. third, format_argument(first),
    format_argument(second), format_argument(third)
end)
add(2, function()
  return "format address", without_addresses, "%s|%s.%.3s", one({ {}, print, called, coroutine.create(print), find }),
    random.any(), one({ {}, called, collect })
end)
add(4, function()
  if chance(20) then return "rep", string.rep, "ab", one({ math.maxinteger, 1 << 62, -1, math.mininteger }),
    one({ "", "yy" }) end
  -- Nothing, repeated without end, keeps the stock function busy: no large counts here.
  local count = one({ 0, 1, 2, 3, 5, 9, 17, 40, -2, "3", 2.0, 1.5, "x", false })
  if chance(3) then return "rep", string.rep, usually(text()), count, usually(text()) end
  return "rep", string.rep, usually(text()), count
end)
add(4, function()
  local name = one({ "upper", "lower", "reverse", "len" })
  return name, string[name], usually(chance(9) and random.number() or text())
end)
add(3, function() return "byte", string.byte, usually(text()), place(), place() end)
add(3, function() return "sub", sub, usually(text()), place(), place() end)
add(3, function()
  if chance(4) then return "char", string.char, random.any(), integer() end
  return "char", string.char, below(256), below(258), usually(below(256))
end)
add(1, function() return "char none", string.char end)
add(4, function()
  local method = one(by_method)
  if chance(2) then return method[1] .. " as method", method[2], random.any(), random.any(), random.any() end
  return method[1] .. " as method", method[2], text(), pattern(), random.any()
end)
local layouts = { "i4", "<i2", ">I3", "!4 b i8", "z", "s1", "s4", "d", "f", "n", "j", "T", "x", "xi4", "Xi4", "i17",
  "I0", "=h", "c4", "c", "B", "!3i4", "<!8 bXd d", "s2z", "y" }
add(2, function()
  local layout = one(layouts)
  if chance(4) then return "packsize", string.packsize, layout end
  if chance(2) then return "unpack", string.unpack, layout, text(), place() end
  return "pack", string.pack, usually(layout), random.any(), random.any()
end)

return generators
