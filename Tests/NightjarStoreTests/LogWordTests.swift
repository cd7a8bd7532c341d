import GRDB
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// Logs by words.
struct LogWordTests {
    private func log(
        _ message: String,
        at time: Int64,
        _ level: LogLevel = .info,
        trace: UInt64? = nil,
        data: Value.Object = [:]
    ) -> Log {
        var log = Log(timestamp: Timestamp(unixNano: time), level: level, message: message, data: data)
        log.traceID = trace.map(traceID)
        return log
    }

    private func messages(_ fixture: Fixture, _ text: String, _ change: (inout LogQuery) -> Void = { _ in })
        throws
        -> [String]
    {
        var query = LogQuery()
        query.text = text
        change(&query)
        return try fixture.store.logs(query).records.map(\.log.message)
    }

    @Test func `every word must occur, phrases in order, a star stands for any end`() throws {
        let fixture = try Fixture()
        try fixture.commit {
            $0.logs = [
                log("The payment failed", at: 10), log("failed: payment-gateway, Zürich", at: 20),
                log("pay later", at: 30), log("", at: 40, data: ["body": ["reason": "declined"]]),
            ]
        }
        #expect(try messages(fixture, "FAILED payment").count == 2)
        #expect(try messages(fixture, "\"payment failed\"") == ["The payment failed"])
        #expect(try messages(fixture, "pay") == ["pay later"])
        #expect(try messages(fixture, "pay*").count == 3)
        #expect(try messages(fixture, "\"the pay\"*") == ["The payment failed"])
        #expect(try messages(fixture, "payment-gateway") == ["failed: payment-gateway, Zürich"])
        #expect(try messages(fixture, "zurich").count == 1)
        #expect(try messages(fixture, "declined") == [""])
        #expect(try messages(fixture, "failed nowhere").isEmpty)
    }

    @Test(
        arguments: [
            "\"", "\"\"", "'", "a AND", "NOT", "OR OR", "a NEAR(b)", "words:x", "^a", "{a} : b", "-", "*",
            "**",
            "a\"b", "\"open phrase", "(", "a + b", "\0", "a\0b", ";", "DROP TABLE logs", "\\", "💥", "a*b",
        ]
    )
    func `nothing that is looked for is a syntax error`(text: String) throws {
        let fixture = try Fixture()
        try fixture.commit { $0.logs = [log("x", at: 1)] }
        #expect(try messages(fixture, text).isEmpty)
    }

    @Test func `a search without a word has none`() {
        #expect(!FullText("  !? \"--\" *").hasWords)
        #expect(FullText("- a").hasWords)
    }

    @Test func `other conditions hold beside the words`() throws {
        let fixture = try Fixture()
        try fixture.commit {
            $0.logs = [
                log("slow one", at: 10, .warn, trace: 1), log("slow two", at: 20, trace: 2),
                log("slow three", at: 30, .error), log("fast", at: 40, .error, trace: 1),
            ]
        }
        #expect(try messages(fixture, "slow") == ["slow three", "slow two", "slow one"])
        #expect(try messages(fixture, "slow") { $0.level = .warn } == ["slow three", "slow one"])
        #expect(try messages(fixture, "slow") { $0.traceID = traceID(1) } == ["slow one"])
        #expect(try messages(fixture, "slow") { $0.from = Timestamp(unixNano: 20) }.count == 2)
        #expect(try messages(fixture, "slow") { $0.to = Timestamp(unixNano: 20) } == ["slow one"])
    }

    @Test func `pages of words go by arrival, stay stable while lines come, and end within their bounds`()
        throws
    {
        let fixture = try Fixture { $0.walkedRows = 4 }
        try fixture.commit { effects in
            effects.logs = (1...9).map { log("line \($0)", at: 100 - Int64($0), $0 == 2 ? .error : .info) }
        }
        var query = LogQuery()
        (query.text, query.limit) = ("line", 4)
        var pages: [[String]] = []
        repeat {
            let page = try fixture.store.logs(query)
            pages.append(page.records.map { String($0.log.message.suffix(1)) })
            query.cursor = page.next.flatMap { PageCursor($0.description) }
            try fixture.commit { $0.logs = [log("line new", at: 1_000)] }
        } while query.cursor != nil && pages.count < 10
        #expect(pages == [["9", "8", "7", "6"], ["5", "4", "3", "2"], ["1"]])
        query.level = .error
        query.cursor = nil
        let page = try fixture.store.logs(query)
        #expect(page.records.isEmpty && page.next != nil)
        #expect(page.scannedUntil != nil)
    }

    @Test func `words go with their line`() throws {
        let fixture = try Fixture()
        try fixture.submit(chunks: [chunk(1)])
        try fixture.commit {
            $0.traces = [record(1)]
            $0.logs = [log("gone soon", at: 1, trace: 1), log("stays", at: 2)]
        }
        #expect(try fixture.store.deleteTrace(traceID(1)))
        #expect(try messages(fixture, "gone").isEmpty)
        // A row may come again; the words of the old one must not.
        try fixture.commit { $0.logs = [log("other", at: 3)] }
        #expect(try messages(fixture, "soon").isEmpty)
        try fixture.other().write {
            try $0.execute(sql: "INSERT INTO logs_text (logs_text) VALUES ('integrity-check')")
        }
    }
}
