-- Makes library calls from a seed, and folds what comes of them into a number for each block of calls. Both states
-- run this text: where their numbers differ, the block is run again for the text of each call.
local random = require("differential.random")

local families = {
  { require("differential.strings"), 10 }, { require("differential.tables"), 4 },
  { require("differential.basics"), 4 }, { require("differential.control"), 2 },
}
local wheel = {}
for _, family in ipairs(families) do
  for _ = 1, family[2] do wheel[#wheel + 1] = family[1] end
end

local integer_type, kind_of, unpack, pack = math.type, type, string.unpack, string.pack
local one = random.one

-- ---- the text of a value, without anything that depends on the state

local text_of

local function sort_keys(keys)
  for i = 2, #keys do
    local key, at = keys[i], i - 1
    while at >= 1 and keys[at] > key do
      keys[at + 1] = keys[at]
      at = at - 1
    end
    keys[at + 1] = key
  end
end

local function text_of_table(value, depth)
  if depth > 4 then return "{...}" end
  local numbers, names, others = {}, {}, 0
  for key in next, value do
    if integer_type(key) == "integer" then
      numbers[#numbers + 1] = key
    elseif kind_of(key) == "string" then
      names[#names + 1] = key
    else
      others = others + 1
    end
  end
  sort_keys(numbers)
  sort_keys(names)
  local out = "{"
  for _, keys in ipairs({ numbers, names }) do
    for _, key in ipairs(keys) do
      out = out .. text_of(key, depth) .. "=" .. text_of(rawget(value, key), depth + 1) .. ";"
    end
  end
  return out .. others .. "}"
end

function text_of(value, depth)
  local kind = integer_type(value) or kind_of(value)
  if kind == "string" then return "'" .. value .. "'" end
  if kind == "integer" then return "" .. value end
  if kind == "float" then
    if value ~= value then return "nan" end
    -- The bytes tell apart what prints alike.
    return value .. "f" .. unpack("<j", pack("<d", value))
  end
  if kind == "nil" then return "nil" end
  if kind == "boolean" then return value and "true" or "false" end
  if kind == "table" then return text_of_table(value, depth) end
  return kind
end

local function texts(...)
  local out = ""
  for i = 1, select("#", ...) do out = out .. " " .. text_of((select(i, ...)), 0) end
  return out
end

-- ---- calls

-- Errors that differ in wording on purpose, as pairs of patterns.
local wordings = {}

-- A function whose caller is no Lua function has a name only where there is a list of loaded modules.
local function without_global_name(name)
  local bare = name:sub(2, -2)
  if bare == "?" or bare:find(".", 1, true) or kind_of(_ENV[bare]) == "function" then return "to '?'" end
end

local function plain(text)
  for place, pair in ipairs(wordings) do
    local word = "(wording " .. place .. ")"
    text = text:gsub(pair[1], word):gsub(pair[2], word)
  end
  return (text:gsub("to ('[%w_.?]+')", without_global_name))
end

local function keep(...) return ... end
-- Not a tail call: the called function has a caller, whom errors name.
local function call(f, ...) return keep(f(...)) end

local function outcome(ok, ...)
  local came = (ok and "=" or "!") .. texts(...)
  -- Errors, and programs that keep some.
  if not ok or (...) == false or kind_of((...)) == "table" then came = plain(came) end
  return came
end

local function perform(f, ...)
  local came = outcome(pcall(call, f, ...))
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if kind_of(value) == "table" then came = came .. " |" .. text_of(value, 0) end
  end
  return came
end

local function noted(name, f, ...)
  local arguments = texts(...)
  return name .. arguments, perform(f, ...)
end
local function silent(_, f, ...) return perform(f, ...) end

local function mix(hash, text)
  text = text .. "\0\0\0\0\0\0\0"
  for at = 1, #text - 7, 8 do
    hash = (hash ~ unpack("<i8", text, at)) * 0x9E3779B97F4A7C15
    hash = hash ~ (hash >> 29)
  end
  return hash
end

local driver = {}

-- Takes two wordings of one error; where one of them is a part of the other, the whole is the second.
function driver.equate(stock, bounded)
  wordings[#wordings + 1] = { bounded:gsub("%W", "%%%0"), stock:gsub("%W", "%%%0") }
end

-- The number that a block of calls folds into.
function driver.hash(block, count)
  local hash = 0
  for i = 1, count do
    -- Anew for each call: one that goes another way must not change those behind it.
    random.seed(block * count + i)
    hash = mix(hash, silent(one(one(wheel))()))
  end
  return ("%016x"):format(hash)
end

local function printable(text)
  return (text:gsub("[^ -~]", function(byte) return ("\\%03d"):format(byte:byte()) end))
end

-- The calls of a block and what came of each, as texts of printable ASCII.
function driver.calls(block, count)
  local out = {}
  for i = 1, count do
    random.seed(block * count + i)
    local made, came = noted(one(one(wheel))())
    out[i] = printable(made .. "  " .. came)
  end
  return out
end

return driver
