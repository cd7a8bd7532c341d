-- Which tools fail, for whom, and with what error.
local failures = nightjar.counter("tool_failures_total", {
  help = "Tool calls that failed, by tool, agent and type of error",
  labels = { "tool", "agent", "error_type" },
  cardinality_limit = 500,
})

nightjar.on("span_ended", { type = { "tool_call", "mcp_tool_call" }, status = "error" }, function(span)
  failures:add(1, { tool = span.tool, agent = span.agent, error_type = span.error.id })
end)
