import Foundation
import NightjarSignals
import NightjarTesting
import Synchronization
import Testing

/// The built `nightjar` while clients send far more than it can take. `NIGHTJAR_OVERLOAD_SECONDS=600` makes each load last ten
/// minutes; `scripts/soak overload` does.
@Suite(.serialized) struct OverloadTests {
    /// One kind of load, and what the process may hold under it.
    struct Load: Sendable, CustomTestStringConvertible {
        let name: String
        var settings = ""
        var isCompressed = false
        var isOneTrace = false
        let body: LoadBody
        var clients = 24
        // `queue.bytes`, and what all bodies in flight may hold, in MiB.
        var queue = 64
        var bodies = 80

        /// What the process may hold in MiB: what does not depend on the configuration (caches of the database, payloads and
        /// spans of open traces, answers), what waits at three places, and bodies in the forms that they take on their way.
        var bound: Int { 512 + 3 * queue + 4 * bodies }

        var testDescription: String { name }
    }

    static let loads = [
        Load(
            name: "as it comes",
            body: LoadBody(traces: 100, spansPerTrace: 20, valueBytes: 2000)
        ),
        Load(
            name: "small queue",
            settings: "queue: {bytes: 1MiB}\nlimits: {bodyBytes: 4MiB, inflatedBytes: 4MiB}\n",
            body: LoadBody(traces: 10, spansPerTrace: 20, valueBytes: 2000),
            queue: 1,
            bodies: 8
        ),
        Load(
            name: "compressed",
            isCompressed: true,
            body: LoadBody(traces: 10, spansPerTrace: 20, valueBytes: 60_000)
        ),
        Load(
            name: "one trace",
            isOneTrace: true,
            body: LoadBody(traces: 1, spansPerTrace: 2000, valueBytes: 200)
        ),
    ]

    private static var seconds: Double {
        ProcessInfo.processInfo.environment["NIGHTJAR_OVERLOAD_SECONDS"].flatMap { Double($0) } ?? 12
    }

    @Test(arguments: loads)
    func `memory stays within its bound, every request is answered, and what was taken is stored`(
        _ load: Load
    ) async throws {
        let folder = try Fixture()
        try folder.write("listen: 127.0.0.1:0\nplugins: {dir: none}\n\(load.settings)", to: "nightjar.yaml")
        let server = try RunningProcess(RunningProcess.nightjar(), ["serve"], folder: folder.url)
        let port = try await server.listeningAddress().port
        let before = try await Self.latency(port)
        let stop = ContinuousClock.now + .seconds(Self.seconds)
        let seen = Seen()
        let results = try await withThrowingTaskGroup(of: LoadResult.self) { group in
            for client in 0..<load.clients {
                group.addTask {
                    try await RawSocket.run(port: port, limit: .seconds(Self.seconds + 120)) {
                        try Self.send(load, client, until: stop, on: $0)
                    }
                }
            }
            group.addTask {
                while ContinuousClock.now < stop { seen.add(latency: try await Self.latency(port)) }
                return LoadResult()
            }
            group.addTask {
                let start = ContinuousClock.now
                while ContinuousClock.now < stop {
                    seen.add(
                        memory: Self.residentMiB(server.id),
                        at: (ContinuousClock.now - start) / .seconds(1)
                    )
                    // A pause between two looks, not a wait for something.
                    try await Task.sleep(for: .milliseconds(250))
                }
                return LoadResult()
            }
            return try await group.reduce(into: LoadResult()) { $0.add($1) }
        }
        let after = try await Self.latency(port)
        let curve = seen.memory
        print("overload (\(load.name)): \(results), \(seen); ms before \(before), after \(after)")
        #expect(results.statuses.keys.allSatisfy { [200, 429, 503].contains($0) }, "\(results.statuses)")
        #expect(results.statuses[200] ?? 0 > 0)
        #expect(curve.map(\.size).max() ?? .max <= load.bound)
        if curve.count >= 1000 {
            // Long enough for everything that fills up to be full.
            let quarters = [
                curve.dropFirst(curve.count / 2).prefix(curve.count / 4), curve.suffix(curve.count / 4),
            ]
            let peaks = quarters.map { $0.map(\.size).max() ?? 0 }
            #expect(peaks[1] <= peaks[0] + peaks[0] / 8, "it grows")
        }
        #expect(after < 10_000)
        try await Self.check(results, load, port)
        server.signal(SIGTERM)
        #expect(try await server.exitCode() == 0)
    }

    /// What was seen of the process over time. Safe to use from any thread.
    private final class Seen: Sendable, CustomStringConvertible {
        private let state = Mutex<(memory: [(second: Double, size: Int)], worst: Double)>(([], 0))

        /// What it held in MiB, by second.
        var memory: [(second: Double, size: Int)] { state.withLock { $0.memory } }
        /// The longest that a small request took, in milliseconds.
        var worstLatency: Double { state.withLock { $0.worst } }

