import NightjarPlugins

/// The plugins that are measured. What they count is in ``LoadTotals``.
enum BenchRules {
    /// Six reads and a counter with two labels.
    static let modelUse = """
        local uses = nightjar.counter("bench_model_uses_total", { labels = { "model", "agent" } })
        nightjar.on("span_ended", { type = "model_generation" }, function(span)
          if span.status == "ok" and span.duration_ms > 0 and span.provider and span.service then
            uses:add(1, { model = span.model, agent = span.agent })
          end
        end)
        """

    /// A counter of failures.
    static let toolFailures = """
        local failures = nightjar.counter("bench_tool_failures_total", { labels = { "tool", "agent" } })
        nightjar.on("span_ended", { type = { "tool_call", "mcp_tool_call" }, status = "error" }, function(span)
          failures:add(1, { tool = span.tool, agent = span.agent })
        end)
        """

    /// A histogram of durations.
    static let runTimes = """
        local runs = nightjar.histogram("bench_agent_runs_ms", { labels = { "agent" } })
        nightjar.on("span_ended", { type = "agent_run" }, function(span)
          runs:record(span.duration_ms, { agent = span.agent })
        end)
        """

    /// The same six reads, and nothing counted.
    static let reading = """
        nightjar.on("span_ended", { type = "model_generation" }, function(span)
          local known = span.status == "ok" and span.duration_ms > 0 and span.provider and span.service and span.model and span.agent
        end)
        """

    /// A verdict on each trace.
    static let scorer = """
        nightjar.scorer("bench_quick", { on = "trace_ended", range = { 0, 1 } }, function(trace)
          local milliseconds = trace.duration_ms or 0
          trace.addScore { score = 1 / (1 + milliseconds), reason = trace.has_errors and "with errors" or "without errors" }
        end)
        """

    /// A rule that no span of the load matches.
    static let unmatched = """
        local never = nightjar.counter("bench_never_total")
        nightjar.on("span_ended", { type = "workflow_sleep" }, function(span) never:add(1) end)
        """

    /// A hundred of them.
    static let hundredUnmatched = """
        local never = nightjar.counter("bench_never_total")
        for i = 1, 100 do
          nightjar.on("span_ended", { type = "model_generation", model = "model-" .. i }, function() never:add(1) end)
        end
        """

    /// A hundred plugins of one such rule each.
    static let hundredPlugins = (1...100).map { number in
        """
        local never = nightjar.counter("bench_never_total")
        nightjar.on("span_ended", { type = "model_generation", model = "model-\(number)" }, function() never:add(1) end)
        """
    }

    /// A rule that says which version of itself counted a span.
    static func versioned(_ version: Int) -> String {
        """
        local seen = nightjar.counter("bench_reload_total", { labels = { "version" } })
        nightjar.on("span_ended", { type = "model_generation" }, function() seen:add(1, { version = "\(version)" }) end)
        """
    }

    /// The files of the rules of a whole server.
    static let files = [
        "model_use.lua": modelUse, "tool_failures.lua": toolFailures, "run_times.lua": runTimes,
    ]

    /// Plugins' sources from their texts.
    static func sources(_ texts: [String]) -> [PluginSource] {
        texts.enumerated().map { number, text in
            PluginSource(name: "bench\(number)", file: "bench\(number).lua", text: Array(text.utf8))
        }
    }
}
