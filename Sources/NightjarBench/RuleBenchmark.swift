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
        var events: [Event] = []
        pass.onEnded = { trace, place in
            guard let span = trace.reference(place) else { return }
            if span.row.pointee.spanType == .modelGeneration, span.row.pointee.duplicate_of == 0 {
                events.append(Event(span: span, trace: trace))
            }
        }
        for slabs in try load.decoded() { pass.take(slabs) }
        let rounds = max(1, options.scaled(300_000) / events.count)
        let bare = try measured(nil, events, rounds, options)
        let matching = try measured(BenchRules.modelUse, events, rounds, options)
        let unmatched = try measured(BenchRules.unmatched, events, rounds, options)
        let hundred = try measured(BenchRules.hundredUnmatched, events, max(1, rounds / 10), options)
        let host = try measured(bare: 0, events, rounds, options)
        let guarded = try [
            ("memory capped", BARE_CAPPED), ("calls timed", BARE_TIMED),
            ("objects void after the event", BARE_CHECKED),
            ("emissions held until the end", BARE_HELD),
        ].map { name, flag in
            let spread = try measured(bare: Int32(flag.rawValue), events, rounds, options)
            let cost = Int((spread.median - host.median).rounded())
            return row("  with \(name)", spread, "\(cost) ns for that protection")
        }
        let own = matching.median - bare.median
        let ratio = (own / host.median * 100).rounded() / 100
        func over(_ spread: Spread) -> String {
            "\(Int((spread.median - bare.median).rounded())) ns over the loop without rules"
        }
        return [
            row("rule matching", matching, over(matching)),
            row("  not matching", unmatched, over(unmatched)),
            row("  a hundred not matching", hundred, over(hundred)),
            row("  no rules", bare, "\(events.count) generations, \(rounds) rounds"),
            row("bare C host, the same rule", host, "the rule here takes \(ratio) times that"),
        ] + guarded
    }

    private static func measured(
        _ rule: String?,
        _ events: [Event],
        _ rounds: Int,
        _ options: BenchOptions
    ) throws -> Spread {
        let registry = MetricRegistry()
        let receiver = try RuleReceiver(registry)
        let sets = try PluginHost.load(
            files: rule.map { [BenchRules.source($0)] } ?? [],
            registry: registry,
            now: { Load.receivedAt }
        )
        let session = PluginSession(sets, worker: 0, reader: OTLPSpanReader())
        session.adopt()
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
        let expected = rule == BenchRules.modelUse ? ok * rounds * (options.runs + 1) : 0
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
private final class RuleReceiver: EmissionReceiver {
    var origin: EmissionOrigin?
    let aggregator: MetricAggregator

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

    func score(_ score: Score) {}
    func feedback(_ feedback: Feedback) {}
    func log(_ log: Log) {}
}
