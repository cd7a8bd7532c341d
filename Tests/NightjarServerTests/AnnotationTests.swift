import Foundation
import Nightjar
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

@Suite struct AnnotationTests {
    static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    @Test func `a score is created, replaced by its id, and kept for a trace that is not known yet`()
        async throws
    {
        try await TestServer.run { server in
            #expect(try await server.post(IngestTests.body(), type: "application/json").status == 200)
            var score: Value = [
                "id": "s1", "traceId": .string(Self.trace), "scorerName": "tone", "score": 0.5,
            ]
            let created = try await server.client.post("/api/scores", json: score)
            #expect(created.status == 201)
            score = ["id": "s1", "traceId": .string(Self.trace), "scorerName": "tone", "score": 0.75]
            #expect(try await server.client.post("/api/scores", json: score).status == 200)
            let early: Value = [
                "traceId": "4bf92f3577b34da6a3ce929d0e0e4799", "scorerName": "tone", "score": 1,
            ]
            let pending = try await server.client.post("/api/scores", json: early)
            #expect(pending.status == 202)
            #expect(try pending.json()["results"]?.array?.first?["pending"] == true)
            #expect(await server.engine.flush())
            let trace = try await server.client.get("/api/traces/\(Self.trace)").json()
            #expect(trace["scores"]?.array?.map { $0["score"] } == [0.75])
            let metrics = try await server.metrics()
            #expect(metrics[#"mastra_scores_total{entity_type="agent",scorer="tone"}"#] == 1)
            #expect(metrics["nightjar_scores_replaced_total"] == 1)
        }
    }

    @Test func `a score that came before its trace counts when the trace comes`() async throws {
        try await TestServer.run { server in
            let score: Value = ["traceId": .string(Self.trace), "scorerName": "tone", "score": 1]
            let answer = try await server.client.post("/api/scores", json: score)
            #expect(answer.status == 202)
            #expect(await server.engine.flush())
            let before = try await server.metrics()
            #expect(!before.keys.contains { $0.hasPrefix("mastra_scores_total") })
            #expect(try await server.post(IngestTests.body(), type: "application/json").status == 200)
            #expect(await server.engine.flush())
            #expect(
                try await server.metrics()[#"mastra_scores_total{entity_type="agent",scorer="tone"}"#] == 1
            )
        }
    }

    @Test func `a list with one bad item is refused whole, naming the item`() async throws {
        try await TestServer.run { server in
            let list: Value = [
                ["traceId": .string(Self.trace), "feedbackType": "thumbs", "source": "user", "value": 1],
                ["traceId": .string(Self.trace), "feedbackType": "thumbs", "value": 1],
            ]
            let answer = try await server.client.post("/api/feedback", json: list)
            #expect(answer.status == 400)
            #expect(answer.header("content-type") == "application/problem+json")
            #expect(try answer.json()["errors"]?.array?.first?["path"]?.string?.hasPrefix("[1]") == true)
            #expect(try server.engine.store?.feedback(of: #require(TraceID(Self.trace))).isEmpty == true)
        }
    }

