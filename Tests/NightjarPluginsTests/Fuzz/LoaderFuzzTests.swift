import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Testing

extension FuzzTests {
    @Test func `any source becomes a plugin or a fault that a person can read, in time`() async throws {
        let fuzzer = LoaderFuzzer()
        try await FuzzRun("loader").run { fuzzer.run($0) }
    }
}

/// Gives mutated sources to the loader, and events to what loads.
private struct LoaderFuzzer: Sendable {
    private let mutator = SourceMutator()

    func run(_ seed: UInt64) -> FuzzOutcome {
        var random = SeededGenerator(seed: seed)
        var outcome = FuzzOutcome()
        outcome.source = mutator.source(using: &random)
        var limits = PluginLimits()
        limits.loadTime = .milliseconds(200)
        limits.callTime = .milliseconds(20)
        limits.fuel = 5_000_000
        // The lack of memory has paths of its own, wherever it strikes.
        limits.memoryBytes = random.oneIn(3) ? 60_000 + random.below(400_000) : 32 << 20
        limits.emissions = random.oneIn(4) ? random.below(4) : 1000
        let registry = MetricRegistry()
        outcome.registry = registry
        let (sets, fault) = load(&outcome, limits, registry)
        guard let sets else {
            outcome.kind = fault?.code == .limit ? "stopped by a limit" : "refused"
            return outcome
        }
        outcome.kind = "loaded"
        if random.oneIn(2) { sendEvents(to: sets, registry, &outcome, using: &random) }
        return outcome
    }

    private func load(_ outcome: inout FuzzOutcome, _ limits: PluginLimits, _ registry: MetricRegistry)
        -> (PluginSetSource?, PluginFault?)
    {
        let source = PluginSource(
            name: "fuzz",
            file: "fuzz.lua",
            text: outcome.source,
            modules: ["fuzz.part": Array("return { double = function(n) return n * 2 end }".utf8)]
        )
        let lines = LineRecorder()
        var result: (PluginSetSource?, PluginFault?)
        // The loader's thread is gone when its time could be asked for. What the process took meanwhile is too much while
        // other tests run, and so is the time on the wall: the smaller of the two is near enough.
        let started = ContinuousClock.now
        let busy = BusyClock.process.measure { result = load(source, limits, registry, lines, &outcome) }
        let seconds = min(busy, (ContinuousClock.now - started) / .seconds(1))
        // The parser cannot be interrupted; loading has 2 s, and holds up no event.
        if seconds > 3 { outcome.delays.append("loading took \(seconds) s") }
        for line in lines.all {
            // A script may print nothing.
            guard let found = unprintable(line.message), !found.isEmpty else { continue }
            outcome.faults.append("a line with \(found): \(line.message.debugDescription)")
        }
        return result
    }

    private func load(
        _ source: PluginSource,
        _ limits: PluginLimits,
        _ registry: MetricRegistry,
        _ lines: LineRecorder,
        _ outcome: inout FuzzOutcome
    ) -> (PluginSetSource?, PluginFault?) {
        do throws(PluginFaults) {
            let sets = try PluginHost.load(
                files: [source],
                limits: limits,
                registry: registry,
                now: { moment },
                log: { lines.add($0) }
            )
            return (sets, nil)
        } catch {
            guard let fault = error.faults.first, fault.plugin == "fuzz" else {
                outcome.faults.append("neither a plugin nor a fault of it: \(error.description)")
                return (nil, nil)
            }
            if let found = unprintable(fault.detail) {
                outcome.faults.append("a fault with \(found): \(fault.detail.debugDescription)")
            }
            return (nil, fault)
        }
    }

    private func sendEvents(
        to sets: PluginSetSource,
        _ registry: MetricRegistry,
        _ outcome: inout FuzzOutcome,
        using random: inout SeededGenerator
    ) {
        let odd = OddSpans(using: &random)
        let session = PluginSession(sets, worker: 0, reader: odd.reader)
        session.adopt()
        let receiver = RecordingReceiver(registry)
        for trace in odd.traces {
            let seconds = BusyClock.thread.measure {
                for span in trace.spans.prefix(3) {
                    session.spanEnded(span, trace: trace, now: moment, into: receiver)
                }
                session.traceEnded(trace, now: moment, into: receiver)
            }
            if seconds > 1 { outcome.delays.append("events took \(seconds) s") }
        }
    }
}
