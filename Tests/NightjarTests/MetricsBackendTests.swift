import CoreMetrics
import Nightjar
import Testing

/// The backend of swift-metrics: signals contract, section 6.
@Suite struct MetricsBackendTests {
    @Test func `each kind of metric has its type here`() async throws {
        try await BackendProgram.run { program in
            let factory = program.observability.metricsFactory
            Counter(label: "orders", dimensions: [("shop", "north")], factory: factory).increment(by: 2)
            FloatingPointCounter(label: "litres", factory: factory).increment(by: 0.5)
            Gauge(label: "queue", factory: factory).record(7)
            Recorder(label: "sizes", factory: factory).record(1.5)
            Timer(label: "wait", factory: factory).recordNanoseconds(2_500_000)
            let seen = await program.flushed().metrics.map { "\($0.name) \($0.type) \($0.value)" }
            let expected = [
                "orders counter 2.0", "litres counter 0.5", "queue gauge 7.0", "sizes histogram 1.5",
                "wait_ms histogram 2.5",
            ]
            #expect(seen == expected)
            #expect(program.collected.metrics("orders").map(\.labels) == [["shop": "north"]])
        }
    }

    @Test(arguments: [
        ("http.server.request-duration", "http_server_request_duration"), ("ns:total", "ns:total"),
        ("9lives", "_9lives"), ("größe", "gr____e"), ("", "_"),
    ])
    func `a name becomes one that Prometheus takes, the same each time`(
        label: String,
        expected: String
    ) async throws {
        try await BackendProgram.run { program in
            let factory = program.observability.metricsFactory
            Counter(label: label, dimensions: [("a:b", "x"), ("c.d", "y")], factory: factory).increment()
            let metric = try #require(await program.flushed().metrics.first)
            #expect(metric.name == expected)
            #expect(metric.labels == ["a_b": "x", "c_d": "y"])
        }
    }

    @Test func `a timer's name ends in its unit once`() async throws {
        try await BackendProgram.run { program in
            let factory = program.observability.metricsFactory
            Timer(label: "wait_ms", factory: factory).recordMilliseconds(3)
            #expect(await program.flushed().metrics.map(\.name) == ["wait_ms"])
        }
    }

    @Test func `an observation belongs to the current span, and has its labels only within one`() async throws
    {
        try await BackendProgram.run { program in
            let counter = Counter(label: "calls", factory: program.observability.metricsFactory)
            let ids = program.observability.withSpan("search", type: .toolCall) { tool in
                counter.increment()
                return (tool.traceID, tool.id)
            }
            counter.increment()
            let metrics = await program.flushed().metrics("calls")
            #expect(metrics.map(\.traceID) == [ids.0, nil])
            #expect(metrics.map(\.spanID) == [ids.1, nil])
            #expect(metrics.map(\.labels) == [["entity_type": "tool", "entity_name": "search"], [:]])
            #expect(metrics[0].correlation.entity.name == "search")
            #expect(metrics[1].metadata["serviceName"] == "shop")
        }
    }

    @Test func `a counter never goes back`() async throws {
        try await BackendProgram.run { program in
            let counter = Counter(label: "calls", factory: program.observability.metricsFactory)
            counter.increment(by: 3)
            counter.reset()
            counter.increment(by: 2)
            #expect(await program.flushed().metrics("calls").map(\.value) == [3, 2])
        }
    }

    @Test func `meters of one name and dimensions move one value, until one is destroyed`() async throws {
        try await BackendProgram.run { program in
            func meter(_ shop: String) -> Meter {
                Meter(
                    label: "open",
                    dimensions: [("shop", shop)],
                    factory: program.observability.metricsFactory
                )
            }
            meter("north").set(5)
            meter("north").increment(by: 2)
            meter("south").decrement(by: 1)
            meter("north").destroy()
            meter("north").increment(by: 1)
            #expect(await program.flushed().metrics("open").map(\.value) == [5, 7, -1, 1])
        }
    }

    @Test func `a meter is not lost to a value that is no number`() async throws {
        try await BackendProgram.run { program in
            let meter = Meter(label: "open", factory: program.observability.metricsFactory)
            meter.set(5)
            meter.set(Double.nan)
            meter.increment(by: 1)
            #expect(await program.flushed().metrics("open").last?.value == 6)
        }
    }
}
