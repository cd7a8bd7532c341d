-- The shape of what users get: how long answers are, and whether they refuse.
-- Adds the histogram answer_length_chars {agent}, the counter answer_refusals_total {agent} and the score refusal of
-- the trace: 1 where the opening of the answer has one of the phrases, else 0.
nightjar.plugin {
  name = "Answer shape",
  version = "1.0.0",
  description = "Answer lengths and refusals",
  settings = {
    opening_bytes = 400,   -- a refusal comes first; further on the words are mostly quoted
    phrases = {
      "i can't help", "i cannot help", "i can't assist", "i cannot assist", "i can't provide", "i cannot provide",
      "i'm unable to", "i am unable to", "i'm not able to", "i am not able to", "i won't be able to",
      "i'm sorry, but i can", "as an ai", "against my guidelines",
    },
  },
}

local phrases, opening_bytes = nightjar.settings.phrases, nightjar.settings.opening_bytes
local answers = { root = { type = { "agent_run", "workflow_run", "model_generation" } } }

local lengths = nightjar.histogram("answer_length_chars", {
  help = "Length of answers in characters, by agent",
  labels = { "agent" },
  buckets = { 0, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000 },
  cardinality_limit = 300,
})
local refusals = nightjar.counter("answer_refusals_total", {
  help = "Answers that refuse, by agent",
  labels = { "agent" },
  cardinality_limit = 300,
})

-- The phrase by which an answer refuses, or nil.
local function refusal_in(answer)
  local opening = answer:sub(1, opening_bytes):lower():gsub("’", "'")
  for _, phrase in ipairs(phrases) do
    if opening:find(phrase, 1, true) then return phrase end
  end
end

-- At the first end only: a trace that is opened again is still one answer.
nightjar.on("trace_ended", answers, function(trace)
  local answer, agent = trace.root.output_text, trace.root.agent
  if not answer then return end
  lengths:record(utf8.len(answer) or #answer, { agent = agent })
  if refusal_in(answer) then refusals:add(1, { agent = agent }) end
end)

nightjar.scorer("refusal", { on = "trace_ended", match = answers, range = { 0, 1 } }, function(trace)
  local answer = trace.root.output_text
  if not answer or not answer:find("%S") then return end
  local phrase = refusal_in(answer)
  trace.addScore { score = phrase and 1 or 0, reason = phrase and "refuses: " .. phrase or "no refusal" }
end)
