import Synchronization

/// Sends requests to a server over some connections as fast as it answers, and says what that cost it.
struct LoadSender: Sendable {
    /// One load sent.
    struct Run {
        /// Microseconds of the server's processor time for a span.
        let spent: Double
        /// Spans a second.
        let rate: Double
        /// How long each answer took, in nanoseconds.
        let latencies: [Int64]
        let refused: Int
        /// Microseconds of this process's processor time for a span.
        let generator: Double
    }

    /// How long before a request that was refused is sent again.
    private static let retryMicroseconds = 50_000

    private let server: MeasuredServer
    private let connections: Int
    private let encoding: LoadEncoding

    init(_ server: MeasuredServer, connections: Int = 1, encoding: LoadEncoding = .protobuf) {
        (self.server, self.connections, self.encoding) = (server, connections, encoding)
    }

    /// Sends bodies that hold so many spans together; returns once the server rests again.
    func send(_ bodies: [[UInt8]], spans: Int) async throws -> Run {
        try await server.rest()
        let (cpu, own, wall) = (try server.nanoseconds(), processNanoseconds(), wallNanoseconds())
        let next = Counter()
        let refused = Counter()
        let latencies = try await withThrowingTaskGroup(of: [Int64].self) { group in
            for _ in 0..<connections {
                group.addTask { try await onLargeThread { try sendShare(bodies, next, refused) } }
            }
            var all: [Int64] = []
            for try await part in group { all += part }
            return all
        }
        let seconds = Double(wallNanoseconds() - wall) / 1_000_000_000
        let generator = Double(processNanoseconds() - own) / 1000
        // Longer than a trace has to be quiet to end.
        try await Task.sleep(for: .milliseconds(500))
        try await server.rest()
        let count = Double(spans)
        return Run(
            spent: Double(try server.nanoseconds() - cpu) / 1000 / count,
            rate: count / seconds,
            latencies: latencies,
            refused: refused.value,
            generator: generator / count
        )
    }

    /// One connection's part: whatever body is next, until none is left. Returns how long each answer took.
    func sendShare(_ bodies: [[UInt8]], _ next: Counter, _ refused: Counter) throws -> [Int64] {
        let connection = try server.connection()
        var latencies: [Int64] = []
        while true {
            let index = next.advance()
            guard index < bodies.count else { return latencies }
            while true {
                let start = wallNanoseconds()
                let status = try connection.post(bodies[index], as: encoding)
                if status == 200 {
                    latencies.append(wallNanoseconds() - start)
                    break
                }
                guard status == 429 || status == 503 else {
                    throw BenchFailure(description: "a request was answered with \(status)")
                }
                _ = refused.advance()
                pause(microseconds: Self.retryMicroseconds)
            }
        }
    }
}

/// A number that several threads count up.
final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    var value: Int { count.load(ordering: .relaxed) }

    /// The number before it was counted up.
    func advance() -> Int { count.wrappingAdd(1, ordering: .relaxed).oldValue }
}
