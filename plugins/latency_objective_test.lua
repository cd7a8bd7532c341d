local function run(t, agent, duration_ms, fault)
  t.emit { type = "agent_run", agent = agent, duration_ms = duration_ms, error = fault }
end

test("runs within the target are good, slow and failed ones are not", function(t)
  run(t, "support", 900)
  run(t, "support", 10000)
  run(t, "support", 10001)
  run(t, "support", 900, { message = "gave up", id = "ToolError" })
  t.expect.metric("latency_objective_runs_total", 4, { agent = "support" })
  t.expect.metric("latency_objective_good_total", 2, { agent = "support" })
  t.expect.no_errors()
end)

test("the burn rate is the share of bad runs over the share allowed", { settings = { objective = 0.9 } }, function(t)
  for _ = 1, 8 do run(t, "support", 900) end
  for _ = 1, 2 do run(t, "support", 20000) end
  t.expect.metric("latency_objective_burn_rate", { above = 1.99, below = 2.01 }, { agent = "support", window = "5m" })
  t.expect.metric("latency_objective_burn_rate", { above = 1.99, below = 2.01 }, { agent = "support", window = "1h" })
end)

test("the short window forgets first", { settings = { objective = 0.9 } }, function(t)
  run(t, "support", 20000)
  t.advance(400)
  t.expect.metric("latency_objective_burn_rate", 0, { window = "5m" })
  t.expect.metric("latency_objective_burn_rate", { above = 9.99, below = 10.01 }, { window = "1h" })
  t.advance(3600)
  t.expect.metric("latency_objective_burn_rate", 0, { window = "1h" })
  t.expect.no_errors()
end)

test("one agent alone can be measured", { settings = { agent = "support", target_ms = 100 } }, function(t)
  run(t, "support", 50)
  run(t, "research", 60000)
  t.expect.metric("latency_objective_runs_total", 1)
  t.expect.metric("latency_objective_good_total", 1, { agent = "support" })
end)

test("agents beyond the limit share one series, and a nameless one is unknown", {
  settings = { max_agents = 2 },
}, function(t)
  t.emit { type = "agent_run" }
  for i = 1, 4 do run(t, "agent-" .. i, 50) end
  t.expect.metric("latency_objective_runs_total", 1, { agent = "unknown" })
  t.expect.metric("latency_objective_runs_total", 1, { agent = "agent-1" })
  t.expect.metric("latency_objective_runs_total", 3, { agent = "other" })
  t.expect.no_errors()
end)
