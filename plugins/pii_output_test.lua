local function says(t, text)
  t.emit { type = "model_generation", model = "gpt-4o", agent = "support", output = text }
end

test("each kind is found and counted", function(t)
  says(t, "Write to ada.l+shop@mail.example.co.uk or (555) 123-4567, or from abroad +49 170 1234567.")
  says(t, "IBAN DE89 3704 0044 0532 0130 00 BIC COBADEFF, card 4111-1111-1111-1111 or 378282246310005")
  says(t, "SSN 123-45-6789, last seen from 203.0.113.9.")
  for kind, count in pairs { email = 1, phone = 2, iban = 1, card = 2, ssn = 1, ipv4 = 1 } do
    t.expect.metric("pii_output_total", count, { kind = kind, agent = "support" })
  end
  t.expect.no_errors()
end)

test("the score is 1 and the reason tells kinds and counts, never the value", function(t)
  says(t, "Mail ada@example.com and bob@example.com, card 4111 1111 1111 1111")
  t.expect.score("pii_output", { equals = 1, reason = "card: 1, email: 2" })
  for _, score in ipairs(t.scores("pii_output")) do
    t.expect.equal(score.reason:find("ada"), nil)
    t.expect.equal(score.reason:find("4111"), nil)
  end
end)

test("numbers that only look alike are left alone", function(t)
  says(t, "Card 4111 1111 1111 1112, IBAN DE88 3704 0044 0532 0130 00, SSN 000-12-3456, host 127.0.0.1, 300.1.2.3.")
  says(t, "On 2024-11-26 the package left-pad@2.0.0-beta took 0.4111111111111111 s and 1732608000123456789 ns.")
  says(t, "id 550e8400-e29b-41d4-a716-446655440000, order 120 340 5600, call 911, at +02 00, 1e+10")
  t.expect.no_metric("pii_output_total")
  t.expect.score("pii_output", 0)
  t.expect.no_errors()
end)

test("an IBAN is found before the words behind it, and what follows is looked at too", function(t)
  says(t, "NL91ABNA0417164300 4111111111111111")
  t.expect.metric("pii_output_total", 1, { kind = "iban" })
  t.expect.metric("pii_output_total", 1, { kind = "card" })
end)

test("only generations are looked at, and those without output get no score", function(t)
  t.emit { type = "model_generation", model = "gpt-4o" }
  t.emit { type = "tool_call", tool = "search", output = "ada@example.com" }
  t.expect.no_score("pii_output")
  t.expect.no_metric("pii_output_total")
  t.expect.no_errors()
end)

test("the span types and the length that is looked at are settings", {
  settings = { span_types = { "tool_call" }, max_bytes = 100 },
}, function(t)
  t.emit { type = "tool_call", tool = "search", output = "ada@example.com" .. (" "):rep(100) .. "bob@example.com" }
  t.expect.metric("pii_output_total", 1, { kind = "email" })
end)

test("long runs of one character are no trouble", function(t)
  for _, text in ipairs { "a", "1", "1 ", "a.", "A1", "@", "+1", "DE89 " } do says(t, text:rep(30000)) end
  t.expect.no_errors()
end)
