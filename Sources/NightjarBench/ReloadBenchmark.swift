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
    private static let limitMilliseconds = 200.0

    static func run(_ options: BenchOptions) async throws -> [BenchRow] {
        let server = try await MeasuredServer(
            stores: true,
            plugins: ["versioned.lua": BenchRules.versioned(0)]
        )
        let saves = options.isQuick ? 15 : 50
        let isOver = Flag()
        async let rate = onLargeThread { try keepSending(to: server, until: isOver) }
        async let measured = onLargeThread {
            defer { isOver.raise() }
            return try save(saves, on: server)
        }
        let (milliseconds, spansPerSecond) = (try await measured, try await rate)
        try await server.stop()
        return [try row(milliseconds.sorted(), spansPerSecond)]
    }

    private static func row(_ sorted: [Double], _ spansPerSecond: Double) throws -> BenchRow {
        let p99 = sorted[Int((Double(sorted.count - 1) * 0.99).rounded())]
        let row = BenchRow(
            name: "reload, saved to counted",
            unit: "ms",
            spread: Spread(sorted),
            note: "p99 \(Int(p99.rounded())) ms of \(sorted.count) saves at \(Int(spansPerSecond)) spans/s"
        )
        guard p99 <= limitMilliseconds else {
            let slowest = sorted.suffix(5).map { String(Int($0)) }.joined(separator: ", ")
            throw BenchFailure(
                description: "\(row.note), more than \(Int(limitMilliseconds)) ms; median "
                    + "\(Int(row.spread.median)) ms, the slowest \(slowest) ms"
            )
        }
        return row
    }

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
            pause(microseconds: pauseMicroseconds + random.below(1_000_000))
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
