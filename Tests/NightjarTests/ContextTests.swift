import Nightjar
import NightjarBus
import NightjarExporters
import NightjarSignals
import Testing

/// Loggers and metrics, bound to a span and direct: signals contract, sections 2a, 5 and 6.
@Suite struct ContextTests {
    @Test func `a span's logger stamps its ids, metadata and correlation`() async throws {
        try await Program.run { program in
            let run = program.observability.startSpan(
                "support",
                type: .agentRun,
                with: .init(metadata: ["userId": "u1", "color": "red"], tags: ["prod"])
            )
            let tool = run.startSpan("search", type: .toolCall, with: .init(entityID: "t1"))
            tool.logger.warn("slow", ["ms": 1200])
            tool.end()
            run.end()
            #expect(await program.observability.flush())
            let log = try #require(program.exported.logs.first)
            #expect(log.level == .warn)
            #expect(log.message == "slow")
            #expect(log.data == ["ms": 1200])
            #expect(log.traceID == run.traceID)
            #expect(log.spanID == tool.id)
            #expect(log.metadata["color"] == "red")
            #expect(log.correlation.entity == .init(type: "tool", id: "t1", name: "search"))
            #expect(log.correlation.parentEntity.name == "support")
            #expect(log.correlation.rootEntity.type == "agent")
            #expect(log.correlation.userID == "u1")
            #expect(log.correlation.serviceName == "shop")
            #expect(log.correlation.environment == "test")
            #expect(log.correlation.tags == ["prod"])
        }
    }

    @Test func `the direct logger has no ids and no metadata, in a span or not`() async throws {
        try await Program.run { program in
            program.observability.withSpan("support", type: .agentRun) { _ in
                program.observability.logger.info("from nowhere")
            }
            #expect(await program.observability.flush())
            let log = try #require(program.exported.logs.first)
            #expect(log.traceID == nil)
            #expect(log.spanID == nil)
            #expect(log.metadata.isEmpty)
            #expect(log.correlation.serviceName == "shop")
            #expect(log.correlation.entity.isEmpty)
        }
    }

    @Test func `the levels are in order, and below the ceiling nothing enters the bus`() async throws {
        try await Program.run {
            $0.logLevel = .warn
        } _: { program in
            let logger = program.observability.logger
            logger.debug("1")
            logger.info("2")
            logger.warn("3")
            logger.error("4")
            logger.fatal("5")
            #expect(!logger.isEnabled(.info))
            #expect(await program.observability.flush())
            #expect(program.exported.logs.map(\.level) == [.warn, .error, .fatal])
        }
    }

    @Test func `a message below the ceiling is not even made`() async throws {
        try await Program.run {
            $0.logLevel = .error
        } _: { program in
            let made = Locked(0)
            program.observability.logger.info("\(made.update { $0 += 1 })")
            #expect(made.current == 0)
        }
    }

    @Test func `logs are stored beside their trace`() async throws {
        try await Program.run { program in
            let span = program.observability.startSpan("support", type: .agentRun)
            span.logger.info("kept", ["n": 1])
            span.end()
            #expect(await program.observability.flush())
            let trace = try #require(try await program.observability.getTrace(span.traceID))
            #expect(trace.logs.map(\.message) == ["kept"])
            #expect(trace.logs.first?.correlation.entity.name == "support")
        }
    }

    @Test func `a span's metrics have its entity as labels, and the caller's win`() async throws {
        try await Program.run { program in
            let tool = program.observability.startSpan("search", type: .toolCall)
            tool.metrics.counter("looks_total").add(2, ["where": "shelf"])
            tool.metrics.counter("looks_total").add(3, ["entity_name": "mine"])
            tool.end()
            #expect(await program.observability.flush())
            #expect(
                program.totals("looks_total") == [
                    ["entity_type": "tool", "entity_name": "search", "where": "shelf"]: 2,
                    ["entity_type": "tool", "entity_name": "mine"]: 3,
                ]
            )
            let metric = try #require(program.exported.metrics(named: "looks_total").first)
            #expect(metric.spanID == tool.id)
            #expect(metric.type == .counter)
        }
    }

    @Test func `direct metrics have no labels of their own`() async throws {
        try await Program.run { program in
            program.observability.withSpan("support", type: .agentRun) { _ in
                program.observability.metrics.gauge("temperature").set(-3.5)
                program.observability.metrics.histogram("wait_ms").record(700)
            }
            #expect(await program.observability.flush())
            #expect(program.totals("temperature") == [[:]: -3.5])
            let wait = try #require(
                program.observability.engine.ledger.snapshot().first { $0.instrument.name == "wait_ms" }
            )
            #expect(wait.total.count == 1)
            #expect(wait.instrument.buckets?.first == 10)
        }
    }

    @Test(
        arguments: [
            ("not finite", "good_name", Double.nan, "nan"),
            ("infinite", "good_name", .infinity, "infinite"),
            ("negative", "good_name", -1, "negative_increment"),
            ("misnamed", "bad-name", 1, "invalid_name"),
        ]
    ) func `an observation that cannot be taken is counted by reason`(
        what: String,
        name: String,
        value: Double,
        reason: String
    ) async throws {
        try await Program.run { program in
            program.observability.metrics.counter(name).add(value)
            #expect(await program.observability.flush())
            #expect(program.totals("nightjar_metrics_rejected_total")[["reason": reason]] == 1, "\(what)")
            #expect(program.totals(name).isEmpty)
        }
    }

    @Test func `a name in use with another type is refused, whatever the order`() async throws {
        try await Program.run { program in
            program.observability.metrics.counter("orders").add(1)
            program.observability.metrics.gauge("orders").set(5)
            program.observability.metrics.gauge("mastra_agent_runs_ended").set(5)
            #expect(await program.observability.flush())
            #expect(program.totals("orders") == [[:]: 1])
            #expect(program.totals("nightjar_metrics_rejected_total")[["reason": "type_conflict"]] == 2)
        }
    }

    @Test func `labels with many values are dropped, and the observation is kept`() async throws {
        try await Program.run { program in
            program.observability.metrics.counter("orders_total").add(
                1,
                ["user_id": "u1", "job": "550e8400-e29b-41d4-a716-446655440000", "kind": "book", "none": ""]
            )
            #expect(await program.observability.flush())
            #expect(program.totals("orders_total") == [["kind": "book"]: 1])
            #expect(program.exported.metrics(named: "orders_total").map(\.labels) == [["kind": "book"]])
        }
    }
}
