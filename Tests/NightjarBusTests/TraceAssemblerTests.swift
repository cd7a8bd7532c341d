import CNightjarSignals
import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

/// When spans are counted and traces end, by the receive clock alone: time is what the tests say it is.
@Suite struct TraceAssemblerTests {
    private static let start = Timestamp(unixNano: 1_700_000_000_000_000_000)

    /// An assembler that writes down what it wants done.
    private final class Bench {
        let assembler: TraceAssembler
        var said: [String] = []

        init(_ configuration: TraceConfiguration = TraceConfiguration(), source: (any TraceSource)? = nil) {
            assembler = TraceAssembler(configuration, source: source)
        }

        func send(at seconds: Double = 0, _ build: (SpanBuilder) -> Void) {
            let builder = SpanBuilder(receivedAt: start.advanced(by: .milliseconds(Int64(seconds * 1000))))
            build(builder)
            perform {
                assembler.process(builder.slab, known: [], into: &$0)
                assembler.shed(into: &$0)
            }
            assembler.releaseShed()
        }

        func advance(to seconds: Double) {
            perform {
                assembler.advance(to: start.advanced(by: .milliseconds(Int64(seconds * 1000))), into: &$0)
            }
        }

        func perform(_ work: (inout [TraceAssembler.Action]) -> Void) {
            var actions: [TraceAssembler.Action] = []
            work(&actions)
            said = actions.map { action in
                switch action {
                case .arrived: return "arrived"
                case .settled(let trace, let place, let started, let ended):
                    let row = trace.reference(place)?.row.pointee
                    var text = "\(row?.id ?? 0)" + (started ? " started" : "") + (ended ? " ended" : "")
                    if let agent = row?.settled_agent.string { text += " agent \(agent)" }
                    if let workflow = row?.settled_workflow.string { text += " workflow \(workflow)" }
                    if let outer = row?.duplicate_of, outer != 0 { text += " duplicate of \(outer)" }
                    if row?.spanType == .mcpToolCall { text += " mcp" }
                    return text
                case .lateChange: return "late change"
                case .settledEarly(_, let count): return "\(count) early"
                case .ended(let trace): return "end \(trace.record.revision)"
                }
            }
        }
    }

    private static func agent(_ name: String) -> (inout nj_span, Slab) -> Void {
        { $0.agent = SpanBuilder.text(name, in: $1) }
    }

