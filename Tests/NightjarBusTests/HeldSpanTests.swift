import CNightjarSignals
import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

/// Spans that wait for one beside or below them, which may come later and in another request.
@Suite struct HeldSpanTests {
    private static let start = Timestamp(unixNano: 1_700_000_000_000_000_000)

    /// An assembler, and the spans that it had counted, in order.
    private final class Bench {
        let assembler = TraceAssembler(TraceConfiguration(), source: nil)
        var counted: [String] = []

        func send(at seconds: Int64 = 0, _ kind: Kind) {
            let builder = SpanBuilder(receivedAt: start.advanced(by: .seconds(seconds)))
            kind.build(builder)
            perform { assembler.process(builder.slab, known: [], into: &$0) }
        }

        func advance(to seconds: Int64) {
            perform { assembler.advance(to: start.advanced(by: .seconds(seconds)), into: &$0) }
        }

        private func perform(_ work: (inout [TraceAssembler.Action]) -> Void) {
            var actions: [TraceAssembler.Action] = []
            work(&actions)
            for case .settled(let trace, let place, _, true) in actions {
                guard let row = trace.reference(place)?.row.pointee else { continue }
                counted.append(
                    "\(row.id)\(row.spanStatus == .error ? " failed" : "")"
                        + (row.duplicate_of == 0 ? "" : " is \(row.duplicate_of)")
                )
            }
        }
    }

    /// The spans of the tests, by what they are; their ids are in the order given here.
    private enum Kind: UInt64, CaseIterable {
        case agent = 1
        case framework, provider, call, execution, lateFramework

        func build(_ builder: SpanBuilder) {
            switch self {
            case .agent: builder.span(type: .agentRun, id: 1)
            case .framework:
                builder.span(type: .modelGeneration, id: 2, parent: 1) { span, _ in span.output_tokens = 7 }
            case .provider, .lateFramework:
                var context = nj_context()
                let scope = self == .provider ? "com.anthropic.sdk.python" : "framework"
                context.scope_name = SpanBuilder.text(scope, in: builder.slab)
                let place = builder.slab.append(context)
                // The late one lies a minute behind and has other counts, but names the same response.
                let isLate = self == .lateFramework
                builder.span(
                    type: .modelGeneration,
                    id: rawValue,
                    parent: 1,
                    startMilliseconds: 1_700_000_000_000 + (isLate ? 60_000 : 0),
                    attributes: [("gen_ai.response.id", .text("msg_1"))]
                ) { span, _ in
                    span.output_tokens = isLate ? 8 : 7
                    span.context = place
                }
            case .call: builder.span("claude_code.tool", type: .toolCall, id: 4, parent: 1)
            case .execution:
                builder.span("claude_code.tool.execution", id: 5, parent: 4, status: .error)
            }
        }
    }

    private static func orders(_ kinds: [Kind]) -> [[Kind]] {
        guard let first = kinds.first else { return [[]] }
        return orders(Array(kinds.dropFirst())).flatMap { rest in
            (0...rest.count).map { Array(rest[..<$0]) + [first] + Array(rest[$0...]) }
        }
    }

    @Test func `a provider's own span beside a framework's counts once, in any order of three requests`() {
        for order in Self.orders([.agent, .framework, .provider]) {
            let bench = Bench()
            for kind in order { bench.send(kind) }
            #expect(bench.counted.sorted() == ["1", "2", "3 is 2"], "\(order)")
        }
    }

    @Test func `the id of the response tells of one request whatever else the two spans say`() {
        for order in Self.orders([.agent, .lateFramework, .provider]) {
            let bench = Bench()
            for kind in order { bench.send(kind) }
            #expect(bench.counted.sorted() == ["1", "3 is 6", "6"], "\(order)")
        }
    }

    @Test func `a provider's span alone counts when its parent has ended and nothing has come for a while`() {
        let bench = Bench()
        bench.send(.provider)
        bench.send(.agent)
        #expect(bench.counted == ["1"])
        bench.advance(to: 5)
        #expect(bench.counted == ["1"])
        bench.advance(to: 7)
        #expect(bench.counted == ["1", "3"])
        // What comes later still is no second request.
        bench.send(at: 8, .framework)
        #expect(bench.counted == ["1", "3", "2 is 3"])
    }

    @Test func `a tool call fails with its execution, in any order of three requests`() {
        for order in Self.orders([.agent, .call, .execution]) {
            let bench = Bench()
            for kind in order { bench.send(kind) }
            #expect(bench.counted.contains("4 failed"), "\(order)")
            #expect(bench.counted.count == 3)
        }
    }

    @Test func `a tool call of which no execution tells counts after a while`() {
        let bench = Bench()
        bench.send(.call)
        bench.send(.agent)
        bench.advance(to: 7)
        #expect(bench.counted == ["1", "4"])
    }
}
