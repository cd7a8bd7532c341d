-- Which tools are ill: calls, failures and slow calls of each tool, ready to be divided.
-- Adds the counters tool_health_calls_total, tool_health_errors_total and tool_health_slow_total {tool}; an error rate
-- is rate(tool_health_errors_total[5m]) / rate(tool_health_calls_total[5m]).
nightjar.plugin {
  name = "Tool health",
  version = "1.0.0",
  description = "Calls, errors and slow calls of each tool",
  settings = { slow_ms = 5000 },
}

local slow_ms = nightjar.settings.slow_ms

local function counter(name, help)
  return nightjar.counter(name, { help = help, labels = { "tool" }, cardinality_limit = 500 })
end

local calls = counter("tool_health_calls_total", "Tool calls that ended")
local errors = counter("tool_health_errors_total", "Tool calls that failed")
local slow = counter("tool_health_slow_total", "Tool calls that took longer than the setting slow_ms")

nightjar.on("span_ended", { type = { "tool_call", "mcp_tool_call" } }, function(span)
  local labels = { tool = span.tool or "unknown" }
  local failed = span.status == "error" and 1 or 0
  local was_slow = (span.duration_ms or 0) > slow_ms and 1 or 0
  -- Adding 0 makes the series known, so that the rate of a tool that never failed is 0 and not absent.
  calls:add(1, labels)
  errors:add(failed, labels)
  slow:add(was_slow, labels)
end)