    @Test func `children wait for the root and are then counted in the order of arrival, with their agent`() {
        let bench = Bench()
        bench.send { $0.span(type: .toolCall, id: 3, parent: 2) }
        #expect(bench.said.isEmpty)
        bench.send { $0.span(type: .agentRun, id: 2, parent: 1, change: Self.agent("helper")) }
        #expect(bench.said.isEmpty)
        bench.send { builder in
            builder.span(type: .workflowRun, id: 1) { $0.workflow = SpanBuilder.text("trip", in: $1) }
        }
        #expect(
            bench.said == [
                "3 started ended agent helper workflow trip", "2 started ended agent helper workflow trip",
                "1 started ended workflow trip",
            ]
        )
    }

    @Test func `a span that comes twice counts once, and a change after counting is told`() {
        let bench = Bench()
        bench.send { $0.span(type: .agentRun, id: 1) }
        #expect(bench.said == ["1 started ended"])
        bench.send { $0.span(type: .agentRun, id: 1) }
        #expect(bench.said == [])
        bench.send {
            $0.span(type: .agentRun, id: 1, milliseconds: 99) { $0.encoded = SpanBuilder.text("x", in: $1) }
        }
        #expect(bench.said == ["late change"])
    }

    @Test func `a span that still runs counts as started, and as ended when its end comes`() {
        let bench = Bench()
        bench.send { $0.span(type: .agentRun, id: 1) { span, _ in span.end_nano = 0 } }
        #expect(bench.said == ["1 started"])
        bench.send { $0.span(type: .agentRun, id: 1) { $0.encoded = SpanBuilder.text("x", in: $1) } }
        #expect(bench.said == ["1 ended"])
    }

    @Test func `a start that comes after the end opens nothing`() {
        let bench = Bench()
        bench.send { $0.span(type: .agentRun, id: 1, change: Self.agent("helper")) }
        #expect(bench.said == ["1 started ended agent helper"])
        bench.advance(to: 6)
        #expect(bench.said == ["end 1"])
        bench.send(at: 7) { builder in
            builder.span(type: .agentRun, id: 1) { span, slab in
                span.end_nano = 0
                span.encoded = SpanBuilder.text("start", in: slab)
            }
        }
        #expect(bench.said == [])
        bench.advance(to: 4000)
        #expect(bench.said == [])
        let row = bench.assembler.traces.values.first?.reference(0)?.row.pointee
        #expect(row?.agent.string == "helper")
        #expect(row?.hasEnded == true)
    }

    @Test func `a span that ended without an end time has ended`() {
        let bench = Bench()
        let running: (inout nj_span, Slab) -> Void = { span, _ in span.end_nano = 0 }
        let ended: (inout nj_span, Slab) -> Void = { span, slab in
            span.end_nano = 0
            span.flags = UInt8(NJ_SPAN_ENDED.rawValue)
            span.encoded = SpanBuilder.text("ended", in: slab)
        }
        bench.send { $0.span(type: .agentRun, id: 1, change: running) }
        #expect(bench.said == ["1 started"])
        bench.send { $0.span(type: .agentRun, id: 1, change: ended) }
        #expect(bench.said == ["1 ended"])
        bench.advance(to: 6)
        #expect(bench.said == ["end 1"])
    }

    @Test func `a start read back behind the end of its span replaces nothing`() {
        let journal = Journal()
        let builder = SpanBuilder(receivedAt: Self.start)
        builder.span(type: .agentRun, id: 1, change: Self.agent("helper"))
        builder.span(type: .agentRun, id: 1) { span, _ in span.end_nano = 0 }
        journal.slabs.append(builder.slab)
        let bench = Bench(source: journal)
        bench.assembler.restore(TraceID(high: 1, low: 2))
        let row = bench.assembler.traces.values.first?.reference(0)?.row.pointee
        #expect(row?.agent.string == "helper")
        let settled = TraceState.settled(TraceID(high: 1, low: 2), slabs: journal.slabs)
        #expect(settled.references.map { $0.row.pointee.agent.string } == ["helper"])
    }

    @Test func `the last copy of a span is the one that holds`() {
        let bench = Bench()
        bench.send { $0.span(id: 1) { span, _ in span.end_nano = 0 } }
        bench.send { builder in
            builder.span(type: .agentRun, id: 1, status: .error) {
                $0.agent = SpanBuilder.text("helper", in: $1)
                $0.encoded = SpanBuilder.text("x", in: $1)
            }
        }
        #expect(bench.said == ["1 started ended agent helper"])
        let reference = bench.assembler.traces.values.first?.reference(0)
        #expect(reference?.row.pointee.spanStatus == .error)
        #expect(reference?.row.pointee.spanType == .agentRun)
    }

    @Test func `a span starts when it gets a type, once`() {
        let bench = Bench()
        bench.send { $0.span(id: 1) { span, _ in span.end_nano = 0 } }
        #expect(bench.said == ["1 started"])
        for text in ["typed", "again"] {
            bench.send { builder in
                builder.span(type: .agentRun, id: 1) { span, slab in
                    span.end_nano = 0
                    span.encoded = SpanBuilder.text(text, in: slab)
                }
            }
            #expect(bench.said == (text == "typed" ? ["1 started"] : []))
        }
        bench.send { $0.span(type: .agentRun, id: 1) }
        #expect(bench.said == ["1 ended"])
    }

    @Test func `a span without a type that was read back still starts when it gets one`() {
        let journal = Journal()
        let builder = SpanBuilder(receivedAt: Self.start)
        builder.span(id: 1) { span, _ in span.end_nano = 0 }
        journal.slabs.append(builder.slab)
        let bench = Bench(source: journal)
        bench.assembler.restore(TraceID(high: 1, low: 2))
        bench.send { builder in
            builder.span(type: .agentRun, id: 1) { $0.encoded = SpanBuilder.text("ended", in: $1) }
        }
        #expect(bench.said == ["1 started ended"])
    }

    @Test func `a root that still runs keeps its trace open beyond the idle time-out`() {
        let bench = Bench()
        bench.send { $0.span(id: 1) { span, _ in span.end_nano = 0 } }
        bench.advance(to: 3599)
        #expect(bench.said == [])
        bench.advance(to: 3600)
        #expect(bench.said == ["end 1"])
    }

    @Test func `payloads are let go oldest first and read back when a rule needs them`() {
        let journal = Journal()
        var configuration = TraceConfiguration()
        configuration.retainedBytes = 1
        let bench = Bench(configuration, source: journal)
        let child = SpanBuilder(receivedAt: Self.start)
        child.span(type: .toolCall, id: 2, parent: 1)
        journal.slabs.append(child.slab)
        bench.perform {
            bench.assembler.process(child.slab, known: [], into: &$0)
            bench.assembler.shed(into: &$0)
        }
        bench.assembler.releaseShed()
        #expect(bench.assembler.retainedBytes == 0)
        bench.send { $0.span(type: .agentRun, id: 1, change: Self.agent("helper")) }
        #expect(bench.said == ["2 started ended agent helper", "1 started ended agent helper"])
        #expect(bench.assembler.retainedBytes == 0)
    }

    @Test func `a trace that ended and still waits does not end again after a restart`() {
        let bench = Bench()
        bench.send { $0.span(type: .toolCall, id: 2, parent: 1) }
        bench.advance(to: 60)
        #expect(bench.said == ["end 1"])
        let journal = Journal()
        let child = SpanBuilder(receivedAt: Self.start)
        child.span(type: .toolCall, id: 2, parent: 1)
        journal.slabs.append(child.slab)
        journal.record = bench.assembler.traces.values.first?.currentRecord()
        let restarted = Bench(source: journal)
        restarted.assembler.restore(TraceID(high: 1, low: 2))
        restarted.advance(to: 3599)
        #expect(restarted.said == [])
        restarted.advance(to: 3600)
        #expect(restarted.said == ["2 started ended"])
    }

    /// What a store would give back.
    private final class Journal: TraceSource {
        var slabs: [Slab] = []
        var record: TraceRecord?

        func recall(_ trace: TraceID, before sequence: Int64) -> RecalledTrace? {
            RecalledTrace(record: record ?? TraceRecord(id: trace, receivedAt: start), slabs: slabs)
        }
    }

    @Test func `a complete trace ends when it was quiet for the idle period`() {
        let bench = Bench()
        bench.send { $0.span(type: .agentRun, id: 1) }
        bench.advance(to: 5.9)
        #expect(bench.said == [])
        bench.send(at: 5.9) { $0.span(id: 2, parent: 1) }
        bench.advance(to: 11)
        #expect(bench.said == [])
        bench.advance(to: 11.9)
        #expect(bench.said == ["end 1"])
        bench.advance(to: 4000)
        #expect(bench.said == [])
    }

    @Test func `an incomplete trace ends at the idle time-out and settles nothing by it`() {
        let bench = Bench()
        bench.send { $0.span(type: .modelGeneration, id: 2, parent: 1) }
        bench.advance(to: 59.9)
        #expect(bench.said == [])
        bench.advance(to: 60)
        #expect(bench.said == ["end 1"])
        bench.send(at: 100) { $0.span(type: .agentRun, id: 1, change: Self.agent("late")) }
        #expect(bench.said == ["2 started ended agent late", "1 started ended agent late"])
        bench.advance(to: 106)
        #expect(bench.said == ["end 2"])
    }

    @Test func `what waits is counted without its ancestors when the wait is over`() {
        let bench = Bench()
        bench.send { $0.span(type: .modelGeneration, id: 2, parent: 1) }
        bench.advance(to: 60)
        bench.advance(to: 3599)
        #expect(bench.said == [])
        bench.advance(to: 3600)
        #expect(bench.said == ["2 started ended"])
    }

    @Test func `a trace is reopened at most as often as allowed`() {
        var configuration = TraceConfiguration()
        configuration.reopenLimit = 2
        let bench = Bench(configuration)
        var ends = 0
        for index in 0..<6 {
            bench.send(at: Double(index) * 100) { $0.span(id: UInt64(index) + 1, parent: index == 0 ? 0 : 1) }
            bench.advance(to: Double(index) * 100 + 10)
            ends += bench.said.count
        }
        #expect(ends == 3)
    }

    @Test func `a generation inside another is one request seen twice, whichever came first`() {
        let bench = Bench()
        bench.send { $0.span(type: .modelGeneration, id: 3, parent: 2) }
        bench.send { $0.span(type: .modelGeneration, id: 2, parent: 1) }
        bench.send { $0.span(type: .agentRun, id: 1) }
        #expect(bench.said == ["3 started ended duplicate of 2", "2 started ended", "1 started ended"])
    }

    @Test func `a generation of an agent that a tool runs is a request of its own`() {
        let bench = Bench()
        bench.send { builder in
            builder.span(type: .modelGeneration, id: 4, parent: 3)
            builder.span(type: .agentRun, id: 3, parent: 2)
            builder.span(type: .modelGeneration, id: 2, parent: 1)
            builder.span(type: .agentRun, id: 1)
        }
        #expect(!bench.said.contains { $0.contains("duplicate") })
    }

    @Test func `three spans of one tool call count once, as an MCP call, and another tool inside counts too`()
    {
        let bench = Bench()
        func named(_ name: String) -> (inout nj_span, Slab) -> Void {
            { $0.tool = SpanBuilder.text(name, in: $1) }
        }
        bench.send { builder in
            builder.span(type: .mcpToolCall, id: 4, parent: 3, change: named("add"))
            builder.span(type: .mcpToolCall, id: 3, parent: 2, change: named("add"))
            builder.span(type: .toolCall, id: 2, parent: 1, change: named("server_add"))
            builder.span(type: .toolCall, id: 5, parent: 2, change: named("lookup"))
            builder.span(type: .agentRun, id: 1)
        }
        #expect(
            bench.said == [
                "4 started ended duplicate of 2 mcp", "3 started ended duplicate of 2 mcp",
                "2 started ended mcp",
                "5 started ended", "1 started ended",
            ]
        )
    }

    @Test func `a provider SDK's span beside a framework's generation is the same request`() {
        let bench = Bench()
        bench.send { builder in
            builder.span(type: .modelGeneration, id: 2, parent: 1) { span, _ in span.output_tokens = 7 }
        }
        let sdk = SpanBuilder(receivedAt: Self.start)
        var context = nj_context()
        context.scope_name = SpanBuilder.text("com.anthropic.sdk.python", in: sdk.slab)
        let place = sdk.slab.append(context)
        sdk.span(type: .modelGeneration, id: 3, parent: 1) { span, _ in
            span.output_tokens = 7
            span.context = place
        }
        bench.perform { bench.assembler.process(sdk.slab, known: [], into: &$0) }
        bench.send { $0.span(type: .agentRun, id: 1) }
        #expect(bench.said == ["2 started ended", "3 started ended duplicate of 2", "1 started ended"])
    }

    @Test func `cycles of parents are counted when the trace ends, and hang nothing`() {
        let bench = Bench()
        bench.send { builder in
            builder.span(id: 2, parent: 3)
            builder.span(id: 3, parent: 2)
            builder.span(id: 4, parent: 4)
        }
        bench.advance(to: 4000)
        #expect(bench.said.filter { $0.contains("started") }.count == 3)
    }

    @Test func `beyond the bound the oldest that wait are counted as they are, and told`() {
        var configuration = TraceConfiguration()
        configuration.waitingSpans = 2
        let bench = Bench(configuration)
        for number in 1...3 {
            bench.send { $0.span(id: 2, parent: 1, trace: TraceID(high: 0, low: UInt64(number))) }
        }
        #expect(bench.said == ["2 started ended", "1 early", "end 1"])
        #expect(bench.assembler.waitingSpans == 2)
    }

    @Test func `one trace of many spans, children first, costs the same per span`() {
        let bench = Bench()
        let count = 20_000
        for batch in 0..<(count / 200) {
            bench.send { builder in
                for index in 0..<200 {
                    let id = UInt64(batch * 200 + index + 2)
                    builder.span(type: .toolCall, id: id, parent: id == UInt64(count) + 1 ? 1 : id + 1)
                }
            }
        }
        bench.send { $0.span(type: .agentRun, id: 1) }
        #expect(bench.said.count == count + 1)
    }
}
