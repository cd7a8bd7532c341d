-- How fast models feel: the wait for the first token, and the speed of what follows.
-- Adds the histograms first_token_ms {model, agent} and output_tokens_per_second {model, streaming}. With a known first
-- token the speed is measured from there (streaming="true"), else over the whole call.
nightjar.plugin {
  name = "First token",
  version = "1.0.0",
  description = "Time to first token and output tokens per second",
  settings = { min_tokens = 16 },   -- shorter answers say nothing about speed
}

local min_tokens = nightjar.settings.min_tokens

local first_token = nightjar.histogram("first_token_ms", {
  help = "Time from the request to the first token in milliseconds",
  unit = "ms",
  labels = { "model", "agent" },
  buckets = { 50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 10000, 30000 },
  cardinality_limit = 500,
})
local speed = nightjar.histogram("output_tokens_per_second", {
  help = "Output tokens per second of model calls",
  labels = { "model", "streaming" },
  buckets = { 5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000 },
  cardinality_limit = 200,
})

nightjar.on("span_ended", { type = "model_generation", status = "ok" }, function(span)
  local wait, duration, model = span.time_to_first_token_ms, span.duration_ms, span.model or "unknown"
  if wait and wait < 0 then wait = nil end
  if wait then first_token:record(wait, { model = model, agent = span.agent }) end
  local tokens = span.usage and span.usage.output_tokens
  local milliseconds = duration and duration - (wait or 0)
  if tokens and tokens >= min_tokens and milliseconds and milliseconds > 0 then
    speed:record(tokens / milliseconds * 1000, { model = model, streaming = wait ~= nil })
  end
end)
