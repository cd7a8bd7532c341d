local function answer(t, text)
  t.run { { type = "agent_run", agent = "support", output = text } }
end

test("the length of answers is observed in characters, not bytes", function(t)
  answer(t, "grüße")
  answer(t, "hello there")
  t.expect.metric("answer_length_chars", { count = 2, sum = 16 }, { agent = "support" })
  t.expect.no_errors()
end)

test("a refusal is scored 1, with the phrase as its reason, and counted", function(t)
  answer(t, "I’m unable to look into other customers' orders.")
  t.expect.score("refusal", { equals = 1, reason = "i'm unable to" })
  t.expect.metric("answer_refusals_total", 1, { agent = "support" })
  t.expect.no_errors()
end)

test("an answer that helps is scored 0", function(t)
  answer(t, "Your parcel arrives on Friday.")
  t.expect.score("refusal", 0)
  t.expect.no_metric("answer_refusals_total")
end)

test("a phrase far behind the opening is no refusal", function(t)
  answer(t, ("All is well with your order. "):rep(20) .. "I cannot help it.")
  t.expect.score("refusal", 0)
end)

test("the phrases are a setting", { settings = { phrases = { "das darf ich nicht" } } }, function(t)
  answer(t, "Das darf ich nicht beantworten.")
  t.expect.score("refusal", 1)
end)

test("a run without an answer gets neither score nor length", function(t)
  t.run { { type = "agent_run", agent = "support" } }
  t.run { { type = "tool_call", tool = "search", output = "I cannot help" } }
  t.expect.no_score("refusal")
  t.expect.no_metric("answer_length_chars")
  t.expect.no_errors()
end)
