import CNightjarBench
import CNightjarSignals
import NightjarBus
import NightjarOTLP
import NightjarPlugins
import NightjarSignals

/// One Lua rule on settled generations, with every protection on, against the same loop without rules.
enum RuleBenchmark {
    private struct Event {
        let span: SpanReference
        let trace: TraceState
    }

    static func run(_ options: BenchOptions) throws -> [BenchRow] {
        let load = Load(spans: 6000)
        let pass = try CorePass(.extraction)
        var all: [Event] = []
        pass.onEnded = { trace, place in
            guard let span = trace.reference(place) else { return }
            if span.row.pointee.spanType == .modelGeneration, span.row.pointee.duplicate_of == 0 {
                all.append(Event(span: span, trace: trace))
            }
        }
        for slabs in try load.decoded() { pass.take(slabs) }
        // As many as a slab has: a worker's rules meet spans that it has just settled, not memory that was last read long ago.
        let events = Array(all.prefix(Slab.capacity))
        let rounds = max(1, options.scaled(300_000) / events.count)
        let bare = try measured([], events, rounds, options)
        let matching = try measured([BenchRules.modelUse], events, rounds, options)
        let reading = try measured([BenchRules.reading], events, rounds, options)
        let unmatched = try measured([BenchRules.unmatched], events, rounds, options)
        let hundred = try measured([BenchRules.hundredUnmatched], events, max(1, rounds / 10), options)
        let plugins = try measured(BenchRules.hundredPlugins, events, max(1, rounds / 10), options)
        let host = try measured(bare: 0, events, rounds, options)
        let coldRounds = max(1, options.scaled(300_000) / all.count)
        let cold = try measured([BenchRules.modelUse], all, coldRounds, options)
        let coldHost = try measured(bare: 0, all, coldRounds, options)
        let guarded = try [
            ("memory capped", BARE_CAPPED), ("calls timed", BARE_TIMED),
            ("objects void after the event", BARE_CHECKED),
            ("emissions held until the end", BARE_HELD),
        ].map { name, flag in
            let spread = try measured(bare: Int32(flag.rawValue), events, rounds, options)
            let cost = Int((spread.median - host.median).rounded())
            return row("  with \(name)", spread, "\(cost) ns for that protection")
        }
        func times(_ host: Spread, _ own: Spread) -> String {
            "the rule here takes \(((own.median - bare.median) / host.median * 100).rounded() / 100) times that"
        }
        func over(_ spread: Spread) -> String {
            "\(Int((spread.median - bare.median).rounded())) ns over the loop without rules"
        }
        return [
            row("rule matching", matching, over(matching)),
            row("  that only reads", reading, over(reading)),
            row("  not matching", unmatched, over(unmatched)),
            row("  a hundred not matching", hundred, over(hundred)),
            row("  a hundred plugins not matching", plugins, over(plugins)),
            row("  no rules", bare, "\(events.count) generations, \(rounds) rounds"),
            row("bare C host, the same rule", host, times(host, matching)),
        ] + guarded + [
            row("rule matching, on \(all.count) spans in turn", cold, over(cold)),
            row("  bare C host", coldHost, times(coldHost, cold)),
        ] + [try scoring(all, coldRounds, options)]
    }

    /// A scorer on the traces of the events.
    private static func scoring(_ events: [Event], _ rounds: Int, _ options: BenchOptions) throws -> BenchRow
    {
        var seen: Set<TraceID> = []
        let views = events.map(\.trace).filter { seen.insert($0.id).inserted }.map { $0.view() }
        let registry = MetricRegistry()
        let receiver = try RuleReceiver(registry)
        let session = try session([BenchRules.scorer], registry)
        let count = views.count * rounds
        let spread = measure(runs: options.runs, count: count) {
            for _ in 0..<rounds {
                for view in views { session.traceEnded(view, now: Load.receivedAt, into: receiver) }
            }
        }
        guard receiver.scores == count * (options.runs + 1) else {
            throw BenchFailure(description: "rule: \(receiver.scores) scores instead of \(count)")
        }
        return BenchRow(name: "scorer at the end of a trace", unit: "ns/trace", spread: spread)
    }

