-- Random patterns: all items of the language, and a few that are malformed.
local random = require("differential.random")
local below, one = random.below, random.one

local singles = {
  "a", "b", "c", "x", "1", " ", "=", ",", "\0", "\200", ".", ".", ".", "%a", "%d", "%s", "%w", "%l", "%u", "%p", "%c",
  "%g", "%x", "%A", "%D",
  "%S", "%W", "%L", "%U", "%P", "%C", "%G", "%X", "%.", "%%", "%(", "%)", "%[", "%]", "%-", "%q", "%^", "^", "$", "-",
  "+", "]",
}
local sets = {
  "[abc]", "[^a]", "[%a_]", "[a-c]", "[]]", "[^]]", "[a-]", "[-a]", "[%-x]", "[%w%s]", "[a-%%]", "[b-a]", "[\0-\31]",
  "[^%s]", "[^\0]",
  "[%]]", "[]a-]", "[^^]", "[$^]", "[(-)]", "[%d.]", "[^%d%p]", "[.]", "[*+?]", "[A-Z]", "[\128-\255]", "[a-b-c]",
  "[%a-z]", "[^-]", "[[]",
}
local suffixes = { "*", "+", "-", "?" }
local others = {
  "%b()", "%b[]", "%bxx", "%bab", "%f[%w]", "%f[%W]", "%f[^%s]", "%f[\0]", "%f[a-z]", "%f[%z]", "()", "%1", "%2",
  "(%1)", "(a)%1", "(.)%1", "()%1",
}
local malformed = {
  "[a", "%", "(", ")", "%f", "%fa", "%b", "%bx", "[%", "[^", "[]", "[^]", "%0", "%9", "[a-", "(()", "())", "(a", "a)",
  "%f[", "%f[a", "[%a", "%b(",
}

-- The quantified items left for this pattern: each multiplies the work.
local budget

local function item()
  local kind = below(40)
  if kind == 0 then return one(malformed) end
  if kind < 5 then return one(others) end
  local single = kind < 14 and one(sets) or one(singles)
  if budget > 0 and below(5) < 2 then
    budget = budget - 1
    return single .. one(suffixes)
  end
  return single
end

local function sequence(depth)
  local out = ""
  for _ = 1, below(3) + 1 do
    if depth < 2 and below(5) == 0 then
      out = out .. "(" .. sequence(depth + 1) .. ")"
    else
      out = out .. item()
    end
  end
  return out
end

local common = {
  "", "^", "$", "^$", "%s+", "%d+", "(%w+)", "(%w+)%s*=%s*(%w+)", "^%s*(.-)%s*$", "[^,]*", "%a+", "(%d+)-(%d+)-(%d+)",
  "()", "().()", ".-", ".*",
  ".", "%%", "(a*(.)%w(%s*))", "b*", "a-", "^a*", "%f[%a]%a+", "%b()", "a?b?", "((a)(b))", "(.)(.)(.)", "[%w_]+",
  "(%a)%a*", "x*", "%S+", ",",
}

return function()
  local kind = below(10)
  if kind < 2 then return one(common) end
  if kind == 2 then return random.text() end
  budget = 3
  local out = sequence(0)
  if below(8) == 0 then out = "^" .. out end
  if below(8) == 0 then out = out .. "$" end
  return out
end
