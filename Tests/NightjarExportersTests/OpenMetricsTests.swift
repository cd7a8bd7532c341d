import NightjarBus
import NightjarExporters
import NightjarSignals
import Testing

@Suite struct OpenMetricsTests {
    private func text(_ series: [StoredSeries]) -> String {
        String(decoding: PrometheusText.document(series, format: .openMetrics), as: UTF8.self)
    }

    private func series(
        _ name: String,
        _ type: MetricType = .counter,
        unit: String = "",
        help: String = "",
        labels: [Label] = [],
        sum: Double = 1
    ) -> StoredSeries {
        var series = PrometheusTextTests.series(name, type, labels: labels, sum: sum, help: help)
        series.instrument.unit = unit
        return series
    }

    @Test func `an empty document has its end`() {
        #expect(text([]) == "# EOF\n")
    }

    @Test func `a counter's family is named without total, and one without it is unknown`() {
        #expect(
            text([series("a_total", help: "A"), series("b_started", help: "B", sum: 2.5)]) == """
                # HELP a A
                # TYPE a counter
                a_total 1
                # HELP b_started B
                # TYPE b_started unknown
                b_started 2.5
                # EOF

                """
        )
    }

    @Test func `a counter whose family is another's name is unknown`() {
        #expect(
            text([series("a", .gauge), series("a_total"), series("_total")]) == """
                # TYPE _total unknown
                _total 1
                # TYPE a gauge
                a 1
                # TYPE a_total unknown
                a_total 1
                # EOF

                """
        )
    }

    @Test(arguments: [
        ("a_bytes_total", MetricType.counter, "bytes", "# UNIT a_bytes bytes\n"),
        ("a_ms", .gauge, "ms", "# UNIT a_ms ms\n"),
        ("a_ms", .gauge, "s", ""), ("ams", .gauge, "ms", ""), ("a_", .gauge, "", ""),
        ("a_1", .gauge, "1", ""),
    ])
    func `a unit is written where the name ends with it`(
        name: String,
        type: MetricType,
        unit: String,
        expected: String
    ) {
        let document = text([series(name, type, unit: unit)])
        #expect(document.contains("# UNIT") == !expected.isEmpty)
        #expect(document.contains(expected) || expected.isEmpty)
    }

    @Test func `a histogram's bounds have a fraction, and a label le of its own is renamed`() {
        let histogram = PrometheusTextTests.series(
            "d_ms",
            .histogram,
            labels: [Label("le", "x")],
            sum: 7,
            count: 3,
            buckets: [(0.5, 1), (1, 1), (1e6, 0)],
            above: 1
        )
        #expect(
            text([histogram]) == """
                # TYPE d_ms histogram
                d_ms_bucket{exported_le="x",le="0.5"} 1
                d_ms_bucket{exported_le="x",le="1.0"} 2
                d_ms_bucket{exported_le="x",le="1e+06"} 2
                d_ms_bucket{exported_le="x",le="+Inf"} 3
                d_ms_sum{exported_le="x"} 7
                d_ms_count{exported_le="x"} 3
                # EOF

                """
        )
    }

    @Test func `a histogram with negative bounds has no sum, which could fall`() {
        let document = text([PrometheusTextTests.series("d", .histogram, buckets: [(-1, 1), (1, 0)])])
        #expect(!document.contains("d_sum"))
        #expect(!document.contains("d_count"))
        #expect(document.contains("d_bucket{le=\"+Inf\"} 1\n"))
    }

    @Test func `quotes, backslashes and line ends are escaped in help and labels`() {
        let odd = "a\"b\\c\nd"
        let document = text([series("g", .gauge, help: odd, labels: [Label("l", odd)])])
        #expect(document.contains("# HELP g a\\\"b\\\\c\\nd\n"))
        #expect(document.contains("g{l=\"a\\\"b\\\\c\\nd\"} 1\n"))
    }

    @Test(
        arguments: [
            (nil, .text), ("", .text), ("*/*", .text), ("text/plain", .text), ("application/json", .text),
            ("application/openmetrics-text", .openMetrics),
            ("application/openmetrics-text; version=0.0.1", .text),
            ("application/openmetrics-text;q=0", .text),
            ("APPLICATION/OpenMetrics-Text;Version=\"1.0.0\"", .openMetrics),
            ("text/plain;q=0.5, application/openmetrics-text;version=1.0.0;q=0.4", .text),
            (
                "application/openmetrics-text;version=1.0.0;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"
                    + "text/plain;version=0.0.4;q=0.4,*/*;q=0.3", .openMetrics
            ),
            (";,=;q=,,", .text),
        ] as [(String?, PrometheusText.Format)]
    )
    func `a scraper gets what it prefers`(accept: String?, expected: PrometheusText.Format) {
        #expect(PrometheusText.Format(accept: accept) == expected)
    }
}
