import NightjarBus
import NightjarExporters
import NightjarSignals
import NightjarTesting
import Testing

@Suite struct PrometheusTextTests {
    static func series(
        _ name: String,
        _ type: MetricType = .counter,
        id: Int32 = 0,
        labels: [Label] = [],
        sum: Double = 1,
        count: UInt64 = 1,
        help: String = "",
        buckets: [(bound: Double, count: UInt64)] = [],
        above: UInt64 = 0
    ) -> StoredSeries {
        var total = SeriesTotal()
        (total.sum, total.count) = (sum, count)
        if type == .histogram { total.buckets = buckets.map(\.count) + [above] }
        let instrument = InstrumentDescriptor(
            name: name,
            type: type,
            help: help,
            buckets: buckets.map(\.bound)
        )
        return StoredSeries(id: SeriesID(index: id), instrument: instrument, labels: labels, total: total)
    }

    static func text(_ series: [StoredSeries]) -> String {
        String(decoding: PrometheusText.document(series), as: UTF8.self)
    }

    /// The value that a single counter line ends with.
    static func value(_ number: Double) -> String {
        String(text([series("a", .gauge, sum: number)]).split(separator: " ").last ?? "").trimmingLineEnd
    }

    @Test func `no series is an empty document`() {
        #expect(Self.text([]) == "")
    }

    @Test func `families are sorted and grouped, and keep their names`() {
        let document = Self.text([
            Self.series("b_started", id: 0, labels: [Label("x", "1")], sum: 2),
            Self.series("a_gauge", .gauge, id: 1, sum: -0.5, help: "How\nmuch \\ \"it\" is"),
            Self.series("b_started", id: 3, sum: 4),
            Self.series(
                "b_started",
                id: 2,
                labels: [Label("x", "2"), Label("y", "z")],
                sum: 3,
                help: "Starts"
            ),
        ])
        #expect(
            document == """
                # HELP a_gauge How\\nmuch \\\\ "it" is
                # TYPE a_gauge gauge
                a_gauge -0.5
                # HELP b_started Starts
                # TYPE b_started counter
                b_started{x="1"} 2
                b_started{x="2",y="z"} 3
                b_started 4

                """
        )
    }

    @Test func `a histogram's buckets are cumulative and end with its count`() {
        let document = Self.text([
            Self.series(
                "d_ms",
                .histogram,
                labels: [Label("agent", "a")],
                sum: 107.5,
                count: 6,
                buckets: [(1, 1), (2.5, 2), (10, 0)],
                above: 3
            ),
            Self.series("d_ms", .histogram, id: 1, sum: 0, count: 0, buckets: [(1, 0), (2.5, 0), (10, 0)]),
        ])
        #expect(
            document == """
                # TYPE d_ms histogram
                d_ms_bucket{agent="a",le="1"} 1
                d_ms_bucket{agent="a",le="2.5"} 3
                d_ms_bucket{agent="a",le="10"} 3
                d_ms_bucket{agent="a",le="+Inf"} 6
                d_ms_sum{agent="a"} 107.5
                d_ms_count{agent="a"} 6
                d_ms_bucket{le="1"} 0
                d_ms_bucket{le="2.5"} 0
                d_ms_bucket{le="10"} 0
                d_ms_bucket{le="+Inf"} 0
                d_ms_sum 0
                d_ms_count 0

                """
        )
    }

    @Test func `series with other bounds in one family keep their own`() {
        let document = Self.text([
            Self.series("d", .histogram, id: 0, count: 1, buckets: [(1, 1)]),
            Self.series("d", .histogram, id: 1, labels: [Label("a", "b")], count: 1, buckets: [(3, 1)]),
        ])
        #expect(document.contains("d_bucket{le=\"1\"} 1\n"))
        #expect(document.contains("d_bucket{a=\"b\",le=\"3\"} 1\n"))
    }

    @Test func `a histogram without buckets has the one that holds all`() {
        var series = Self.series("d", .histogram, sum: 7, count: 2)
        series.instrument.buckets = nil
        series.total.buckets = []
        #expect(Self.text([series]) == "# TYPE d histogram\nd_bucket{le=\"+Inf\"} 2\nd_sum 7\nd_count 2\n")
    }

    @Test func `labels that would break the scrape are renamed`() {
        let document = Self.text([
            Self.series(
                "d",
                .histogram,
                labels: [Label("__name__", "n"), Label("le", "1")],
                buckets: [(1, 1)]
            ),
            Self.series("e", labels: [Label("le", "1")]),
        ])
        #expect(document.contains("d_count{exported___name__=\"n\",exported_le=\"1\"} 1\n"))
        #expect(document.contains("e{le=\"1\"} 1\n"))
    }

    @Test(arguments: [
        ("", ""), ("a\"b", "a\\\"b"), ("a\\n", "a\\\\n"), ("a\nb\r", "a\\nb\r"), ("é😀\u{0}", "é😀\u{0}"),
        ("a,b={}", "a,b={}"),
    ])
    func `label values are escaped`(value: String, expected: String) {
        #expect(
            Self.text([Self.series("a", labels: [Label("l", value)])]).hasSuffix("a{l=\"\(expected)\"} 1\n")
        )
    }

    @Test(
        arguments: [
            (0, "0"), (-0.0, "0"), (1, "1"), (-3, "-3"), (0.1, "0.1"), (1.5e-7, "1.5e-07"),
            (1_000_000, "1000000"),
            (9_007_199_254_740_991, "9007199254740991"), (1e22, "1e+22"), (.nan, "NaN"), (.infinity, "+Inf"),
            (-.infinity, "-Inf"),
        ] as [(Double, String)]
    )
    func `values have no needless fraction`(value: Double, expected: String) {
        #expect(Self.value(value) == expected)
    }

    @Test(
        arguments: [
            (1, "1"), (2.5, "2.5"), (0, "0"), (0.005, "0.005"), (0.0001, "0.0001"), (0.00001, "1e-05"),
            (-5, "-5"), (10, "10"),
            (100_000, "100000"), (131_072, "131072"), (123_456.5, "123456.5"), (1_000_000, "1e+06"),
            (3_600_000, "3.6e+06"),
            (134_217_728, "1.34217728e+08"), (1e100, "1e+100"), (1e-300, "1e-300"),
        ] as [(Double, String)]
    )
    func `bounds are written as Prometheus's own client writes them`(bound: Double, expected: String) {
        let document = Self.text([Self.series("d", .histogram, buckets: [(bound, 1)])])
        #expect(document.contains("d_bucket{le=\"\(expected)\"} 1\n"))
    }

    @Test(arguments: 0..<20) func `bounds read back as the same number`(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<100 {
            let bound = Double(bitPattern: generator.next())
            guard bound.isFinite else { continue }
            let document = Self.text([Self.series("d", .histogram, buckets: [(bound, 1)])])
            let written = document.split(separator: "\"")[1]
            #expect(Double(written) == bound, "seed \(seed)")
        }
    }
}

extension String {
    fileprivate var trimmingLineEnd: String { hasSuffix("\n") ? String(dropLast()) : self }
}
