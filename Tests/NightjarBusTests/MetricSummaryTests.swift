import NightjarBus
import NightjarSignals
import Testing

@Suite struct MetricSummaryTests {
    private func summaries(_ bench: MetricBench) -> [MetricSummary] {
        MetricSummary.all(registry: bench.registry, series: bench.ledger.snapshot(), report: bench.report)
    }

    @Test func `every metric is listed, with what was dropped and whether it overflowed`() throws {
        let bench = try MetricBench { $0.cardinalityLimit = 2 }
        _ = try bench.registry.instrument(
            InstrumentDescriptor(
                name: "c_bytes",
                type: .histogram,
                help: "Sizes.",
                unit: "bytes",
                buckets: [1, 2]
            )
        )
        for place in 0..<5 {
            try bench.record("a_total", .counter, 1, ["v": "\(place)", "user_id": "u\(place)"])
        }
        try bench.record("a_total", .counter, 1, ["w": "1", "v": "0"])
        bench.commit()
        let own = summaries(bench).filter { !$0.instrument.name.hasPrefix("nightjar_") }
        #expect(own.map(\.instrument.name) == ["a_total", "c_bytes"])
        #expect(
            own.first?.json == [
                "name": "a_total", "origin": "nightjar", "metricType": "counter", "labelNames": ["v"],
                "seriesCount": 2,
                "overflowed": true, "overflowCount": 4, "lastSeen": "2026-01-01T00:00:00Z",
                "dropped": [
                    [
                        "label": "user_id", "reason": "blocked", "count": 5,
                        "samples": ["u0", "u1", "u2", "u3", "u4"],
                    ]
                ],
            ]
        )
        #expect(
            own.last?.json == [
                "name": "c_bytes", "origin": "nightjar", "metricType": "histogram", "unit": "bytes",
                "help": "Sizes.",
                "buckets": [1.0, 2.0], "labelNames": [], "seriesCount": 0, "overflowed": false, "dropped": [],
            ]
        )
    }

    @Test func `what was dropped before a restart is still counted`() throws {
        let before = try MetricBench()
        try before.record("a", .counter, 1, ["user_id": "u"])
        before.commit()
        let after = try MetricBench(restoring: before.ledger.snapshot())
        let drops = summaries(after).first { $0.instrument.name == "a" }?.drops
        #expect(drops?.map(\.count) == [1])
        #expect(drops?.map(\.samples) == [[]])
    }

    @Test(
        arguments: [
            (.int(0), 0), (.double(1.5), 1.5), ("12", 12), (.int(-1), .nan), ("many", .nan), ("-1", .nan),
            ("", .nan),
            (.null, .nan), (.bool(true), .nan), (.double(.infinity), .nan), ("inf", .nan), ("nan", .nan),
            ([1], .nan),
        ] as [(Value, Double)]
    )
    func `a token count is a finite number that is not negative`(value: Value, expected: Double) {
        #expect(value.tokenCount == expected || value.tokenCount.isNaN && expected.isNaN)
    }
}
