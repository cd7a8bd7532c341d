-- Whether an answer rests on what the tools returned: the share of its runs of `words` words that are in a result too.
-- Adds the score groundedness of the trace, 0 to 1, where tools returned something. It is a cheap signal for comparing
-- versions and finding outliers; an answer that rewords its sources scores low without being wrong.
nightjar.plugin {
  name = "Groundedness",
  version = "1.0.0",
  description = "Overlap of the answer with the tool results",
  settings = {
    words = 2,
    max_bytes = 50000,   -- of the answer, and of all results together
  },
}

local length, max_bytes = math.max(1, nightjar.settings.words), nightjar.settings.max_bytes
local tool_results = { type = { "tool_call", "mcp_tool_call" }, status = "ok" }

-- Bytes over 127 are parts of letters in UTF-8.
local function words_of(text)
  local words = {}
  for word in text:lower():gmatch("[%w\128-\255]+") do words[#words + 1] = word end
  return words
end

-- Calls `visit` with each run of `size` words.
local function each_run(words, size, visit)
  for i = 1, #words - size + 1 do visit(table.concat(words, " ", i, i + size - 1)) end
end

nightjar.scorer("groundedness", {
  on = "trace_ended",
  match = { root = { type = { "agent_run", "workflow_run" } }, any = tool_results },
  range = { 0, 1 },
}, function(trace)
  local answer = words_of((trace.root.output_text or ""):sub(1, max_bytes))
  if #answer == 0 then return end
  local size = math.min(length, #answer)
  local wanted, total, found = {}, 0, 0
  each_run(answer, size, function(run)
    if not wanted[run] then wanted[run], total = "missing", total + 1 end
  end)

  local left, has_results = max_bytes, false
  for _, span in ipairs(trace:find_spans(tool_results)) do
    local result = (span.output_text or ""):sub(1, left)
    local words = words_of(result)
    left = left - #result
    has_results = has_results or #words > 0
    each_run(words, size, function(run)
      if wanted[run] == "missing" then wanted[run], found = "found", found + 1 end
    end)
  end
  if not has_results then return end
  trace.addScore {
    score = found / total,
    reason = found .. " of " .. total .. " runs of " .. size .. " words are in the tool results",
  }
end)