    /// A session as a worker has it.
    private static func session(_ rules: [String], _ registry: MetricRegistry) throws -> PluginSession {
        let sets = try PluginHost.load(
            files: BenchRules.sources(rules),
            registry: registry,
            now: { Load.receivedAt }
        )
        let session = PluginSession(sets, worker: 0, reader: OTLPSpanReader(), memory: RunMemory())
        session.adopt()
        return session
    }

    private static func measured(
        _ rules: [String],
        _ events: [Event],
        _ rounds: Int,
        _ options: BenchOptions
    ) throws -> Spread {
        let registry = MetricRegistry()
        let receiver = try RuleReceiver(registry)
        let session = try session(rules, registry)
        let count = events.count * rounds
        let spread = measure(runs: options.runs, count: count) {
            for _ in 0..<rounds {
                for event in events {
                    let trace = event.trace
                    session.spanEnded(
                        event.span,
                        trace: trace,
                        now: Load.receivedAt,
                        into: receiver
                    )
                }
            }
        }
        let counted = receiver.aggregator.take().reduce(0) { $0 + $1.sum }
        let ok = events.count { $0.span.row.pointee.spanStatus == .ok }
        let expected = rules == [BenchRules.modelUse] ? ok * rounds * (options.runs + 1) : 0
        guard counted == Double(expected) else {
            throw BenchFailure(description: "rule: counted \(counted) instead of \(expected)")
        }
        return spread
    }

    /// The same rule called by a C host with none, or with one, of the protections.
    private static func measured(
        bare protections: Int32,
        _ events: [Event],
        _ rounds: Int,
        _ options: BenchOptions
    ) throws -> Spread {
        guard let host = bare_open(BenchRules.modelUse, protections) else {
            throw BenchFailure(description: "rule: the bare host does not take the rule")
        }
        defer { bare_close(host) }
        let type = Int32(NJ_MODEL_GENERATION.rawValue)
        var slabs = events.map(\.span.slab.raw)
        let count = events.count * rounds
        let spread = slabs.withUnsafeMutableBufferPointer { slabs in
            let refs = events.enumerated().map { place, event in
                nj_span_ref(
                    slab: slabs.baseAddress.map { UnsafePointer($0 + place) },
                    span: UnsafePointer(event.span.row)
                )
            }
            return measure(runs: options.runs, count: count) {
                for _ in 0..<rounds { for ref in refs { _ = bare_call(host, ref, type) } }
            }
        }
        let ok = events.count { $0.span.row.pointee.spanStatus == .ok }
        guard bare_total(host) == Double(ok * rounds * (options.runs + 1)) else {
            throw BenchFailure(description: "rule: the bare host counted \(bare_total(host))")
        }
        return spread
    }

    private static func row(_ name: String, _ spread: Spread, _ note: String) -> BenchRow {
        BenchRow(name: name, unit: "ns/event", spread: spread, note: note)
    }
}

/// Takes what rules emit as a worker does.
final class RuleReceiver: EmissionReceiver {
    var origin: EmissionOrigin?
    let aggregator: MetricAggregator
    private(set) var scores = 0

    init(_ registry: MetricRegistry) throws {
        aggregator = try MetricAggregator(
            registry: registry,
            table: SeriesTable(),
            configuration: CardinalityConfiguration(),
            report: CardinalityReport { _ in }
        )
    }

    func metric(
        _ instrument: InstrumentID,
        value: Double,
        labels: UnsafeBufferPointer<nj_label>,
        at time: Timestamp
    ) {
        aggregator.record(instrument, value: value, labels: labels, at: time)
    }

    func metric(
        _ instrument: InstrumentID,
        value: Double,
        labels: UnsafeBufferPointer<nj_label>,
        at time: Timestamp,
        remembered: inout RememberedSeries,
        origin: () -> EmissionOrigin
    ) {
        aggregator.record(instrument, value: value, labels: labels, at: time, remembered: &remembered)
    }

    func score(_ score: Score) { scores += 1 }
    func feedback(_ feedback: Feedback) {}
    func log(_ log: Log) {}
}
