import Foundation
import NightjarTesting
import Synchronization

/// How a life of the server in a crash test ends.
enum CrashEnd: Sendable {
    /// SIGKILL right after so many more requests were answered.
    case answers(Int)
    /// SIGKILL when half of a request was sent, after so many answers.
    case half(Int)
    /// The disk's rules kill it: at a write or a sync, counted from its start.
    case disk([String])
    /// SIGTERM after so many answers; then the rules kill it, or a SIGKILL at once where there are none.
    case stop(Int, [String])

    static func random(_ random: inout SeededGenerator) -> CrashEnd {
        func pick(_ range: ClosedRange<Int>, _ random: inout SeededGenerator) -> Int {
            Int.random(in: range, using: &random)
        }
        let moment = ["before", "half", "after"].randomElement(using: &random) ?? "half"
        switch pick(0...9, &random) {
        case 0, 1, 2: return .answers(pick(1...50, &random))
        case 3: return .half(pick(1...40, &random))
        // The first calls are those of the start: settling the log, and what is processed again.
        case 4: return .disk(["kill wal write \(pick(1...12, &random)) \(moment)"])
        case 5: return .disk(["kill wal sync \(pick(1...4, &random)) \(moment)"])
        case 6: return .disk(["kill wal write \(pick(20...600, &random)) \(moment)"])
        case 7: return .disk(["kill wal sync \(pick(5...60, &random)) \(moment)"])
        case 8: return .stop(pick(1...40, &random), [])
        default:
            return .stop(
                pick(1...40, &random),
                ["kill wal \(pick(0...1, &random) == 0 ? "write" : "sync") 0 \(moment)"]
            )
        }
    }

    var rules: [String] { if case .disk(let rules) = self { rules } else { [] } }
}

/// The server of a crash test, which is started again on the same file, and the lanes that send to it.
final class CrashServer: Sendable {
    private struct Life {
        let process: RunningProcess
        let client: HTTPClient
        let end: CrashEnd?
        /// Answers left until the end.
        var left: Int?
    }

    /// What no server should say to a request of the load.
    private struct Refusal: Error, CustomStringConvertible {
        let description: String
    }

    private struct State {
        var life: Life?
        var isDone = false
        var attempts: [String: Int] = [:]
        var answers = 0
        var unanswered = 0
        var deathsUnderLoad = 0
    }

    let disk: FaultyDisk
    private let arguments: [String]
    private let state = Mutex(State())

    init(_ disk: FaultyDisk, _ arguments: [String]) { (self.disk, self.arguments) = (disk, arguments) }

    /// How often each thing without an id was sent.
    var attempts: [String: Int] { state.withLock { $0.attempts } }
    /// What happened, for whoever reads the log of many runs.
    var summary: String {
        state.withLock {
            "\($0.deathsUnderLoad) under load, \($0.answers) requests taken, \($0.unanswered) sent again for want of an answer"
        }
    }

    /// Starts the server and returns when it is dead; how it ended. `failing`: the disk's rules from when it listens, or from its
    /// start.
    func live(_ end: CrashEnd, failing: [String], fromStart: Bool) async throws -> Int32 {
        try disk.set(end.rules + (fromStart ? failing : []))
        let process = try disk.serve(arguments, Self.variables)
        guard let address = try? await process.listeningAddress(limit: .seconds(60)) else {
            return try await process.exitCode()
        }
        try disk.set(end.rules + failing)
        let left: Int? =
            switch end {
            case .answers(let count), .half(let count), .stop(let count, _): count
            case .disk: nil
            }
        let isDone = state.withLock { state in
            state.life = Life(process: process, client: HTTPClient(port: address.port), end: end, left: left)
            return state.isDone
        }
        // Nothing more is sent: it dies of this, doing what is left to do.
        if isDone { process.signal(SIGKILL) }
        defer {
            state.withLock { state in
                state.life = nil
                if !state.isDone { state.deathsUnderLoad += 1 }
            }
        }
        return try await process.exitCode(limit: .seconds(120))
    }

