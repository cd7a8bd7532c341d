import Nightjar
import NightjarBus
import NightjarExporters
import NightjarSignals
import Testing

/// Spans in process: signals contract, sections 2 and 3.
@Suite struct LiveSpanTests {
    @Test func `a span tells of its start, its changes and its end, in this order`() async throws {
        try await Program.run { program in
            let span = program.observability.startSpan(
                "support",
                type: .agentRun,
                with: .init(input: "hello")
            )
            span.update(attributes: ["steps": 2])
            span.end(output: "bye")
            #expect(await program.observability.flush())
            let events = program.exported.events.filter { $0.signal == .tracing }
            #expect(events.map(\.name) == ["span_started", "span_updated", "span_ended"])
            let ended = try #require(program.exported.spans.first)
            #expect(ended.input == "hello")
            #expect(ended.output == "bye")
            #expect(ended.attributes["steps"] == 2)
            #expect(ended.status == .ok)
            #expect(ended.service == "shop")
            #expect(ended.environment == "test")
            #expect(ended.entityType == "agent")
            #expect(ended.entityName == "support")
        }
    }

    @Test func `a child has its parent's trace and metadata, and its own wins`() async throws {
        try await Program.run { program in
            let run = program.observability.startSpan(
                "support",
                type: .agentRun,
                with: .init(metadata: ["userId": "u1", "plan": "free"], tags: ["prod"])
            )
            let tool = run.startSpan(
                "search",
                type: .toolCall,
                with: .init(metadata: ["plan": "paid"], tags: ["no"])
            )
            tool.end()
            run.end()
            #expect(await program.observability.flush())
            let child = try #require(program.exported.spans.first { $0.name == "search" })
            #expect(child.traceID == run.traceID)
            #expect(child.parentSpanID == run.id)
            #expect(child.metadata["userId"] == "u1")
            #expect(child.metadata["plan"] == "paid")
            #expect(child.tags.isEmpty)
            #expect(program.exported.spans.first { $0.name == "support" }?.tags == ["prod"])
        }
    }

    @Test func `late metadata reaches what comes after it, and not what came before`() async throws {
        try await Program.run { program in
            let run = program.observability.startSpan("support", type: .agentRun)
            let tool = run.startSpan("search", type: .toolCall)
            tool.logger.info("before")
            run.update(metadata: ["runId": "r1"])
            tool.logger.info("after")
            tool.metrics.counter("looks_total").add(1)
            tool.end()
            run.end()
            #expect(await program.observability.flush())
            let logs = program.exported.logs
            #expect(logs.first { $0.message == "before" }?.correlation.runID == nil)
            #expect(logs.first { $0.message == "after" }?.correlation.runID == "r1")
            #expect(logs.first { $0.message == "after" }?.metadata["runId"] == "r1")
            #expect(program.exported.metrics(named: "looks_total").first?.correlation.runID == "r1")
            #expect(program.exported.spans.first { $0.name == "search" }?.metadata["runId"] == "r1")
        }
    }

