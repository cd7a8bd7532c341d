local function generation(fields)
  fields.type = "model_generation"
  return fields
end

test("tokens cost what the list says, by model and agent", function(t)
  t.emit(generation {
    model = "gpt-4o", agent = "support", usage = { input_tokens = 1000000, output_tokens = 100000 },
  })
  t.expect.metric("model_cost_usd_total", { above = 3.499, below = 3.501 }, { model = "gpt-4o", agent = "support" })
  t.expect.no_metric("model_cost_unpriced_total")
  t.expect.no_errors()
end)

test("cached tokens are parts of the input with prices of their own", function(t)
  t.emit(generation {
    model = "claude-sonnet-4-5",
    usage = { input_tokens = 1000000, cache_read_tokens = 500000, cache_write_tokens = 200000 },
  })
  -- 0.3 M at 3, 0.5 M at 0.30, 0.2 M at 3.75.
  t.expect.metric("model_cost_usd_total", { above = 1.799, below = 1.801 })
end)

test("dated names and those of gateways have the price of the model", function(t)
  for _, model in ipairs {
    "gpt-4o-2024-08-06", "openai/gpt-4o", "claude-sonnet-4-20250514", "claude-sonnet-4@20250514",
    "us.anthropic.claude-sonnet-4-20250514-v1:0", "claude-3-5-haiku-latest", "models/gemini-2.5-pro",
  } do
    t.emit(generation { model = model, usage = { input_tokens = 100, output_tokens = 10 } })
    t.expect.metric("model_cost_usd_total", { above = 0 }, { model = model })
  end
  t.expect.no_metric("model_cost_unpriced_total")
end)

test("a stated cost comes before the list", function(t)
  t.emit(generation { model = "gpt-4o", usage = { input_tokens = 1000000, cost = 0.5 } })
  t.emit(generation { model = "house-model", usage = { cost = 0.25 } })
  t.expect.metric("model_cost_usd_total", { above = 0.4999, below = 0.5001 }, { model = "gpt-4o" })
  t.expect.metric("model_cost_usd_total", { above = 0.2499, below = 0.2501 }, { model = "house-model" })
end)

test("a stated cost is left aside on request", { settings = { use_stated_cost = false } }, function(t)
  t.emit(generation { model = "gpt-4o", usage = { input_tokens = 1000000, cost = 0.5 } })
  t.expect.metric("model_cost_usd_total", { above = 2.499, below = 2.501 })
end)

test("a model without a price is counted, a call without usage is not", function(t)
  t.emit(generation { model = "gpt-4o-audio-preview", usage = { input_tokens = 10 } })
  t.emit(generation { usage = { output_tokens = 10 } })
  t.emit(generation { model = "gpt-4o" })
  t.expect.metric("model_cost_unpriced_total", 1, { model = "gpt-4o-audio-preview" })
  t.expect.metric("model_cost_unpriced_total", 1, { model = "unknown" })
  t.expect.no_metric("model_cost_usd_total")
  t.expect.no_errors()
end)
