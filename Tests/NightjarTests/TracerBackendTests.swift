import Logging
import Nightjar
import Testing
import Tracing

/// The backend of distributed tracing, and which span is current where both interfaces are used: signals contract, section 3.
@Suite struct TracerBackendTests {
    @Test func `a span comes out with all that was set on it`() async throws {
        try await BackendProgram.run { program in
            let tracer = program.observability.tracer
            let other = tracer.startSpan("other")
            let begun = DefaultTracerClock.Timestamp(nanosecondsSinceEpoch: 1_790_000_000_000_000_000)
            let span = tracer.startSpan("GET", ofKind: .server, at: begun)
            #expect(span.isRecording)
            span.attributes["text"] = "a"
            span.attributes["number"] = 7
            span.attributes["fraction"] = 1.5
            span.attributes["truth"] = true
            span.attributes["small"] = SpanAttribute.int32(3)
            span.attributes["texts"] = ["a", "b"]
            span.attributes["numbers"] = [1, 2]
            span.attributes["fractions"] = [1.5]
            span.attributes["truths"] = [true, false]
            span.attributes["printed"] = SpanAttribute.stringConvertible(
                program.observability.bus.wants(.log)
            )
            span.addEvent(SpanEvent(name: "retry", at: begun, attributes: ["attempt": 2]))
            span.addLink(other, attributes: ["why": "same order"])
            span.operationName = "GET /orders"
            span.end(at: DefaultTracerClock.Timestamp(nanosecondsSinceEpoch: 1_790_000_001_000_000_000))
            #expect(!span.isRecording)
            let seen = try #require(await program.flushed().span("GET /orders"))
            #expect(seen.kind == .server)
            #expect(seen.type == .generic)
            #expect(seen.startTime.unixNano == 1_790_000_000_000_000_000)
            #expect(seen.durationMilliseconds == 1000)
            #expect(seen.status == .ok)
            let expected: Value.Object = [
                "text": "a", "number": 7, "fraction": 1.5, "truth": true, "small": 3, "texts": ["a", "b"],
                "numbers": [1, 2], "fractions": [1.5], "truths": [true, false], "printed": "true",
            ]
            #expect(seen.attributes == expected)
            #expect(seen.events.map(\.name) == ["retry"])
            #expect(seen.events.first?.attributes == ["attempt": 2])
            #expect(seen.links.map(\.spanID) == [other.live.id])
            #expect(seen.links.first?.attributes == ["why": "same order"])
        }
    }

