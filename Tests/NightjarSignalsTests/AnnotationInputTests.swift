import NightjarSignals
import Testing

/// Signals, section 9.
@Suite struct AnnotationInputTests {
    @Test func `a score is read with every field`() throws {
        let input = try ScoreInput(
            json: [
                "id": "i", "traceId": "1", "spanId": "2", "scorerName": "s", "scorerVersion": "3", "score": 1,
                "label": "good",
                "reason": "r", "error": "e", "experiment": "x", "annotatorKind": "llm", "metadata": ["k": 1],
            ]
        )
        let score = input.score(
            id: "i",
            timestamp: Timestamp(unixNano: 5),
            targetMetadata: ["k": 0, "t": true]
        )
        #expect(
            score.json == [
                "id": "i", "timestamp": "1970-01-01T00:00:00.000000005Z",
                "traceId": "00000000000000000000000000000001",
                "spanId": "0000000000000002", "scorerName": "s", "scorerVersion": "3", "score": 1.0,
                "label": "good",
                "reason": "r", "error": "e", "experiment": "x", "annotatorKind": "llm",
                "metadata": ["k": 1, "t": true],
            ]
        )
        #expect(try Score(json: score.json) == score)
    }

    @Test func `aliases and snake_case are read as well`() throws {
        let input = try ScoreInput(
            json: [
                "scorer_name": "s", "score": 0.5, "explanation": "why", "experiment_id": "x", "trace_id": "1",
                "session_id": .null,
                "annotator_kind": "human",
            ]
        )
        #expect(input.reason == "why")
        #expect(input.experiment == "x")
        #expect(input.traceID == TraceID("1"))
        #expect(input.annotatorKind == "human")
        #expect(input.sessionID == nil)
    }

    @Test(
        arguments: [
            (["score": 1], "scorerName", "is required"),
            (["scorerName": "", "score": 1], "scorerName", "must not be empty"),
            (["scorerName": 1, "score": 1], "scorerName", "must be text"),
            (["scorerName": "s"], "score", "is required where neither label nor error is given"),
            (["scorerName": "s", "score": "0.5"], "score", "must be a number"),
            (
                ["scorerName": "s", "score": true], "score",
                "must be a number; write 1 for true and 0 for false"
            ),
            (["scorerName": "s", "score": .double(.nan)], "score", "must be a finite number"),
            (["scorerName": "s", "score": .double(-.infinity)], "score", "must be a finite number"),
            (["scorerName": "s", "score": 1, "scor": 2], "scor", "is not known; did you mean score?"),
            (
                ["scorerName": "s", "score": 1, "ScorerVersoin": 2], "ScorerVersoin",
                "is not known; did you mean scorerVersion?"
            ),
            (["scorerName": "s", "score": 1, "metadata": []], "metadata", "must be an object"),
            (
                ["scorerName": "s", "score": 1, "annotatorKind": "robot"], "annotatorKind",
                "must be one of human, llm, code, api"
            ),
            (
                ["scorerName": "s", "score": 1, "traceId": "x"], "traceId",
                "must be a trace id: 1 to 32 hex digits, not all zero"
            ),
            (["scorerName": "s", "score": 1, "id": ""], "id", "must have 1 to 256 bytes"),
            (
                ["scorerName": "s", "score": 1, "reason": "a", "explanation": "b"], "explanation",
                "is another name of reason; give one of them"
            ),
        ] as [(Value, String, String)]
    )
    func `a score that is not fit is refused with its place and cure`(
        json: Value,
        path: String,
        message: String
    ) {
        #expect(throws: InputError(path: path, message: message)) { try ScoreInput(json: json) }
    }

    @Test func `a name that is near to none lists what is known`() {
        let error = #expect(throws: InputError.self) {
            try FeedbackInput(json: ["source": "user", "feedbackType": "thumbs", "value": 1, "zzzzzz": 1])
        }
        #expect(error?.message.hasPrefix("is not known; known are: source, feedbackType, value,") == true)
    }

    @Test(arguments: [["label": "good"], ["error": "timed out"], ["score": 0]] as [Value.Object])
    func `a label or an error stands in for the number`(fields: Value.Object) throws {
        let object = (["scorerName": "s"] as Value.Object).merging(fields)
        #expect(try ScoreInput(json: .object(object)).scorerName == "s")
    }

    @Test func `feedback is read with every field, and its user goes to the metadata`() throws {
        let input = try FeedbackInput(
            json: [
                "source": "user", "feedback_type": "thumbs", "value": 1, "comment": "c", "user_id": "u",
                "experimentId": "x",
                "metadata": ["k": 1], "sessionId": "s",
            ]
        )
        let feedback = input.feedback(
            id: "f",
            timestamp: Timestamp(unixNano: 0),
            targetMetadata: ["userId": "other"]
        )
        #expect(
            feedback.json == [
                "id": "f", "timestamp": "1970-01-01T00:00:00Z", "sessionId": "s", "source": "user",
                "feedbackType": "thumbs",
                "value": 1, "comment": "c", "experiment": "x", "metadata": ["userId": "u", "k": 1],
            ]
        )
        #expect(try Feedback(json: feedback.json) == feedback)
    }

    @Test(arguments: [.null, true, [], [:], .double(.nan)] as [Value])
    func `a feedback's value is a finite number or text`(value: Value) {
        let error = #expect(throws: InputError.self) {
            try FeedbackInput(json: ["source": "user", "feedbackType": "t", "value": value])
        }
        #expect(error?.path == "value")
        #expect(FeedbackInput(source: "user", feedbackType: "t", value: value).fault()?.path == "value")
    }

    @Test func `a list is read whole, and every fault of every item is told`() throws {
        let good: Value = ["scorerName": "a", "score": 1]
        #expect(try [ScoreInput](json: good).count == 1)
        #expect(
            try [ScoreInput](json: [good, ["scorerName": "b", "label": "x"]]).map(\.scorerName) == ["a", "b"]
        )
        #expect(try [ScoreInput](json: []).isEmpty)
        let error = #expect(throws: InputErrors.self) {
            try [ScoreInput](json: [good, ["scorerName": "b", "score": "x", "reson": ""], 7, ["score": 1]])
        }
        #expect(
            error?.errors.map(\.path) == [
                "[1].score", "[1].reson", "[2]", "[2].scorerName", "[2].score", "[3].scorerName",
            ]
        )
    }

    @Test func `a list has a limit, and other values are refused`() {
        let many = [Value](repeating: ["scorerName": "a", "score": 1], count: 1001)
        #expect(throws: InputErrors.self) { try [ScoreInput](json: .array(many)) }
        #expect(throws: InputErrors.self) { try [ScoreInput](json: "x") }
        #expect(throws: InputErrors.self) { try [FeedbackInput](json: .null) }
    }

    @Test func `the same target twice in one call is refused`() throws {
        let one: Value = ["scorerName": "a", "score": 1, "traceId": "1"]
        let error = #expect(throws: InputErrors.self) { try [ScoreInput](json: [one, one]) }
        #expect(error?.errors.map(\.path) == ["[1]"])
        let other: Value = ["scorerName": "a", "score": 1, "traceId": "1", "spanId": "1"]
        #expect(try [ScoreInput](json: [one, other]).count == 2)
        let named: Value = ["id": "i", "scorerName": "a", "score": 1, "traceId": "1"]
        #expect(try [ScoreInput](json: [one, named]).count == 2)
        #expect(throws: InputErrors.self) { try [ScoreInput](json: [named, named]) }
        let thumbs: Value = ["source": "user", "feedbackType": "thumbs", "value": 1]
        #expect(try [FeedbackInput](json: [thumbs, thumbs]).count == 2)
    }

    @Test func `where a target is needed, it is one trace or one session`() throws {
        func path(_ target: Value.Object) -> String? {
            let object = (["scorerName": "a", "score": 1] as Value.Object).merging(target)
            do throws(InputErrors) {
                _ = try [ScoreInput](json: .object(object), needsTarget: true)
                return nil
            } catch {
                return error.errors.first?.path
            }
        }
        #expect(path([:]) == "traceId")
        #expect(path(["traceId": "1"]) == nil)
        #expect(path(["traceId": "1", "spanId": "1"]) == nil)
        #expect(path(["sessionId": "s"]) == nil)
        #expect(path(["sessionId": "s", "traceId": "1"]) == "sessionId")
        #expect(path(["sessionId": "s", "spanId": "1"]) == "spanId")
    }

    @Test func `item by item, the good ones are kept`() throws {
        let results = try ScoreInput.each(json: [["scorerName": "a", "score": 1], ["scorerName": "b"]])
        #expect(try results[0].get().scorerName == "a")
        #expect(throws: InputErrors.self) { try results[1].get() }
    }

    @Test func `a scorer's id is the same for the same target, and its own where it has one`() {
        var input = ScoreInput(scorerName: "s", score: 1)
        input.traceID = TraceID("1")
        let id = input.scorerID
        input.score = 2
        input.scorerVersion = "next"
        #expect(input.scorerID == id)
        input.experiment = "x"
        #expect(input.scorerID != id)
        input.id = "mine"
        #expect(input.scorerID == "mine")
    }

    @Test func `a score made in code is checked as well`() {
        #expect(ScoreInput(scorerName: "s", score: .nan).fault()?.path == "score")
        #expect(ScoreInput(scorerName: "", score: 1).fault(path: "[0]")?.path == "[0].scorerName")
        #expect(ScoreInput(scorerName: "s").fault()?.path == "score")
        #expect(ScoreInput(scorerName: "s", label: "good").fault() == nil)
    }
}
