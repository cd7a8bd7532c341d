import Foundation
import Nightjar
import NightjarBus
import NightjarServer
import NightjarSignals
import NightjarTesting
import Testing

/// `GET /api/live`: which events come, in which order, and what is said of those that do not.
@Suite(.serialized) struct LiveTests {
    private static let first = String(repeating: "a", count: 32)
    private static let second = String(repeating: "b", count: 32)

    /// Events of all kinds of one trace.
    static func batch(_ trace: String) -> [UInt8] {
        func span(_ event: String, _ id: String, _ type: String, _ name: String, _ more: Value.Object = [:])
            -> Value
        {
            var span: Value.Object = [
                "id": .string(id), "traceId": .string(trace), "name": .string(name), "type": .string(type),
                "entityName": .string(name), "startTime": "2026-09-21T13:33:20Z",
            ]
            if id != "a1" { span["parentSpanId"] = "a1" }
            if event == "span_ended" { span["endTime"] = "2026-09-21T13:33:21.5Z" }
            return ["type": .string(event), "exportedSpan": .object(span.merging(more))]
        }
        func log(_ level: String) -> Value {
            [
                "type": "log",
                "log": ["level": .string(level), "message": "m", "traceId": .string(trace), "spanId": "a1"],
            ]
        }
        let metadata: Value.Object = [
            "metadata": [
                "userId": "u1", "sessionId": "s1", "serviceName": "shop", "environment": "test",
            ]
        ]
        let events: [Value] = [
            span("span_started", "a1", "agent_run", "support", metadata), log("warn"), log("info"),
            span("span_ended", "b2", "model_generation", "chat", ["attributes": ["model": "gpt-4o"]]),
            span("span_ended", "c3", "tool_call", "search", ["errorInfo": ["message": "no"]]),
            span("span_ended", "a1", "agent_run", "support", metadata),
            ["type": "score", "score": ["traceId": .string(trace), "scorerName": "tone", "score": 1]],
            [
                "type": "feedback",
                "feedback": [
                    "traceId": .string(trace), "source": "user", "feedbackType": "thumbs", "value": 1,
                ],
            ],
        ]
        return EventTests.lines(events)
    }

    static func post(_ body: [UInt8], to server: TestServer) async throws {
        let answer = try await server.client.send("POST", "/api/events", body: body)
        #expect(answer.status == 200, "\(answer.text)")
    }

    /// The whole batch in its order.
    private static let all = [
        "span_started", "log", "log", "span_ended", "span_ended", "span_ended", "score", "feedback",
    ]

    /// What comes of a batch for each query.
    private static let filters: [(query: String, names: [String])] = [
        ("?types=span,log,score,feedback", all),
        ("?types=span_ended", ["span_ended", "span_ended", "span_ended"]),
        ("?signals=log,score", ["log", "log", "score"]),
        ("?types=log&types=feedback", ["log", "log", "feedback"]),
        ("?signals=tracing&status=error", ["span_ended"]),
        ("?type=agent_run", ["span_started", "span_ended"]),
        ("?type=agent_run&type=tool_call", ["span_started", "span_ended", "span_ended"]),
        ("?level=warn", ["log"]),
        ("?level=debug", ["log", "log"]),
        ("?model=gpt-4o", ["span_ended"]),
        ("?tool=search", ["span_ended"]),
        ("?scorer=tone", ["score"]),
        ("?name=chat", ["span_ended"]),
        ("?name=thumbs", ["feedback"]),
        ("?user=u1&types=span", ["span_started", "span_ended"]),
        ("?session=s1&types=span", ["span_started", "span_ended"]),
        ("?service=shop&environment=test&types=span", ["span_started", "span_ended"]),
        ("?agent=support&types=log", ["log", "log"]),
        ("?trace=\(first)&trace=\(second)&types=score", ["score"]),
    ]

    @Test func `every reader gets what it asks for, in the order of the trace`() async throws {
        try await TestServer.run { server in
            let readings = Self.filters.map { LiveReading(server.client, $0.query) }
            for reading in readings { try await reading.connected() }
            try await Self.post(Self.batch(Self.first), to: server)
            // Traces have no order among each other: the second comes when the first is through.
            #expect(await server.engine.flush())
            try await Self.post(Self.batch(Self.second), to: server)
            for (reading, filter) in zip(readings, Self.filters) {
                // In order: what comes of the second trace comes after all of the first.
                try await reading.event("the second trace for \(filter.query)") { $0.trace == Self.second }
                let names = reading.events.filter { $0.trace == Self.first }.map(\.name)
                #expect(names == filter.names, "\(filter.query)")
            }
            let ids = readings[0].events.compactMap { $0.id?.split(separator: "-").last }.compactMap {
                UInt64($0)
            }
            #expect(ids.count == readings[0].events.count)
            #expect(ids == ids.sorted())
        }
    }