    @Test func `attributes read back as they were set, and one that is removed is gone`() async throws {
        try await BackendProgram.run { program in
            let span = program.observability.tracer.startSpan("one")
            span.live.update(attributes: ["kept": ["an": "object"]])
            span.attributes = ["a": 1, "b": .stringArray(["x"])]
            span.attributes["a"] = Int?.none
            #expect(span.attributes == ["b": .stringArray(["x"])])
            span.end()
            #expect(
                await program.flushed().span("one")?.attributes == ["b": ["x"], "kept": ["an": "object"]]
            )
        }
    }

    @Test func `nothing changes a span that has ended`() async throws {
        try await BackendProgram.run { program in
            let span = program.observability.tracer.startSpan("one")
            span.end()
            span.attributes["late"] = true
            span.operationName = "two"
            span.addEvent("late")
            span.recordError(Failure())
            span.setStatus(.init(code: .error))
            span.end()
            _ = await program.flushed()
            #expect(program.collected.events.count == 2)
            #expect(span.operationName == "one")
            #expect(span.live.span.status == .ok)
        }
    }

    @Test func `what the body throws is an exception event and the span's error`() async throws {
        try await BackendProgram.run { program in
            let tracer = program.observability.tracer
            await #expect(throws: Failure.self) {
                try await tracer.withSpan("failing") { _ in try await fail() }
            }
            let seen = try #require(await program.flushed().span("failing"))
            #expect(seen.status == .error)
            #expect(seen.errorInfo?.message == "the kettle is cold")
            #expect(seen.errorInfo?.id?.hasSuffix("Failure") == true)
            #expect(seen.events.map(\.name) == ["exception"])
            #expect(seen.events.first?.attributes["exception.message"] == "the kettle is cold")
        }
    }

    private func fail() async throws { throw Failure() }

    @Test func `a status says whether it failed, an error that is recorded does not`() async throws {
        try await BackendProgram.run { program in
            let tracer = program.observability.tracer
            tracer.withSpan("recorded") { $0.recordError(Failure(), attributes: ["again": true]) }
            tracer.withSpan("stated") { $0.setStatus(.init(code: .error, message: "out of stock")) }
            tracer.withSpan("mended") { span in
                span.setStatus(.init(code: .error, message: "out of stock"))
                span.setStatus(.init(code: .ok))
            }
            let collected = await program.flushed()
            #expect(collected.span("recorded")?.status == .ok)
            #expect(collected.span("recorded")?.events.first?.attributes["again"] == true)
            #expect(collected.span("stated")?.errorInfo?.message == "out of stock")
            #expect(collected.span("mended")?.status == .ok)
            #expect(collected.span("mended")?.errorInfo == nil)
        }
    }

    @Test func `the words of GenAI give a span its type, and count it once as what it is`() async throws {
        try await BackendProgram.run { program in
            program.observability.tracer.withSpan("invoke_agent support") { span in
                span.attributes["gen_ai.operation.name"] = "invoke_agent"
                span.attributes["gen_ai.agent.id"] = "a1"
                program.observability.tracer.withSpan("chat gpt-5") { span in
                    span.updateAttributes { attributes in
                        attributes["gen_ai.operation.name"] = "chat"
                        attributes["gen_ai.request.model"] = "gpt-5"
                        attributes["gen_ai.provider.name"] = "openai"
                    }
                    span.attributes["gen_ai.usage.input_tokens"] = 12
                    span.attributes["gen_ai.usage.cache_read.input_tokens"] = 4
                }
                program.observability.tracer.withSpan("execute_tool") { span in
                    span.attributes["gen_ai.operation.name"] = "execute_tool"
                    span.attributes["gen_ai.tool.name"] = "search"
                    program.logger().info("inside")
                }
            }
            let collected = await program.flushed()
            let run = try #require(collected.span("invoke_agent support"))
            #expect(run.type == .agentRun)
            #expect([run.entityType, run.entityID, run.entityName] == ["agent", "a1", "support"])
            let chat = try #require(collected.span("chat gpt-5"))
            #expect(chat.type == .modelGeneration)
            #expect([chat.model, chat.provider] == ["gpt-5", "openai"])
            #expect([chat.usage?.inputTokens, chat.usage?.cacheReadTokens] == [12, 4])
            #expect(collected.logs.map(\.correlation.entity.name) == ["search"])
            #expect(collected.logs.map(\.correlation.parentEntity.name) == ["support"])
            let agent = ["agent": "support", "env": "test", "service": "shop"]
            #expect(program.totals("mastra_agent_runs_started") == [agent: 1])
            #expect(program.totals("mastra_agent_runs_ended").values.reduce(0, +) == 1)
            #expect(program.totals("mastra_model_requests_started").values.reduce(0, +) == 1)
            #expect(program.totals("mastra_model_input_tokens").values.reduce(0, +) == 12)
            #expect(program.totals("mastra_tool_calls_started").keys.map { $0["tool"] } == ["search"])
        }
    }

    @Test func `a span that gets its type late starts and ends once`() async throws {
        try await BackendProgram.run { program in
            let tracer = program.observability.tracer
            let span = tracer.startSpan("execute_tool search")
            _ = await program.flushed()
            span.attributes["gen_ai.operation.name"] = "execute_tool"
            let child = tracer.startSpan("inside", context: span.context)
            _ = await program.flushed()
            #expect(program.totals("mastra_tool_calls_started").values.reduce(0, +) == 1)
            #expect(program.totals("mastra_tool_calls_ended").isEmpty)
            child.attributes["gen_ai.operation.name"] = "chat"
            child.end()
            span.end()
            _ = await program.flushed()
            for name in [
                "tool_calls_started", "tool_calls_ended", "model_requests_started", "model_requests_ended",
            ] {
                #expect(program.totals("mastra_" + name).values.reduce(0, +) == 1, "\(name)")
            }
        }
    }

    @Test func `a new name and type are told before a child starts`() async throws {
        try await BackendProgram.run { program in
            let tracer = program.observability.tracer
            tracer.withSpan("handle") { span in
                span.operationName = "invoke_agent support"
                span.attributes["gen_ai.operation.name"] = "invoke_agent"
                span.attributes["gen_ai.agent.name"] = "support"
                tracer.withSpan("chat") { $0.attributes["gen_ai.operation.name"] = "chat" }
            }
            let events = await program.flushed().events.compactMap(\.tracing)
            #expect(events.map(\.what) == ["started", "updated", "started", "ended", "ended"])
            #expect(events[1].span.name == "invoke_agent support")
            #expect(events[1].span.type == .agentRun)
            #expect(program.totals("mastra_model_requests_started").keys.map { $0["agent"] } == ["support"])
        }
    }
}

extension SignalEvent {
    fileprivate var tracing: (what: String, span: Nightjar.Span)? {
        switch self {
        case .spanStarted(let span): ("started", span)
        case .spanUpdated(let span): ("updated", span)
        case .spanEnded(let span): ("ended", span)
        default: nil
        }
    }
}

extension BackendProgram {
    /// What every series of a metric has counted, by its labels.
    func totals(_ name: String) -> [[String: String]: Double] {
        var totals: [[String: String]: Double] = [:]
        for series in observability.engine.ledger.snapshot() where series.instrument.name == name {
            totals[Dictionary(uniqueKeysWithValues: series.labels.map { ($0.name, $0.value) })] =
                series.total.sum
        }
        return totals
    }
}
