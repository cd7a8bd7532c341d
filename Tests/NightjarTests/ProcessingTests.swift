import Foundation
import Nightjar
import NightjarBus
import NightjarExporters
import NightjarSignals
import NightjarTesting
import Testing

/// What happens to signals before anything else sees them: signals contract, section 11.
@Suite struct ProcessingTests {
    /// Renames tools, drops spans called noise, lines that say secret and observations of debug metrics.
    private struct Rewriter: SignalProcessor {
        let name = "rewriter"

        func processSpan(_ span: Span) -> Span? {
            guard span.name != "noise" else { return nil }
            var span = span
            if span.type == .toolCall { (span.entityName, span.tool) = ("renamed", "renamed") }
            span.attributes["seen"] = true
            span.traceID = TraceID(high: 1, low: 1)
            return span
        }

        func processLog(_ log: Log) -> Log? {
            guard log.message != "secret" else { return nil }
            var log = log
            log.message = log.message.uppercased()
            return log
        }

        func processMetric(_ metric: Metric) -> Metric? {
            metric.name.hasPrefix("debug_") ? nil : metric
        }
    }

    private static func work(_ observability: Observability) -> LiveSpan {
        let run = observability.startSpan("support", type: .agentRun)
        run.startSpan("noise", type: .toolCall).end()
        run.startSpan("search", type: .toolCall).end()
        run.logger.info("secret")
        run.logger.info("said")
        run.metrics.counter("debug_looks").add()
        run.metrics.counter("looks").add()
        run.end()
        return run
    }

    @Test(arguments: [true, false])
    func `extraction, store and exporters see what processors made of signals`(isStoredInFile: Bool)
        async throws
    {
        let folder = try Fixture()
        try await Program.run {
            $0.processors = [Rewriter()]
            if isStoredInFile { $0.database = .file(folder.path("nightjar.db")) }
        } _: { program in
            let run = Self.work(program.observability)
            #expect(await program.observability.flush())
            #expect(Set(program.exported.spans.map(\.name)) == ["support", "search"])
            #expect(program.exported.spans.allSatisfy { $0.attributes["seen"] == true })
            #expect(program.exported.spans.allSatisfy { $0.traceID == run.traceID })
            #expect(program.exported.logs.map(\.message) == ["SAID"])
            #expect(program.totals("debug_looks").isEmpty)
            #expect(program.totals("looks").count == 1)
            let tools = program.totals("mastra_tool_calls_ended").reduce(into: [String: Double]()) {
                $0[$1.key["tool"] ?? "", default: 0] += $1.value
            }
            // A span that a processor drops still counts.
            #expect(tools == ["renamed": 1, "noise": 1])
            let trace = try #require(try await program.observability.getTrace(run.traceID))
            #expect(Set(trace.spans.map(\.span.name)) == ["support", "search"])
            #expect(trace.spans.first { $0.span.name == "search" }?.span.tool == "renamed")
            #expect(trace.logs.map(\.message) == ["SAID"])
        }
    }

