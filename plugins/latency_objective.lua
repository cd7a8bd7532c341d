-- A service level for agents: `objective` of all runs end without an error within `target_ms`.
-- Adds the counters latency_objective_good_total and latency_objective_runs_total {agent} and the gauge
-- latency_objective_burn_rate {agent, window}: at 1 the error budget is used up exactly, at 10 ten times as fast.
nightjar.plugin {
  name = "Latency objective",
  version = "1.0.0",
  description = "Latency objective of agents with burn rates over 5 minutes and 1 hour",
  scope = "global",   -- the windows are of all traces
  settings = {
    agent = "",   -- the only agent that is measured; empty for each one
    target_ms = 10000,
    objective = 0.99,
    max_agents = 50,
  },
}

local settings = nightjar.settings
local error_budget = math.max(1 - settings.objective, 1e-6)

local good_runs = nightjar.counter("latency_objective_good_total", {
  help = "Agent runs that ended well within the target", labels = { "agent" }, cardinality_limit = 100,
})
local all_runs = nightjar.counter("latency_objective_runs_total", {
  help = "Agent runs that the objective is about", labels = { "agent" }, cardinality_limit = 100,
})
local burn_rate = nightjar.gauge("latency_objective_burn_rate", {
  help = "Share of bad runs over the share that the objective allows",
  labels = { "agent", "window" },
  cardinality_limit = 200,
})

-- agent → its windows of 0 (good) and 1 (bad); those beyond `max_agents` share one.
local windows, known = {}, 0

local function windows_of(agent)
  if windows[agent] then return agent, windows[agent] end
  if known >= settings.max_agents then agent = "other" end
  if not windows[agent] then
    windows[agent] = { ["5m"] = nightjar.window(300), ["1h"] = nightjar.window(3600) }
    known = known + 1
  end
  return agent, windows[agent]
end

local function report(agent, both)
  for name, window in pairs(both) do
    burn_rate:set((window:mean() or 0) / error_budget, { agent = agent, window = name })
  end
end

local measured = { type = "agent_run", agent = settings.agent ~= "" and settings.agent or nil }

nightjar.on("span_ended", measured, function(span)
  local duration = span.duration_ms
  if not duration then return end
  local agent, both = windows_of(span.agent or "unknown")
  local good = span.status ~= "error" and duration <= settings.target_ms
  all_runs:add(1, { agent = agent })
  good_runs:add(good and 1 or 0, { agent = agent })
  for _, window in pairs(both) do window:add(good and 0 or 1) end
  report(agent, both)
end)

-- Bad runs leave the windows though nothing new comes.
nightjar.every(10, function()
  for agent, both in pairs(windows) do report(agent, both) end
end)
