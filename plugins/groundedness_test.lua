local function run(t, answer, results)
  local spans = { { id = "a1", type = "agent_run", agent = "support", output = answer } }
  for _, result in ipairs(results) do
    spans[#spans + 1] = { parent_span_id = "a1", type = "tool_call", tool = "search", output = result }
  end
  t.run(spans)
end

test("an answer in the words of the results is grounded", function(t)
  run(t, "The parcel arrives on Friday.", { "status: the parcel arrives on friday, 10:00" })
  t.expect.score("groundedness", { equals = 1, reason = "4 of 4" })
  t.expect.no_errors()
end)

test("an answer of its own words is not", function(t)
  run(t, "Everything was lost at sea", { "the parcel arrives on friday" })
  t.expect.score("groundedness", 0)
end)

test("parts may come from several results, and count once each", function(t)
  run(t, "red shoes blue hats never mind", { "red shoes", "blue hats", "red shoes" })
  t.expect.score("groundedness", { above = 0.39, below = 0.41 })
end)

test("a single word is compared as it is", function(t)
  run(t, "Friday", { "it is friday" })
  t.expect.score("groundedness", 1)
end)

test("the length of the runs is a setting", { settings = { words = 1 } }, function(t)
  run(t, "friday arrives the parcel", { "the parcel arrives on friday" })
  t.expect.score("groundedness", 1)
end)

test("without tool results or without an answer there is no score", function(t)
  run(t, "The parcel arrives on Friday.", {})
  run(t, "The parcel arrives on Friday.", { " " })
  run(t, nil, { "the parcel arrives on friday" })
  t.run {
    { id = "a1", type = "agent_run", output = "The parcel arrives" },
    { parent_span_id = "a1", type = "tool_call", tool = "search", status = "error", output = "the parcel arrives" },
  }
  t.expect.no_score("groundedness")
  t.expect.no_errors()
end)
