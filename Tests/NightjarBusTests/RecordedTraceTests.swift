import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

/// Signals, section 9.
@Suite struct RecordedTraceTests {
    static let id = TraceID(high: 1, low: 2)

    static func span(_ id: UInt64, parent: UInt64 = 0, at start: Int64 = 0, metadata: Value.Object = [:])
        -> Span
    {
        var span = Span(
            id: SpanID(value: id),
            traceID: Self.id,
            name: "s\(id)",
            startTime: Timestamp(unixNano: start)
        )
        span.parentSpanID = parent == 0 ? nil : SpanID(value: parent)
        span.endTime = Timestamp(unixNano: start + 1)
        span.metadata = metadata
        return span
    }

    @Test func `a trace without spans is not known`() {
        #expect(RecordedTrace(traceID: Self.id, spans: []) == nil)
        #expect(RecordedTrace(traceID: TraceID(high: 0, low: 9), spans: [Self.span(1)]) == nil)
    }

    @Test func `the list is by start, the tree over the same spans`() throws {
        let spans = [
            Self.span(3, parent: 1, at: 30), Self.span(1, at: 10), Self.span(2, parent: 1, at: 20),
            Self.span(4, parent: 3, at: 20),
        ]
        let trace = try #require(RecordedTrace(traceID: Self.id, spans: spans))
        #expect(trace.spans.map(\.id.value) == [1, 2, 4, 3])
        #expect(trace.rootSpan == trace.spans[0])
        #expect(trace.rootSpan.children == [trace.spans[1], trace.spans[3]])
        #expect(trace.getSpan("4")?.parent?.parent == trace.rootSpan)
        #expect(trace.rootSpan.parent == nil)
        #expect(trace.getSpan(SpanID(value: 9)) == nil)
        #expect(trace.getSpan("no id") == nil)
        #expect(!trace.isPartial)
    }

    @Test func `a span that is kept keeps its relatives`() throws {
        func child() -> RecordedSpan? {
            RecordedTrace(traceID: Self.id, spans: [Self.span(1), Self.span(2, parent: 1)])?.getSpan("2")
        }
        #expect(child()?.parent?.children.first?.id == SpanID(value: 2))
    }

