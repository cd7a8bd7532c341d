import NightjarBus
import NightjarSignals
import NightjarTesting
import Synchronization
import Testing

/// What live spans remember of each other: always what would be found by asking all of them.
struct LiveCorrelationTests {
    private final class Sink: LiveSink {
        private let events = Mutex<[SignalEvent]>([])
        var last: SignalEvent? { events.withLock { $0.last } }
        func emit(_ event: SignalEvent) { events.withLock { $0.append(event) } }
        func waitForRoom() {}
        func isKept(_ root: Span) -> Bool { true }
        func report(invalidID: String) {}
    }

    private let sink = Sink()
    private let context: LiveContext

    init() {
        context = LiveContext(sink: sink, serviceName: "shop", environment: "test") {
            Timestamp(unixNano: 1_767_225_600_000_000_000)
        }
    }

    /// By the definition: the chain of spans, and all metadata with the nearest on top.
    private func expected(_ span: LiveSpan) -> (correlation: Correlation, metadata: Value.Object) {
        var chain: [Span] = []
        var at: LiveSpan? = span
        while let one = at {
            var own = one.ownSpan
            (own.environment, own.service) = (nil, nil)
            chain.append(own)
            at = one.parent
        }
        let metadata = chain.reversed().reduce(Value.Object()) { $0.merging($1.metadata) }
        var correlation = Correlation(chain: chain, metadata: metadata)
        if correlation.environment == nil { correlation.environment = "test" }
        if correlation.serviceName == nil { correlation.serviceName = "shop" }
        return (correlation, metadata)
    }

    private func metadata(_ generator: inout SeededGenerator) -> Value.Object {
        let keys = [
            "userId", "sessionId", "experimentId", "experiment", "environment", "serviceName", "mine",
        ]
        var object = Value.Object()
        for _ in 0..<generator.next() % 3 {
            let key = keys[Int(generator.next() % UInt64(keys.count))]
            object[key] = generator.next() % 4 == 0 ? "" : .string("\(generator.next() % 5)")
        }
        return object
    }

    @Test(arguments: UInt64(0)..<40)
    func `signals of a span have the facts of its parents as they are now`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let types: [SpanType] = [.agentRun, .modelGeneration, .toolCall, .workflowRun, .generic]
        var spans: [LiveSpan] = []
        for _ in 0..<60 {
            let parent = spans.isEmpty ? nil : spans[Int(generator.next() % UInt64(spans.count))]
            switch generator.next() % 4 {
            case 0:
                parent?.update(
                    metadata: metadata(&generator),
                    tags: generator.next() % 5 == 0 ? ["t\(generator.next() % 9)"] : nil
                )
            case 1:
                parent?.amend { span in
                    span.entityName = "e\(generator.next() % 9)"
                    return false
                }
            default:
                let options = SpanOptions(metadata: metadata(&generator), tags: ["a"])
                let type = types[Int(generator.next() % 5)]
                spans.append(
                    context.startSpan(
                        "s",
                        type: type,
                        with: options,
                        parent: parent.map { .span($0) } ?? .none
                    )
                )
            }
            guard let span = spans.randomElement(using: &generator) else { continue }
            let (correlation, metadata) = expected(span)
            span.metrics.counter("c").add()
            guard case .metric(let metric)? = sink.last else {
                Issue.record("no observation")
                return
            }
            #expect(metric.correlation == correlation)
            #expect(metric.metadata == correlation.environmentFacts)
            #expect(span.span.metadata == metadata)
        }
    }

    @Test func `a copy of a span is not changed with it`() {
        let live = context.startSpan(
            "s",
            type: .agentRun,
            with: SpanOptions(attributes: ["a": 1]),
            parent: .none
        )
        guard case .spanStarted(let started)? = sink.last else {
            Issue.record("no start")
            return
        }
        var copy = started
        copy.attributes["a"] = 2
        copy.tags.append("t")
        live.end(attributes: ["b": 3])
        #expect(started.attributes == ["a": 1])
        #expect(started.endTime == nil)
        #expect(started.tags.isEmpty)
        #expect(copy != started)
        #expect(live.span.attributes == ["a": 1, "b": 3])
    }
}
