test("calls, errors and slow calls are counted by tool", function(t)
  t.emit { type = "tool_call", tool = "search", duration_ms = 20 }
  t.emit { type = "tool_call", tool = "search", duration_ms = 5001 }
  t.emit { type = "mcp_tool_call", tool = "search", duration_ms = 30, error = { message = "no", id = "Refused" } }
  t.expect.metric("tool_health_calls_total", 3, { tool = "search" })
  t.expect.metric("tool_health_errors_total", 1, { tool = "search" })
  t.expect.metric("tool_health_slow_total", 1, { tool = "search" })
  t.expect.no_errors()
end)

test("a tool that never failed has an error count of 0", function(t)
  t.emit { type = "tool_call", tool = "clock" }
  t.expect.metric("tool_health_errors_total", 0, { tool = "clock" })
  t.expect.metric("tool_health_slow_total", 0, { tool = "clock" })
end)

test("what is slow is a setting", { settings = { slow_ms = 50 } }, function(t)
  t.emit { type = "tool_call", tool = "search", duration_ms = 50 }
  t.emit { type = "tool_call", tool = "search", duration_ms = 51 }
  t.expect.metric("tool_health_slow_total", 1, { tool = "search" })
end)

test("a call that does not name its tool is counted as unknown", function(t)
  t.emit { type = "tool_call" }
  t.emit { type = "agent_run", agent = "support", duration_ms = 60000 }
  t.expect.metric("tool_health_calls_total", 1, { tool = "unknown" })
  t.expect.metric("tool_health_calls_total", 1)
  t.expect.no_errors()
end)
