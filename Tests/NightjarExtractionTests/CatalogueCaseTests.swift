import CNightjarSignals
import Foundation
import NightjarBus
import NightjarExtraction
import NightjarSignals
import NightjarTesting
import Testing

/// The cases of the catalogue of built-in metrics, from `auto_extract_catalogue.json`.
@Suite struct CatalogueCaseTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let events: [Value]
        let expected: [Value]
        var testDescription: String { name }
    }

    static let cases: [Case] = {
        guard
            let file = Bundle.module.url(forResource: "Cases/auto_extract_catalogue", withExtension: "json"),
            // A file that cannot be read has no cases, which the test of their number reports.
            let data = try? Data(contentsOf: file), let json = try? Value(jsonBytes: Array(data))
        else { return [] }
        return (json["cases"]?.array ?? []).compactMap { entry in
            guard let name = entry["name"]?.string, let events = entry["input"]?["events"]?.array,
                let expected = entry["expect"]?["metrics"]?.array
            else { return nil }
            return Case(name: name, events: events, expected: expected)
        }
    }()

    @Test func `the cases are all here`() {
        #expect(Self.cases.count == 27)
    }

    @Test(arguments: cases)
    func `events give the metrics that the case says, in order`(_ one: Case) throws {
        let bench = try ExtractionBench()
        for event in one.events { try bench.take(event) }
        #expect(bench.observed == one.expected)
    }
}

/// An extractor whose observations are noted, fed with events as the cases write them.
final class ExtractionBench {
    static let receivedAt = Timestamp(unixNano: 1_767_225_606_000_000_000)

    let registry: MetricRegistry
    let aggregator: MetricAggregator
    let extractor: CatalogueExtractor
    /// What was observed, as the cases write it.
    private(set) var observed: [Value] = []
    /// How often the host counted something of its own.
    private(set) var ownCounts: [String: Int] = [:]

    init(prefix: String = "", disabled: Set<String> = []) throws {
        registry = MetricRegistry()
        let table = SeriesTable()
        aggregator = try MetricAggregator(
            registry: registry,
            table: table,
            configuration: CardinalityConfiguration(),
            report: CardinalityReport { _ in }
        )
        extractor = CatalogueExtractor(
            try Catalogue(registry, prefix: prefix, disabled: disabled),
            aggregator: aggregator
        )
        aggregator.observer = { [unowned self] series, value, time in
            let name = table.series(series).instrument.name
            if name.hasPrefix("nightjar_") { ownCounts[name, default: 0] += 1 }
            note(series, value, time)
        }
    }

    private func note(_ series: SeriesID, _ value: Double, _ time: Timestamp) {
        guard let metric = aggregator.event(series, value: value, at: time) else { return }
        var labels = Value.Object()
        for (name, value) in metric.labels { labels[name] = .string(value) }
        observed.append([
            "name": .string(metric.name), "type": .string(metric.type.rawValue),
            "value": Int64(exactly: metric.value).map(Value.int) ?? .double(metric.value),
            "labels": .object(labels),
        ])
    }

    func take(_ event: Value) throws {
        let kind = try #require(event["event"]?.string)
        switch kind {
        case "score":
            note(extractor.count(Self.score(event["score"]), entityType: Self.entity(event["score"])))
        case "feedback":
            note(
                extractor.count(Self.feedback(event["feedback"]), entityType: Self.entity(event["feedback"]))
            )
        default: span(try #require(event["span"]), hasEnded: kind == "span_ended")
        }
    }

    private func note(_ delta: SeriesDelta?) {
        if let delta { note(delta.series, delta.sum, delta.time) }
    }

    private func span(_ event: Value, hasEnded: Bool) {
        let builder = SpanBuilder(receivedAt: Self.receivedAt)
        let type = SpanType.allCases.first { $0.name == event["type"]?.string } ?? .generic
        let status: SpanStatus = event["error"] != nil ? .error : hasEnded ? .ok : .running
        let reference = builder.span(event["name"]?.string ?? "", type: type, status: status) { row, slab in
            func nano(_ milliseconds: Value?) -> UInt64 { UInt64(milliseconds?.number ?? 0) * 1_000_000 }
            row.start_nano = nano(event["start_ms"])
            row.end_nano = nano(event["end_ms"])
            func text(_ value: Value?) -> nj_text { SpanBuilder.text(value?.string, in: slab) }
            // The name of an entity is what its span runs; others do not name their agent by it.
            switch type {
            case .agentRun: row.agent = text(event["entity_name"])
            case .toolCall, .mcpToolCall: row.tool = text(event["entity_name"])
            case .workflowRun: row.workflow = text(event["entity_name"])
            default: break
            }
            let attributes = event["attributes"]
            row.model = text(attributes?["model"])
            row.provider = text(attributes?["provider"])
            func count(_ value: Value?) -> Double { (value ?? .null).tokenCount }
            let usage = attributes?["usage"]
            row.input_tokens = count(usage?["inputTokens"])
            row.output_tokens = count(usage?["outputTokens"])
            row.cache_read_tokens = count(usage?["inputDetails"]?["cacheRead"])
            row.cache_write_tokens = count(usage?["inputDetails"]?["cacheWrite"])
        }
        settle(reference, started: !hasEnded, ended: hasEnded)
    }

    func settle(_ reference: SpanReference, started: Bool, ended: Bool, receivedAt: Timestamp = receivedAt) {
        withExtendedLifetime(reference.slab) {
            extractor.spanSettled(
                reference.row,
                started: started,
                ended: ended,
                receivedAt: receivedAt
            )
        }
    }

    private static func entity(_ event: Value?) -> String? { event?["metadata"]?["entityType"]?.string }

    private static func score(_ event: Value?) -> Score {
        var score = Score(
            id: "s",
            timestamp: receivedAt,
            scorerName: event?["scorer_name"]?.string ?? "",
            metadata: event?["metadata"]?.object ?? [:]
        )
        score.score = event?["score"]?.number
        score.experiment = event?["experiment_id"]?.string
        return score
    }

    private static func feedback(_ event: Value?) -> Feedback {
        var feedback = Feedback(
            id: "f",
            timestamp: receivedAt,
            source: event?["source"]?.string ?? "",
            feedbackType: event?["feedback_type"]?.string ?? "",
            value: event?["value"] ?? .null,
            metadata: event?["metadata"]?.object ?? [:]
        )
        feedback.experiment = event?["experiment_id"]?.string
        return feedback
    }
}
