-- How the values of scores and feedback spread: an average hides that half of the answers are perfect and half useless.
-- Adds the histograms score_value {scorer} and feedback_value {feedback_type, source}, and for verdicts in words the
-- counters score_labels_total {scorer, label} and feedback_choices_total {feedback_type, choice}.
nightjar.plugin {
  name = "Value distributions",
  version = "1.0.0",
  description = "Histograms of score and feedback values",
  settings = {
    score_range = { 0, 1 },                            -- cut into ten equal buckets
    feedback_buckets = { -1, 0, 0.5, 1, 2, 3, 4, 5 },  -- thumbs, fractions and stars
  },
}

local scores = nightjar.histogram("score_value", {
  help = "Values of scores, by scorer",
  labels = { "scorer" },
  range = nightjar.settings.score_range,
  cardinality_limit = 200,
})
local labels = nightjar.counter("score_labels_total", {
  help = "Categorical verdicts, by scorer and label",
  labels = { "scorer", "label" },
  cardinality_limit = 500,
})
local feedback = nightjar.histogram("feedback_value", {
  help = "Numeric values of feedback, by type and source",
  labels = { "feedback_type", "source" },
  buckets = nightjar.settings.feedback_buckets,
  cardinality_limit = 200,
})
local choices = nightjar.counter("feedback_choices_total", {
  help = "Feedback given as a word, by type",
  labels = { "feedback_type", "choice" },
  cardinality_limit = 200,
})

nightjar.on("score", function(score)
  if score.score then scores:record(score.score, { scorer = score.scorer_name }) end
  if score.label then labels:add(1, { scorer = score.scorer_name, label = score.label }) end
end)

nightjar.on("feedback", function(given)
  local number = tonumber(given.value)
  if number and math.abs(number) < math.huge then
    feedback:record(number, { feedback_type = given.feedback_type, source = given.source })
  elseif type(given.value) == "string" and #given.value <= 32 and given.value:find("^[%w_-]+$") then
    -- One short word is a choice; anything longer is a comment and no label.
    choices:add(1, { feedback_type = given.feedback_type, choice = string.lower(given.value) })
  end
end)
