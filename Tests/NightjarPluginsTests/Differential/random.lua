-- Random choices from a seed: a linear congruential generator, so that both states make the same calls.
local random = {}
local state = 0

function random.seed(number)
  -- Neighbouring numbers must not begin alike.
  state = (number + 1) * 0x9E3779B97F4A7C15
  state = (state ~ (state >> 32)) * 0x2545F4914F6CDD1D
  state = state ~ (state >> 29)
end

-- A whole number from 0 to limit - 1.
local function below(limit)
  state = state * 6364136223846793005 + 1442695040888963407
  return (state >> 33) % limit
end
random.below = below

function random.between(first, last) return first + below(last - first + 1) end

function random.chance(of) return below(of) == 0 end

local function one(list) return list[below(#list) + 1] end
random.one = one

local pieces = {
  "a", "b", "ab", "aab", "abc", "x=1", "key = value", "(a(b)c)", "[t]", "%d", "\0", "\n", "\195\164",
  "THE (quick) fox",
  " ", "  ", "1", "42", "-7", "0x1F", "3.5e2", "a.b-c", "\255", "^", "$", "a%b", "one two", "a,b,,c", "\t", "\127",
  "\"", "\\",
  "aaaa", "bbb", "x", "_", "(", ")", "]", "a\0b", "\r", "2024-01-02", "k1", "k2=v2;",
}
local glyphs = { "a", "b", "c", "x", "1", " ", "(", ")", "%", ".", "\0", "\n", "A", "_", "\200", "-" }

-- A text: mostly short, made of what patterns look for.
local function text()
  local kind, out = below(20), ""
  if kind == 0 then return "" end
  if kind < 12 then
    for _ = 1, below(5) + 1 do out = out .. one(pieces) end
  elseif kind < 18 then
    for _ = 1, below(12) do out = out .. one(glyphs) end
  elseif kind == 18 then
    local piece = one(pieces)
    for _ = 1, below(24) do out = out .. piece end
  else
    -- About as long as the longest item that `format` pads.
    for _ = 1, 95 + below(10) do out = out .. "ab" end
    out = out:sub(1, 95 + below(10))
  end
  return out
end
random.text = text

local integers = {
  math.maxinteger, math.mininteger, math.maxinteger - 1, math.mininteger + 1, 1 << 31, (1 << 31) - 1, -(1 << 31),
  1 << 53,
  (1 << 53) + 1, 255, 256, 65, 0, -1, 1, 100, 1000, 8000,
}
local floats = {
  0.5, 1.0, -0.0, 0.0, 1e15, 1e16, 1e100, 2.0 ^ 53, 2.0 ^ 63, -(2.0 ^ 63), 1 / 0, -1 / 0, 0 / 0, 3.14159, 1e-7,
  123456.789, 5e-324,
  1.7976931348623157e308, 2.0, -3.0, 0.1, 1e300, 2.5, 3.5, 99.95, -1e-5,
}
local numerals = {
  "10", "0x10", "1e1", " 5 ", "5x", "", "1.5", "1.0", "-3", "+3", "0x", "0x1p4", "1e", "9223372036854775807",
  "9223372036854775808",
  "-9223372036854775808", "0xffffffffffffffff", "0x1ffffffffffffffff", "inf", "nan", "1_000", "\n7\t", "7\0", ".5",
  "5.", "0x.8", "1e400",
}
random.numerals = numerals

function random.integer()
  if below(5) > 0 then return random.between(-3, 12) end
  return one(integers)
end

function random.number()
  local kind = below(6)
  if kind < 2 then return random.between(-20, 300) end
  if kind == 2 then return one(integers) end
  if kind == 3 then return (below(2000001) - 1000000) / one({ 8, 1000, 3, 1e-9, 1e30 }) end
  return one(floats)
end

-- A place in a text or a list; out of range now and then.
function random.place()
  local kind = below(10)
  if kind < 8 then return random.between(-6, 8) end
  if kind == 8 then return one(integers) end
  return one({ 2.0, "3", 1.5, -1.0, "x", "-2" })
end

local function nothing() end

-- Any value, of a kind that a function may not expect.
function random.any()
  local kind = below(9)
  if kind == 0 then return nil end
  if kind == 1 then return true end
  if kind == 2 then return false end
  if kind == 3 then return {} end
  if kind == 4 then return nothing end
  if kind == 5 then return random.number() end
  if kind == 6 then return one(numerals) end
  if kind == 7 then return random.integer() end
  return text()
end

-- The value, or now and then any other.
function random.usually(value)
  if below(24) > 0 then return value end
  return random.any()
end

return random
