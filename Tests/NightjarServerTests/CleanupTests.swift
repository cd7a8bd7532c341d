import Foundation
import Nightjar
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// `nightjar cleanup` and retention over real databases and servers.
@Suite(.serialized) struct CleanupTests {
    private func cleanup(_ arguments: String..., in folder: Fixture) async throws -> (
        code: Int32, out: String, error: String
    ) {
        try await StoredDatabase.nightjar(["cleanup"] + arguments, in: folder)
    }

    private func traces(_ folder: Fixture) throws -> Int {
        try StoredDatabase.look(at: folder) { try $0.traces(TraceQuery()).traces.count }
    }

    @Test func `a database is cleaned up, after a look at how much that is`() async throws {
        let folder = try await StoredDatabase.runs(3)
        let dry = try await cleanup("--older-than", "0s", "--db", "nightjar.db", "--dry-run", in: folder)
        #expect(dry.code == 0, "\(dry.error)")
        // Six series; the runs may lie in two windows of 10 s each.
        let windows = (6...12).map {
            "would delete 3 traces, 0 logs, \($0) metric windows, 0 scores, 0 feedback"
        }
        #expect(windows.contains { dry.out.hasPrefix($0) }, "\(dry.out)")
        #expect(try traces(folder) == 3)
        let young = try await cleanup(
            "--older-than",
            "1h",
            "traces",
            "--db",
            "nightjar.db",
            "--json",
            in: folder
        )
        #expect(try Value(json: young.out)["deleted"]?["traces"] == 0)
        let logs = try await cleanup(
            "--older-than",
            "0s",
            "logs",
            "scores",
            "--db",
            "nightjar.db",
            in: folder
        )
        #expect(logs.out.hasPrefix("deleted 0 traces"))
        #expect(try traces(folder) == 3)
        let all = try await cleanup("--older-than", "0s", "--db", "nightjar.db", "--compact", in: folder)
        #expect(all.code == 0, "\(all.error)")
        #expect(all.out.hasPrefix("deleted 3 traces"))
        #expect(try traces(folder) == 0)
    }

    @Test func `a running server cleans up for whoever asks, and its totals stay`() async throws {
        try await TestServer.run { server in
            #expect(try await server.post(IngestTests.body(), type: "application/json").status == 200)
            #expect(await server.engine.finish())
            let before = try await server.metrics()
            let blocked = try await cleanup("--older-than", "0s", "--db", "nightjar.db", in: server.folder)
            #expect(blocked.code == 3)
            #expect(blocked.error.contains("open in another program"), "\(blocked.error)")
            let ended = try await cleanup(
                "--older-than",
                "0s",
                "--server",
                server.address,
                "--json",
                in: server.folder
            )
            #expect(ended.code == 0, "\(ended.error)")
            #expect(try Value(json: ended.out)["deleted"]?["traces"] == 1)
            #expect(try await server.client.get("/api/traces/4bf92f3577b34da6a3ce929d0e0e4736").status == 404)
            let after = try await server.metrics()
            for (name, value) in before where name.hasPrefix("mastra_") {
                #expect(after[name] == value, "\(name)")
            }
            #expect(before.keys.contains { $0.hasPrefix("mastra_agent_runs_ended") })
            #expect(after["nightjar_retention_deleted_total{signal=\"traces\"}"] == 1)
            #expect(after["nightjar_retention_sweeps_total"] == 1)
        }
    }

