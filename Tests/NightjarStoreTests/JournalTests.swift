import Foundation
import GRDB
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

struct JournalTests {
    @Test(arguments: [false, true])
    func `a chunk comes back as it was submitted`(inMemory: Bool) throws {
        let fixture = try Fixture(inMemory: inMemory)
        let payload = (0..<20_000).map { UInt8(truncatingIfNeeded: $0) }
        let receipt = try fixture.submit(chunks: [chunk(1, partition: 63, payload), chunk(2, [])], at: 42)
        #expect(receipt.sequences == [1, 2])
        let expected = StoredChunk(
            sequence: 1,
            receivedAt: Timestamp(unixNano: 42),
            chunk: chunk(1, partition: 63, payload)
        )
        #expect(try fixture.store.chunks(of: traceID(1)) == [expected])
        #expect(try fixture.store.chunks(of: traceID(2)).map(\.payload) == [[]])
        #expect(try fixture.store.chunks(of: traceID(3)).isEmpty)
    }

    @Test func `only the first chunk of a trace says that it is new`() throws {
        let fixture = try Fixture()
        #expect(
            try fixture.submit(chunks: [chunk(1), chunk(2), chunk(1)]).isNewTrace == [true, true, false]
        )
        #expect(try fixture.submit(chunks: [chunk(2), chunk(3)]).isNewTrace == [false, true])
        #expect(try fixture.store.trace(traceID(1)) == record(1))
        #expect(try fixture.store.trace(traceID(9)) == nil)
    }

    @Test func `completions come in the order of the journal's numbers`() async throws {
        let fixture = try Fixture { $0.groupRows = 7 }
        let outcome = Outcome()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<4 {
                group.addTask {
                    for number in 0..<50 {
                        let trace = UInt64(task * 100 + number)
                        try fixture.store.submit(
                            Submission(
                                chunks: [chunk(trace), chunk(trace)],
                                receivedAt: Timestamp(unixNano: 1),
                                completion: outcome.add
                            )
                        )
                    }
                }
            }
            try await group.waitForAll()
        }
        try fixture.store.flush()
        let sequences = try outcome.results.flatMap { try $0.get().sequences }
        #expect(sequences == Array(1...400))
    }

    @Test func `a full queue refuses and recovers`() throws {
        let fixture = try Fixture { $0.queueBytes = 5_000 }
        let (entered, gate) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        try fixture.store.submit(
            Submission(chunks: [chunk(1)], receivedAt: Timestamp(unixNano: 1)) { _ in
                entered.signal()
                _ = gate.wait(timeout: .now() + 20)
            }
        )
        #expect(entered.wait(timeout: .now() + 20) == .success)
        let outcome = Outcome()
        let big = Submission(
            chunks: [chunk(2, Array(repeating: 7, count: 4_000))],
            receivedAt: Timestamp(unixNano: 1),
            completion: outcome.add
        )
        try fixture.store.submit(big)
        let error = #expect(throws: StoreError.self) { try fixture.store.submit(big) }
        #expect(error?.code == .overloaded)
        #expect(error?.isRetryable == true)
        #expect(fixture.store.status.refusedSubmissions == 1)
        gate.signal()
        try fixture.store.flush()
        #expect(fixture.store.status.queuedBytes == 0)
        try fixture.submit(chunks: [chunk(3)])
        #expect(outcome.results.count == 1)
    }

    @Test func `what is larger than the queue is taken when nothing else waits`() throws {
        let fixture = try Fixture { $0.queueBytes = 10 }
        #expect(try fixture.submit(chunks: [chunk(1)]).sequences == [1])
    }

    @Test func `a submission that fails leaves nothing behind, and its numbers come again`() throws {
        let fixture = try Fixture()
        try fixture.breakTable("scores")
        let error = #expect(throws: StoreError.self) {
            try fixture.submit(chunks: [chunk(1)], scores: [score("a")])
        }
        #expect(error?.isRetryable == true)
        #expect(try fixture.store.trace(traceID(1)) == nil)
        #expect(try fixture.store.chunks(of: traceID(1)).isEmpty)
        try fixture.mend("scores")
        #expect(try fixture.submit(chunks: [chunk(1)], scores: [score("a")]).sequences == [1])
    }

    @Test func `a submission that the database refuses does not take others with it`() throws {
        let fixture = try Fixture()
        try fixture.other().write {
            try $0.execute(
                sql: """
                    CREATE TRIGGER picky BEFORE INSERT ON scores WHEN new.id = 'bad'
                    BEGIN SELECT RAISE(ABORT, 'bad'); END
                    """
            )
        }
        let outcome = Outcome()
        let (entered, gate) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        try fixture.store.submit(
            Submission(receivedAt: Timestamp(unixNano: 1)) { _ in
                entered.signal()
                _ = gate.wait(timeout: .now() + 20)
            }
        )
        #expect(entered.wait(timeout: .now() + 20) == .success)
        for id in ["a", "bad", "c"] {
            try fixture.store.submit(
                Submission(
                    chunks: [chunk(1)],
                    scores: [score(id)],
                    receivedAt: Timestamp(unixNano: 1),
                    completion: outcome.add
                )
            )
        }
        var effects = Effects()
        effects.traces = [record(7)]
        fixture.store.commit(effects) {}
        gate.signal()
        try fixture.store.flush()
        #expect(outcome.results.map { (try? $0.get())?.sequences } == [[1], nil, [2]])
        #expect(try fixture.store.trace(traceID(7)) == record(7))
        #expect(fixture.store.status.queuedBytes == 0)
    }

    @Test func `a database that another process holds gives a retryable error`() throws {
        let fixture = try Fixture { $0.busyTimeout = .milliseconds(20) }
        let error = try fixture.other().writeWithoutTransaction { db in
            try db.beginTransaction(.immediate)
            defer { try? db.rollback() }
            return #expect(throws: StoreError.self) { try fixture.submit(chunks: [chunk(1)]) }
        }
        #expect(error?.code == .busy)
        #expect(error?.isRetryable == true)
        #expect(try fixture.submit(chunks: [chunk(1)]).sequences == [1])
    }

    @Test func `what was acknowledged survives a crash`() throws {
        let fixture = try Fixture()
        try fixture.submit(chunks: [chunk(1), chunk(2, partition: 5)])
        let crashed = try TemporaryFolder()
        try fixture.folder.copy(to: crashed)
        let next = try Fixture(crashed)
        #expect(try next.replayed().map(\.sequence) == [1, 2])
        #expect(try next.store.recover().openTraces.map(\.id) == [traceID(1), traceID(2)])
        #expect(try next.submit(chunks: [chunk(2)]).isNewTrace == [false])
        #expect(try next.store.chunks(of: traceID(2)).map(\.sequence) == [2, 3])
    }

    @Test func `only chunks beyond their partition's progress are replayed`() throws {
        let fixture = try Fixture()
        try fixture.submit(chunks: (0..<200).map { chunk(UInt64($0), partition: $0 % 2) })
        try fixture.commit { $0.progress = [0: 199, 1: 4] }
        #expect(try fixture.replayed().map(\.sequence) == (5...200).filter { $0 % 2 == 0 })
        try fixture.commit { $0.progress = [1: 200] }
        #expect(try fixture.replayed().isEmpty)
        try fixture.submit(chunks: [chunk(7, partition: 1), chunk(8, partition: 3)])
        #expect(try fixture.replayed().map(\.sequence) == [201, 202])
        #expect(try fixture.store.recover().progress == [0: 199, 1: 200])
    }

    @Test func `progress never goes back`() throws {
        let fixture = try Fixture()
        try fixture.submit(chunks: [chunk(1), chunk(2)])
        try fixture.commit { $0.progress = [0: 2] }
        try fixture.commit { $0.progress = [0: 1] }
        #expect(try fixture.store.recover().progress == [0: 2])
        #expect(try fixture.replayed().isEmpty)
    }

    @Test func `replay may use the store while it runs`() throws {
        for inMemory in [false, true] {
            let fixture = try Fixture(inMemory: inMemory)
            try fixture.submit(chunks: [chunk(1), chunk(2)])
            var seen: [Int64] = []
            try fixture.store.replay { chunk in
                seen.append(chunk.sequence)
                try fixture.commit { $0.progress = [chunk.partition: chunk.sequence] }
                try fixture.submit(chunks: [
                    chunk.sequence == 1 ? NightjarStoreTests.chunk(3) : NightjarStoreTests.chunk(4)
                ])
            }
            #expect(seen == [1, 2])
        }
    }

    @Test func `numbers do not come again after everything was deleted`() throws {
        let fixture = try Fixture()
        try fixture.submit(chunks: [chunk(1), chunk(2)])
        try fixture.commit { $0.progress = [0: 2] }
        try fixture.store.close()
        try fixture.other().write { try $0.execute(sql: "DELETE FROM journal") }
        #expect(try Fixture(fixture.folder).submit(chunks: [chunk(3)]).sequences == [3])
    }
}
