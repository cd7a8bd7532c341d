test("the wait for the first token is observed by model and agent", function(t)
  for _, wait in ipairs { 300, 500 } do
    t.emit {
      type = "model_generation", model = "gpt-4o", agent = "support",
      time_to_first_token_ms = wait, duration_ms = 900,
    }
  end
  t.expect.metric("first_token_ms", { count = 2, mean = 400 }, { model = "gpt-4o", agent = "support" })
  t.expect.no_metric("output_tokens_per_second")
  t.expect.no_errors()
end)

test("the speed of a stream is measured from its first token", function(t)
  t.emit {
    type = "model_generation", model = "gpt-4o", duration_ms = 2500, time_to_first_token_ms = 500,
    usage = { output_tokens = 100 },
  }
  t.expect.metric("output_tokens_per_second", { count = 1, mean = 50 }, { streaming = "true" })
end)

test("without a first token the speed is that of the whole call", function(t)
  t.emit { type = "model_generation", model = "gpt-4o", duration_ms = 2000, usage = { output_tokens = 100 } }
  t.expect.metric("output_tokens_per_second", { count = 1, mean = 50 }, { model = "gpt-4o", streaming = "false" })
  t.expect.no_metric("first_token_ms")
end)

test("short answers, failures and calls without usage say nothing about speed", function(t)
  t.emit { type = "model_generation", model = "gpt-4o", usage = { output_tokens = 3 } }
  t.emit { type = "model_generation", status = "error", usage = { output_tokens = 100 } }
  t.emit { type = "model_generation" }
  t.emit { type = "model_generation", duration_ms = 0, usage = { output_tokens = 100 } }
  t.expect.no_metric("output_tokens_per_second")
  t.expect.no_metric("first_token_ms")
  t.expect.no_errors()
end)
