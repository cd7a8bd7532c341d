import Nightjar
import Testing
import Tracing

/// Which span is current, and how a trace crosses processes.
@Suite struct ContextBackendTests {
    @Test func `a traced span is the current one within, and a span of ours is a traced one's parent`()
        async throws
    {
        try await BackendProgram.run { program in
            let (observability, tracer) = (program.observability, program.observability.tracer)
            tracer.withSpan("1") { first in
                #expect(LiveSpan.current === first.live)
                observability.withSpan("2") { second in
                    #expect(second.parent === first.live)
                    tracer.withSpan("3") { third in
                        #expect(third.live.parent === second)
                        observability.withSpan("4") { #expect($0.parent === third.live) }
                        #expect(LiveSpan.current === third.live)
                    }
                    #expect(LiveSpan.current === second)
                }
                #expect(LiveSpan.current === first.live)
            }
            #expect(LiveSpan.current == nil)
            let names = await program.flushed().spans.map(\.name)
            #expect(names == ["4", "3", "2", "1"])
            #expect(Set(program.collected.spans.map(\.traceID)).count == 1)
        }
    }

    @Test func `a root within a span is current within, whoever started it`() async throws {
        try await BackendProgram.run { program in
            let (observability, tracer) = (program.observability, program.observability.tracer)
            tracer.withSpan("outer") { outer in
                observability.withSpan("apart", parent: .none) { apart in
                    #expect(LiveSpan.current === apart)
                    #expect(apart.parent == nil)
                    outer.live.withCurrent { #expect(LiveSpan.current === outer.live) }
                    tracer.withSpan("apart as well", context: .topLevel) { span in
                        #expect(span.live.parent == nil)
                        #expect(LiveSpan.current === span.live)
                    }
                }
            }
        }
    }

    @Test func `child tasks have the current span, detached ones only with its context`() async throws {
        try await BackendProgram.run { program in
            let tracer = program.observability.tracer
            await tracer.withSpan("outer") { outer in
                async let child = LiveSpan.current === outer.live
                #expect(await child)
                let bare = await Task.detached { LiveSpan.current }.value
                #expect(bare == nil)
                let context = outer.context
                let handed = await Task.detached {
                    ServiceContext.withValue(context) { LiveSpan.current }
                }.value
                #expect(handed === outer.live)
                #expect(tracer.activeSpan(identifiedBy: context)?.live === outer.live)
            }
            let ours = await program.observability.withSpan("ours") { span in
                let context = ServiceContext.current
                let handed = await Task.detached {
                    ServiceContext.withValue(context) { LiveSpan.current }
                }.value
                return handed === span
            }
            #expect(ours)
        }
    }

    @Test func `what else a context carries goes on into the spans`() async throws {
        try await BackendProgram.run { program in
            var context = ServiceContext.topLevel
            context[Colour.self] = "red"
            ServiceContext.withValue(context) {
                program.observability.withSpan("ours") { _ in
                    #expect(ServiceContext.current?[Colour.self] == "red")
                    program.observability.tracer.withSpan("traced") { span in
                        #expect(span.context[Colour.self] == "red")
                    }
                }
            }
        }
    }

    @Test func `a request's headers carry the trace on, and out again`() async throws {
        try await BackendProgram.run { program in
            let tracer = program.observability.tracer
            let incoming = [
                "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
                "tracestate": "vendor=1",
            ]
            var context = ServiceContext.topLevel
            tracer.extract(incoming, into: &context, using: Headers())
            var passed: [String: String] = [:]
            tracer.inject(context, into: &passed, using: Headers())
            #expect(passed == incoming)
            tracer.withSpan("serve", context: context) { serve in
                program.observability.withSpan("ours") { ours in
                    var outgoing: [String: String] = [:]
                    tracer.inject(.current ?? .topLevel, into: &outgoing, using: Headers())
                    let expected = [
                        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-\(ours.id)-01",
                        "tracestate": "vendor=1",
                    ]
                    #expect(outgoing == expected)
                }
                #expect(serve.live.span.parentSpanID?.description == "00f067aa0ba902b7")
                program.observability.withSpan("apart", parent: .none) { apart in
                    var outgoing: [String: String] = [:]
                    tracer.inject(.current ?? .topLevel, into: &outgoing, using: Headers())
                    #expect(outgoing == ["traceparent": apart.traceContext.traceparent])
                }
            }
            let ours = ServiceContext.withValue(context) {
                program.observability.startSpan("from the request")
            }
            #expect(ours.traceID.description == "4bf92f3577b34da6a3ce929d0e0e4736")
        }
    }

    @Test func `the trace that a request names goes before the span that was current`() async throws {
        try await BackendProgram.run { program in
            let tracer = program.observability.tracer
            tracer.withSpan("outer") { outer in
                var context = outer.context
                let header = ["traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]
                tracer.extract(header, into: &context, using: Headers())
                #expect(tracer.activeSpan(identifiedBy: context) == nil)
                let serve = tracer.startSpan("serve", context: context)
                #expect(serve.live.span.parentSpanID?.description == "00f067aa0ba902b7")
            }
        }
    }

    @Test func `a request without a trace, or with an unfit one, changes nothing`() async throws {
        try await BackendProgram.run { program in
            let tracer = program.observability.tracer
            tracer.withSpan("outer") { outer in
                for headers in [[:], ["traceparent": "00-0-0-00"], ["tracestate": "vendor=1"]] {
                    var context = outer.context
                    tracer.extract(headers, into: &context, using: Headers())
                    #expect(tracer.activeSpan(identifiedBy: context)?.live === outer.live)
                }
            }
            var outgoing: [String: String] = [:]
            tracer.inject(.topLevel, into: &outgoing, using: Headers())
            #expect(outgoing.isEmpty)
        }
    }

    @Test func `a trace that is not sampled says so to the next process`() async throws {
        try await BackendProgram.run(sampling: [.never]) { program in
            let tracer = program.observability.tracer
            tracer.withSpan("outer") { outer in
                #expect(outer.isRecording)
                var outgoing: [String: String] = [:]
                tracer.inject(outer.context, into: &outgoing, using: Headers())
                #expect(outgoing["traceparent"]?.hasSuffix("-00") == true)
            }
        }
    }

    private enum Colour: ServiceContextKey {
        typealias Value = String
    }

    private struct Headers: Extractor, Injector {
        func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }

        func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) {
            carrier[key] = value
        }
    }
}
