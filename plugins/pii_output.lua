-- Personal data in what models write: e-mail and IPv4 addresses, phone, IBAN, card and US social security numbers.
-- Adds the score pii_output of each generation (1: some was found; the reason names kinds and counts) and the counter
-- pii_output_total {kind, agent}. What was found is never repeated: not in labels, not in reasons, not in logs.
nightjar.plugin {
  name = "PII in outputs",
  version = "1.0.0",
  description = "Finds personal data in outputs, by kind",
  settings = {
    span_types = { "model_generation" },   -- "tool_call" and "agent_run" have outputs too
    max_bytes = 32768,                     -- what lies beyond is not looked at
  },
}

local max_bytes = nightjar.settings.max_bytes

local found_total = nightjar.counter("pii_output_total", {
  help = "Pieces of personal data in outputs, by kind and agent",
  labels = { "kind", "agent" },
  cardinality_limit = 500,
})

local iban_lengths = {
  AT = 20, BE = 16, BG = 22, CH = 21, CY = 28, CZ = 24, DE = 22, DK = 18, EE = 20, ES = 24, FI = 18, FR = 27, GB = 22,
  GR = 27, HR = 21, HU = 28, IE = 22, IS = 26, IT = 27, LI = 21, LT = 20, LU = 20, LV = 21, MT = 31, NL = 18, NO = 15,
  PL = 28, PT = 25, RO = 24, SE = 24, SI = 19, SK = 24,
}

-- The remainder by 97 of the number that an IBAN spells, first four characters last, letters from A = 10.
local function iban_holds(compact)
  local rest = 0
  for character in (compact:sub(5) .. compact:sub(1, 4)):gmatch(".") do
    local value = tonumber(character, 36)
    rest = (rest * (value > 9 and 100 or 10) + value) % 97
  end
  return rest == 1
end

local function luhn_holds(digits)
  local sum, twice = 0, false
  for i = #digits, 1, -1 do
    local digit = digits:byte(i) - 48
    if twice then digit = digit * 2 > 9 and digit * 2 - 9 or digit * 2 end
    sum, twice = sum + digit, not twice
  end
  return sum % 10 == 0
end

-- Each takes what its pattern caught and says whether it is a hit; a text: a hit, and this is what goes on behind it.
local function is_email(domain)
  return domain:find("%w%.%a%a+[.-]*$") ~= nil   -- package@2.0.0-beta is none
end

local function is_iban(run)
  local length = iban_lengths[run:sub(1, 2)]
  local compact = run:gsub(" ", "")
  if not length or #compact < length or not iban_holds(compact:sub(1, length)) then return false end
  local seen = 0
  for place in run:gmatch("()%w") do
    seen = seen + 1
    if seen == length then return run:sub(place + 1) end
  end
end

local function is_card(run) return luhn_holds((run:gsub("%D", ""))) end

local function is_ssn(area, group, serial)
  return area ~= "000" and area ~= "666" and area < "900" and group ~= "00" and serial ~= "0000"
end

local function is_address(...)
  for _, part in ipairs { ... } do
    if tonumber(part) > 255 or part:find("^0%d") then return false end
  end
  return ... ~= "0" and ... ~= "127"   -- neither "any" nor this machine
end

local function is_phone(run)
  local digits = select(2, run:gsub("%d", ""))
  return digits >= 8 and not run:find(("%d"):rep(16))
end

-- In this order; a hit is taken out of the text, so that no part of it is found as something else. Each pattern starts
-- at the border of a run of its characters, which keeps the work in proportion to the text.
local detectors = {
  { kind = "email", pattern = "%f[%w._%%+-][%w._%%+-]+@([%w.-]+)", holds = is_email },
  { kind = "iban", pattern = "%f[%w]%u%u%d%d[%u%d ]*", holds = is_iban },
  { kind = "card", pattern = "%f[%w.-][2-6]%d%d%d[ -]?%d%d%d%d[ -]?%d%d%d%d[ -]?%d%d%d%d%f[^%w-]", holds = is_card },
  { kind = "card", pattern = "%f[%w.-]3[47]%d%d[ -]?%d%d%d%d%d%d[ -]?%d%d%d%d%d%f[^%w-]", holds = is_card },
  { kind = "ssn", pattern = "%f[%w.-](%d%d%d)%-(%d%d)%-(%d%d%d%d)%f[^%w-]", holds = is_ssn },
  { kind = "ipv4", pattern = "%f[%w.-](%d+)%.(%d+)%.(%d+)%.(%d+)%f[^%w-]", holds = is_address },
  { kind = "phone", pattern = "%f[%w+]%+%d[%d ().-]*%d%f[^%w]", holds = is_phone },
  { kind = "phone", pattern = "%f[%w.(-]%(?%d%d%d%)?[ .-]%d%d%d[.-]%d%d%d%d%f[^%w-]" },
}

-- How many of each kind there are, or nil.
local function find_kinds(text)
  if not text:find("[%d@]") then return nil end   -- most texts; each kind has one of them
  local counts
  for _, detector in ipairs(detectors) do
    text = text:gsub(detector.pattern, function(...)
      local hit = not detector.holds or detector.holds(...)
      if not hit then return nil end
      counts = counts or {}
      counts[detector.kind] = (counts[detector.kind] or 0) + 1
      return type(hit) == "string" and " " .. hit or " "
    end)
  end
  return counts
end

nightjar.scorer("pii_output", {
  on = "span_ended",
  match = { type = nightjar.settings.span_types },
  range = { 0, 1 },
}, function(span, trace)
  local text = span.output_text
  if not text then return end
  local counts = find_kinds(text:sub(1, max_bytes))
  if not counts then return trace.addScore { span = span, score = 0, reason = "none found" } end
  local parts = {}
  for kind, count in pairs(counts) do
    found_total:add(count, { kind = kind, agent = span.agent })
    parts[#parts + 1] = kind .. ": " .. count
  end
  table.sort(parts)
  trace.addScore { span = span, score = 1, reason = table.concat(parts, ", ") }
end)
