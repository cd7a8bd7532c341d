import Nightjar
import NightjarBus
import NightjarExporters
import NightjarSignals
import Testing

/// Scores and feedback, live, recorded and by id: signals contract, section 9.
@Suite struct AnnotationTests {
    @Test func `a score on a live span has the span's metadata with its own on top, and the target's facts`()
        async throws
    {
        try await Program.run { program in
            let run = program.observability.startSpan(
                "support",
                type: .agentRun,
                with: .init(metadata: ["userId": "u1", "plan": "free"])
            )
            let score = try run.addScore(
                ScoreInput(scorerName: "tone", score: 0.5, reason: "curt", metadata: ["plan": "paid"])
            )
            try run.addFeedback(FeedbackInput(source: "user", feedbackType: "thumbs", value: 1, userID: "u2"))
            run.end()
            #expect(await program.observability.flush())
            let exported = try #require(program.exported.scores.first)
            #expect(exported == score)
            #expect(exported.spanID == run.id)
            #expect(exported.metadata == ["userId": "u1", "plan": "paid"])
            #expect(exported.correlation.entity.name == "support")
            let feedback = try #require(program.exported.feedback.first)
            #expect(feedback.metadata["userId"] == "u2")
            #expect(feedback.spanID == run.id)
            #expect(program.totals("mastra_scores_total") == [["scorer": "tone", "entity_type": "agent"]: 1])
            let labels = ["feedback_type": "thumbs", "source": "user", "entity_type": "agent"]
            #expect(program.totals("mastra_feedback_total") == [labels: 1])
        }
    }

    @Test func `a score on a live trace has no span, and the root's metadata`() async throws {
        try await Program.run { program in
            let run = program.observability.startSpan(
                "support",
                type: .agentRun,
                with: .init(metadata: ["a": 1])
            )
            let tool = run.startSpan("search", type: .toolCall, with: .init(metadata: ["b": 2]))
            try tool.trace.addScore(ScoreInput(scorerName: "whole", score: 1))
            tool.end()
            run.end()
            #expect(await program.observability.flush())
            let score = try #require(program.exported.scores.first)
            #expect(score.traceID == run.traceID)
            #expect(score.spanID == nil)
            #expect(score.metadata == ["a": 1])
        }
    }

    @Test func `a trace can be fetched and scored afterwards, and the score is in the next fetch`()
        async throws
    {
        try await Program.run { program in
            let run = program.observability.startSpan("support", type: .agentRun)
            run.startSpan("search", type: .toolCall).end()
            run.end()
            #expect(await program.observability.flush())
            let trace = try #require(try await program.observability.getTrace(run.traceID.description))
            #expect(trace.spans.count == 2)
            let tool = try #require(trace.spans.first { $0.span.type == .toolCall })
            try await tool.addScore(ScoreInput(scorerName: "found", score: 1))
            try await trace.addFeedback(FeedbackInput(source: "qa", feedbackType: "note", value: "fine"))
            #expect(await program.observability.flush())
            let again = try #require(try await program.observability.getTrace(run.traceID))
            #expect(again.scores.map(\.spanID) == [tool.id])
            #expect(again.scores.first?.correlation.parentEntity.name == "support")
            #expect(again.feedback.map(\.value) == ["fine"])
            #expect(program.exported.scores.count == 1)
        }
    }

    @Test func `a batch by id is all or nothing, and says which is unfit`() async throws {
        try await Program.run { program in
            var good = ScoreInput(scorerName: "a", score: 1)
            good.traceID = TraceID("abc")
            var bad = ScoreInput(scorerName: "b", score: .nan)
            bad.traceID = TraceID("abc")
            await #expect(throws: InputError.self) { try await program.observability.addScores([good, bad]) }
            do {
                try await program.observability.addScores([good, bad])
            } catch let error as InputError {
                #expect(error.path.hasPrefix("[1]"))
            }
            let results = await program.observability.addEachScore([good, bad])
            #expect(results.map { (try? $0.get()) != nil } == [true, false])
        }
    }

    @Test func `the same id again replaces, and counts once`() async throws {
        try await Program.run { program in
            let run = program.observability.startSpan("support", type: .agentRun)
            run.end()
            #expect(await program.observability.flush())
            for value in [0.2, 0.9] {
                var score = ScoreInput(scorerName: "tone", score: value)
                (score.id, score.traceID) = ("s1", run.traceID)
                try await program.observability.addScores([score])
                #expect(await program.observability.flush())
            }
            let trace = try #require(try await program.observability.getTrace(run.traceID))
            #expect(trace.scores.map(\.score) == [0.9])
            #expect(program.totals("mastra_scores_total").values.reduce(0, +) == 1)
            #expect(program.totals("nightjar_scores_replaced_total").values.reduce(0, +) == 1)
        }
    }

    @Test func `a score that comes before its trace waits for it, and is joined`() async throws {
        try await Program.run { program in
            let trace = TraceID(high: 7, low: 7)
            var score = ScoreInput(scorerName: "early", label: "good")
            score.traceID = trace
            try await program.observability.addScores([score])
            #expect(await program.observability.flush())
            #expect(program.totals("mastra_scores_total").isEmpty)
            let run = program.observability.startSpan(
                "support",
                type: .agentRun,
                parent: .ids(trace: trace.description)
            )
            run.end()
            #expect(await program.observability.flush())
            #expect(
                program.totals("mastra_scores_total") == [["scorer": "early", "entity_type": "agent"]: 1]
            )
            let recorded = try #require(try await program.observability.getTrace(trace))
            #expect(recorded.scores.map(\.label) == ["good"])
            #expect(recorded.scores.first?.correlation.entity.name == "support")
        }
    }

    @Test func `a session can be scored`() async throws {
        try await Program.run { program in
            var score = ScoreInput(scorerName: "happy", score: 1)
            score.sessionID = "session-1"
            try await program.observability.addScores([score])
            #expect(await program.observability.flush())
            #expect(program.exported.scores.map(\.sessionID) == ["session-1"])
            #expect(program.totals("mastra_scores_total").values.reduce(0, +) == 1)
        }
    }

    @available(*, deprecated, message: "calls what is deprecated")
    @Test func `the old way to score a trace goes on working`() async throws {
        try await Program.run { program in
            let run = program.observability.startSpan("support", type: .agentRun)
            run.end()
            #expect(await program.observability.flush())
            try await program.observability.addScoreToTrace(
                traceId: run.traceID.description,
                spanId: run.id.description,
                score: 0.5,
                reason: "so so",
                scorerName: "old"
            )
            let trace = try #require(try await program.observability.getTrace(run.traceID))
            #expect(trace.scores.map(\.reason) == ["so so"])
            await #expect(throws: InputError.self) {
                try await program.observability.addScoreToTrace(traceId: "x", score: 1, scorerName: "old")
            }
        }
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity])
    func `a score that is no finite number is refused`(value: Double) async throws {
        try await Program.run { program in
            let span = program.observability.startSpan("support")
            #expect(throws: InputError.self) { try span.addScore(ScoreInput(scorerName: "s", score: value)) }
        }
    }
}
