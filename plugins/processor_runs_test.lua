test("runs and durations are counted by processor", function(t)
  t.emit { type = "processor_run", name = "moderation", duration_ms = 40 }
  t.emit { type = "processor_run", name = "moderation", duration_ms = 60 }
  t.emit { type = "processor_run", name = "redact", duration_ms = 5 }
  t.expect.metric("processor_runs_total", 2, { processor = "moderation", status = "ok" })
  t.expect.metric("processor_duration_ms", { count = 2, sum = 100 }, { processor = "moderation" })
  t.expect.metric("processor_runs_total", 3)
  t.expect.no_errors()
end)

test("a processor that stopped the run is one of status error", function(t)
  t.emit { type = "processor_run", name = "moderation", error = { message = "blocked", id = "Tripwire" } }
  t.expect.metric("processor_runs_total", 1, { processor = "moderation", status = "error" })
  t.expect.no_metric("processor_runs_total", { status = "ok" })
end)

test("the entity names processor and stage where the sender states it", function(t)
  t.emit {
    type = "processor_run", name = "input processor: moderation",
    entity_type = "input_processor", entity_name = "moderation",
  }
  t.expect.metric("processor_runs_total", 1, { processor = "moderation", stage = "input_processor" })
  t.expect.metric("processor_duration_ms", 1, { stage = "input_processor" })
  t.expect.no_errors()
end)

test("other spans are left alone", function(t)
  t.emit { type = "tool_call", tool = "moderation" }
  t.expect.no_metric("processor_runs_total")
  t.expect.no_metric("processor_duration_ms")
end)
