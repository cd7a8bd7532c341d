test("failures are counted by span type and error id", function(t)
  t.emit { type = "tool_call", tool = "search", error = { message = "took too long", id = "TimeoutError" } }
  t.emit { type = "tool_call", tool = "fetch", error = { message = "took too long", id = "TimeoutError" } }
  t.emit { type = "model_generation", model = "gpt-4o", error = { message = "slow down", id = "RateLimitError" } }
  t.expect.metric("errors_by_type_total", 2, { span_type = "tool_call", error_type = "TimeoutError" })
  t.expect.metric("errors_by_type_total", 1, { span_type = "model_generation", error_type = "RateLimitError" })
  t.expect.no_errors()
end)

test("what went well is not counted", function(t)
  t.emit { type = "tool_call", tool = "search" }
  t.emit { type = "agent_run", agent = "support" }
  t.expect.no_metric("errors_by_type_total")
end)

test("a failure without an error id is of an unknown type", function(t)
  t.emit { type = "workflow_step", name = "charge", status = "error" }
  t.expect.metric("errors_by_type_total", 1, { span_type = "workflow_step", error_type = "unknown" })
  t.expect.no_errors()
end)

test("a failure counts for each span that it fails", function(t)
  local fault = { message = "no results", id = "ToolError" }
  t.run {
    { id = "a1", type = "agent_run", agent = "support", error = fault },
    { parent_span_id = "a1", type = "tool_call", tool = "search", error = fault },
  }
  t.expect.metric("errors_by_type_total", 2, { error_type = "ToolError" })
  t.expect.metric("errors_by_type_total", 1, { span_type = "agent_run" })
end)
