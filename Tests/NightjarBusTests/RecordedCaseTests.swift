import Foundation
import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

/// The cases of `Cases/recorded.json`.
///
/// Left out of what a case expects: `correlation` (a score or feedback carries its target, and the store reads the columns it
/// filters by off the target's span), and `source`, `score_source`, `score_trace_id`, `target_entity_type` of scores (not
/// fields of the contract, signals section 9; a caller puts such facts into the metadata).
@Suite struct RecordedCaseTests {
    static let cases: [Value] = {
        guard
            let url = Bundle.module.url(
                forResource: "recorded",
                withExtension: "json",
                subdirectory: "Cases"
            ),
            let data = try? Data(contentsOf: url),  // no file is no case, which the first test refuses
            let cases = try? Value(jsonBytes: Array(data))
        else { return [] }
        return cases["cases"]?.array ?? []
    }()

    @Test func `there are cases`() {
        #expect(Self.cases.count >= 8)
    }

    @Test(arguments: cases.indices) func `a case holds`(index: Int) async throws {
        let test = Self.cases[index]
        let spans = (test["input"]?["spans"]?.array ?? []).map(span)
        let sink = RecordingSink()
        let trace = try #require(
            RecordedTrace(traceID: Self.traceID, spans: spans, annotator: sink.annotator)
        )
        for call in test["input"]?["calls"]?.array ?? [] { try await perform(call, on: trace) }

        let expected = test["expect"]?["events"]?.array ?? []
        #expect(sink.annotations.count == (test["expect"]?["events"] == nil ? 0 : expected.count))
        for (event, annotation) in zip(expected, sink.annotations) {
            check(annotation, against: event, of: test["name"]?.string ?? "")
        }
        if test["expect"]?["distinct_ids"] == true {
            #expect(Set(sink.annotations.compactMap { $0.json["id"]?.string }).count == expected.count)
        }
        for (name, found) in test["expect"]?["get_span"]?.object?.entries ?? [] {
            #expect(
                trace.getSpan(Self.ids[name] ?? SpanID(value: 99))?.id
                    == found.string.flatMap { Self.ids[$0] }
            )
        }
    }

    private static let traceID = TraceID(high: 0, low: 1)
    /// The cases name ids in words; ours are hex digits.
    private static let ids = ["root-span": SpanID(value: 1), "child-span": SpanID(value: 2)]
    /// The cases' names of our fields.
    private static let names = [
        "scorer_id": "scorerName", "feedback_source": "source", "feedback_type": "feedbackType",
        "scorer_version": "scorerVersion",
    ]
    private static let excluded: Set<String> = [
        "kind", "trace_id", "correlation", "source", "score_source", "score_trace_id", "target_entity_type",
    ]

    private func span(_ json: Value) -> Span {
        var span = Span(
            id: json["span_id"]?.string.flatMap { Self.ids[$0] } ?? SpanID(value: 99),
            traceID: Self.traceID,
            name: json["name"]?.string ?? "",
            startTime: Timestamp(unixMilliseconds: json["start_ms"]?.number ?? 0) ?? Timestamp(unixNano: 0)
        )
        span.parentSpanID = json["parent_span_id"]?.string.flatMap { Self.ids[$0] }
        span.endTime = json["end_ms"]?.number.flatMap { Timestamp(unixMilliseconds: $0) }
        span.metadata = json["metadata"]?.object ?? [:]
        return span
    }

    private func perform(_ call: Value, on trace: RecordedTrace) async throws {
        let target = call["on"]?.string.flatMap { Self.ids[$0] }.flatMap { trace.getSpan($0) }
        if let given = call["add_score"] {
            // A scorer has one name here; the cases' display name wins over their id.
            var input = ScoreInput(
                scorerName: given["scorer_name"]?.string ?? given["scorer_id"]?.string ?? "",
                score: given["score"]?.number,
                reason: given["reason"]?.string,
                metadata: given["metadata"]?.object ?? [:]
            )
            input.scorerVersion = given["scorer_version"]?.string
            if let target { try await target.addScore(input) } else { try await trace.addScore(input) }
        }
        if let given = call["add_feedback"] {
            let input = FeedbackInput(
                // Required here; some cases give none.
                source: given["feedback_source"]?.string ?? "user",
                feedbackType: given["feedback_type"]?.string ?? "",
                value: given["value"] ?? .null,
                metadata: given["metadata"]?.object ?? [:]
            )
            if let target { try await target.addFeedback(input) } else { try await trace.addFeedback(input) }
        }
    }

    private func check(_ annotation: (kind: String, json: Value), against event: Value, of name: String) {
        #expect(annotation.kind == event["kind"]?.string, "\(name)")
        #expect(annotation.json["traceId"]?.string == Self.traceID.description)
        for (key, value) in event.object?.entries ?? [] where !Self.excluded.contains(key) {
            switch key {
            case "span_id":
                #expect(
                    annotation.json["spanId"]?.string == value.string.flatMap { Self.ids[$0]?.description }
                )
            case "scorer_name": #expect(annotation.json["scorerName"] == value, "\(name)")
            case "score": #expect(annotation.json["score"]?.number == value.number, "\(name)")
            default: #expect(annotation.json[Self.names[key] ?? key] == value, "\(name): \(key)")
            }
        }
    }
}
