import CNightjarSignals
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

    @Test func `a trace is full at its bound of spans, and at its bound of bytes, and says so once`() {
        var configuration = TraceConfiguration()
        configuration.traceSpans = 3
        let assembler = TraceAssembler(configuration, source: nil)
        for id in 1...2 { store.send(Self.span(trace: 7, id: id), to: assembler) }
        #expect(assembler.takeFull().isEmpty)
        store.send(Self.span(trace: 8, id: 1), to: assembler)
        store.send(Self.span(trace: 7, id: 2), to: assembler)
        #expect(assembler.takeFull().isEmpty, "a copy of a span is no further span")
        for id in 3...4 { store.send(Self.span(trace: 7, id: id), to: assembler) }
        #expect(assembler.takeFull() == [TraceID(high: 0, low: 7)])
        #expect(assembler.takeFull().isEmpty)
        configuration.traceBytes = 1
        let small = TraceAssembler(configuration, source: nil)
        store.send(Self.span(trace: 9, id: 1, name: "has bytes"), to: small)
        #expect(small.takeFull() == [TraceID(high: 0, low: 9)])
    }

    @Test func `an open trace is not let go before the store knows all of it`() {
        var configuration = TraceConfiguration()
        configuration.stateBytes = 0
        let assembler = TraceAssembler(configuration, source: store)
        func grow(_ trace: Int) { store.send(Self.span(trace: trace, id: 2, parent: 1), to: assembler) }
        grow(1)
        assembler.park(committed: .max)
        #expect(assembler.parked.isEmpty, "its record was not handed over")
        store.save(assembler)
        grow(2)
        assembler.park(committed: 0)
        #expect(assembler.parked.isEmpty, "what was handed over is not durable")
        grow(3)
        assembler.park(committed: 1)
        #expect(assembler.parked == [TraceID(high: 0, low: 1)])
    }

    @Test
    func `open traces beyond the bound are let go, and come back by a span, by a deadline and at the end`() {
        var configuration = TraceConfiguration()
        configuration.stateBytes =
            8 * (TraceConfiguration.knowledge.trace + TraceConfiguration.knowledge.span)
        let assembler = TraceAssembler(configuration, source: store)
        for trace in 1...9 {
            store.send(Self.span(trace: trace, id: 2, parent: 1), at: Double(trace), to: assembler)
        }
        store.save(assembler)
        assembler.park(committed: 1)
        #expect(assembler.traces.count == 6)
        #expect(assembler.parked == Set((1...3).map { TraceID(high: 0, low: UInt64($0)) }))
        #expect(assembler.waitingSpans == 6)
        // By a span: what waited is counted with it, once.
        let settled = store.send(Self.span(trace: 1, id: 1), at: 10, to: assembler)
        #expect(settled == ["trace 1 span 2", "trace 1 span 1"])
        // By a deadline: an incomplete trace ends after its idle time-out.
        let due = store.advance(assembler, to: 61.5)
        #expect(due == ["trace 1 ends"])
        #expect(store.advance(assembler, to: 62.5) == ["trace 2 ends"])
        #expect(!assembler.parked.contains(TraceID(high: 0, low: 2)))
        // At the end of a run over recorded events.
        let rest = store.finish(assembler)
        #expect(rest.filter { $0.hasPrefix("trace 3") } == ["trace 3 span 2", "trace 3 ends"])
        #expect(assembler.parked.isEmpty)
    }

    @Test(arguments: [5, 12, 13, 60])
    func `however many parents come later, each child gets the name of its own`(_ count: Int) {
        let assembler = TraceAssembler(TraceConfiguration(), source: nil)
        let builder = SpanBuilder(receivedAt: Store.start)
        let ids = Array(1...UInt64(count))
        for id in ids { builder.span(type: .toolCall, id: 1000 + id, parent: id) }
        for id in ids.reversed() {
            builder.span(type: .agentRun, id: id) { row, slab in
                row.agent = SpanBuilder.text(
                    "agent \(id) \(String(repeating: "x", count: Int(id) * 10))",
                    in: slab
                )
            }
        }
        var names: [UInt64: String] = [:]
        var actions: [TraceAssembler.Action] = []
        assembler.process(builder.slab, known: [], into: &actions)
        for case .settled(let trace, let place, _, true) in actions {
            guard let row = trace.reference(place)?.row.pointee else { continue }
            names[row.id] = row.settled_agent.string
        }
        #expect(names.count == 2 * count)
        for id in ids {
            let name = "agent \(id) \(String(repeating: "x", count: Int(id) * 10))"
            #expect(names[id] == name)
            #expect(names[1000 + id] == name)
        }
    }

    @Test func `a record names the spans that wait, however many others were counted in between`() throws {
        let assembler = TraceAssembler(TraceConfiguration(), source: nil)
        func send(_ id: Int, _ parent: Int) throws -> [UInt64] {
            store.send(Self.span(trace: 1, id: id, parent: parent), to: assembler)
            return try #require(assembler.traces.values.first).currentRecord().pending.map(\.value)
        }
        #expect(try send(1, 0) == [])
        #expect(try send(2, 1) == [])
        #expect(try send(11, 10) == [11])
        #expect(try send(3, 2) == [11])
        #expect(try send(12, 10) == [11, 12])
        #expect(try send(10, 1) == [])
        #expect(try send(21, 20) == [21])
    }

    @Test func `calls that wait for what tells how they went are counted as they are beyond a thousand`() {
        let assembler = TraceAssembler(TraceConfiguration(), source: nil)
        store.send(Self.span(trace: 1, id: 1), to: assembler)
        var counted = 0
        for id in 2...1100 {
            let builder = SpanBuilder(receivedAt: Store.start)
            builder.span(
                "claude_code.tool",
                type: .toolCall,
                id: UInt64(id),
                parent: 1,
                trace: TraceID(high: 0, low: 1)
            )
            counted += store.send(builder, to: assembler).count
        }
        #expect(counted == 512)
        #expect(assembler.waitingSpans == 1099 - 512)
    }

    // MARK: - A store

    private let store = Store()

    private static func span(trace: Int, id: Int, parent: Int = 0, name: String = "") -> SpanBuilder {
        let builder = SpanBuilder(receivedAt: Store.start)
        let id = (trace: TraceID(high: 0, low: UInt64(trace)), span: UInt64(id))
        builder.span(type: .agentRun, id: id.span, parent: UInt64(parent), trace: id.trace) { row, slab in
            if !name.isEmpty { row.encoded = SpanBuilder.text(name, in: slab) }
        }
        return builder
    }

    /// What was processed, read back as a store in memory would.
    private final class Store: TraceSource {
        static let start = Timestamp(unixNano: 1_700_000_000_000_000_000)
        private var slabs: [TraceID: [Slab]] = [:]
        private var records: [TraceID: TraceRecord] = [:]

        func recall(_ trace: TraceID, before sequence: Int64) -> RecalledTrace? {
            records[trace].map { RecalledTrace(record: $0, slabs: slabs[trace] ?? []) }
        }

        /// Stores the records of all traces in memory.
        func save(_ assembler: TraceAssembler) {
            for trace in assembler.traces.values where trace.isChanged {
                trace.ticket = 1
                records[trace.id] = trace.currentRecord()
            }
        }

        @discardableResult
        func send(_ builder: SpanBuilder, at seconds: Double = 0, to assembler: TraceAssembler) -> [String] {
            builder.slab.receivedAt = Self.instant(seconds)
            var actions: [TraceAssembler.Action] = []
            assembler.process(builder.slab, known: [], into: &actions)
            slabs[builder.slab.spans[0].traceID, default: []].append(builder.slab)
            return actions.map(Self.text)
        }

        func advance(_ assembler: TraceAssembler, to seconds: Double) -> [String] {
            var actions: [TraceAssembler.Action] = []
            assembler.advance(to: Self.instant(seconds), into: &actions)
            return actions.map(Self.text)
        }

        func finish(_ assembler: TraceAssembler) -> [String] {
            var actions: [TraceAssembler.Action] = []
            assembler.finishAll(into: &actions)
            return actions.map(Self.text)
        }

        private static func instant(_ seconds: Double) -> Timestamp {
            start.advanced(by: .milliseconds(Int64(seconds * 1000)))
        }

        private static func text(_ action: TraceAssembler.Action) -> String {
            switch action {
            case .settled(let trace, let place, _, _):
                "trace \(trace.id.low) span \(trace.spanID(place).value)"
            case .ended(let trace): "trace \(trace.id.low) ends"
            default: "\(action)"
            }
        }
    }
}
