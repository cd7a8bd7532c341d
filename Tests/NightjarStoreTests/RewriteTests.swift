import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

struct RewriteTests {
    @Test func `what processors made of chunks is kept in their place`() throws {
        let fixture = try Fixture()
        try fixture.submit(chunks: [chunk(1), chunk(1), chunk(1), chunk(2)])
        let payload = [UInt8](repeating: 9, count: 10_000)
        try fixture.commit {
            $0.progress = [0: 3]
            $0.rewrites = [
                ChunkRewrite(sequence: 1, payload: payload), ChunkRewrite(sequence: 2, payload: nil),
                ChunkRewrite(sequence: 3, payload: [], spanCount: 1),
            ]
        }
        let chunks = try fixture.store.chunks(of: traceID(1))
        #expect(chunks.map(\.sequence) == [1, 3])
        #expect(chunks.map(\.payload) == [payload, []])
        #expect(chunks.map(\.spanCount) == [2, 1])
        #expect(try fixture.store.chunks(of: traceID(2)).map(\.payload) == [[1, 2, 3]])
    }

    @Test func `they are kept with the progress or not at all`() throws {
        let fixture = try Fixture { $0.flushPatience = .milliseconds(300) }
        try fixture.submit(chunks: [chunk(1)])
        try fixture.breakTable("logs")
        #expect(throws: StoreError.self) {
            try fixture.commit {
                $0.progress = [0: 1]
                $0.rewrites = [ChunkRewrite(sequence: 1, payload: nil)]
                $0.logs = [Log(timestamp: Timestamp(unixNano: 1), level: .info, message: "x")]
            }
        }
        try fixture.store.close()
        let next = try Fixture(fixture.folder)
        #expect(try next.replayed().map(\.payload) == [[1, 2, 3]])
    }

    @Test func `the number of a dropped last chunk does not come again`() throws {
        let fixture = try Fixture()
        try fixture.submit(chunks: [chunk(1)])
        try fixture.commit {
            $0.progress = [0: 1]
            $0.rewrites = [ChunkRewrite(sequence: 1, payload: nil)]
        }
        try fixture.store.close()
        #expect(try Fixture(fixture.folder).submit(chunks: [chunk(1)]).sequences == [2])
    }
}

struct StreamTests {
    private func stream(_ id: UInt64, _ state: [UInt8] = [1], at time: Int64 = 0) -> StreamState {
        StreamState(id: id, state: state, time: Timestamp(unixNano: time))
    }

    @Test func `the last state of a stream is found after a start`() throws {
        let fixture = try Fixture()
        try fixture.commit { $0.streams = [stream(.max, [1]), stream(7, []), stream(.max, [2, 3], at: 5)] }
        try fixture.commit { $0.streams = [stream(7, [4], at: 6)] }
        try fixture.store.close()
        let next = try Fixture(fixture.folder)
        #expect(
            try next.store.streams([.max, 7, 8]) == [
                .max: stream(.max, [2, 3], at: 5), 7: stream(7, [4], at: 6),
            ]
        )
    }

    @Test func `beyond the bound those go that had no point for longest`() throws {
        let fixture = try Fixture { $0.streams = 40 }
        try fixture.commit { effects in effects.streams = (1...40).map { stream($0, at: Int64($0)) } }
        try fixture.commit { $0.streams = [stream(1, at: 100)] }
        #expect(try fixture.numbers("SELECT count(*) FROM streams") == [40])
        try fixture.commit { $0.streams = [stream(41, at: 101)] }
        #expect(
            try fixture.numbers("SELECT id FROM streams ORDER BY time, id") == (5...40).map(Double.init) + [
                1, 41,
            ]
        )
        // It counts on after a start.
        try fixture.store.close()
        let next = try Fixture(fixture.folder) { $0.streams = 38 }
        try next.commit { $0.streams = [stream(50, at: 102)] }
        #expect(try next.numbers("SELECT count(*) FROM streams") == [37])
    }
}
