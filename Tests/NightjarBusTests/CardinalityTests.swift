import Foundation
import NightjarBus
import NightjarSignals
import Testing

@Suite struct CardinalityTests {
    private struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let input: Value
        let expected: Value.Object
        var testDescription: String { name }
    }

    private static let cases: [Case] = {
        guard let file = Bundle.module.url(forResource: "Cases/cardinality", withExtension: "json"),
            let data = try? Data(contentsOf: file), let json = try? Value(jsonBytes: Array(data))
        else { return [] }
        return (json["cases"]?.array ?? []).compactMap { entry in
            guard let name = entry["name"]?.string, let input = entry["input"],
                let labels = entry["expect"]?["labels"]?.object
            else { return nil }
            return Case(name: name, input: input, expected: labels)
        }
    }()

    @Test func `the cases of the signals contract are all here`() {
        #expect(Self.cases.count == 14)
    }

    @Test(arguments: cases)
    private func `labels pass or are dropped as the case says`(_ one: Case) {
        var configuration = CardinalityConfiguration()
        if let blocked = one.input["config"]?["blocked_labels"]?.array {
            configuration.blockedLabels = Set(blocked.compactMap(\.string))
        }
        if case .bool(let block) = one.input["config"]?["block_uuids"] { configuration.blockUUIDs = block }
        let labels = (one.input["labels"]?.object ?? [:]).entries.map { Label($0.key, $0.value.string ?? "") }
        let kept = LabelFilter(configuration).apply(labels, policy: LabelPolicy()).kept
        let found = kept.reduce(into: Value.Object()) { $0[$1.name] = .string($1.value) }
        #expect(found == one.expected)
    }

    @Test func `an allow-list comes before every other rule, and allowed names pass the others`() {
        var configuration = CardinalityConfiguration()
        configuration.allowedLabels = ["user_id"]
        var policy = LabelPolicy()
        let labels = [Label("user_id", "u1"), Label("tool", "t")]
        #expect(LabelFilter(configuration).apply(labels, policy: policy).kept == labels)
        policy.allow = ["tool"]
        let (kept, dropped) = LabelFilter(configuration).apply(labels, policy: policy)
        #expect(kept == [Label("tool", "t")])
        #expect(dropped.map(\.reason) == [.notAllowed])
    }

    @Test func `a long value is cut on a character boundary`() {
        let value = String(repeating: "é", count: 130)
        let kept = LabelFilter(CardinalityConfiguration()).apply([Label("a", value)], policy: LabelPolicy())
            .kept
        #expect(kept == [Label("a", String(repeating: "é", count: 128))])
    }

    @Test func `policies of several sources narrow each other`() {
        let registry = MetricRegistry()
        var first = LabelPolicy()
        first.allow = ["a", "b"]
        first.cardinalityLimit = 10
        var second = LabelPolicy()
        second.allow = ["b", "c"]
        second.block = ["x"]
        second.cardinalityLimit = 5
        registry.setPolicies(["m": first], source: "one")
        registry.setPolicies(["*": second], source: "two")
        let policy = registry.policy(of: "m")
        #expect(policy.allow == ["b"])
        #expect(policy.block == ["x"])
        #expect(policy.cardinalityLimit == 5)
        registry.setPolicies([:], source: "two")
        #expect(registry.policy(of: "m") == first)
    }

    @Test func `label sets beyond the limit go to one overflow series and totals stay right`() throws {
        let bench = try MetricBench { $0.cardinalityLimit = 3 }
        let counter = try bench.registry.instrument(InstrumentDescriptor(name: "c_total", type: .counter))
        for round in 0..<2 {
            for value in 0..<6 { bench.add(counter, 1, ["v": "\(value)"]) }
            bench.commit()
            #expect(bench.total("c_total").count == 4, "round \(round)")
        }
        #expect(bench.total("c_total").values.reduce(0, +) == 12)
        #expect(bench.total("c_total")["otel_metric_overflow=true"] == 6)
    }

    @Test func `what is dropped or refused is counted by reason and reported with samples`() throws {
        let bench = try MetricBench { _ in }
        let counter = try bench.registry.instrument(InstrumentDescriptor(name: "c_total", type: .counter))
        bench.add(counter, 1, ["user_id": "u1", "ok": "1"])
        bench.add(counter, 1, ["user_id": "u2", "ok": "1"])
        bench.add(counter, -1, ["ok": "1"])
        bench.add(counter, .nan, ["ok": "1"])
        bench.add(counter, 1, ["bad-name": "1"])
        bench.commit()
        #expect(bench.total("c_total") == ["ok=1": 2])
        #expect(
            bench.total("nightjar_labels_dropped_total") == ["label=user_id metric=c_total reason=blocked": 2]
        )
        #expect(
            bench.total("nightjar_metrics_rejected_total") == [
                "reason=negative_increment": 1, "reason=nan": 1, "reason=invalid_label_name": 1,
            ]
        )
        #expect(bench.report.entries().map(\.samples) == [["u1", "u2"]])
    }

    @Test func `an empty value passes the filter and is left out when the observation is recorded`() throws {
        let bench = try MetricBench { _ in }
        let counter = try bench.registry.instrument(InstrumentDescriptor(name: "c_total", type: .counter))
        bench.add(counter, 1, ["a": "", "b": "1"])
        bench.commit()
        #expect(bench.total("c_total") == ["b=1": 1])
    }

    @Test func `a name in use with another type is refused`() throws {
        let registry = MetricRegistry()
        _ = try registry.instrument(InstrumentDescriptor(name: "m", type: .counter))
        #expect(throws: MetricError.self) {
            try registry.instrument(InstrumentDescriptor(name: "m", type: .gauge))
        }
        #expect(throws: MetricError.self) {
            try registry.instrument(InstrumentDescriptor(name: "0m", type: .gauge))
        }
    }
}