    @Test func `secrets reach neither the file nor the exporters, and redaction can be switched off`()
        async throws
    {
        for isEnabled in [true, false] {
            let folder = try Fixture()
            let path = folder.path("nightjar.db")
            try await Program.run {
                $0.database = .file(path)
                $0.redaction.isEnabled = isEnabled
            } _: { program in
                let span = program.observability.startSpan(
                    "pay",
                    type: .toolCall,
                    with: .init(
                        input: #"{"card":{"token":"needle-1"}}"#,
                        attributes: ["apiKey": "needle-2"],
                        metadata: ["auth": "needle-3"]
                    )
                )
                span.logger.info("x", ["password": "needle-4"])
                span.metrics.counter("payments").add(1, ["secret": "needle-5"])
                try span.addScore(ScoreInput(scorerName: "s", score: 1, reason: #"{"jwt":"needle-6"}"#))
                span.end()
                #expect(await program.observability.flush())
                let exported = program.exported.events.map(\.json.json).joined()
                #expect(exported.contains("needle-") == !isEnabled)
            }
            let files = ["", "-wal"].compactMap { FileManager.default.contents(atPath: path + $0) }
            let isWritten = files.contains { $0.range(of: Data("needle-".utf8)) != nil }
            #expect(isWritten == !isEnabled)
        }
    }

    @Test func `what is too large is cut with a visible mark`() async throws {
        try await Program.run {
            $0.limits.characters = 10
        } _: { program in
            program.observability.startSpan("x", with: .init(input: "0123456789abcdef")).end()
            #expect(await program.observability.flush())
            #expect(program.exported.spans.first?.input == "0123456789…[truncated]")
        }
    }

    @Test func `a ratio keeps traces whole, and everything counts`() async throws {
        try await Program.run {
            $0.sampling = [.ratio(0.5)]
        } _: { program in
            var sampled: Set<TraceID> = []
            for _ in 0..<200 {
                let run = program.observability.startSpan("support", type: .agentRun)
                if run.isSampled { sampled.insert(run.traceID) }
                run.startSpan("search", type: .toolCall).end()
                run.logger.info("line")
                run.end()
            }
            #expect(await program.observability.flush())
            #expect((50...150).contains(sampled.count))
            #expect(Set(program.exported.spans.map(\.traceID)) == sampled)
            #expect(program.exported.spans.count == 2 * sampled.count)
            #expect(program.exported.logs.count == sampled.count)
            #expect(program.totals("mastra_agent_runs_ended").values.reduce(0, +) == 200)
        }
    }

    @Test func `metrics can be left out, and get a prefix`() async throws {
        try await Program.run {
            $0.metricsPrefix = "acme_"
            $0.disabledMetrics = ["mastra_agent_runs_started"]
        } _: { program in
            program.observability.startSpan("support", type: .agentRun).end()
            #expect(await program.observability.flush())
            #expect(program.totals("acme_mastra_agent_runs_ended").values.reduce(0, +) == 1)
            #expect(program.totals("acme_mastra_agent_runs_started").isEmpty)
            #expect(program.totals("mastra_agent_runs_ended").isEmpty)
        }
    }

    @Test func `buckets are set for all metrics of a unit, and for one metric by name`() async throws {
        try await Program.run {
            $0.buckets = BucketConfiguration(["_ms": [1, 2], "wait_ms": [7]])
        } _: { program in
            program.observability.metrics.histogram("wait_ms").record(5)
            program.observability.metrics.histogram("work_ms").record(5)
            #expect(await program.observability.flush())
            let bounds = program.observability.engine.ledger.snapshot().reduce(into: [String: [Double]]()) {
                $0[$1.instrument.name] = $1.instrument.buckets
            }
            #expect(bounds["wait_ms"] == [7])
            #expect(bounds["work_ms"] == [1, 2])
        }
    }

    @Test func `labels of one metric can be bounded apart from the others`() async throws {
        try await Program.run {
            var policy = LabelPolicy()
            policy.allow = ["shop"]
            policy.cardinalityLimit = 1
            $0.cardinality.perMetric = ["orders": policy]
        } _: { program in
            for shop in ["a", "b", "c"] {
                program.observability.metrics.counter("orders").add(1, ["shop": shop, "kind": "book"])
            }
            #expect(await program.observability.flush())
            #expect(program.totals("orders") == [["shop": "a"]: 1, ["otel_metric_overflow": "true"]: 2])
        }
    }

    @Test func `a queue that is full drops the newest and counts it, and the program goes on`() async throws {
        try await Program.run {
            $0.queue = .init(bytes: 2000)
        } _: { program in
            for number in 0..<2000 { program.observability.logger.info("line \(number)") }
            #expect(await program.observability.flush())
            let lost = program.observability.engine.series.filter {
                $0.instrument.name == "nightjar_signals_lost_total"
            }
            let count = lost.reduce(0) { $0 + $1.total.sum }
            #expect(count > 0)
            #expect(program.exported.logs.count + Int(count) == 2000)
            #expect(program.exported.drops.reduce(0) { $0 + $1.count } == Int(count))
        }
    }

    @Test func `a queue that blocks loses nothing`() async throws {
        try await Program.run {
            $0.queue = .init(bytes: 20_000, whenFull: .block)
        } _: { program in
            for number in 0..<2000 { program.observability.logger.info("line \(number)") }
            #expect(await program.observability.flush())
            #expect(program.exported.logs.count == 2000)
        }
    }

    @Test func `after the shutdown nothing is taken, nobody is told, and it may be called again`()
        async throws
    {
        try await Program.run { program in
            program.observability.logger.info("before")
            await program.observability.shutdown()
            program.observability.logger.info("after")
            program.observability.startSpan("late").end()
            await program.observability.shutdown()
            #expect(program.exported.logs.map(\.message) == ["before"])
            #expect(program.exported.spans.isEmpty)
        }
    }

    @Test func `what was made before a stop is there after it, and counts on`() async throws {
        let folder = try Fixture()
        let path = folder.path("nightjar.db")
        var traces: [TraceID] = []
        for round in 1...2 {
            try await Program.run {
                $0.database = .file(path)
            } _: { program in
                let run = program.observability.startSpan("support", type: .agentRun)
                run.logger.info("round \(round)")
                run.end()
                #expect(await program.observability.flush())
                traces.append(run.traceID)
                for trace in traces {
                    let recorded = try #require(try await program.observability.getTrace(trace))
                    #expect(recorded.logs.count == 1)
                }
                #expect(
                    program.totals("mastra_agent_runs_ended").values.reduce(0, +) == Double(round)
                )
            }
        }
    }
}
