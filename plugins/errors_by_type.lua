-- What fails, and how: failed spans by span type and by the error's id, or its category or domain where it has none.
-- Adds the counter errors_by_type_total {span_type, error_type}. A failure counts once for each span that it fails:
-- for the tool, and for the agent that gave up because of it.
nightjar.plugin {
  name = "Errors by type",
  version = "1.0.0",
  description = "Counts failed spans by span type and type of error",
  settings = { cardinality_limit = 500 },
}

local errors = nightjar.counter("errors_by_type_total", {
  help = "Spans that failed, by span type and type of error",
  labels = { "span_type", "error_type" },
  cardinality_limit = nightjar.settings.cardinality_limit,
})

nightjar.on("span_ended", { status = "error" }, function(span)
  local fault = span.error or {}
  errors:add(1, {
    span_type = span.type,
    error_type = fault.id or fault.category or fault.domain or "unknown",
  })
end)
