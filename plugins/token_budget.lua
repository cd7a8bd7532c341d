-- Users who spend more tokens than a budget within a rolling window (userId in the metadata of the span or a parent).
-- Adds the gauge token_budget_users_over, the counter token_budget_exceeded_total of times that a user went over, and
-- one warning in the log for each user and window.
nightjar.plugin {
  name = "Token budget",
  version = "1.0.0",
  description = "Watches the tokens of each user over a rolling window",
  scope = "global",   -- a user's traces are on every worker
  settings = { tokens = 200000, seconds = 3600, max_users = 5000 },
}

local budget, seconds = nightjar.settings.tokens, nightjar.settings.seconds

local users_over = nightjar.gauge("token_budget_users_over", {
  help = "Users whose tokens of the window are over the budget",
  labels = {},
})
local exceeded = nightjar.counter("token_budget_exceeded_total", {
  help = "Times that a user went over the token budget",
  labels = {},
})

local windows = nightjar.lru(nightjar.settings.max_users)   -- user → tokens of the window
local warned = nightjar.lru(nightjar.settings.max_users)    -- user → time of the last warning
local over = {}                                             -- users over the budget, kept short by report()

local function user_of(span)
  while span do
    local user = span.metadata.userId
    if user then return tostring(user) end
    span = span:parent()
  end
end

local function window_of(user)
  local window = windows:get(user)
  if not window then
    window = nightjar.window(seconds)
    windows:set(user, window)
  end
  return window
end

local function warn_once(user, spent)
  local now, last = nightjar.now(), warned:get(user)
  if last and now - last < seconds then return end
  warned:set(user, now)
  nightjar.log.warn("a user is over the token budget", {
    user = user, tokens = spent, budget = budget, seconds = seconds,
  })
end

-- Lets go of users whose window has emptied, or who were forgotten for newer ones.
local function report()
  local count = 0
  for user in pairs(over) do
    local window = windows:get(user)
    if window and window:sum() > budget then count = count + 1 else over[user] = nil end
  end
  users_over:set(count)
end

nightjar.on("span_ended", { type = "model_generation" }, function(span)
  local usage = span.usage
  local spent = usage and (usage.input_tokens or 0) + (usage.output_tokens or 0) or 0
  local user = spent > 0 and user_of(span)
  if not user then return end
  local window = window_of(user)
  window:add(spent)
  if window:sum() <= budget then return end
  warn_once(user, window:sum())
  if over[user] then return end
  over[user] = true
  exceeded:add(1)
  report()
end)

nightjar.every(10, report)
