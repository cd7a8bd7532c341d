-- How often guardrails and other processors run, how often they fail, and how long they take.
-- Adds the counter processor_runs_total {processor, stage, status} and the histogram processor_duration_ms
-- {processor, stage}; the stage is input_processor, output_processor, … where the sender states it.
nightjar.plugin {
  name = "Processor runs",
  version = "1.0.0",
  description = "Runs, failures and durations of processors",
  settings = { cardinality_limit = 300 },
}

local limit = nightjar.settings.cardinality_limit

local runs = nightjar.counter("processor_runs_total", {
  help = "Processor runs that ended, by processor, stage and status",
  labels = { "processor", "stage", "status" },
  cardinality_limit = limit,
})
local durations = nightjar.histogram("processor_duration_ms", {
  help = "Durations of processor runs in milliseconds",
  unit = "ms",
  labels = { "processor", "stage" },
  buckets = { 1, 5, 10, 25, 50, 100, 250, 500, 1000, 5000, 15000 },
  cardinality_limit = limit,
})

nightjar.on("span_ended", { type = "processor_run" }, function(span)
  local processor, stage = span.entity_name or span.name, span.entity_type
  if not processor or processor == "" then processor = "unknown" end
  runs:add(1, { processor = processor, stage = stage, status = span.status })
  if span.duration_ms then durations:record(span.duration_ms, { processor = processor, stage = stage }) end
end)