        var description: String {
            let curve = memory.map { String(format: "%.0f:%d", $0.second, $0.size) }.joined(separator: " ")
            return "MiB by second \(curve), ms at worst \(worstLatency)"
        }

        func add(memory: Int, at second: Double) { state.withLock { $0.memory.append((second, memory)) } }

        func add(latency: Double) { state.withLock { $0.worst = max($0.worst, latency) } }
    }

    // MARK: - Load

    /// What came of one client's requests.
    struct LoadResult: Sendable, CustomStringConvertible {
        var statuses: [Int: Int] = [:]
        var taken: [Int] = []
        /// Spans of requests that were taken but for them, because their trace is full.
        var refusedSpans = 0

        var description: String {
            statuses.sorted { $0.key < $1.key }.map { "\($0.value) times \($0.key)" }.joined(separator: ", ")
        }

        mutating func add(_ other: LoadResult) {
            statuses.merge(other.statuses, uniquingKeysWith: +)
            taken += other.taken
            refusedSpans += other.refusedSpans
        }
    }

    /// Sends one body after the other without a pause, and again at once what was refused.
    private static func send(
        _ load: Load,
        _ client: Int,
        until stop: ContinuousClock.Instant,
        on first: RawSocket
    ) throws -> LoadResult {
        var result = LoadResult()
        var socket = first
        var number = client * 100_000
        let encoding = load.isCompressed ? "Content-Encoding: gzip\r\n" : ""
        while ContinuousClock.now < stop {
            // What is compressed is so once for all: the same spans again and again are stored once.
            let same = client * 100_000
            let made =
                load.isCompressed && number > same
                ? nil : load.body.made(number, oneTrace: load.isOneTrace ? 1 : nil)
            let body = try made.map { load.isCompressed ? try LoadBody.gzip($0) : $0 } ?? Self.last(client)
            if load.isCompressed { Self.remember(body, client) }
            let head =
                "POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\(encoding)"
                + "Content-Length: \(body.count)\r\n\r\n"
            var (status, refused) = (0, 0)
            repeat {
                socket.send(Array(head.utf8) + body)
                let answer = try socket.answer()
                status = answer.status
                refused = try Int(answer.json()["partialSuccess"]?["rejectedSpans"]?.number ?? 0)
                result.statuses[status, default: 0] += 1
                if answer.header("Connection") == "close" { socket = try RawSocket.open(port: socket.port) }
            } while status != 200 && ContinuousClock.now < stop
            if status == 200, load.isOneTrace { result.refusedSpans += refused }
            if status == 200 { result.taken.append(load.isCompressed ? same : number) }
            number += 1
        }
        return result
    }

    private static let bodies = Mutex<[Int: [UInt8]]>([:])

    private static func remember(_ body: [UInt8], _ client: Int) { bodies.withLock { $0[client] = body } }

    private static func last(_ client: Int) -> [UInt8] { bodies.withLock { $0[client] ?? [] } }

    // MARK: - Checks

    /// Everything that was acknowledged is stored, and nothing else.
    private static func check(_ results: LoadResult, _ load: Load, _ port: Int) async throws {
        let client = HTTPClient(port: port)
        let numbers = Set(results.taken)
        try await wait(for: "everything to be processed", limit: .seconds(120)) {
            let status = try await client.get("/api/status").json()
            return status["lagSeconds"] == 0 && status["queues"]?["effects"]?["batches"] == 0
        }
        var stored: [String: Int64] = [:]
        var cursor: String?
        repeat {
            let page = try await client.get("/api/traces?limit=500" + (cursor.map { "&cursor=\($0)" } ?? ""))
                .json()
            for trace in page["traces"]?.array ?? [] {
                stored[trace["traceId"]?.string ?? ""] = Int64(trace["spanCount"]?.number ?? 0)
            }
            cursor = page["nextCursor"]?.string
        } while cursor != nil
        let spans = Int64(numbers.count * load.body.spans - results.refusedSpans)
        #expect(stored.values.reduce(0, +) == spans, "stored spans, of those that were taken")
        if load.isOneTrace {
            #expect(stored.count == 1)
        } else {
            #expect(Set(stored.keys) == Set(numbers.flatMap { load.body.ids($0) }))
        }
    }

    /// How long a small request takes, in milliseconds.
    private static func latency(_ port: Int) async throws -> Double {
        let start = ContinuousClock.now
        let answer = try await HTTPClient(port: port, limit: .seconds(180)).get("/healthz")
        #expect(answer.status == 200)
        return (ContinuousClock.now - start) / .milliseconds(1)
    }

    private static func residentMiB(_ process: Int32) -> Int {
        let text = FileManager.default.contents(atPath: "/proc/\(process)/statm").map {
            String(decoding: $0, as: UTF8.self)
        }
        let pages = text?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return (pages * sysconf(Int32(_SC_PAGESIZE))) >> 20
    }
}
