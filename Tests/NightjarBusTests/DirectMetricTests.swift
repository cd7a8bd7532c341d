import NightjarBus
import NightjarSignals
import Testing

@Suite struct DirectMetricTests {
    @Test func `a direct observation declares its metric and comes back as it was added`() throws {
        let bench = try MetricBench()
        let labels = ["tool": "t", "user_id": "u", "empty": ""]
        for _ in 0..<2 {
            let added = try bench.record("a_total", .counter, 2, labels)
            #expect(added.labels == ["tool": "t"])
            #expect((added.name, added.value) == ("a_total", 2))
            #expect(added.timestamp == MetricBench.now)
        }
        bench.commit()
        #expect(bench.total("a_total") == ["tool=t": 4])
        #expect(bench.total("nightjar_labels_dropped_total").values.reduce(0, +) == 2)
    }

    @Test func `what goes to the overflow series comes back with its label`() throws {
        let bench = try MetricBench { $0.cardinalityLimit = 1 }
        try bench.record("a", .gauge, 1, ["v": "1"])
        #expect(try bench.record("a", .gauge, 2, ["v": "2"]).labels == ["otel_metric_overflow": "true"])
    }

    @Test(
        arguments: [
            ("a_total", MetricType.counter, Double.nan, "ok", "nan"),
            ("a_total", .counter, .infinity, "ok", "infinite"),
            ("g", .gauge, -.infinity, "ok", "infinite"),
            ("h_ms", .histogram, .nan, "ok", "nan"),
            ("a_total", .counter, -1, "ok", "negative_increment"),
            ("0a", .counter, 1, "ok", "invalid_name"), ("", .counter, 1, "ok", "invalid_name"),
            ("a-b", .counter, 1, "ok", "invalid_name"),
            ("a_total", .counter, 1, "not-ok", "invalid_label_name"),
            ("a_total", .counter, 1, "", "invalid_label_name"),
            ("present", .gauge, 1, "ok", "type_conflict"),
        ]
    )
    func `an observation that cannot be is refused and counted by reason`(
        name: String,
        type: MetricType,
        value: Double,
        label: String,
        reason: String
    ) throws {
        let bench = try MetricBench()
        try bench.record("present")
        for _ in 0..<2 {
            #expect(throws: MetricError.self) { try bench.record(name, type, value, [label: "1"]) }
        }
        bench.commit()
        #expect(bench.total("nightjar_metrics_rejected_total") == ["reason=\(reason)": 2])
        #expect(bench.total("present") == ["": 1])
        #expect(bench.series(name).count == (name == "present" ? 1 : 0))
        #expect(bench.warnings.all.count == 1)
    }

    @Test func `negative values of gauges and histograms are taken`() throws {
        let bench = try MetricBench()
        try bench.record("g", .gauge, -1)
        try bench.record("h_ms", .histogram, -5)
        bench.commit()
        #expect(bench.total("g") == ["": -1])
        #expect(bench.series("h_ms").first?.total.buckets.first == 1)
    }

    @Test func `one name too many is refused`() throws {
        let bench = try MetricBench()
        var error: MetricError?
        for place in 0..<MetricRegistry.nameLimit where error == nil {
            do throws(MetricError) {
                _ = try bench.registry.instrument(InstrumentDescriptor(name: "m\(place)", type: .gauge))
            } catch let refusal {
                error = refusal
            }
        }
        #expect(error?.code == .tooManyNames)
        #expect(throws: MetricError.self) { try bench.record("one_more") }
        bench.commit()
        #expect(bench.total("nightjar_metrics_rejected_total") == ["reason=too_many_names": 1])
    }

    @Test func `a name is warned about once, and at most a thousand are`() throws {
        let bench = try MetricBench()
        for _ in 0..<2 {
            for place in 0..<1100 { _ = try? bench.record("m\(place)", .counter, place < 550 ? -1 : .nan) }
        }
        _ = try? bench.record("m1", .counter, .nan)
        #expect(bench.warnings.all.count == 1000)
        #expect(Set(bench.warnings.all).count == 1000)
    }

    @Test func `a huge name is cut where it is warned about`() throws {
        let bench = try MetricBench()
        _ = try? bench.record(String(repeating: "-", count: 100_000))
        #expect(bench.warnings.all.map(\.utf8.count).allSatisfy { $0 < 300 })
    }

    @Test func `a time more than five minutes after receipt is clamped and counted`() throws {
        let bench = try MetricBench()
        let limit = MetricBench.now.advanced(by: .seconds(300))
        #expect(try bench.record("a", at: limit).timestamp == limit)
        #expect(try bench.record("a", at: limit.advanced(by: .nanoseconds(1))).timestamp == limit)
        bench.commit()
        #expect(bench.total("nightjar_metric_time_clamped_total") == ["": 1])
        #expect(bench.series("a").first?.total.time == limit)
    }

    @Test func `a gauge is its last value by event time, of two at one time the one that came later`() throws
    {
        func at(_ second: Int64) -> Timestamp { MetricBench.now.advanced(by: .seconds(second)) }
        let bench = try MetricBench()
        for (value, second) in [(1, 5), (2, 3), (3, 5), (4, 4)] as [(Double, Int64)] {
            try bench.record("within", .gauge, value, at: at(second))
            try bench.record("between", .gauge, value, at: at(second))
            bench.commit()
        }
        for (value, second) in [(5, 6), (6, 6), (7, 2)] as [(Double, Int64)] {
            try bench.record("within", .gauge, value, at: at(second))
        }
        bench.commit()
        #expect(bench.total("within") == ["": 6])
        #expect(bench.total("between") == ["": 3])
    }

    @Test func `observations become events with their labels, the host's own do not`() throws {
        let bench = try MetricBench()
        var events: [Metric?] = []
        let aggregator = bench.aggregator
        aggregator.observer = { [unowned aggregator] in events.append(aggregator.event($0, value: $1, at: $2))
        }
        let counter = try bench.registry.instrument(InstrumentDescriptor(name: "a_total", type: .counter))
        bench.add(counter, 3, ["v": "1", "user_id": "u"])
        try bench.record("g", .gauge, 4)
        #expect(events.map { $0?.name } == ["a_total", nil, "g"])
        #expect(events.map { $0?.value } == [3, nil, 4])
        #expect(events.first??.labels == ["v": "1"])
        #expect(events.first??.timestamp == MetricBench.now)
    }
}
