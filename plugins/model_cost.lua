-- What model calls cost, by model and agent: as the sender states it, else from the list prices of prices.json.
-- Adds the counters model_cost_usd_total {model, agent} and model_cost_unpriced_total {model}: calls with neither cost
-- nor price. Edit prices.json beside this file; a stated cost is taken as US dollars.
nightjar.plugin {
  name = "Model cost",
  version = "1.0.0",
  description = "Cost of model calls in US dollars, by model and agent",
  settings = { use_stated_cost = true },
}

local prices = nightjar.data("prices.json").models
local use_stated_cost = nightjar.settings.use_stated_cost

local cost = nightjar.counter("model_cost_usd_total", {
  help = "Cost of model calls in US dollars",
  unit = "usd",
  labels = { "model", "agent" },
  cardinality_limit = 1000,
})
local unpriced = nightjar.counter("model_cost_unpriced_total", {
  help = "Model calls with tokens for which no price is known",
  labels = { "model" },
  cardinality_limit = 200,
})

-- Dated versions and the names that gateways give have the price of the model itself:
-- openai/gpt-4o-2024-08-06 and us.anthropic.claude-sonnet-4-20250514-v1:0.
local function price_of(model)
  local name = model:lower()
  if prices[name] then return prices[name] end
  name = name:gsub("^.*/", ""):gsub("^.*anthropic%.", ""):gsub("%-v%d+:%d+$", ""):gsub("%-latest$", "")
  name = name:gsub("[-@]%d%d%d%d%d%d%d%d$", ""):gsub("%-%d%d%d%d%-%d%d%-%d%d$", "")
  return prices[name]
end

-- Cached tokens are parts of the input; where the list names no price of their own, they cost what input costs.
local function price_for(usage, price)
  local read, written = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
  local fresh = math.max(0, (usage.input_tokens or 0) - read - written)
  return (fresh * price.input
    + read * (price.cache_read or price.input)
    + written * (price.cache_write or price.input)
    + (usage.output_tokens or 0) * price.output) / 1e6
end

nightjar.on("span_ended", { type = "model_generation" }, function(span)
  local usage = span.usage
  if not usage then return end
  local model = span.model or "unknown"
  local amount = use_stated_cost and usage.cost
  if not amount then
    local price = price_of(model)
    if not price then return unpriced:add(1, { model = model }) end
    amount = price_for(usage, price)
  end
  if amount >= 0 then cost:add(amount, { model = model, agent = span.agent }) end
end)
