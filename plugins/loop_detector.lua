-- Agents that go round in circles: one tool, called with the same arguments again and again.
-- Adds the score tool_loop of the trace (0: no call came twice, 1: one came `repeats` times; the reason names the tool)
-- and the counter tool_loops_total {tool, agent} of traces that reach 1. Calls without recorded arguments are left out.
nightjar.plugin {
  name = "Loop detector",
  version = "1.0.0",
  description = "Finds agents that repeat one tool call with the same arguments",
  settings = {
    repeats = 4,
    ignored_tools = { "sleep", "wait" },   -- these are called again on purpose
  },
}

local repeats = math.max(2, nightjar.settings.repeats)
local ignored = {}
for _, tool in ipairs(nightjar.settings.ignored_tools) do ignored[tool] = true end

local tool_calls = { type = { "tool_call", "mcp_tool_call" } }

local loops = nightjar.counter("tool_loops_total", {
  help = "Traces in which an agent repeated one tool call, by tool and agent",
  labels = { "tool", "agent" },
  cardinality_limit = 500,
})

-- The call that came most often: how often, its tool and its agent.
local function most_repeated(trace)
  local seen, most, tool, agent = {}, 0, nil, nil
  for _, span in ipairs(trace:find_spans(tool_calls)) do
    local name, arguments = span.tool or "unknown", span.input_text
    if arguments and not ignored[name] and not span.duplicate_of then
      -- Long arguments are told apart by how they begin and how long they are.
      local digest = nightjar.hash(arguments:sub(1, 4096)) .. #arguments
      local key = table.concat({ span.agent or "", name, digest }, "\0")
      seen[key] = (seen[key] or 0) + 1
      if seen[key] > most then most, tool, agent = seen[key], name, span.agent end
    end
  end
  return most, tool, agent
end

nightjar.on("trace_ended", { any = tool_calls }, function(trace)
  local most, tool, agent = most_repeated(trace)
  if most >= repeats then loops:add(1, { tool = tool, agent = agent }) end
end)

nightjar.scorer("tool_loop", { on = "trace_ended", match = { any = tool_calls }, range = { 0, 1 } }, function(trace)
  local most, tool = most_repeated(trace)
  if most == 0 then return end
  trace.addScore {
    score = math.min(1, (most - 1) / (repeats - 1)),
    reason = most == 1 and "no call was repeated"
      or tool .. " was called " .. most .. " times with the same arguments",
  }
end)
