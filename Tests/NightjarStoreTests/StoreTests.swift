import Foundation
import GRDB
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

struct StoreTests {
    @Test func `a newer schema is refused and says why`() throws {
        let fixture = try Fixture()
        try fixture.store.close()
        try fixture.other().write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('9999')") }
        let error = #expect(throws: StoreError.self) { try Fixture(fixture.folder) }
        #expect(error?.code == .newerSchema)
        #expect(error?.isRetryable == false)
        #expect(error?.description.contains("newer version") == true)
    }

    @Test func `a file that is no database is refused`() throws {
        let folder = try TemporaryFolder()
        try folder.write(String(repeating: "not a database ", count: 100), to: "nightjar.sqlite")
        let error = #expect(throws: StoreError.self) { try Fixture(folder) }
        #expect(error?.code == .corrupt)
    }

    @Test func `a folder that does not exist is an error`() throws {
        let error = #expect(throws: StoreError.self) {
            try SQLiteStore(.file("/nonexistent/nightjar.sqlite"), ledger: SeriesLedger(table: SeriesTable()))
        }
        #expect(error?.code == .inputOutput)
    }

    @Test func `the file is written through a log, so that reads never wait`() throws {
        let fixture = try Fixture()
        try fixture.submit(chunks: [chunk(1)])
        #expect(try fixture.other().read { try String.fetchOne($0, sql: "PRAGMA journal_mode") } == "wal")
    }

    @Test func `closing commits what waits and refuses what comes after`() throws {
        let fixture = try Fixture { $0.groupWindow = .seconds(3600) }
        var effects = Effects()
        effects.traces = [record(1)]
        fixture.store.commit(effects) {}
        let outcome = Outcome()
        try fixture.store.submit(
            Submission(chunks: [chunk(2)], receivedAt: Timestamp(unixNano: 1_000), completion: outcome.add)
        )
        try fixture.store.close()
        try fixture.store.close()
        #expect(outcome.results.count == 1)
        let error = #expect(throws: StoreError.self) { try fixture.submit(chunks: [chunk(3)]) }
        #expect(error?.code == .closed)
        let reading = #expect(throws: StoreError.self) { try fixture.store.trace(traceID(1)) }
        #expect(reading?.code == .closed)
        fixture.store.commit(effects) {}
        #expect(try Fixture(fixture.folder).store.recover().openTraces.count == 2)
    }

    @Test func `effects alone wait for companions, and a flush does not wait for them`() async throws {
        let fixture = try Fixture { $0.groupWindow = .seconds(3600) }
        for trace in 1...3 as ClosedRange<UInt64> {
            var effects = Effects()
            effects.traces = [record(trace)]
            fixture.store.commit(effects) {}
        }
        #expect(fixture.store.status.commits == 0)
        // Who waits is told before the commit is counted.
        func committed(_ commits: Int) async throws {
            try await wait(for: "commit \(commits) to be counted") { fixture.store.status.commits >= commits }
            #expect(fixture.store.status.commits == commits)
            #expect(fixture.store.status.queuedEffects == 0)
        }
        try fixture.submit(chunks: [chunk(9)])
        try await committed(1)
        try fixture.commit { $0.traces = [record(4)] }
        try await committed(2)
    }

    @Test func `effects that fill a group do not wait`() throws {
        let fixture = try Fixture {
            $0.groupWindow = .seconds(3600)
            $0.groupRows = 4
        }
        for trace in 1...4 as ClosedRange<UInt64> {
            var effects = Effects()
            effects.traces = [record(trace)]
            fixture.store.commit(effects) {}
        }
        try fixture.store.flush()
        #expect(try fixture.store.traces(TraceQuery()).traces.count == 4)
    }

    @Test func `effects gather for as much longer as those before took to write`() throws {
        let fixture = try Fixture {
            $0.groupWindow = .zero
            $0.groupPauseFactor = 1_000_000_000
            $0.longestGroupWindow = .seconds(3600)
        }
        func submit(_ trace: UInt64) throws {
            let answered = DispatchSemaphore(value: 0)
            try fixture.store.submit(
                Submission(chunks: [chunk(trace)], receivedAt: Timestamp(unixNano: 1_000)) { _ in
                    answered.signal()
                }
            )
            #expect(answered.wait(timeout: .now() + 20) == .success)
        }
        try fixture.commit { $0.traces = [record(1)] }
        var effects = Effects()
        effects.traces = [record(2)]
        fixture.store.commit(effects) {}
        // When the second is answered, the group of the first has ended, which was committed after the effects had come.
        try submit(3)
        try submit(4)
        #expect(fixture.store.status.queuedEffects == 1)
        try fixture.store.flush()
        #expect(fixture.store.status.queuedEffects == 0)
        #expect(try fixture.store.trace(traceID(2)) == record(2))
    }

    @Test func `a store in memory forgets`() throws {
        let fixture = try Fixture(inMemory: true)
        try fixture.submit(chunks: [chunk(1)])
        #expect(try fixture.replayed().count == 1)
        try fixture.store.close()
        #expect(try Fixture(inMemory: true).replayed().isEmpty)
    }
}
