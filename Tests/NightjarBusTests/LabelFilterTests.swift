import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

@Suite struct LabelFilterTests {
    private static let names = ["a", "b", "User_ID", "user_id", "TRACE_ID", "job", "blocked", "Foo"]
    private static let uuid = "550e8400-E29B-41d4-a716-446655440000"

    private static func value(_ generator: inout SeededGenerator) -> String {
        let parts = [uuid, "", "x", "é", "👩‍👩‍👧‍👦", "\u{301}", String(repeating: "ab", count: 64), "\r\n"]
        return (0..<Int.random(in: 1...3, using: &generator))
            .map { _ in parts.randomElement(using: &generator) ?? "" }.joined()
    }

    private static func some(_ generator: inout SeededGenerator) -> Set<String> {
        Set(names.filter { _ in Bool.random(using: &generator) })
    }

    private static func policy(_ generator: inout SeededGenerator) -> LabelPolicy {
        var policy = LabelPolicy()
        if Bool.random(using: &generator) { policy.allow = some(&generator) }
        if Bool.random(using: &generator) { policy.block = some(&generator) }
        policy.maximumValueLength = [nil, 0, 5, 500].randomElement(using: &generator) ?? nil
        return policy
    }

    @Test(arguments: 0..<200) func `whatever comes, only what may pass does, and passes again`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var configuration = CardinalityConfiguration()
        configuration.blockUUIDs = Bool.random(using: &generator)
        if Bool.random(using: &generator) { configuration.blockedLabels = Self.some(&generator) }
        if Bool.random(using: &generator) { configuration.allowedLabels = Self.some(&generator) }
        let policy = Self.policy(&generator)
        let labels = (0..<6).map { _ in
            Label(Self.names.randomElement(using: &generator) ?? "", Self.value(&generator))
        }
        let filter = LabelFilter(configuration)
        let (kept, dropped) = filter.apply(labels, policy: policy)
        #expect(kept.count + dropped.count == labels.count)
        let again = filter.apply(kept, policy: policy)
        // What a cut has made of a value may be a UUID.
        if !kept.contains(where: { isUUID($0.value) }) {
            #expect(again.kept == kept)
            #expect(again.dropped.isEmpty)
        }
        func contains(_ list: Set<String>, _ name: String) -> Bool {
            list.contains { $0.lowercased() == name.lowercased() }
        }
        var rest = labels[...]
        for label in kept {
            // Never invented, never out of order.
            let origin = rest.first { $0.name == label.name && $0.value.hasPrefix(label.value) }
            #expect(origin != nil)
            if let place = rest.firstIndex(where: { $0 == origin }) { rest = rest[(place + 1)...] }
            #expect(label.value.count <= min(128, policy.maximumValueLength ?? 128))
            #expect(policy.allow?.contains(label.name) != false)
            guard !contains(configuration.allowedLabels, label.name) else { continue }
            #expect(!contains(configuration.blockedLabels, label.name) && !contains(policy.block, label.name))
            if configuration.blockUUIDs, let origin { #expect(!isUUID(origin.value)) }
        }
    }

    @Test func `a cut keeps whole characters, and what is equal after it is one series`() throws {
        let family = "👩‍👩‍👧‍👦"
        let bench = try MetricBench()
        try bench.record("c", .counter, 1, ["v": String(repeating: family, count: 129)])
        try bench.record("c", .counter, 2, ["v": String(repeating: family, count: 200)])
        bench.commit()
        #expect(bench.total("c") == ["v=" + String(repeating: family, count: 128): 3])
    }

    @Test func `the rules hold in their order`() {
        var configuration = CardinalityConfiguration()
        configuration.allowedLabels = ["USER_ID", "job"]
        var policy = LabelPolicy()
        policy.block = ["Job", "tool", "own"]
        policy.allow = ["user_id", "job", "tool", "trace_id", "free"]
        let labels = ["user_id", "job", "tool", "trace_id", "own", "other", "free"].map {
            Label($0, Self.uuid)
        }
        let (kept, dropped) = LabelFilter(configuration).apply(labels, policy: policy)
        #expect(kept.map(\.name) == ["user_id", "job"])
        #expect(dropped.map(\.reason) == [.blocked, .blocked, .notAllowed, .notAllowed, .uuid])
    }

    @Test func `of two labels of one name the last wins, even where it is empty`() throws {
        let bench = try MetricBench()
        let id = try bench.registry.instrument(InstrumentDescriptor(name: "c", type: .counter))
        for labels in [[("v", "1"), ("v", "2")], [("v", "1"), ("v", "")]] {
            bench.add(id, labels)
        }
        bench.commit()
        #expect(bench.total("c") == ["v=2": 1, "": 1])
    }

    @Test func `the configuration's policy of a metric combines with those of plugins`() throws {
        let bench = try MetricBench { configuration in
            var policy = LabelPolicy()
            policy.allow = ["a", "b"]
            policy.cardinalityLimit = 3000
            policy.maximumValueLength = 3
            configuration.perMetric = ["c": policy]
            configuration.perMetric["*"] = LabelPolicy()
            configuration.perMetric["*"]?.block = ["b"]
            configuration.cardinalityLimit = 1
        }
        for place in 0..<3 { try bench.record("c", .counter, 1, ["a": "v\(place)xxxx", "b": "1", "d": "1"]) }
        try bench.record("other", .counter, 1, ["d": "long value", "b": "1"])
        bench.commit()
        #expect(bench.total("c") == ["a=v0x": 1, "a=v1x": 1, "a=v2x": 1])
        #expect(bench.total("other") == ["d=long value": 1])
        var plugin = LabelPolicy()
        plugin.allow = ["d"]
        bench.registry.setPolicies(["c": plugin], source: "plugin")
        try bench.record("c", .counter, 1, ["a": "v0xxxx"])
        bench.commit()
        #expect(bench.total("c")[""] == 1)
    }

    @Test func `every drop counts, also when what is dropped is known`() throws {
        let bench = try MetricBench()
        for value in ["u1", "u2", "u1", "u3"] {
            try bench.record("c", .counter, 1, ["user_id": value, "job": Self.uuid])
        }
        bench.commit()
        let entries = bench.report.entries(counting: bench.ledger.snapshot())
        #expect(entries.map(\.label) == ["job", "user_id"])
        #expect(entries.map(\.reason) == ["uuid", "blocked"])
        #expect(entries.map(\.count) == [4, 4])
        #expect(entries.map(\.samples) == [[Self.uuid], ["u1", "u2", "u3"]])
        #expect(bench.warnings.all.count == 2)
    }

    @Test func `beyond a thousand pairs the label counts as other`() throws {
        let bench = try MetricBench()
        for place in 0..<1003 { try bench.record("m\(place)", .counter, 1, ["user_id": "u"]) }
        bench.commit()
        let dropped = bench.total("nightjar_labels_dropped_total")
        #expect(dropped.count == 1003)
        #expect(dropped.keys.filter { $0.contains("label=other") }.count == 3)
        #expect(bench.warnings.all.count == 1000)
    }
}