    /// Starts the server for the rest.
    func stay() async throws -> (process: RunningProcess, client: HTTPClient) {
        try disk.set([])
        let process = try disk.serve(arguments, Self.variables)
        let client = HTTPClient(port: try await process.listeningAddress(limit: .seconds(60)).port)
        state.withLock { $0.life = Life(process: process, client: client, end: nil, left: nil) }
        return (process, client)
    }

    /// A server that listens, and its process.
    func listener() async throws -> (client: HTTPClient, process: Int32) {
        try await wait(for: "a server", limit: .seconds(120)) {
            state.withLock { state in state.life.map { ($0.client, $0.process.id) } }
        }
    }

    /// All lanes are through: nobody needs to wait for answers any more.
    func done() {
        state.withLock { state in
            state.isDone = true
            if state.life?.end != nil { state.life?.process.signal(SIGKILL) }
        }
    }

    /// Sends a request until it is taken.
    func send(_ request: CrashRequest) async throws {
        while true {
            let (client, process) = try await listener()
            if takeHalf() {
                sendHalf(of: request, to: client)
                state.withLock { if $0.life?.process.id == process { $0.life?.process.signal(SIGKILL) } }
            }
            state.withLock { state in for thing in request.unnamed { state.attempts[thing, default: 0] += 1 }
            }
            // No answer: it may have been taken, and is sent again.
            guard let answer = try? await send(request, client) else {
                state.withLock { $0.unanswered += 1 }
                try await wait(for: "the end of a server that does not answer", limit: .seconds(60)) {
                    state.withLock { $0.life?.process.id != process }
                }
                continue
            }
            if (200..<300).contains(answer.status) { return answered() }
            guard answer.status == 429 || answer.status == 503 else {
                throw Refusal(description: "\(request.path): \(answer.status) \(answer.text)")
            }
        }
    }

    private func send(_ request: CrashRequest, _ client: HTTPClient) async throws -> HTTPResponse {
        try await client.send(
            request.method,
            request.path,
            headers: request.path == "/api/events" ? [] : FaultRequest.json,
            body: request.body
        )
    }

    /// What `/metrics` has; nil where nobody answers.
    func metrics() async throws -> [String: Double]? {
        // Nobody there is no answer, and asked again.
        guard let text = try? await listener().client.get("/metrics").text else { return nil }
        return Dictionary(
            text.split(separator: "\n").compactMap { line in
                guard !line.hasPrefix("#"), let space = line.lastIndex(of: " ") else { return nil }
                return Double(line[line.index(after: space)...]).map { (String(line[..<space]), $0) }
            }
        ) { $1 }
    }

    private func answered() {
        state.withLock { state in
            state.answers += 1
            guard let left = state.life?.left, let life = state.life else { return }
            state.life?.left = left - 1
            guard left == 1 else { return }
            switch life.end {
            case .answers: life.process.signal(SIGKILL)
            case .stop(_, let rules):
                // What cannot be written leaves the server without rules: it then ends as it was told to.
                try? disk.set(rules)
                life.process.signal(SIGTERM)
                if rules.isEmpty { life.process.signal(SIGKILL) }
            default: break
            }
        }
    }

    /// Whether it is time for half a request; once.
    private func takeHalf() -> Bool {
        state.withLock { state in
            guard case .half = state.life?.end, let left = state.life?.left, left <= 0 else { return false }
            state.life?.left = nil
            return true
        }
    }

    private func sendHalf(of request: CrashRequest, to client: HTTPClient) {
        let head =
            "\(request.method) \(request.path) HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(request.body.count)\r\n\r\n"
        // Where it is dead already, that was its end.
        try? client.write(Array(head.utf8) + request.body.prefix(request.body.count / 2))
    }

    private static let variables = [
        "NIGHTJAR_TRACE_IDLEPERIOD": "300ms", "NIGHTJAR_TRACE_IDLETIMEOUT": "10m",
    ]
}