    @Test(arguments: [
        (#"{"olderThan":"soon"}"#, "olderThan"),
        (#"{"olderThan":"1d","signals":["x"]}"#, "x cannot be cleaned up"),
        ("{}", "olderThan"),
    ])
    func `a cleanup that says nothing sensible is refused`(body: String, fault: String) async throws {
        try await TestServer.run { server in
            let answer = try await server.client.send("POST", "/api/cleanup", body: Array(body.utf8))
            #expect(answer.status == 400)
            #expect(answer.text.contains(fault))
        }
    }

    @Test func `wrong usage ends with 2`() async throws {
        let folder = try Fixture()
        #expect(try await cleanup("--older-than", "soon", in: folder).code == 2)
        #expect(try await cleanup("spans", "--older-than", "1d", in: folder).code == 2)
        #expect(try await cleanup("--older-than", "1d", "--compact", in: folder).code == 2)
        #expect(try await cleanup("--older-than", "1d", "--db", "none.db", in: folder).code == 3)
    }

    @Test func `a server that is told to reads its configuration again, and says what takes a new start`()
        async throws
    {
        let folder = try Fixture()
        try folder.write("retention: { traces: 2d }", to: "c.yaml")
        let server = try RunningProcess(
            RunningProcess.nightjar(),
            ["serve", "--listen", "127.0.0.1:0", "--db", "n.db", "--plugins", "none", "--config", "c.yaml"],
            folder: folder.url
        )
        _ = try await server.listeningAddress()
        try folder.write("retention: { traces: 1d }\ntrace: { idlePeriod: 2s }", to: "c.yaml")
        server.signal(SIGHUP)
        try await server.line(containing: "retention.traces was read again and holds from now on")
        try await server.line(containing: "trace.idlePeriod was changed; that takes a new start")
        try folder.write("retention: { traces: soon }", to: "c.yaml")
        server.signal(SIGHUP)
        try await server.line(containing: "the configuration is as it was")
        #expect(server.errorOutput.contains("c.yaml:1: retention.traces"))
        server.signal(SIGTERM)
        #expect(try await server.exitCode() == 0)
    }

    @Test func `further spans of a trace that is full are refused, and counted, until it is deleted`()
        async throws
    {
        func limit(_ configuration: inout EngineConfiguration) { configuration.trace.traceSpans = 40 }
        let load = LoadBody(traces: 1, spansPerTrace: 30, valueBytes: 10)
        try await TestServer.run(change: limit) { server in
            func post(_ number: Int, oneTrace: Int? = 1) async throws -> Double? {
                let answer = try await server.post(
                    load.made(number, oneTrace: oneTrace),
                    type: "application/json"
                )
                #expect(answer.status == 200)
                #expect(await server.engine.flush())
                let partial = try answer.json()["partialSuccess"]
                let message = partial?["errorMessage"]?.string
                if message?.isEmpty == false { #expect(message?.contains("limits.traceSpans") == true) }
                return partial?["rejectedSpans"]?.number
            }
            #expect(try await post(1) == nil)
            #expect(try await post(2) == nil, "the bound is looked at before a request is taken")
            #expect(try await post(3) == 30)
            #expect(try await post(4, oneTrace: nil) == nil, "other traces are not concerned")
            let path = "/api/traces/" + String(repeating: "0", count: 31) + "1"
            let trace = try await server.client.get(path).json()
            #expect(trace["spans"]?.array?.count == 60)
            let event = """
                {"type":"span_ended","exportedSpan":{"traceId":"1","id":"1","name":"a","startTime":1,"endTime":2}}
                """
            let refused = try await server.client.send("POST", "/api/events", body: Array(event.utf8))
            #expect(refused.status == 413)
            #expect(refused.text.contains("begin another trace"))
            #expect(try await server.metrics()["nightjar_spans_refused_total{reason=\"trace_full\"}"] == 31)
            #expect(try await server.client.send("DELETE", path).status == 204)
            #expect(await server.engine.flush())
            #expect(try await post(5) == nil)
        }
    }

    @Test func `spans that are too old are refused alone, and counted`() async throws {
        func refuseOld(_ configuration: inout EngineConfiguration) {
            configuration.refuseOlderThan = .seconds(3600)
        }
        try await TestServer.run(change: refuseOld) { server in
            let old = try await server.post(IngestTests.body(), type: "application/json")
            #expect(old.status == 200)
            let partial = try old.json()["partialSuccess"]
            #expect(partial?["rejectedSpans"]?.number == 1)
            #expect(partial?["errorMessage"]?.string?.contains("refuseOlderThan") == true)
            let event = """
                {"type":"span_ended","exportedSpan":{"traceId":"1","id":"1","name":"a","startTime":1,"endTime":2}}
                """
            let refused = try await server.client.send("POST", "/api/events", body: Array(event.utf8))
            #expect(refused.status == 400)
            #expect(refused.text.contains("refuseOlderThan"))
            #expect(try await server.metrics()["nightjar_spans_refused_total{reason=\"too_old\"}"] == 2)
            let imported = try await server.client.send("POST", "/api/import", body: Array(event.utf8))
            #expect(try imported.json()["refused"] == 1)
            #expect(try await server.client.get("/api/traces").json()["traces"] == [])
        }
    }
}