    @Test func `an event is one line of the JSON that exporters write`() async throws {
        try await TestServer.run { server in
            let reading = LiveReading(server.client, "?types=span_ended&name=chat")
            try await reading.connected()
            try await Self.post(Self.batch(Self.first), to: server)
            let event = try await reading.event("the span") { _ in true }
            let now = Timestamp(unixNano: 0)
            guard case .spanEnded(let span) = try SignalEvent(json: event.json, now: now) else {
                return #expect(Bool(false), "\(event)")
            }
            #expect(span.name == "chat" && span.model == "gpt-4o")
        }
    }

    @Test func `a trace's end comes, and observations only where they are asked for`() async throws {
        var trace = TraceConfiguration()
        trace.idlePeriod = .milliseconds(20)
        trace.announcedIdlePeriod = .milliseconds(20)
        try await TestServer.run(trace: trace) { server in
            let usual = LiveReading(server.client)
            let metrics = LiveReading(server.client, "?types=metric&name=mastra_agent_runs_ended")
            try await usual.connected()
            try await metrics.connected()
            try await Self.post(Self.batch(Self.first), to: server)
            let end = try await usual.event("the end of the trace") { $0.name == "trace_ended" }
            #expect(end.json["trace"]?["traceId"] == .string(Self.first))
            let metric = try await metrics.event("an observation") { $0.name == "metric" }
            #expect(metric.json["metric"]?["labels"]?["agent"] == "support")
            #expect(!usual.names.contains("metric"))
        }
    }

    @Test func `errors of plugins come as they happen, and that one does not load`() async throws {
        let script = "nightjar.on('span_ended', { type = 'tool_call' }, function() error('broke') end)"
        try await TestServer.run(plugins: ["bad.lua": script]) { server in
            let reading = LiveReading(server.client, "?types=plugin_error&plugin=bad")
            try await reading.connected()
            try await Self.post(Self.batch(Self.first), to: server)
            let error = try await reading.event("the error") { $0.name == "plugin_error" }
            #expect(error.json["pluginError"]?["message"]?.string?.contains("bad.lua:1: broke") == true)
            #expect(error.json["pluginError"]?["traceId"] == .string(Self.first))
            #expect(error.json["pluginError"]?["rule"] == "span_ended")
            try server.folder.write("local x = = 1", to: "plugins/bad.lua")
            try await reading.event("that it does not load") { $0.json["pluginError"]?["rule"] == "load" }
        }
    }

    @Test func `whoever comes back is told how many events passed`() async throws {
        var trace = TraceConfiguration()
        // No end of a trace is to be among what is counted.
        trace.idlePeriod = .seconds(3600)
        trace.announcedIdlePeriod = .seconds(3600)
        try await TestServer.run(trace: trace) { server in
            let stays = LiveReading(server.client, "?types=score")
            let goes = LiveReading(server.client, "?types=score")
            try await stays.connected()
            try await goes.connected()
            try await Self.post(Self.batch(Self.first), to: server)
            let last = try await goes.event("the score") { $0.name == "score" }
            goes.stop()
            // Its last line is read before it goes: another event lets it see that it is to stop.
            try await Self.post(Self.batch(Self.second), to: server)
            try await wait(for: "the reader to be gone") {
                try await server.metrics()["nightjar_live_readers"] == 1
            }
            try await stays.event("the second score") { $0.trace == Self.second }
            let back = LiveReading(server.client, "?types=score", after: last.id)
            let gap = try await back.event("the gap") { $0.name == "gap" }
            #expect(gap.json["gap"]?["reason"] == "reconnected")
            #expect(gap.json["gap"]?["after"] == last.id.map(Value.string))
            // Feedback follows the score in its trace, and the second trace has eight events.
            #expect(gap.json["gap"]?["count"] == 9)
            let unknown = LiveReading(server.client, "?types=score", after: "another-7")
            let other = try await unknown.event("the gap") { $0.name == "gap" }
            #expect(other.json["gap"]?["count"] == nil)
        }
    }

    @Test(arguments: [
        ("?types=spam", "spam is no kind of event"), ("?signals=", ""),
        ("?colour=red", "colour is no parameter"),
        ("?level=loud", "level must be"), ("?status=great", "status must be"), ("?trace=xyz", "no trace id"),
    ])
    func `what is no filter is refused by name`(_ query: String, _ detail: String) async throws {
        try await TestServer.run { server in
            if detail.isEmpty {
                // An empty list chooses nothing: everything comes.
                let reading = LiveReading(server.client, query)
                try await reading.connected()
                return #expect(!reading.comments.isEmpty)
            }
            let answer = try await server.client.get("/api/live\(query)")
            #expect(answer.status == 400)
            #expect(try answer.json()["detail"]?.string?.contains(detail) == true, "\(answer.text)")
        }
    }
}
