package import NightjarBus
import NightjarPlugins
package import NightjarSignals
import NightjarStore

extension Engine {
    /// Whether processors may change what is stored of spans. Plugins may come to have some at any time.
    var mayChangeSpans: Bool { !configuration.processors.isEmpty || plugins != nil }

    /// Every series with its total: what is committed, and what the host counts beside it; without the metrics of plugins that are
    /// gone.
    package var series: [StoredSeries] {
        let hidden = (plugins?.hiddenMetrics ?? []).filter { !isDerived($0) }
        let stored = ledger.snapshot()
        let shown = hidden.isEmpty ? stored : stored.filter { !hidden.contains($0.instrument.name) }
        return shown + counts.series(bus.counts()) + retentionSeries + PluginCounts.series(plugins)
            + live.series
    }

    /// Tells rules of what the pipeline loses; it belongs to no trace, so that worker 0 gets it.
    func tellRulesOfDrops() {
        guard plugins != nil else { return }
        let (worker, clock, limit) = (workers[0], clock, configuration.queueBytes)
        bus.subscribe("plugins", to: [.drop]) { event in
            guard worker.queuedBytes < limit else {
                throw EngineError(code: .overloaded, detail: "the worker is \(limit) bytes behind")
            }
            worker.enqueue(.events([event], partition: 0, sequence: 0, receivedAt: clock.now()))
        }
    }

    /// - Throws: ``EngineError`` `sampledOut` for a trace of which nothing is stored.
    package func refuseSampledOut(_ trace: TraceID?) throws(EngineError) {
        guard let trace, try isSampledOut(trace) else { return }
        throw EngineError(
            code: .sampledOut,
            detail: "trace \(trace) is sampled out: nothing of it is stored, so it cannot be annotated"
        )
    }

    private func isSampledOut(_ trace: TraceID) throws(EngineError) -> Bool {
        guard plugins != nil || !sampler.keepsEverything else { return false }
        if let isKept = sampler.remembered(trace) { return !isKept }
        // Without samplers of the program, those of plugins decide, now or when the trace came.
        if !sampler.isEmpty, let isKept = sampler.knownAnswer(trace) {
            // A trace is kept if any keeps it: what a plugin will say of it is not known before its first span.
            if isKept || plugins?.hasSamplers != true { return !isKept }
        }
        do throws(StoreError) {
            return try store?.trace(trace)?.isSampledOut ?? false
        } catch {
            throw EngineError(error)
        }
    }
}
