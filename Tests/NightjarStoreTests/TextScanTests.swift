import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// Traces by a text in their payloads.
struct TextScanTests {
    private func scan(_ text: String) -> TextScan {
        let search = ByteSearch(Array(text.utf8))
        return TextScan(
            mayHold: { search.occurs(in: $0) },
            holds: { chunk in chunk.payload.withUnsafeBytes { search.occurs(in: $0) } }
        )
    }

    private func filled(_ count: UInt64, _ change: (inout StoreSettings) -> Void = { _ in }) throws -> Fixture
    {
        let fixture = try Fixture(nil, change)
        try fixture.submit(
            chunks: (1...count).map { chunk($0, Array("Payload \($0 % 10 == 0 ? "special" : "plain")".utf8)) }
        )
        try fixture.commit { effects in
            effects.traces = (1...count).map { record($0, start: Int64($0)) }
        }
        return fixture
    }

    @Test func `the newest that hold a text come first, page by page, beside other conditions`() throws {
        let fixture = try filled(100)
        var query = TraceQuery()
        query.limit = 4
        var pages: [[UInt64]] = []
        repeat {
            let page = try fixture.store.traces(query, holding: scan("SPECIAL"))
            pages.append(page.traces.map(\.id.low))
            query.cursor = page.next.flatMap { TraceCursor($0.description) }
            #expect(page.scannedUntil == nil)
        } while query.cursor != nil && pages.count < 10
        #expect(pages == [[100, 90, 80, 70], [60, 50, 40, 30], [20, 10]])
        query = TraceQuery()
        query.to = Timestamp(unixNano: 25)
        #expect(try fixture.store.traces(query, holding: scan("special")).traces.map(\.id.low) == [20, 10])
    }

    @Test func `a scan ends when its bytes are spent, says how far it got, and goes on from there`() throws {
        let fixture = try filled(100) { $0.scannedBytes = 40 * 13 }
        var query = TraceQuery()
        query.limit = 50
        let first = try fixture.store.traces(query, holding: scan("special"))
        #expect(first.traces.map(\.id.low) == [100, 90, 80, 70])
        #expect(first.scannedUntil == Timestamp(unixNano: 61))
        query.cursor = first.next
        let second = try fixture.store.traces(query, holding: scan("special"))
        #expect(second.traces.map(\.id.low) == [60, 50, 40, 30])
        query.cursor = second.next
        let third = try fixture.store.traces(query, holding: scan("special"))
        #expect(third.traces.map(\.id.low) == [20, 10])
        #expect(third.next == nil && third.scannedUntil == nil)
    }

    @Test func `a payload that cannot hold the text is not read further`() throws {
        let fixture = try filled(20)
        nonisolated(unsafe) var asked = 0
        // Unsafe: the scan calls it on this thread.
        let scan = TextScan(
            mayHold: { ByteSearch(Array("special".utf8)).occurs(in: $0) },
            holds: { _ in
                asked += 1
                return false
            }
        )
        #expect(try fixture.store.traces(TraceQuery(), holding: scan).traces.isEmpty)
        #expect(asked == 2)
    }
}
