import Foundation
import Nightjar
import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// The engine of a backfill, ended where a test wants it.
@Suite(.serialized) struct BackfillTests {
    private static let script = """
        nightjar.plugin { version = "1" }
        nightjar.scorer("size", { on = "trace_ended" }, function(trace)
          trace.addScore { score = #trace.spans, reason = trace.id }
        end)
        """

    /// Nothing ends by itself while a test looks.
    private static let patient = {
        var trace = TraceConfiguration()
        trace.idlePeriod = .seconds(3000)
        trace.idleTimeout = .seconds(3000)
        return trace
    }()

    private struct SinkFault: Error {}

    /// Keeps scores as a store would, and fails after so many.
    private final class MemorySink: ScoringSink {
        private(set) var writes: [[Score]] = []
        var failsAfter = Int.max

        var written: [Score] { writes.flatMap(\.self) }

        func write(_ scores: [Score]) throws {
            guard writes.count < failsAfter else { throw SinkFault() }
            writes.append(scores)
        }

        func undo(_ version: ScoreVersion) -> UndoCount { UndoCount() }
    }

    /// Traces that are counted as they are read, with what a sink holds of their scores.
    private final class CountingSource: ScoringSource {
        let base: DatabaseScoringSource
        var read: [TraceID] = []

        init(_ base: DatabaseScoringSource) { self.base = base }

        func targets(_ window: StoredWindow) throws -> ScoringTargets { try base.targets(window) }

        func trace(_ target: ScoringTarget) throws -> StoredTrace? {
            read.append(target.id)
            return try base.trace(target)
        }
    }

    private func scorers(_ script: String = script) throws -> ScorerRun {
        let registry = MetricRegistry()
        let plugins = try PluginHost.load(
            files: [PluginSource(name: "size", file: "size.lua", text: Array(script.utf8))],
            registry: registry,
            now: { Timestamp(unixNano: 0) }
        )
        return try ScorerRun(plugins, registry: registry) { _ in }
    }

    private func source(_ folder: Fixture) throws -> CountingSource {
        CountingSource(DatabaseScoringSource(try StoredEvents(path: folder.path("nightjar.db"))))
    }

    @Test func `what is stopped goes on where it stopped, and reads nothing twice`() async throws {
        let folder = try await StoredDatabase.runs(7)
        let file = folder.path("marker.json")
        let sink = MemorySink()
        let source = try source(folder)
        var scoring = StoredScoring(source)
        scoring.isStopped = { source.read.count == 3 }
        let backfill = Backfill(into: sink, markerFile: file)
        let half = try backfill.run(scoring, StoredWindow(), by: scorers(), task: "a")
        #expect(!half.isFinished)
        #expect((half.traces, half.looked, half.written) == (7, 3, 3))
        #expect(sink.written.count == 3)
        let marker = try #require(BackfillMarker(file: file, task: "a"))
        #expect(marker.done == 3)
        #expect(marker.last?.id == source.read.last)
        #expect(BackfillMarker(file: file, task: "b") == nil)
        scoring.isStopped = { false }
        let rest = try backfill.run(scoring, StoredWindow(limit: 1), by: scorers(), task: "a")
        #expect(rest.isFinished)
        #expect((rest.traces, rest.resumed, rest.looked, rest.written) == (7, 3, 4, 4))
        #expect(source.read.map(\.low) == [1, 2, 3, 4, 5, 6, 7], "in the order of receipt")
        #expect(sink.written.map { $0.traceID?.low } == [1, 2, 3, 4, 5, 6, 7])
        #expect(!FileManager.default.fileExists(atPath: file))
    }

