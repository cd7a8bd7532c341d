import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

struct ScoreUndoTests {
    private func signed(_ id: String, _ version: String, _ value: Double, hash: String = "aaaabbbbcccc")
        -> Score
    {
        var score = score(id, value)
        score.metadata["plugin"] = .string("judge@\(version)")
        score.metadata["pluginHash"] = .string(hash)
        return score
    }

    private func version(_ text: String, scorers: [String] = ["helpful"]) -> ScoreVersion {
        ScoreVersion(text, of: "judge", scorers: scorers)
    }

    @Test func `what a version replaced holds again, and what it made is gone`() throws {
        let fixture = try Fixture()
        try fixture.submit(scores: [signed("a", "1", 0.1), score("human", 0.7)])
        try fixture.submit(scores: [signed("a", "2", 0.2), signed("b", "2", 0.3), signed("human", "2", 0.9)])
        let count = try fixture.store.undo(version("2"))
        #expect((count.deleted, count.restored, count.forgotten) == (1, 2, 0))
        let scores = try fixture.store.scores(of: traceID(1)).map(\.score)
        #expect(scores.map(\.id) == ["a", "human"])
        #expect(scores.map(\.score) == [0.1, 0.7])
        #expect(scores.map { $0.metadata["plugin"]?.string } == ["judge@1", nil])
        #expect(try fixture.store.history(ofScore: "a").isEmpty)
        #expect(try fixture.store.undo(version("2")) == UndoCount())
    }

    @Test func `a version that was replaced since leaves the history`() throws {
        let fixture = try Fixture()
        for (number, value) in [("1", 0.1), ("2", 0.2), ("3", 0.3)] {
            try fixture.submit(scores: [signed("a", number, value)])
        }
        let count = try fixture.store.undo(version("judge@2"))
        #expect((count.deleted, count.restored, count.forgotten) == (0, 0, 1))
        #expect(try fixture.store.scores(of: traceID(1)).map(\.score.score) == [0.3])
        #expect(try fixture.store.history(ofScore: "a").map(\.score.score) == [0.1])
        #expect(try fixture.store.undo(version("3")).restored == 1)
        #expect(try fixture.store.scores(of: traceID(1)).map(\.score.score) == [0.1])
    }

    @Test func `a version is also named by its content's hash, and others' scorers are left alone`() throws {
        let fixture = try Fixture()
        var other = signed("b", "1", 0.5)
        other.scorerName = "tone"
        try fixture.submit(scores: [
            signed("a", "1", 0.1), other, signed("c", "1", 0.2, hash: "ffff00001111"),
        ])
        #expect(try fixture.store.undo(version("ffff0000")).deleted == 1)
        #expect(try fixture.store.scores(of: traceID(1)).map(\.score.id) == ["a", "b"])
        #expect(try fixture.store.undo(version("1")).deleted == 1)
        #expect(try fixture.store.scores(of: traceID(1)).map(\.score.id) == ["b"])
    }

    @Test func `many scores are taken back in several steps`() throws {
        let fixture = try Fixture()
        try fixture.submit(scores: (0..<1300).map { signed("s\($0)", "1", 0.1) })
        #expect(try fixture.store.undo(version("1")).deleted == 1300)
        #expect(try fixture.store.scores(ScoreQuery()).records.isEmpty)
    }

    @Test func `scores that are brought in are taken for counted where they are new`() throws {
        let fixture = try Fixture()
        try fixture.submit(scores: [score("live", 0.1)])
        let receipts = try fixture.store.backfill(
            [score("live", 0.2), score("new", 0.3)],
            patience: .seconds(20)
        )
        #expect(receipts.map(\.replaced) == [true, false])
        // What was on its way to be counted still is.
        #expect(try fixture.store.recover().scores.map(\.id) == ["live"])
        #expect(try fixture.store.history(ofScore: "live").map(\.score.score) == [0.1])
    }
}

struct StoreReaderTests {
    @Test func `what another connection writes is read, in the order of receipt`() throws {
        let fixture = try Fixture()
        try fixture.submit(chunks: [chunk(1), chunk(2)], at: 1_000)
        try fixture.submit(chunks: [chunk(1)], feedback: [feedback("f")], at: 2_000)
        try fixture.commit { effects in
            for (trace, time) in [(1 as UInt64, 2_000 as Int64), (2, 1_000)] {
                var known = record(trace, receivedAt: 1_000)
                known.lastReceived = Timestamp(unixNano: time)
                known.isOpen = trace == 2
                effects.traces.append(known)
            }
            effects.logs = [Log(timestamp: Timestamp(unixNano: 1), level: .info, message: "of none")]
        }
        let reader = try StoreReader(path: fixture.folder.path("nightjar.sqlite"))
        let (traces, isCut) = try reader.outlines(from: nil, to: nil, limit: 10)
        #expect(traces.map(\.id) == [traceID(2), traceID(1)])
        #expect(traces.map(\.isOpen) == [true, false])
        #expect(!isCut)
        #expect(try reader.outlines(from: nil, to: nil, limit: 1).traces.map(\.id) == [traceID(1)])
        #expect(try reader.outlines(from: nil, to: nil, limit: 1).isCut)
        #expect(
            try reader.outlines(from: Timestamp(unixNano: 1_500), to: nil, limit: 9).traces.map(\.id) == [
                traceID(1)
            ]
        )
        let entries = try reader.entries(of: [traceID(1), traceID(2)])
        #expect(entries.map(\.kind) == [.chunk, .chunk, .chunk, .feedback])
        #expect(entries.map(\.time.unixNano) == [1_000, 1_000, 2_000, 2_000])
        let contents = try reader.contents(of: entries).compactMap(\.self)
        guard case .chunk(let first) = contents[0], case .event(.feedback(let last)) = contents[3] else {
            Issue.record("not what was stored")
            return
        }
        #expect(first.sequence == 1)
        #expect(last.id == "f")
        #expect(try reader.entriesWithoutTrace(from: nil, to: nil, limit: 9).map(\.kind) == [.log])
    }

    @Test func `whether another connection has a database open is known, in either mode`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("nightjar.sqlite")
        #expect(try !StoreReader.isOpenElsewhere(path: path))
        var fixture: Fixture? = try Fixture(folder)
        try fixture?.submit(scores: [score("a")])
        #expect(try StoreReader.isOpenElsewhere(path: path))
        try fixture?.store.close()
        fixture = nil
        #expect(try !StoreReader.isOpenElsewhere(path: path))
        let reader = try StoreReader(path: path)
        #expect(try reader.scores(of: traceID(1)).count == 1)
        #expect(try StoreReader.isOpenElsewhere(path: path))
        withExtendedLifetime(reader) {}
    }

    @Test func `a file that is no database of ours is refused with a reason`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("this is no database, but it is long enough to be looked at", to: "x")
        #expect(throws: StoreError.self) { try StoreReader(path: path) }
        let empty = try folder.write("", to: "y")
        #expect {
            try StoreReader(path: empty)
        } throws: { error in
            (error as? StoreError)?.detail.contains("no database of Nightjar") == true
        }
    }
}