    @Test func `orphans hang under the root and make the trace partial`() throws {
        let trace = try #require(
            RecordedTrace(traceID: Self.id, spans: [Self.span(1), Self.span(2, parent: 99, at: 1)])
        )
        #expect(trace.getSpan("2")?.parent == trace.rootSpan)
        #expect(trace.isPartial)
    }

    @Test func `without a root the earliest span is it`() throws {
        let trace = try #require(
            RecordedTrace(traceID: Self.id, spans: [Self.span(3, parent: 9, at: 5), Self.span(2, parent: 9)])
        )
        #expect(trace.rootSpan.id == SpanID(value: 2))
        #expect(trace.isPartial)
    }

    @Test func `cycles end`() throws {
        let spans = [
            Self.span(1), Self.span(2, parent: 3, at: 1), Self.span(3, parent: 2, at: 2),
            Self.span(4, parent: 4, at: 3),
        ]
        let trace = try #require(RecordedTrace(traceID: Self.id, spans: spans))
        for span in trace.spans {
            var steps = 0
            var at = span
            while let parent = at.parent, steps < 10 { (at, steps) = (parent, steps + 1) }
            #expect(at == trace.rootSpan)
        }
        #expect(trace.tree["spans"]?.array?.count == 1)
    }

    @Test func `of two spans with one id the last is taken`() throws {
        var later = Self.span(1)
        later.name = "later"
        let trace = try #require(RecordedTrace(traceID: Self.id, spans: [Self.span(1), later]))
        #expect(trace.spans.map(\.span.name) == ["later"])
    }

    @Test func `the status is the root's, and errors anywhere are told`() throws {
        var failed = Self.span(2, parent: 1)
        failed.status = .error
        let trace = try #require(RecordedTrace(traceID: Self.id, spans: [Self.span(1), failed]))
        #expect(trace.status == .ok)
        #expect(trace.hasErrors)
    }

    @Test func `metadata is inherited down the tree unless set`() throws {
        let spans = [
            Self.span(3, parent: 2, at: 0, metadata: ["c": 3]),
            Self.span(2, parent: 1, at: 1, metadata: ["a": "own"]),
            Self.span(1, at: 2, metadata: ["a": "root", "b": 2]),
        ]
        let trace = try #require(RecordedTrace(traceID: Self.id, spans: spans))
        #expect(trace.getSpan("2")?.span.metadata == ["a": "own", "b": 2])
        #expect(trace.getSpan("3")?.span.metadata == ["a": "own", "b": 2, "c": 3])
    }

    @Test func `a long chain neither recurses nor costs its square`() throws {
        var spans: [Span] = []
        for number in (1...UInt64(10_000)).reversed() {
            let metadata: Value.Object = number <= 1000 ? ["k\(number)": 1] : [:]
            spans.append(Self.span(number, parent: number - 1, at: -Int64(number), metadata: metadata))
        }
        let trace = try #require(RecordedTrace(traceID: Self.id, spans: spans))
        #expect(trace.rootSpan.id == SpanID(value: 1))
        #expect(trace.getSpan(SpanID(value: 10_000))?.span.metadata.entries.count == 129)
        #expect(trace.tree["spans"]?.array?.count == 1)
    }

    @Test func `the tree form nests and keeps the order`() throws {
        let spans = [
            Self.span(1), Self.span(2, parent: 1, at: 1), Self.span(3, parent: 1, at: 2),
            Self.span(4, parent: 2, at: 3),
        ]
        let trace = try #require(RecordedTrace(traceID: Self.id, spans: spans))
        let root = try #require(trace.tree["spans"]?.array?.first)
        #expect(root["children"]?.array?.map { $0["name"] } == ["s2", "s3"])
        #expect(root["children"]?.array?.first?["children"]?.array?.map { $0["name"] } == ["s4"])
    }

    @Test func `the tree form has a greatest depth and loses no span`() throws {
        let spans = (1...100).map { Self.span(UInt64($0), parent: UInt64($0 - 1), at: Int64($0)) }
        let trace = try #require(RecordedTrace(traceID: Self.id, spans: spans))
        func measure(_ span: Value) -> (depth: Int, count: Int) {
            (span["children"]?.array ?? []).map(measure).reduce((1, 1)) {
                (max($0.0, $1.depth + 1), $0.1 + $1.count)
            }
        }
        let root = try #require(trace.tree["spans"]?.array?.first)
        #expect(measure(root) == (RecordedTrace.treeDepthLimit, 100))
    }

    @Test func `what is written is read back to the same trace`() throws {
        var log = Log(timestamp: Timestamp(unixNano: 7), level: .error, message: "m", data: ["a": [1]])
        log.traceID = Self.id
        var score = ScoreInput(scorerName: "s", score: 0.5, reason: "r")
        score.traceID = Self.id
        var feedback = FeedbackInput(source: "user", feedbackType: "thumbs", value: 1, userID: "u")
        feedback.traceID = Self.id
        feedback.spanID = SpanID(value: 2)
        var root = Self.span(1, metadata: ["userId": "u"])
        root.input = ["messages": [["role": "user"]]]
        root.tags = ["a"]
        let trace = try #require(
            RecordedTrace(
                traceID: Self.id,
                spans: [root, Self.span(2, parent: 1, at: 5), Self.span(3, parent: 77, at: 6)],
                scores: [score.score(id: "1", timestamp: Timestamp(unixNano: 1), targetMetadata: [:])],
                feedback: [
                    feedback.feedback(id: "2", timestamp: Timestamp(unixNano: 2), targetMetadata: ["x": 1])
                ],
                logs: [log]
            )
        )
        let text = trace.json.json
        let read = try RecordedTrace(json: Value(json: text))
        #expect(read == trace)
        #expect(read.json.json == text)
        #expect(
            trace.json.object?.entries.map(\.key) == [
                "traceId", "spans", "scores", "feedback", "logs", "status", "isPartial",
            ]
        )
    }

    @Test func `faults of a written trace are told with their places`() {
        let error = #expect(throws: InputErrors.self) {
            try RecordedTrace(json: [
                "traceId": "1", "spans": [["id": "1", "traceId": "2", "startTime": 0]],
                "scores": [["id": "x"]],
            ])
        }
        #expect(
            error?.errors.map(\.path) == [
                "spans[0].traceId", "scores[0].timestamp", "scores[0].scorerName", "scores[0].score",
            ]
        )
        #expect(throws: InputErrors.self) { try RecordedTrace(json: ["traceId": "1", "spans": []]) }
    }

    @Test func `a batch is all or nothing and names its first bad item`() async throws {
        let sink = RecordingSink()
        let trace = try #require(
            RecordedTrace(traceID: Self.id, spans: [Self.span(1)], annotator: sink.annotator)
        )
        let good = ScoreInput(scorerName: "a", score: 1)
        await #expect(throws: InputError.self) {
            try await trace.addScores([good, ScoreInput(scorerName: "b", score: .infinity)])
        }
        await #expect(
            throws: InputError(
                path: "[1]",
                message:
                    "is the same scorer, experiment and target once more; give each an id, or one of them"
            )
        ) {
            try await trace.rootSpan.addScores([good, good])
        }
        #expect(sink.annotations.isEmpty)
        try await trace.addScores([good, ScoreInput(scorerName: "b", label: "x")])
        #expect(sink.annotations.count == 2)
    }

    @Test func `a trace from a file cannot be annotated`() async throws {
        let trace = try RecordedTrace(json: [
            "traceId": "1", "spans": [["id": "1", "traceId": "1", "startTime": 0]],
        ])
        await #expect(throws: InputError.self) {
            try await trace.addScore(ScoreInput(scorerName: "a", score: 1))
        }
    }
}
