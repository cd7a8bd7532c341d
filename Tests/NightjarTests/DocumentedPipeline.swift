import Foundation
import Nightjar
import NightjarBus
import NightjarExporters
import NightjarSignals
import Testing

// doc
/// Tells someone of every run that failed.
struct AlarmExporter: SpanExporter {
    let name = "alarms"
    let send: @Sendable (String) async throws -> Void

    func exportSpans(_ events: [SignalEvent]) async throws {
        for case .spanEnded(let span) in events where span.status == .error {
            do {
                try await send("\(span.name): \(span.errorInfo?.message ?? "failed")")
            } catch {
                throw ExportError(code: .unavailable, detail: "the pager does not answer: \(error)")
            }
        }
    }
}
// end

// doc
/// Keeps health checks out of the store, and order numbers out of the log.
struct Tidy: SignalProcessor {
    let name = "tidy"

    func processSpan(_ span: Span) -> Span? { span.name == "GET /healthz" ? nil : span }

    func processLog(_ log: Log) -> Log? {
        var log = log
        if log.data["order"] != nil { log.data["order"] = "…" }
        return log
    }
}
// end

/// The code of the articles on exporters, processing and the bus, as ``DocumentedSignals`` has that on signals.
@Suite struct DocumentedPipeline {
    @Test func `the first example runs`() async throws {
        // doc
        let observability = try Observability(.init(serviceName: "shop", exporters: [ConsoleExporter()]))
        observability.withSpan("support", type: .agentRun, with: .init(input: "Where is my order?")) {
            run in
            run.logger.info("asked the shop")
            run.metrics.counter("orders_found_total").add()
            run.end(output: "On its way.")
        }
        await observability.shutdown()
        // end
    }

    // doc
    @Test func `an answer is scored`() async throws {
        let exported = InMemoryExporter()
        let observability = try Observability(.init(exporters: [exported]))
        try observability.withSpan("support", type: .agentRun) { run in
            run.end(output: "On its way.")
            try run.addScore(ScoreInput(scorerName: "grounded", score: 0.8))
        }
        #expect(await observability.flush())
        #expect(exported.spans(named: "support").map(\.status) == [.ok])
        #expect(exported.scores.map(\.score) == [0.8])
        #expect(exported.value(of: "mastra_agent_runs_ended", labels: ["agent": "support"]) == 1)
        await observability.shutdown()
    }
    // end

    @Test func `an exporter of one's own gets what it conforms to`() async throws {
        let sent = Locked<[String]>([])
        let send: @Sendable (String) async throws -> Void = { text in sent.update { $0.append(text) } }
        // doc
        let observability = try Observability(.init(exporters: [AlarmExporter(send: send)]))
        // end
        observability.startSpan("support", type: .agentRun).error(Failure())
        observability.logger.info("not for alarms")
        #expect(await observability.flush())
        #expect(sent.current == ["support: the kettle is cold"])
        await observability.shutdown()
    }

    @Test func `what the JSON lines exporter wrote becomes the same trace again`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }  // a leftover folder is no failure
        let path = folder.appendingPathComponent("signals.jsonl").path
        // doc
        let observability = try Observability(.init(exporters: [JSONLinesExporter(path: path)]))
        let run = observability.startSpan("support", type: .agentRun)
        run.startSpan("find_order", type: .toolCall).end()
        run.end()
        await observability.flush()
        // end
        let stored = try #require(try await observability.getTrace(run.traceID))
        let traceID = run.traceID
        await observability.shutdown()
        // doc
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        let events = try lines.map {
            try SignalEvent(json: Value(json: String($0)), now: Timestamp(unixNano: 0))
        }
        let spans = events.compactMap { if case .spanEnded(let span) = $0 { span } else { nil } }
        let trace = RecordedTrace(traceID: traceID, spans: spans)
        // end
        #expect(trace?.spans.map(\.span.name) == ["support", "find_order"])
        #expect(trace?.spans.map(\.id) == stored.spans.map(\.id))
        #expect(trace?.rootSpan.children.map(\.span.name) == ["find_order"])
        let document = stored.json
        // doc
        let copy = try RecordedTrace(json: document)
        // end
        #expect(copy == stored)
    }

    @Test func `an OTLP exporter needs the address of a collector`() throws {
        let key = "s3cret"
        // doc
        var collector = OTLPHTTPConfiguration(endpoint: "https://collector.example:4318")
        collector.headers = ["Authorization": "Bearer \(key)"]
        let exporters: [any SignalExporter] = [
            ConsoleExporter(logLevel: .warn), try OTLPHTTPExporter(collector),
        ]
        // end
        #expect(exporters.map(\.name) == ["console", "otlp"])
        #expect(throws: ExportError.self) { try OTLPHTTPExporter(.init(endpoint: "collector.example")) }
    }

    @Test func `processing takes secrets out, cuts, changes and samples`() async throws {
        let exported = InMemoryExporter()
        // doc
        var configuration = Observability.Configuration(serviceName: "shop", processors: [Tidy()])
        configuration.redaction.keys.append("iban")
        configuration.redaction.style = .pseudonymise
        configuration.limits.characters = 20_000
        configuration.sampling = [.ratio(0.1), .custom { $0.metadata["plan"] == "paid" }]
        // end
        configuration.exporters = [exported]
        let observability = try Observability(configuration)
        observability.withSpan("GET /healthz") { _ in }
        observability.withSpan(
            "support",
            type: .agentRun,
            with: .init(attributes: ["iban": "DE02"], metadata: ["plan": "paid"])
        ) { $0.logger.info("found", ["order": 12]) }
        #expect(await observability.flush())
        let spans = exported.spans
        #expect(spans.map(\.name) == ["support"])
        #expect(spans.first?.attributes["iban"]?.string?.hasPrefix("[iban:") == true)
        #expect(exported.logs.map(\.data) == [["order": "…"]])
        await observability.shutdown()
    }

    @Test func `a subscriber gets the signals that it asked for`() async throws {
        let observability = try Observability()
        let seen = Locked<[String]>([])
        let alarm: @Sendable (String) -> Void = { text in seen.update { $0.append(text) } }
        // doc
        let subscription = observability.bus.subscribe("slow tools", to: [.tracing, .drop]) { event in
            switch event {
            case .spanEnded(let span) where span.type.isTool && (span.durationMilliseconds ?? 0) > 2000:
                alarm(span.name)
            case .drop(let drop): alarm("lost \(drop.count) of \(drop.signal.rawValue)")
            default: break
            }
        }
        // end
        let slow = SpanOptions(startTime: Timestamp(unixNano: 0))
        observability.startSpan("find_order", type: .toolCall, with: slow).end()
        #expect(await observability.flush())
        subscription.cancel()
        observability.startSpan("later", type: .toolCall, with: slow).end()
        // doc
        let isComplete = await observability.flush()
        await observability.shutdown()
        // end
        #expect(isComplete)
        #expect(seen.current == ["find_order"])
    }

    @Test func `queues are bounded as configured`() async throws {
        // doc
        var configuration = Observability.Configuration(serviceName: "batch")
        configuration.queue = .init(bytes: 16 << 20, whenFull: .block)
        configuration.bus.queueEvents = 4096
        configuration.bus.callLimit = .seconds(10)
        // end
        let observability = try Observability(configuration)
        observability.logger.info("ready")
        #expect(await observability.flush())
        await observability.shutdown()
    }
}
