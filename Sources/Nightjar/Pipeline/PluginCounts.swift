import NightjarBus
import NightjarPlugins
import NightjarSignals

/// What plugins cost and how they fare, shown in `/metrics` and gone with the process.
enum PluginCounts {
    private static let matches = metric("matches_total", .counter, "Events that matched a plugin rule")
    private static let calls = metric("calls_total", .counter, "Calls of a plugin rule")
    private static let errors = metric("errors_total", .counter, "Calls of a plugin rule that failed")
    private static let seconds = metric(
        "call_seconds_total",
        .counter,
        "CPU time of the calls of a plugin rule, estimated: each call that was timed stands for those since the one before"
    )
    private static let memory = metric(
        "memory_bytes",
        .gauge,
        "Memory of the Lua states of a plugin, as last seen"
    )
    private static let circuitOpen = metric(
        "circuit_open",
        .gauge,
        "Whether a plugin rule is left out for a while because it failed or cost too much"
    )
    private static let loads = metric("loads_total", .counter, "Loads of a plugin, by what came of them")

    /// So many rules are shown, and so many plugins; names are in the hands of whoever writes plugins.
    private static let limit = 1000

    private static func metric(_ name: String, _ type: MetricType, _ help: String) -> InstrumentDescriptor {
        InstrumentDescriptor(name: "nightjar_plugin_\(name)", type: type, help: help)
    }

    /// Makes the names the host's own, so that no plugin can give them another type.
    static func declare(_ registry: MetricRegistry) throws(MetricError) {
        for instrument in [matches, calls, errors, seconds, memory, circuitOpen, loads] {
            _ = try registry.instrument(instrument)
        }
    }

    /// The figures as series, those of the first plugins by name.
    static func series(_ host: PluginHost?) -> [StoredSeries] {
        let shown = (host?.status ?? []).prefix(limit)
        let rules = shown.lazy.flatMap { plugin in plugin.rules.map { (plugin, $0) } }.prefix(limit)
        return rules.flatMap { rule(plugin: $0, $1) } + shown.flatMap(plugin)
    }

    private static func rule(plugin: PluginStatus, _ rule: PluginStatus.Rule) -> [StoredSeries] {
        let labels = [Label("plugin", plugin.name), Label("rule", rule.label)]
        let totals = plugin.totals[rule.label] ?? PluginStatus.Totals()
        return [
            series(matches, labels, Double(totals.matches)), series(calls, labels, Double(totals.calls)),
            series(errors, labels, Double(totals.errors)),
            series(seconds, labels, Double(totals.nanoseconds) / 1_000_000_000),
            series(circuitOpen, labels, rule.isCircuitOpen ? 1 : 0),
        ]
    }

    private static func plugin(_ plugin: PluginStatus) -> [StoredSeries] {
        let name = Label("plugin", plugin.name)
        return [
            series(memory, [name], Double(plugin.memoryBytes)),
            series(loads, [Label("outcome", "failed"), name], Double(plugin.loads.failed)),
            series(loads, [Label("outcome", "loaded"), name], Double(plugin.loads.succeeded)),
        ]
    }

    private static func series(
        _ instrument: InstrumentDescriptor,
        _ labels: [Label],
        _ value: Double
    ) -> StoredSeries {
        var total = SeriesTotal()
        (total.sum, total.count) = (value, 1)
        return StoredSeries(id: SeriesID(index: -1), instrument: instrument, labels: labels, total: total)
    }
}
