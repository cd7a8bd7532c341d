import NightjarSignals
import NightjarTesting
import Testing

@Suite struct TimestampTests {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("1970-01-01T00:00:00.000000001Z", 1),
            ("1969-12-31T23:59:59Z", -1_000_000_000), ("1677-09-21T00:12:43.145224192Z", .min),
            ("1969-12-31T23:59:59.999999999Z", -1), ("2000-02-29T00:00:00Z", 951_782_400_000_000_000),
            ("2024-02-29T23:59:59.5Z", 1_709_251_199_500_000_000),
            ("2100-03-01T00:00:00Z", 4_107_542_400_000_000_000),
            ("1900-03-01T00:00:00Z", -2_203_891_200_000_000_000),
            ("2026-01-01T02:00:00+02:00", 1_767_225_600_000_000_000),
            ("2025-12-31 19:30:00-04:30", 1_767_225_600_000_000_000),
            ("2262-04-11T23:47:16.854775807Z", Int64.max),
        ] as [(String, Int64)]
    )
    func `reads ISO 8601`(text: String, nano: Int64) {
        #expect(Timestamp(iso8601: text)?.unixNano == nano)
    }

    @Test(arguments: [
        "", "2026", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2025-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-32T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.1234567890Z",
        "2026-01-01T00:00:00+2", "2026-01-01T00:00:00+25:00", "2026-+1-01T00:00:00Z", "2026-01-01T00:00:-1Z",
        "2026-01-01T00:00:00Zx", "9999-01-01T00:00:00Z", "2026-01-01T00:00:00.é", "+026-01-01T00:00:00Z",
        "2026-01-01T00:00:00++1:00", "2262-04-11T23:47:16.9Z", "2262-04-11T23:47:17Z",
        "1677-09-21T00:12:43.145224191Z",
    ])
    func `refuses what is no instant of its range`(text: String) {
        #expect(Timestamp(iso8601: text) == nil)
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (1_000_000, "1970-01-01T00:00:00.001Z"),
            (1000, "1970-01-01T00:00:00.000001Z"),
            (1, "1970-01-01T00:00:00.000000001Z"), (-1, "1969-12-31T23:59:59.999999999Z"),
            (-62_135_596_800 * 1_000_000 * 100, "1773-02-05T19:12:00Z"),
            (.min, "1677-09-21T00:12:43.145224192Z"),
        ] as [(Int64, String)]
    )
    func `writes as many digits as are needed`(nano: Int64, text: String) {
        #expect(Timestamp(unixNano: nano).description == text)
    }

    @Test(arguments: 0..<20) func `what is written is read back`(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<200 {
            let coarse: Int64 = [1, 1000, 1_000_000, 1_000_000_000][Int.random(in: 0..<4, using: &generator)]
            // The first and last hours of the range, in which rounding would leave it, are tried above.
            let nano = Int64.random(
                in: -9_000_000_000_000_000_000...9_000_000_000_000_000_000,
                using: &generator
            )
            let instant = Timestamp(unixNano: nano / coarse * coarse)
            #expect(Timestamp(iso8601: instant.description) == instant, "seed \(seed)")
        }
    }

    @Test func `days of the whole range are read back`() {
        // Steps of three days reach every day of the year within three years.
        for day in stride(from: Int64(-106_000), through: 106_000, by: 3) {
            let instant = Timestamp(unixNano: day * 86_400 * 1_000_000_000)
            guard Timestamp(iso8601: instant.description) != instant else { continue }
            Issue.record("\(instant) is not read back")
        }
    }

    @Test func `milliseconds are rounded to nanoseconds and held to the range`() {
        #expect(Timestamp(unixMilliseconds: 1.5)?.unixNano == 1_500_000)
        #expect(Timestamp(unixMilliseconds: -0.000001)?.unixNano == -1)
        #expect(Timestamp(unixMilliseconds: .nan) == nil)
        #expect(Timestamp(unixMilliseconds: 1e300) == nil)
    }

    @Test func `advancing stops at the ends of the range`() {
        #expect(Timestamp(unixNano: .max).advanced(by: .seconds(1)).unixNano == .max)
        #expect(Timestamp(unixNano: .min).advanced(by: .seconds(-1)).unixNano == .min)
        #expect(Timestamp(unixNano: 0).advanced(by: .milliseconds(-1)).unixNano == -1_000_000)
    }
}
