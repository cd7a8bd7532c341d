import NightjarOTLP
import NightjarSignals
import Testing

/// Verdicts that one span carries: the mapping's section 11.
struct EvaluationTests {
    private static let judged = TraceID(high: 7, low: 8)

    private static func found(_ span: TestSpan) throws -> [Evaluation] {
        let request = try TraceRequest.decode(
            body([span]),
            encoding: .protobuf,
            receivedAt: Timestamp(unixNano: 1),
            workers: 1
        )
        return request.references.flatMap(Evaluation.evaluations)
    }

    /// A span linked to as many others as there are ids.
    private static func linked(_ ids: [UInt8], _ attributes: [(String, TestValue)]) -> TestSpan {
        var span = TestSpan(attributes: attributes)
        var links = Message()
        for id in ids {
            links.message(13) { link in
                link.data(1, Array(repeating: 0, count: 7) + [7] + Array(repeating: 0, count: 7) + [8])
                link.data(2, Array(repeating: 0, count: 7) + [id])
            }
        }
        span.extra = links.bytes
        return span
    }

    private static let evaluator: [(String, TestValue)] = [
        ("openinference.span.kind", "EVALUATOR"), ("evaluations.0.evaluation.name", "tone"),
        ("evaluations.0.evaluation.score", 0.5), ("trace.evaluations.0.evaluation.name", "whole"),
        ("trace.evaluations.0.evaluation.label", "good"),
    ]

    @Test func `an evaluation made later judges the span that it is linked to`() throws {
        let found = try Self.found(Self.linked([3], Self.evaluator))
        #expect(found.map(\.input.scorerName) == ["tone", "whole"])
        #expect(found.map(\.input.traceID) == [Self.judged, Self.judged])
        #expect(found.map { $0.input.spanID?.value } == [3, nil])
    }

    @Test(arguments: [[], [3, 4]] as [[UInt8]])
    func `without a link, or with several, a verdict is about its own span`(_ ids: [UInt8]) throws {
        let found = try Self.found(Self.linked(ids, Self.evaluator))
        #expect(found.count == 2)
        #expect(found.allSatisfy { $0.input.traceID != Self.judged })
        #expect(found.first?.input.spanID?.value == 0x0102_0304_0506_0708)
    }

    @Test func `a link of another span says nothing of its verdicts`() throws {
        let attributes = [("openinference.span.kind", TestValue.text("LLM"))] + Self.evaluator.dropFirst()
        let found = try Self.found(Self.linked([3], attributes))
        #expect(found.allSatisfy { $0.input.traceID != Self.judged })
    }

    @Test(arguments: [
        "gen_ai.operation.name", "langfuse.observation.type", "mastra.span.type", "http.request.method",
    ])
    func `lists of verdicts count whatever kind of span carries them`(_ key: String) throws {
        let found = try Self.found(
            TestSpan(attributes: [
                (key, "x"), ("annotations.0.annotation.name", "a"), ("annotations.0.annotation.score", "1"),
                ("annotations.0.annotation.explanation", "because"),
                ("annotations.0.annotation.annotator_kind", "CODE"),
                ("annotations.0.annotation.metadata", #"{"rubric":2}"#),
                ("annotations.0.annotation.identifier", "v2"), ("evaluation.name", "no"),
                ("evaluation.score", 1),
            ])
        )
        #expect(found.map(\.input.scorerName) == ["a"])
        #expect(found.first?.input.score == 1)
        #expect(found.first?.input.reason == "because")
        #expect(found.first?.input.annotatorKind == "code")
        #expect(found.first?.input.metadata == ["rubric": 2, "identifier": "v2"])
    }

    @Test(arguments: ["evaluation", "annotation"])
    func `a verdict in a span's own attributes is named after the span where it has no name`(_ prefix: String)
        throws
    {
        let found = try Self.found(
            TestSpan(
                name: "check",
                attributes: [("openinference.span.kind", "EVALUATOR"), ("\(prefix).score", 1)]
            )
        )
        #expect(found.map(\.input.scorerName) == ["check"])
    }

    @Test func `one verdict in both forms is one`() throws {
        let found = try Self.found(
            TestSpan(attributes: [
                ("openinference.span.kind", "LLM"), ("evaluations.0.evaluation.name", "a"),
                ("evaluations.0.evaluation.score", 1), ("annotations.0.annotation.name", "a"),
                ("annotations.0.annotation.score", 1),
            ])
        )
        #expect(found.count == 1)
    }

    @Test(arguments: [TestValue.int(1), .double(1), .text("1")])
    func `a span event's verdict has its number in whatever form`(_ value: TestValue) throws {
        var span = TestSpan()
        span.events = [
            (
                "gen_ai.evaluation.result", 5,
                [
                    ("gen_ai.evaluation.name", "tone"), ("gen_ai.evaluation.score.value", value),
                    ("gen_ai.evaluation.explanation", "fine"),
                ]
            )
        ]
        let found = try #require(try Self.found(span).first)
        #expect(found.input.score == 1)
        #expect(found.input.reason == "fine")
        #expect(found.timestamp == Timestamp(unixNano: 5))
    }

    @Test func `an evaluation that failed has no score`() throws {
        var span = TestSpan()
        span.events = [
            (
                "gen_ai.evaluation.result", 5,
                [
                    ("gen_ai.evaluation.name", "tone"), ("gen_ai.evaluation.score.value", 0),
                    ("gen_ai.evaluation.score.label", "bad"), ("error.type", "timeout"),
                ]
            )
        ]
        let found = try #require(try Self.found(span).first)
        #expect(found.input.score == nil)
        #expect(found.input.label == nil)
        #expect(found.input.error == "timeout")
    }
}
