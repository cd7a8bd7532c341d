-- A run that calls a tool with each of the inputs.
local function run(t, tool, inputs)
  local spans = { { id = "a1", type = "agent_run", agent = "support" } }
  for _, input in ipairs(inputs) do
    spans[#spans + 1] = { parent_span_id = "a1", type = "tool_call", tool = tool, agent = "support", input = input }
  end
  t.run(spans)
end

local same = { query = "weather" }

test("the same call four times is a loop, and the reason names the tool", function(t)
  run(t, "search", { same, same, same, same })
  t.expect.score("tool_loop", { equals = 1, reason = "search was called 4 times" })
  t.expect.metric("tool_loops_total", 1, { tool = "search", agent = "support" })
  t.expect.no_errors()
end)

test("two equal calls of three are a third of a loop", function(t)
  run(t, "search", { same, { query = "news" }, same })
  t.expect.score("tool_loop", { above = 0.33, below = 0.34 })
  t.expect.no_metric("tool_loops_total")
end)

test("different arguments are no loop, and the reason tells no arguments", function(t)
  run(t, "search", { { query = "a" }, { query = "b" }, { query = "c" }, { query = "d" } })
  t.expect.score("tool_loop", { equals = 0, reason = "no call was repeated" })
  t.expect.no_metric("tool_loops_total")
end)

test("two agents that make the same call once are no loop", function(t)
  t.run {
    { id = "a1", type = "workflow_run", workflow = "report" },
    { parent_span_id = "a1", type = "tool_call", tool = "search", agent = "writer", input = same },
    { parent_span_id = "a1", type = "tool_call", tool = "search", agent = "editor", input = same },
  }
  t.expect.score("tool_loop", 0)
end)

test("how many repeats are a loop, and which tools may, are settings", {
  settings = { repeats = 2, ignored_tools = { "poll" } },
}, function(t)
  run(t, "poll", { same, same, same })
  t.expect.no_score("tool_loop")
  run(t, "search", { same, same })
  t.expect.score("tool_loop", 1)
end)

test("calls without recorded arguments are not judged", function(t)
  t.run {
    { id = "a1", type = "agent_run" },
    { parent_span_id = "a1", type = "tool_call", tool = "search" },
    { parent_span_id = "a1", type = "tool_call", tool = "search" },
  }
  t.run { { type = "agent_run", agent = "support" } }
  t.expect.no_score("tool_loop")
  t.expect.no_errors()
end)
