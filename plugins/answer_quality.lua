-- Two scorers on what agents and models answer: did anyone answer at all, and did the answer speak of the question?
local refusals = { "i can't help", "i cannot help", "i'm unable to", "i am unable to", "as an ai" }

nightjar.scorer("answered", {
  on = "trace_ended",
  match = { root = { type = { "agent_run", "workflow_run" } } },
  range = { 0, 1 },
}, function(trace)
  local answer = string.lower(trace.root.output_text or "")
  if not answer:find("%S") then
    return trace.addScore { score = 0, reason = "there is no answer" }
  end
  for _, phrase in ipairs(refusals) do
    if answer:find(phrase, 1, true) then
      return trace.addScore { score = 0, reason = "refused: " .. phrase }
    end
  end
  trace.addScore { score = 1, reason = #answer .. " characters" }
end)

-- The share of the question's longer words that the answer takes up.
nightjar.scorer("on_topic", {
  on = "span_ended",
  match = { type = "model_generation", status = "ok" },
  range = { 0, 1 },
}, function(span, trace)
  local question, answer = span.input_text, span.output_text
  if not question or not answer or #question > 20000 then return end
  local words, taken, count = {}, 0, 0
  for word in string.lower(answer):gmatch("%w+") do words[word] = true end
  for word in string.lower(question):gmatch("%w+") do
    if #word > 3 then
      count = count + 1
      if words[word] then taken = taken + 1 end
    end
  end
  if count == 0 then return end
  trace.addScore { span = span, score = taken / count, reason = taken .. " of " .. count .. " words" }
end)
