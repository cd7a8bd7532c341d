import NightjarSignals
import NightjarTesting
import Testing

/// Signals, section 3.
@Suite struct IdentifierTests {
    @Test(arguments: [
        ("1", "00000000000000000000000000000001"), ("ABCDEF", "00000000000000000000000000abcdef"),
        ("0123456789abcdef0123456789ABCDEF", "0123456789abcdef0123456789abcdef"),
        ("10000000000000000", "00000000000000010000000000000000"),
    ])
    func `a trace id is padded and lower-cased`(text: String, expected: String) {
        #expect(TraceID(text)?.description == expected)
    }

    @Test(arguments: [
        "", "0", "00000000000000000000000000000000", "g", "trace-1", " 1", "0x1",
        "100000000000000000000000000000000", "é",
    ])
    func `what is no trace id is refused`(text: String) {
        #expect(TraceID(text) == nil)
    }

    @Test(arguments: [("1", "0000000000000001"), ("FEDCBA9876543210", "fedcba9876543210")])
    func `a span id is padded and lower-cased`(text: String, expected: String) {
        #expect(SpanID(text)?.description == expected)
    }

    @Test(arguments: ["", "0", "0000000000000000", "10000000000000000", "-1", "root-span"])
    func `what is no span id is refused`(text: String) {
        #expect(SpanID(text) == nil)
    }

    @Test(arguments: 0..<20) func `ids are read back as they were written, and order as their text does`(
        seed: Int
    ) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let ids = (0..<100).map { _ in TraceID(high: generator.next() >> 8, low: generator.next()) }
        for id in ids { #expect(TraceID(id.description) == id) }
        #expect(ids.sorted().map(\.description) == ids.map(\.description).sorted())
        let spans = (0..<100).map { _ in SpanID(value: generator.next() | 1) }
        for id in spans { #expect(SpanID(id.description) == id) }
    }

    @Test func `partitions are even for ids that count up`() {
        var counts = [Int](repeating: 0, count: Partition.count)
        for number in 1...64_000 { counts[Partition.of(TraceID(high: 0, low: UInt64(number)))] += 1 }
        #expect(counts.allSatisfy { (800...1200).contains($0) })
    }

    @Test func `a derived id depends on every field and on nothing else`() {
        func id(
            _ scorer: String,
            _ experiment: String?,
            _ trace: String?,
            _ span: String?,
            _ session: String? = nil
        ) -> String {
            AnnotationID.derived(
                scorer: scorer,
                experiment: experiment,
                traceID: trace.flatMap { TraceID($0) },
                spanID: span.flatMap { SpanID($0) },
                sessionID: session
            )
        }
        let ids = [
            id("a", nil, "1", nil), id("b", nil, "1", nil), id("a", "", "1", nil), id("a", "e", "1", nil),
            id("ae", nil, "1", nil),
            id("a", nil, "2", nil), id("a", nil, "1", "1"), id("a", nil, nil, nil, "1"),
            id("", "a", "1", nil),
        ]
        #expect(Set(ids).count == ids.count)
        #expect(id("a", "e", "1", "2") == id("a", "e", "1", "2"))
        // Stored ids must outlive the process and the version: this value may never change.
        #expect(id("relevance", "exp-1", "ab", "cd") == "77980c3743a45e4b57f14837ac58eca1")
        #expect(ids.allSatisfy { TraceID($0) != nil && $0.count == 32 })
    }

    @Test func `fresh ids differ`() {
        #expect(AnnotationID.fresh() != AnnotationID.fresh())
        var generator = SeededGenerator(seed: 1)
        #expect(AnnotationID.fresh(using: &generator).count == 32)
    }
}
