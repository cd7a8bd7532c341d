import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

/// What an assembler remembers of traces that are over.
struct TraceMemoryTests {
    @Test(arguments: [(5, 0), (6, 6)])
    func `ended traces are forgotten sooner where they have many spans`(_ limit: Int, _ known: Int) {
        var configuration = TraceConfiguration()
        configuration.rememberedSpans = limit
        let assembler = TraceAssembler(configuration, source: nil)
        let start = Timestamp(unixNano: 1_700_000_000_000_000_000)
        let builder = SpanBuilder(receivedAt: start)
        builder.span(type: .workflowRun, id: 1)
        for id in 2...6 { builder.span(type: .toolCall, id: UInt64(id), parent: 1) }
        var actions: [TraceAssembler.Action] = []
        assembler.process(builder.slab, known: [], into: &actions)
        assembler.advance(to: start.advanced(by: .seconds(100)), into: &actions)
        assembler.forget(committed: .max)
        #expect(assembler.knownSpans == known)
        #expect(assembler.traces.isEmpty == (known == 0))
    }
}
