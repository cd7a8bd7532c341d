import Foundation
import NightjarTesting
import Synchronization

/// How long after a plugin's file was saved its new rule has counted a live event, seen at `/metrics`, under a steady load.
enum ReloadBenchmark {
    /// A plugin is reloaded at most twice a second, and a person saves more rarely.
    private static let pauseMicroseconds = 550_000
    /// One small request so often.
    private static let sendMicroseconds = 4000
    private static let pollMicroseconds = 1000
    /// What the slowest of a hundred saves may take, the 50 ms for which the folder has to be at rest included.
    private static let limitMilliseconds = 150.0

    static func run(_ options: BenchOptions) async throws -> [BenchRow] {
        let saves = options.isQuick ? 15 : 100
        let live = try await measure("reload, saved to counted", saves: saves, stores: false)
        guard live.p99 <= limitMilliseconds else {
            throw BenchFailure(description: "\(live.row.note), more than \(rounded(limitMilliseconds)) ms")
        }
        // With a store, an event shows once it is durable: that is the disk's time as much as the reload's.
        let stored = try await measure("reload, saved to counted, stored", saves: saves, stores: true)
        return [live.row, stored.row]
    }

    private static func measure(
        _ name: String,
        saves: Int,
        stores: Bool
    ) async throws -> (row: BenchRow, p99: Double) {
        let server = try await MeasuredServer(
            stores: stores,
            plugins: ["versioned.lua": BenchRules.versioned(0)]
        )
        let isOver = Flag()
        async let rate = onLargeThread { try keepSending(to: server, until: isOver) }
        async let measured = onLargeThread {
            defer { isOver.raise() }
            return try save(saves, on: server)
        }
        let (sorted, spansPerSecond) = (try await measured.sorted(), try await rate)
        try await server.stop()
        let (p50, p99) = (quantile(0.5, of: sorted), quantile(0.99, of: sorted))
        let row = BenchRow(
            name: name,
            unit: "ms",
            spread: Spread(sorted),
            note: "p50 \(rounded(p50)), p99 \(rounded(p99)) ms of \(saves) saves "
                + "at \(rounded(spansPerSecond)) spans/s"
        )
        return (row, p99)
    }

    /// The smallest figure that a share of all do not exceed.
    private static func quantile(_ share: Double, of sorted: [Double]) -> Double {
        sorted[max(0, Int((Double(sorted.count) * share).rounded(.up)) - 1)]
    }

    private static func rounded(_ figure: Double) -> String { String(Int(figure.rounded())) }

    /// Sends small requests at a steady pace; returns how many spans a second it came to.
    private static func keepSending(to server: MeasuredServer, until isOver: Flag) throws -> Double {
        var load = Load(.steady, spans: 12_000)
        let connection = try server.connection()
        let start = wallNanoseconds()
        var sent = 0
        while true {
            for body in load.bodies {
                guard !isOver.isRaised else {
                    return Double(sent) / Double(wallNanoseconds() - start) * 1_000_000_000
                }
                let status = try connection.post(body.bytes)
                guard status == 200 else {
                    throw BenchFailure(description: "reload: a request was answered with \(status)")
                }
                sent += body.spanCount
                pause(microseconds: sendMicroseconds)
            }
            load.renew()
        }
    }

    /// Saves version after version and waits for each; returns how many milliseconds each took.
    private static func save(_ count: Int, on server: MeasuredServer) throws -> [Double] {
        let connection = try server.connection()
        var random = SeededGenerator(seed: 1)
        return try (1...count).map { version in
            // In step with nothing that the server does by the clock.
            pause(microseconds: pauseMicroseconds + random.below(500_000))
            let mark = Array("bench_reload_total{version=\"\(version)\"}".utf8)
            let start = wallNanoseconds()
            try server.save(BenchRules.versioned(version), as: "versioned.lua")
            while try connection.get("/metrics").body.firstRange(of: mark) == nil {
                guard wallNanoseconds() - start < 10_000_000_000 else {
                    throw BenchFailure(description: "reload: version \(version) counted nothing within 10 s")
                }
                pause(microseconds: pollMicroseconds)
            }
            return Double(wallNanoseconds() - start) / 1_000_000
        }
    }
}

/// Says once, to whoever asks, that something is over.
final class Flag: Sendable {
    private let raised = Atomic<Bool>(false)

    var isRaised: Bool { raised.load(ordering: .relaxed) }

    func raise() { raised.store(true, ordering: .relaxed) }
}
