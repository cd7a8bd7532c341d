import Foundation
import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

/// The cases of `Cases/recorded.json`.
///
/// The cases keep user, source and experiment in columns of a span; ours stand in its metadata (signals contract, section 3),
/// so what is expected of an annotation's metadata has them too. Left out of what a case expects: `source`, `score_source`,
/// `score_trace_id`, `target_entity_type` of scores (not fields of the contract, section 9; a caller puts such facts into the
/// metadata).
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
            let columns = Self.columns(of: test["input"]?["spans"]?.array?.first ?? .null)
            check(annotation, against: event, adding: columns, of: test["name"]?.string ?? "")
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
        "kind", "trace_id", "source", "score_source", "score_trace_id", "target_entity_type",
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
        span.metadata = (json["metadata"]?.object ?? [:]).merging(Self.columns(of: json))
        span.entityType = json["entity_type"]?.string
        span.entityID = json["entity_id"]?.string
        span.entityName = json["entity_name"]?.string
        span.environment = json["environment"]?.string
        span.service = json["service_name"]?.string
        span.tags = json["tags"]?.array?.compactMap(\.string) ?? []
        return span
    }

    /// What a case keeps beside the metadata, under the metadata's names.
    private static func columns(of json: Value) -> Value.Object {
        var columns = Value.Object()
        for (name, key) in [("user_id", "userId"), ("source", "source"), ("experiment_id", "experimentId")] {
            columns[key] = json[name]
        }
        return columns
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

    private func check(
        _ annotation: (kind: String, json: Value),
        against event: Value,
        adding columns: Value.Object,
        of name: String
    ) {
        #expect(annotation.kind == event["kind"]?.string, "\(name)")
        #expect(annotation.json["traceId"]?.string == Self.traceID.description)
        for (key, value) in event.object?.entries ?? [] where !Self.excluded.contains(key) {
            switch key {
            case "span_id":
                #expect(
                    annotation.json["spanId"]?.string == value.string.flatMap { Self.ids[$0]?.description }
                )
            case "metadata":
                #expect(annotation.json[key]?.object == value.object?.merging(columns), "\(name)")
            case "correlation":
                for (fact, expected) in value.object?.entries ?? [] {
                    let fact = fact == "experimentId" ? "experiment" : fact
                    #expect(annotation.json[key]?[fact] == expected, "\(name): \(fact)")
                }
            case "scorer_name": #expect(annotation.json["scorerName"] == value, "\(name)")
            case "score": #expect(annotation.json["score"]?.number == value.number, "\(name)")
            default: #expect(annotation.json[Self.names[key] ?? key] == value, "\(name): \(key)")
            }
        }
    }
}
