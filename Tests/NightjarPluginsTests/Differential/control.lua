-- Random programs of protected calls, coroutines and metatables: each keeps a record of what it sees.
local random = require("differential.random")
local below, one, chance = random.below, random.one, random.chance

local create, resume, wrap, yield, status = coroutine.create, coroutine.resume, coroutine.wrap, coroutine.yield,
  coroutine.status
local running, isyieldable, close = coroutine.running, coroutine.isyieldable, coroutine.close
local unpack = table.unpack

local record, steps
local function note(...)
  local count = select("#", ...)
  record[#record + 1] = count
  for i = 1, count do
    local value = select(i, ...)
    record[#record + 1] = type(value) == "thread" and status(value) or value == nil and "nil" or value
  end
end

local raised = { "text", 5, true, { code = 1 }, "a\nb", 2.5 }
local function throw()
  local kind = below(5)
  if kind == 0 then error() end
  if kind == 1 then error(one(raised), one({ 0, 1, 2 })) end
  if kind == 2 then local missing = nil; return missing.field end
  if kind == 3 then return 1 + {} end
  error(one(raised))
end

local body

local handlers = {
  function(problem) note("handler", problem) return problem end,
  function() return "handled", "and dropped" end,
  function() end,
  function(problem) return type(problem) end,
  function() yield("from a handler") end,
  type, error,
}

local function protected(depth)
  local kind = below(8)
  if kind == 0 then note("pcall", pcall(one({ throw, 5, "x", {}, error, resume, string.rep }),
    random.integer())) return end
  if kind == 1 then note("xpcall", xpcall(throw, one({ "x", {}, 5, false }))) return end
  if kind < 5 then note("pcall", pcall(body, depth + 1)) return end
  note("xpcall", xpcall(body, one(handlers), depth + 1))
end

local function drive(co, depth)
  for _ = 1, below(4) + 1 do
    note("resume", resume(co, random.integer(), one(raised)))
    note(status(co))
    if chance(6) then note("close", pcall(close, co)) end
  end
  if depth < 2 and chance(3) then note("isyieldable", isyieldable(co)) end
end

local function inner()
  local co = running()
  note("resume self", resume(co))
  note("close self", pcall(close, co))
end

local callbacks = {
  function() return ("abc"):gsub(".", function() return (yield("gsub")) end) end,
  function()
    local items = { 3, 1, 2 }
    table.sort(items, function(left, right) yield("sort") return left < right end)
    return items
  end,
  function() return load("return nothing +", "=case") end,
  function() return setmetatable({}, { __index = function(_, key) return (yield(key)) end }).key end,
  function() return setmetatable({}, { __add = function(_, right) return (yield(right)) end }) + 1 end,
  function() for key, value in wrap(function() yield(1, 2) yield(3) end) do note(key, value) end end,
  function() return select(2, pcall(pcall, error, "twice")) end,
  function() return tostring(setmetatable({}, { __tostring = function() return yield("tostring") end })) end,
}

local actions = {
  function(depth) protected(depth) end,
  function(depth) protected(depth) end,
  function(depth) drive(create(function(...) note("begun", ...) return body(depth + 1) end), depth) end,
  function(depth)
    local call = wrap(function(...) note("begun", ...) return body(depth + 1) end)
    for _ = 1, below(3) + 1 do note("wrapped", pcall(call, random.integer())) end
    if chance(8) then call() end
  end,
  function() note("yielded", yield(random.integer(), one(raised))) end,
  function() note("yielded", yield()) end,
  function() note("yielded", pcall(yield, "inside")) end,
  function() throw() end,
  inner,
  function()
    local co, is_main = running()
    note(status(co), is_main, isyieldable())
  end,
  function() note("callback", pcall(one(callbacks))) end,
  function() note("callback", one(callbacks)()) end,
  function() note("wrong", pcall(one({ create, wrap, resume, status, close, xpcall, pcall, isyieldable }),
    random.any())) end,
  function() note("none", pcall(one({ create, wrap, resume, status, close, xpcall, pcall, running }))) end,
}

function body(depth)
  for _ = 1, below(4) do
    steps = steps + 1
    if steps > 40 then return "enough" end
    if depth < 4 then one(actions)(depth) end
  end
  if chance(3) then return random.integer(), one(raised) end
end

local function program()
  record, steps = {}, 0
  note("ended", pcall(body, 0))
  local kept = record
  return kept
end

-- ---- metatables

local function answer(name)
  return function(...)
    local out = name
    for i = 1, select("#", ...) do
      local value = select(i, ...)
      if type(value) == "table" then value = rawget(value, "name") or "table" end
      out = out .. "," .. tostring(value)
    end
    return out
  end
end
local fields = {
  "__add", "__sub", "__mul", "__div", "__mod", "__pow", "__unm", "__idiv", "__band", "__bor", "__bxor", "__shl",
  "__shr", "__bnot", "__concat",
  "__len", "__eq", "__lt", "__le", "__index", "__newindex", "__call", "__tostring", "__pairs", "__metatable",
  "__name", "custom",
}
local operations = {
  function(l, r) return l + r end, function(l, r) return l - r end, function(l, r) return l * r end,
  function(l, r) return l / r end,
  function(l, r) return l % r end, function(l, r) return l ^ r end, function(l) return -l end,
  function(l, r) return l // r end,
  function(l, r) return l & r end, function(l, r) return l | r end, function(l, r) return l ~ r end,
  function(l, r) return l << r end,
  function(l, r) return l >> r end, function(l) return ~l end, function(l, r) return l .. r end,
  function(l) return #l end,
  function(l, r) return l == r end, function(l, r) return l < r end, function(l, r) return l <= r end,
  function(l) return l.missing end,
  function(l) l.fresh = 1 return rawget(l, "fresh") end, function(l, r) return l(r, 1) end,
  function(l) return tostring(l):match("^[^:]*") end,
  function(l) return type(pairs(l)) end, function(l) return type(l) ~= "string" and getmetatable(l) end,
  function(l, r) return setmetatable(l, nil) == r end, function(l) return l[1] end,
  function(l) return rawlen(l), rawequal(l, l), type(next(l)) end, function(l) l[1] = 5 return rawget(l, 1) end,
}

local function meta()
  local out = {}
  for _ = 1, below(6) + 2 do
    local name = one(fields)
    if name == "__index" and chance(2) then
      out[name] = { missing = "inherited" }
    elseif name == "__newindex" and chance(2) then
      out[name] = {}
    elseif name == "__metatable" then
      if chance(4) then out[name] = "protected" end
    elseif name == "__name" then
      out[name] = "Kind"
    elseif chance(12) then
      out[name] = random.any()
    else
      out[name] = answer(name)
    end
  end
  return out
end

-- One table with metafields, or two, under every operation.
local function objects()
  local out, shared = {}, meta()
  local left = setmetatable({ name = "left" }, shared)
  local right = one({ 5, "text", 2.5, 0, { name = "plain" }, setmetatable({ name = "same" }, shared),
    setmetatable({ name = "other" }, meta()) })
  out[1] = getmetatable(left) == shared
  for _ = 1, 6 do
    local operation = one(operations)
    local same = chance(3)
    local first = same and left or chance(2) and left or right
    local second = first == left and right or left
    out[#out + 1] = { pcall(operation, first, second) }
  end
  return out
end
local function set(...) return type(setmetatable(...)) end
local function get(...) return getmetatable(...) end
local protected_table = setmetatable({}, { __metatable = "locked" })

local generators = {}
local function add(weight, generator)
  for _ = 1, weight do generators[#generators + 1] = generator end
end
add(12, function() return "program", program end)
add(6, function() return "objects", objects end)
add(1, function() return "setmetatable", set, one({ {}, 5, protected_table, random.any() }),
  one({ {}, 5, "x", random.any() }) end)
add(1, function() return "setmetatable", set, one({ {}, 5, {} }), nil end)
add(1, function() return "setmetatable one", set, one({ {}, protected_table, 5 }) end)
add(1, function() return "getmetatable", get, one({ {}, protected_table, 5, print, true }) end)
add(1, function() return "getmetatable none", get end)
add(1, function()
  return "pcall", pcall, one({ select, rawlen, 5, "x", assert }), random.any(), random.any()
end)
return generators