    @Test func `the library gives a trace as a list and as a tree, and takes scores on it and its spans`()
        async throws
    {
        let folder = try Fixture()
        let observability = try Observability(.init(database: .file(folder.path("library.db"))))
        for body in [
            IngestTests.body(
                span: "00f067aa0ba902b8",
                parent: "00f067aa0ba902b7",
                name: "chat m",
                attributes: [("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "m")]
            ),
            IngestTests.body(),
        ] {
            _ = try await observability.engine.ingest(Payload(body), encoding: .json)
        }
        await observability.flush()
        let trace = try #require(try await observability.getTrace(Self.trace))
        #expect(trace.spans.map(\.span.name) == ["invoke_agent helper", "chat m"] || trace.spans.count == 2)
        let child = try #require(trace.getSpan("00f067aa0ba902b8"))
        #expect(child.parent?.span.id == trace.rootSpan.span.id)
        #expect(trace.rootSpan.children.map(\.span.id) == [child.span.id])
        #expect(child.span.agent == "helper")
        try await trace.addScore(ScoreInput(scorerName: "overall", score: 0.9))
        try await child.addFeedback(FeedbackInput(source: "user", feedbackType: "thumbs", value: 1))
        await observability.flush()
        let again = try #require(try await observability.getTrace(Self.trace))
        #expect(again.scores.map(\.scorerName) == ["overall"])
        #expect(again.feedback.map(\.spanID) == [child.span.id])
        #expect(try await observability.getTrace("4bf92f3577b34da6a3ce929d0e0e4700") == nil)
        await observability.shutdown()
    }

    @Test func `a path names the target, and a span's metadata lies below the input's`() async throws {
        try await TestServer.run { server in
            let events = EventTests.lines([
                EventTests.span(
                    "span_ended",
                    id: "a1",
                    type: "agent_run",
                    name: "support",
                    ["metadata": ["plan": "free", "userId": "u1"]]
                )
            ])
            #expect(try await server.client.send("POST", "/api/events", body: events).status == 200)
            let score: Value = ["scorerName": "tone", "score": 1, "metadata": ["plan": "paid"]]
            let onSpan = try await server.client.post(
                "/api/traces/\(Self.trace)/spans/a1/scores",
                json: score
            )
            #expect(onSpan.status == 201)
            let onTrace = try await server.client.post(
                "/api/traces/\(Self.trace)/feedback",
                json: ["source": "user", "feedbackType": "thumbs", "value": 1]
            )
            #expect(onTrace.status == 201)
            let onSession = try await server.client.post("/api/sessions/s-1/scores", json: score)
            #expect(onSession.status == 201)
            #expect(await server.engine.flush())
            let trace = try await server.client.get("/api/traces/\(Self.trace)").json()
            let stored = trace["scores"]?.array?.first
            #expect(stored?["spanId"] == "00000000000000a1")
            #expect(stored?["metadata"] == ["plan": "paid", "userId": "u1"])
            #expect(stored?["correlation"]?["entityName"] == "support")
            #expect(trace["feedback"]?.array?.first?["spanId"] == nil)
            #expect(try await server.client.post("/api/traces/xyz/scores", json: score).status == 400)
        }
    }

    @Test func `with partial each item is taken or refused by itself`() async throws {
        try await TestServer.run { server in
            let list: Value = [
                ["traceId": .string(Self.trace), "scorerName": "a", "score": 1],
                ["traceId": .string(Self.trace), "scorerName": "b", "score": "high"],
                ["scorerName": "c", "score": 1],
            ]
            let answer = try await server.client.post("/api/scores?partial=true", json: list)
            #expect(answer.status == 202)
            let results = try answer.json()["results"]?.array ?? []
            #expect(results.map { $0["id"] != nil } == [true, false, false])
            #expect(results[1]["errors"]?.array?.first?["path"] == "[1].score")
            let none = try await server.client.post("/api/scores?partial=true", json: [["scorerName": "c"]])
            #expect(none.status == 400)
        }
    }

    @Test func `deleting is idempotent, and what was deleted is gone`() async throws {
        try await TestServer.run { server in
            #expect(try await server.post(IngestTests.body(), type: "application/json").status == 200)
            let score: Value = ["id": "s1", "traceId": .string(Self.trace), "scorerName": "tone", "score": 1]
            #expect(try await server.client.post("/api/scores", json: score).status == 201)
            #expect(await server.engine.flush())
            for _ in 0..<2 {
                #expect(try await server.client.send("DELETE", "/api/scores/s1").status == 204)
                #expect(try await server.client.send("DELETE", "/api/feedback/none").status == 204)
            }
            let trace = try await server.client.get("/api/traces/\(Self.trace)").json()
            #expect(trace["scores"]?.array?.isEmpty ?? true)
            for _ in 0..<2 {
                #expect(try await server.client.send("DELETE", "/api/traces/\(Self.trace)").status == 204)
            }
            #expect(try await server.client.get("/api/traces/\(Self.trace)").status == 404)
        }
    }
}
