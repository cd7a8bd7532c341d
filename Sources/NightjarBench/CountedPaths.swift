import CNightjarSignals
import Logging
import Nightjar
import NightjarBus
import NightjarOTLP
import NightjarPlugins
import NightjarSignals
import NightjarStore
import NightjarTesting

/// Bodies into slabs.
enum CountedDecoding {
    static func rounds(_ encoding: TraceRequest.Encoding) throws -> (Int, CountedPath.Rounds) {
        let load = Load(spans: CountedPath.spans, json: encoding == .json)
        let payloads = (encoding == .json ? load.json : load.bodies.map(\.bytes)).map { Payload($0) }
        return (
            load.spanCount,
            { count in
                for _ in 0..<count { try decode(payloads, encoding, load.spanCount) }
            }
        )
    }

    private static func decode(
        _ payloads: [Payload],
        _ encoding: TraceRequest.Encoding,
        _ expected: Int
    ) throws {
        var spans = 0
        for payload in payloads {
            spans += try TraceRequest.decode(
                payload,
                encoding: encoding,
                receivedAt: Load.receivedAt,
                workers: 1
            ).spanCount
        }
        guard spans == expected else {
            throw BenchFailure(description: "decoded \(spans) of \(expected) spans")
        }
    }
}

/// Slabs through a worker's steps; they are decoded before, and once for each round, because processing writes to them.
enum CountedPass {
    static func rounds(_ most: Int, _ depth: CorePass.Depth) throws -> (Int, CountedPath.Rounds) {
        let load = Load(spans: CountedPath.spans)
        let slabs = try (0..<most).map { _ in try load.decoded() }
        let pass = try CorePass(depth)
        return (
            load.spanCount,
            { count in
                for round in slabs.prefix(count) {
                    pass.restart()
                    for request in round { pass.take(request) }
                    pass.endTraces(after: Load.receivedAt)
                }
                guard depth == .effects else { return }
                let wrong = pass.totals.differences(from: load.totals.leavingOutPlugins(), times: count)
                guard wrong.isEmpty else { throw BenchFailure(description: wrong.joined(separator: "\n")) }
            }
        )
    }
}

/// One rule on settled generations.
enum CountedRules {
    static func rounds(_ rule: String) throws -> (Int, CountedPath.Rounds) {
        let load = Load(spans: CountedPath.spans)
        let pass = try CorePass(.extraction)
        var events: [(span: SpanReference, trace: TraceState)] = []
        pass.onEnded = { trace, place in
            guard let span = trace.reference(place), span.row.pointee.duplicate_of == 0 else { return }
            if span.row.pointee.spanType == .modelGeneration { events.append((span, trace)) }
        }
        for slabs in try load.decoded() { pass.take(slabs) }
        let registry = MetricRegistry()
        let receiver = try RuleReceiver(registry)
        let sets = try PluginHost.load(
            files: BenchRules.sources([rule]),
            registry: registry,
            now: { Load.receivedAt }
        )
        let session = PluginSession(sets, worker: 0, reader: OTLPSpanReader(), memory: RunMemory())
        session.adopt()
        let matching =
            rule == BenchRules.modelUse ? events.count { $0.span.row.pointee.spanStatus == .ok } : 0
        return (
            events.count,
            { count in
                for _ in 0..<count {
                    for event in events {
                        session.spanEnded(
                            event.span,
                            trace: event.trace,
                            now: Load.receivedAt,
                            into: receiver
                        )
                    }
                }
                let counted = receiver.aggregator.take().reduce(0) { $0 + $1.sum }
                guard counted == Double(matching * count) else {
                    throw BenchFailure(description: "counted \(counted) instead of \(matching * count)")
                }
            }
        )
    }
}

/// Labels on their way into series.
enum CountedMetrics {
    private static let observations = 10_000
    private static let series = 200

    /// Labels of which one is blocked and one a UUID.
    static func filtering() -> (Int, CountedPath.Rounds) {
        let filter = LabelFilter(CardinalityConfiguration())
        let sets = (0..<series).map { index in
            [
                Label("agent", "agent_\(index % 40)"), Label("model", "gpt-4o-mini"), Label("status", "ok"),
                Label("user_id", "user-\(index)"),
                Label("ticket", "6f9619ff-8b86-d011-b42d-00c04fc96\(index + 100)"),
            ]
        }
        return (
            sets.count,
            { count in
                for _ in 0..<count {
                    for labels in sets {
                        let (kept, dropped) = filter.apply(labels, policy: LabelPolicy())
                        guard kept.count == 3, dropped.count == 2 else {
                            throw BenchFailure(description: "the filter kept \(kept.count) of 5 labels")
                        }
                    }
                }
            }
        )
    }

    /// Observations of a counter with three labels, and the hand-over at the end.
    static func aggregation() throws -> (Int, CountedPath.Rounds) {
        let registry = MetricRegistry()
        let receiver = try RuleReceiver(registry)
        let counter = try registry.instrument(InstrumentDescriptor(name: "bench_total", type: .counter))
        let sets = LabelTexts(
            (0..<series).map { index in
                [("agent", "agent_\(index % 40)"), ("model", "model_\(index / 40)"), ("status", "ok")]
            }
        )
        return (
            observations,
            { count in
                for _ in 0..<count {
                    for index in 0..<observations {
                        receiver.metric(counter, value: 1, labels: sets[index % series], at: Load.receivedAt)
                    }
                    let sum = receiver.aggregator.take().reduce(0) { $0 + $1.sum }
                    guard sum == Double(observations) else {
                        throw BenchFailure(description: "\(sum) of \(observations) were counted")
                    }
                }
            }
        )
    }
}

/// Sets of labels in memory that stays where it is, as events have them.
final class LabelTexts {
    private let labels: UnsafeMutableBufferPointer<nj_label>
    private let width: Int

    /// Sets of one size.
    init(_ sets: [[(name: String, value: String)]]) {
        width = sets.first?.count ?? 0
        labels = .allocate(capacity: sets.count * width)
        for (place, label) in sets.joined().enumerated() {
            labels.initializeElement(
                at: place,
                to: nj_label(name: Self.text(label.name), value: Self.text(label.value))
            )
        }
    }

    deinit {
        for label in labels {
            label.name.bytes?.deallocate()
            label.value.bytes?.deallocate()
        }
        labels.deallocate()
    }

    subscript(_ set: Int) -> UnsafeBufferPointer<nj_label> {
        UnsafeBufferPointer(rebasing: labels[set * width..<(set + 1) * width])
    }

    private static func text(_ text: String) -> nj_text {
        let bytes = UnsafeMutablePointer<CChar>.allocate(capacity: text.utf8.count)
        for (place, byte) in text.utf8.enumerated() { bytes[place] = CChar(bitPattern: byte) }
        return nj_text(bytes: bytes, length: UInt32(text.utf8.count))
    }
}
