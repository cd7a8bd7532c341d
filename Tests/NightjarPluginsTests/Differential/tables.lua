-- Calls of the table library. A table that is changed is looked at after the call, too.
local random = require("differential.random")
local below, one, chance = random.below, random.one, random.chance
local text, place, usually, integer = random.text, random.place, random.usually, random.integer

local generators = {}
local function add(weight, generator)
  for _ = 1, weight do generators[#generators + 1] = generator end
end

-- Classes whose objects keep their own items are no trouble to the bounded functions.
local class = { kind = "list" }
class.__index = class
local plain = { __name = "list", __tostring = function() return "list" end, __lt = function() return true end }

local function list(make, most)
  local out = {}
  for i = 1, below(most or 9) do out[i] = make() end
  if chance(12) then out[0] = make() end
  if chance(12) then out.key = make() end
  local meta = below(20)
  if meta == 0 then setmetatable(out, class) elseif meta == 1 then setmetatable(out, plain) end
  return out
end

local function scrap()
  if chance(2) then return below(100) end
  return text()
end

add(6, function()
  if chance(2) then return "insert", table.insert, usually(list(scrap)), usually(scrap()) end
  if chance(12) then return "insert", table.insert, list(scrap), place(), scrap(), scrap() end
  return "insert", table.insert, usually(list(scrap)), place(), usually(scrap())
end)
add(6, function()
  if chance(3) then return "remove", table.remove, usually(list(scrap)) end
  return "remove", table.remove, usually(list(scrap, 5)), place()
end)
-- The stock function reads what has an `__index`, as texts have.
local function a_table(items)
  local value = usually(items)
  return type(value) ~= "string" and value or nil
end
local function move_within(items, ...) return table.move(items, ...) end
local function move_onto_itself(items, first, last, to) return table.move(items, first, last, to, items) end
-- No large ones: the stock functions walk as far as they are told.
local function near()
  if chance(16) then return one({ 2.0, "3", 1.5, "x", false, {} }) end
  return random.between(-2, 8)
end
add(6, function()
  local kind = below(6)
  if kind == 0 then return "move", table.move, a_table(list(scrap)), one({ math.mininteger, -1, 0 }), math.maxinteger,
    near() end
  if kind == 1 then return "move", table.move, list(scrap), one({ 1, 2 }), near(),
    one({ math.maxinteger, math.maxinteger - 1, math.mininteger }) end
  if kind == 2 then return "move onto itself", move_onto_itself, list(scrap), near(), near(), near() end
  if kind == 3 then return "move", table.move, a_table(list(scrap)), near(), near(), near(), usually(list(scrap)) end
  return "move within", move_within, list(scrap), near(), near(), near()
end)
local function scraps_and_holes() return chance(15) and random.any() or scrap() end
add(10, function()
  local kind = below(4)
  local items = usually(list(chance(4) and scraps_and_holes or chance(3) and random.number or scrap))
  if kind == 0 then return "concat", table.concat, items end
  if kind == 1 then return "concat", table.concat, items, usually(text()) end
  return "concat", table.concat, items, usually(text()), place(), place()
end)
add(3, function() return "pack", table.pack, random.any(), random.any(), random.any() end)
add(1, function() return "pack none", table.pack end)
add(6, function()
  local kind = below(4)
  if kind == 0 then return "unpack", table.unpack, list(random.any) end
  if kind == 1 then return "unpack", table.unpack, setmetatable(list(scrap),
    { __index = function(_, key) return key end }), near(), near() end
  if kind == 2 then return "unpack", table.unpack, list(scrap), one({ math.mininteger, 1, -2, 0 }),
    one({ math.maxinteger, math.mininteger, 1 << 40 }) end
  return "unpack", table.unpack, list(scrap), near(), near()
end)

-- Orders. Equal elements may come out in any order, so those that are compared by a part of them are made distinct.
local function descending(left, right) return left > right end
local function by_key(left, right) return left.key < right.key end
local function by_length(left, right)
  if #left ~= #right then return #left < #right end
  return left < right
end
local function refusing() error("refused by the comparator", 0) end
local function yielding() return coroutine.yield() end
local comparable = setmetatable({}, { __call = function() return false end })

local function distinct_records()
  local out, key = {}, 0
  for i = 1, below(30) do
    key = key + 1 + below(5)
    local at = below(i) + 1
    out[i] = out[at]
    out[at] = { key = key, name = text() }
  end
  return out
end

-- Every element once more makes a list in which many are equal.
local function few() return below(4) end
add(12, function()
  local kind = below(10)
  if kind < 3 then return "sort", table.sort, list(one({ text, few, integer, random.integer }), 40) end
  if kind == 3 then return "sort", table.sort, list(function() return (random.number() + 0.0) end, 1), nil end
  if kind == 4 then return "sort descending", table.sort, list(one({ few, integer }), 40), descending end
  if kind == 5 then return "sort by key", table.sort, distinct_records(), by_key end
  if kind == 6 then return "sort by length", table.sort, list(text, 20), by_length end
  if kind == 7 then return "sort refusing", table.sort, list(few, 6), one({ refusing, yielding, by_key }) end
  if kind == 8 then return "sort", table.sort, usually(list(few, 4)), one({ 42, "x", true, comparable, {} }) end
  return "sort", table.sort, random.any(), random.any()
end)
local function objects()
  local meta = { __lt = function(left, right) return left.key < right.key end }
  local out = distinct_records()
  for i = 1, #out do setmetatable(out[i], meta) end
  return out
end
add(2, function() return "sort objects", table.sort, objects() end)
local function mixed() return one({ 1, "a", true, 2.5 }) end
-- Which two are compared first is the order's own affair.
local function sort_mixed(items)
  local ok, problem = pcall(table.sort, items)
  return ok, problem and problem:match("^attempt to compare")
end
add(1, function()
  local items = list(mixed, 5)
  return "sort mixed", function() return sort_mixed(items) end
end)

return generators