    @Test func `ending twice counts once`() async throws {
        try await Program.run { program in
            let span = program.observability.startSpan("support", type: .agentRun)
            span.end(output: 1)
            span.end(output: 2)
            #expect(await program.observability.flush())
            #expect(program.exported.spans.map(\.output) == [1])
            #expect(
                program.totals("mastra_agent_runs_ended")
                    == [["agent": "support", "status": "ok", "env": "test", "service": "shop"]: 1]
            )
        }
    }

    @Test func `an error makes the status error, ends the span, and counts as one`() async throws {
        try await Program.run { program in
            program.observability.startSpan("support", type: .agentRun).error(Failure())
            #expect(await program.observability.flush())
            let span = try #require(program.exported.spans.first)
            #expect(span.status == .error)
            #expect(span.errorInfo?.message == "the kettle is cold")
            #expect(span.endTime != nil)
            #expect(program.totals("mastra_agent_runs_ended").keys.first?["status"] == "error")
        }
    }

    @Test func `an error that does not end the span leaves it running`() async throws {
        try await Program.run { program in
            let span = program.observability.startSpan("support", type: .agentRun)
            span.error(Failure(), ending: false)
            #expect(span.span.endTime == nil)
            span.end()
            #expect(await program.observability.flush())
            #expect(program.exported.spans.map(\.status) == [.error])
            #expect(program.exported.spans.count == 1)
        }
    }

    @Test func `a point in time is a span with an output and no duration`() async throws {
        try await Program.run { program in
            let run = program.observability.startSpan("support", type: .agentRun)
            run.recordEvent("handed over", type: .toolCall, output: ["to": "a person"])
            run.end()
            #expect(await program.observability.flush())
            let event = try #require(program.exported.spans.first { $0.name == "handed over" })
            #expect(event.isEvent)
            #expect(event.endTime == nil)
            #expect(event.output == ["to": "a person"])
            #expect(program.totals("mastra_tool_calls_ended").values.reduce(0, +) == 1)
            #expect(program.totals("mastra_tool_duration_ms").isEmpty)
        }
    }

    @Test func `events and links of a span come with its end`() async throws {
        try await Program.run { program in
            let other = program.observability.startSpan("other")
            let span = program.observability.startSpan("one")
            span.addEvent("retry", attributes: ["attempt": 2])
            span.addLink(to: other.traceContext, attributes: ["why": "same order"])
            span.end()
            other.end()
            #expect(await program.observability.flush())
            let ended = try #require(program.exported.spans.first { $0.name == "one" })
            #expect(ended.events.map(\.name) == ["retry"])
            #expect(ended.links.map(\.spanID) == [other.id])
        }
    }

    @Test func `the current span of the task is the parent of what starts inside`() async throws {
        try await Program.run { program in
            let observability = program.observability
            await observability.withSpan("support", type: .agentRun) { run in
                let inner = observability.startSpan("search", type: .toolCall)
                #expect(inner.parent === run)
                async let other = observability.withSpan("think", type: .modelGeneration) {
                    $0.parent === run
                }
                let isChild = await other
                #expect(isChild)
                let root = observability.startSpan("apart", parent: .none)
                #expect(root.parent == nil)
                #expect(root.traceID != run.traceID)
                inner.end()
                root.end()
            }
            #expect(LiveSpan.current == nil)
            #expect(await observability.flush())
            #expect(Set(program.exported.spans.map(\.name)) == ["support", "search", "think", "apart"])
        }
    }

    @Test func `what the body of a span throws is the span's error, and goes on to the caller`() async throws
    {
        try await Program.run { program in
            await #expect(throws: Failure.self) {
                try await program.observability.withSpan("support") { _ async throws in throw Failure() }
            }
            #expect(throws: Failure.self) {
                try program.observability.withSpan("again") { _ in throw Failure() }
            }
            #expect(await program.observability.flush())
            #expect(program.exported.spans.map(\.status) == [.error, .error])
        }
    }

    @Test func `a trace goes on from another process by its traceparent`() async throws {
        try await Program.run { program in
            let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            let remote = try #require(TraceContext(traceparent: header))
            #expect(remote.traceparent == header)
            let span = program.observability.startSpan("serve", parent: .remote(remote))
            span.end()
            #expect(await program.observability.flush())
            let exported = try #require(program.exported.spans.first)
            #expect(exported.traceID.description == "4bf92f3577b34da6a3ce929d0e0e4736")
            #expect(exported.parentSpanID?.description == "00f067aa0ba902b7")
            let run = program.observability.startSpan("support", type: .agentRun, parent: .remote(remote))
            run.startSpan("search", type: .toolCall).end()
            run.end()
            #expect(await program.observability.flush())
            // A parent in another process never comes here: nobody waits for it.
            #expect(program.totals("mastra_agent_runs_ended").values.reduce(0, +) == 1)
            #expect(program.totals("mastra_tool_calls_ended").keys.first?["agent"] == "support")
            for unfit in ["", "00-0-0-01", "ff" + header.dropFirst(2), header + "-00", "00-" + header] {
                #expect(TraceContext(traceparent: unfit) == nil, "\(unfit)")
            }
        }
    }

    @Test func `ids from outside are padded, and one that is none is replaced`() async throws {
        try await Program.run { program in
            let padded = program.observability.startSpan("a", parent: .ids(trace: "ABC", parent: "1f"))
            #expect(padded.traceID.description == "00000000000000000000000000000abc")
            #expect(padded.span.parentSpanID?.description == "000000000000001f")
            let replaced = program.observability.startSpan("b", parent: .ids(trace: "not hex"))
            #expect(replaced.traceID.isValid)
            #expect(replaced.span.parentSpanID == nil)
        }
    }

    @Test func `a trace that is not sampled counts, and leaves nothing in the store or the exporters`()
        async throws
    {
        try await Program.run {
            $0.sampling = [.never]
        } _: { program in
            let run = program.observability.startSpan(
                "support",
                type: .agentRun,
                with: .init(input: "secret")
            )
            #expect(!run.isSampled)
            let tool = run.startSpan("search", type: .toolCall)
            tool.logger.error("nobody reads this")
            tool.metrics.counter("looks_total").add(1)
            tool.error(Failure())
            run.end()
            #expect(throws: InputError.self) { try run.addScore(ScoreInput(scorerName: "s", score: 1)) }
            #expect(await program.observability.flush())
            #expect(program.exported.spans.isEmpty)
            #expect(program.exported.startedSpans.isEmpty)
            #expect(program.exported.logs.isEmpty)
            #expect(program.totals("mastra_agent_runs_ended").values.reduce(0, +) == 1)
            #expect(program.totals("mastra_tool_calls_ended").keys.first?["status"] == "error")
            #expect(program.totals("looks_total").values.reduce(0, +) == 1)
            let trace = try await program.observability.getTrace(run.traceID)
            #expect(trace == nil)
        }
    }

    @Test func `a sampler of the program is asked once for a trace`() async throws {
        let asked = Locked<[String]>([])
        let sampling = Sampling.custom { context in
            asked.update { $0.append(context.name) }
            return context.name != "noise"
        }
        try await Program.run {
            $0.sampling = [sampling]
        } _: { program in
            let kept = program.observability.startSpan("support", type: .agentRun)
            kept.startSpan("noise").end()
            kept.end()
            program.observability.startSpan("noise").end()
            #expect(await program.observability.flush())
            #expect(asked.current == ["support", "noise"])
            #expect(program.exported.spans.map(\.name) == ["noise", "support"])
        }
    }

    @Test func `what is done with a span that leads nowhere has no effect`() throws {
        let span = LiveSpan.noOp
        span.update(attributes: ["a": 1])
        span.logger.fatal("nobody")
        span.metrics.gauge("nothing").set(1)
        span.startSpan("child").end()
        span.end()
        #expect(span.span.endTime == nil)
        #expect(!LoggerContext.noOp.isEnabled(.fatal))
    }

    @Test func `a span that has ended may be changed, which is counted as late`() async throws {
        try await Program.run { program in
            let span = program.observability.startSpan("support", type: .agentRun)
            span.end()
            #expect(await program.observability.flush())
            span.update(metadata: ["verdict": "good"])
            #expect(await program.observability.flush())
            #expect(program.totals("nightjar_late_changes_total").values.reduce(0, +) == 1)
            #expect(program.totals("mastra_agent_runs_ended").values.reduce(0, +) == 1)
            let trace = try #require(try await program.observability.getTrace(span.traceID))
            #expect(trace.rootSpan.span.metadata["verdict"] == "good")
        }
    }

    @Test func `a change after the trace has ended is told, stored and counted as late`() async throws {
        try await Program.run { program in
            let span = program.observability.startSpan("support", type: .agentRun)
            span.end()
            #expect(await program.observability.flush())
            // Ends the trace: its payload is let go.
            #expect(await program.observability.engine.finish())
            span.update(metadata: ["verdict": "good"])
            #expect(await program.observability.flush())
            #expect(program.totals("nightjar_late_changes_total").values.reduce(0, +) == 1)
            let updates = program.exported.events.filter { $0.name == "span_updated" }
            #expect(updates.map { $0.span?.metadata["verdict"] } == ["good"])
        }
    }

    @Test func `a program without a file ends its traces at the shutdown`() async throws {
        try await Program.run { program in
            program.observability.startSpan("support", type: .agentRun).end()
            await program.observability.shutdown()
            #expect(program.exported.traceEnds.map(\.isPartial) == [false])
        }
    }

    @Test func `a trace of which something still runs ends as partial`() async throws {
        try await Program.run { program in
            let run = program.observability.startSpan("support", type: .agentRun)
            run.startSpan("search", type: .toolCall).end()
            await program.observability.shutdown()
            #expect(program.exported.traceEnds.map(\.isPartial) == [true])
        }
    }
}
