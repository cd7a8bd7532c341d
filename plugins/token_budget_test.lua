local small = { settings = { tokens = 1000, seconds = 60 } }

local function spend(t, user, tokens)
  t.emit { type = "model_generation", metadata = { userId = user }, usage = { input_tokens = tokens } }
end

test("a user over the budget is counted and warned about", small, function(t)
  spend(t, "ada", 600)
  spend(t, "bob", 600)
  spend(t, "ada", 600)
  t.expect.metric("token_budget_users_over", 1)
  t.expect.metric("token_budget_exceeded_total", 1)
  t.expect.log("over the token budget", "warn")
  t.expect.no_errors()
end)

test("spending the budget exactly is allowed", small, function(t)
  spend(t, "ada", 1000)
  t.advance(10)
  t.expect.metric("token_budget_users_over", 0)
  t.expect.no_metric("token_budget_exceeded_total")
end)

test("the window rolls on: old tokens are forgotten, and going over again counts again", small, function(t)
  spend(t, "ada", 1500)
  t.expect.metric("token_budget_users_over", 1)
  t.advance(90)
  t.expect.metric("token_budget_users_over", 0)
  spend(t, "ada", 1500)
  t.expect.metric("token_budget_users_over", 1)
  t.expect.metric("token_budget_exceeded_total", 2)
end)

test("further spending over the budget is not counted again", small, function(t)
  for _ = 1, 5 do spend(t, "ada", 900) end
  t.expect.metric("token_budget_exceeded_total", 1)
  t.expect.metric("token_budget_users_over", 1)
end)

test("the user may stand on a parent", small, function(t)
  t.run {
    { id = "a1", type = "agent_run", agent = "support", metadata = { userId = "ada" } },
    { parent_span_id = "a1", type = "model_generation", usage = { input_tokens = 600, output_tokens = 600 } },
  }
  t.expect.metric("token_budget_users_over", 1)
  t.expect.no_errors()
end)

test("calls without a user or without usage are left out", small, function(t)
  t.emit { type = "model_generation", usage = { input_tokens = 5000 } }
  t.emit { type = "model_generation", metadata = { userId = "ada" } }
  t.advance(10)
  t.expect.metric("token_budget_users_over", 0)
  t.expect.no_errors()
end)