    @Test func `what could not be written is done again, and another task begins anew`() async throws {
        let folder = try await StoredDatabase.runs(5)
        let file = folder.path("marker.json")
        let sink = MemorySink()
        sink.failsAfter = 2
        let source = try source(folder)
        var backfill = Backfill(into: sink, markerFile: file)
        // Every look at the clock is two seconds later: each trace is a step of its own.
        let start = ContinuousClock.now
        var looks = 0
        backfill.now = {
            looks += 1
            return start + .seconds(2 * looks)
        }
        #expect(throws: SinkFault.self) {
            try backfill.run(StoredScoring(source), StoredWindow(), by: scorers(), task: "a")
        }
        #expect(sink.writes.count == 2)
        #expect(BackfillMarker(file: file, task: "a")?.last?.id.low == 2)
        sink.failsAfter = .max
        let rest = try backfill.run(StoredScoring(source), StoredWindow(), by: scorers(), task: "a")
        #expect(rest.written == 3)
        #expect(sink.written.map { $0.traceID?.low } == [1, 2, 3, 4, 5])
        try BackfillMarker(task: "a", window: StoredWindow()).save(to: file)
        let anew = try backfill.run(StoredScoring(source), StoredWindow(), by: scorers(), task: "b")
        #expect((anew.resumed, anew.looked) == (0, 5))
    }

    @Test func `a marker that cannot be read is no marker`() throws {
        let folder = try Fixture()
        try folder.write("{\"task\": \"a\", \"limit\"", to: "marker.json")
        #expect(BackfillMarker(file: folder.path("marker.json"), task: "a") == nil)
        var marker = BackfillMarker(
            task: "a",
            window: StoredWindow(
                from: Timestamp(unixNano: 5),
                to: Timestamp(unixNano: 1_790_000_000_123_456_789)
            )
        )
        marker.last = ScoringTarget(
            id: TraceID(high: 1, low: 2),
            receivedAt: Timestamp(unixNano: 1_780_000_000_987_654_321)
        )
        marker.done = 9
        try marker.save(to: folder.path("marker.json"))
        #expect(BackfillMarker(file: folder.path("marker.json"), task: "a") == marker)
    }

    @Test func `traces that are still under way are left out`() async throws {
        try await TestServer.run(trace: Self.patient) { server in
            for (trace, parent) in [("1", nil), ("2", "00f067aa0ba902ff")] {
                let body = IngestTests.body(trace: String(repeating: trace, count: 32), parent: parent)
                #expect(try await server.post(body, type: "application/json").status == 200)
            }
            #expect(await server.engine.flush())
            let source = DatabaseScoringSource(try StoredEvents(path: server.folder.path("nightjar.db")))
            let before = try source.targets(StoredWindow())
            #expect((before.targets.count, before.open) == (0, 2))
            #expect(await server.engine.finish())
            #expect(try source.targets(StoredWindow()).targets.count == 2)
        }
    }

    @Test func `whole scores brought in over HTTP are stored as they are, all or none`() async throws {
        try await TestServer.run { server in
            #expect(try await server.post(IngestTests.body(), type: "application/json").status == 200)
            #expect(await server.engine.finish())
            var score: Value.Object = [
                "id": "s1", "timestamp": "2026-01-02T03:04:05.000000006Z", "scorerName": "size", "score": 0.5,
                "traceId": .string(StoredDatabase.trace), "metadata": ["plugin": "size@1"],
                "correlation": ["entityType": "agent"],
            ]
            let path = "/api/scores?backfill=true"
            let bad: Value = [.object(score), ["id": "s2", "scorerName": "size", "score": 1]]
            let refused = try await server.client.post(path, json: bad)
            #expect(refused.status == 400)
            #expect(try refused.json()["errors"]?.array?.isEmpty == false)
            #expect(try await server.client.post(path, json: [.object(score)]).status == 200)
            let stored = try await server.client.get("/api/traces/\(StoredDatabase.trace)").json()["scores"]
            #expect(stored?.array == [.object(score)])
            score["score"] = 0.75
            let replaced = try await server.client.post(path, json: .object(score)).json()
            #expect(replaced["results"]?.array?.first?["replaced"] == true)
            #expect(await server.engine.flush())
            #expect(try await !server.metrics().keys.contains { $0.hasPrefix("mastra_scores_total") })
            let undo: Value = ["scorers": ["size"], "plugin": "size@1"]
            let undone = try await server.client.post("/api/scores/undo", json: undo)
            #expect(try undone.json()["deleted"] == 1)
            #expect(try await server.client.post("/api/scores/undo", json: ["plugin": "x@1"]).status == 400)
        }
    }

    @Test func `a list of traces by receipt says when it was and whether more is expected`() async throws {
        try await TestServer.run(trace: Self.patient) { server in
            for trace in ["1", "2"] {
                let body = IngestTests.body(trace: String(repeating: trace, count: 32))
                #expect(try await server.post(body, type: "application/json").status == 200)
            }
            #expect(await server.engine.finish())
            let body = IngestTests.body(trace: String(repeating: "1", count: 32), span: "00f067aa0ba902b9")
            #expect(try await server.post(body, type: "application/json").status == 200)
            #expect(await server.engine.flush())
            let list = try await server.client.get("/api/traces?sort=received").json()["traces"]?.array ?? []
            #expect(list.map { $0["traceId"]?.string?.first } == ["1", "2"])
            #expect(list.map { $0["isOpen"] } == [true, false])
            #expect(list.allSatisfy { $0["lastReceivedAt"] != nil })
            #expect(try await server.client.get("/api/traces?sort=size").status == 400)
            let message = try await server.client.get(
                "/api/traces/\(String(repeating: "1", count: 32))?format=protobuf"
            )
            #expect(message.header("content-type") == "application/x-protobuf")
            #expect(message.body.count > 100)
            let missing = try await server.client.get(
                "/api/traces/\(String(repeating: "9", count: 32))?format=protobuf"
            )
            #expect(missing.status == 404)
        }
    }
}
