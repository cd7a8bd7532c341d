import Foundation
import NightjarSignals
import NightjarTesting
import Testing

/// The server on a disk that fails on command: `Tests/Faults/disk.c` preloaded, which says what it can do.
struct FaultyDisk: Sendable {
    let folder: Fixture
    /// Keeps what a power cut would leave.
    let hasShadow: Bool
    /// Writes down what happens, in order.
    let hasLog: Bool
    private static let library = Result { try PreloadedLibrary.build("disk.c") }

    init(_ folder: Fixture, hasShadow: Bool = false, hasLog: Bool = false) throws {
        _ = try Self.library.get()
        (self.folder, self.hasShadow, self.hasLog) = (folder, hasShadow, hasLog)
        try FileManager.default.createDirectory(
            atPath: folder.path("shadow"),
            withIntermediateDirectories: true
        )
        try set([])
    }

    var database: String { folder.path("nightjar.db") }

    /// Starts the server on it.
    func serve(_ arguments: [String] = ["--plugins", "none"], _ variables: [String: String] = [:]) throws
        -> RunningProcess
    {
        var environment = [
            "LD_PRELOAD": try Self.library.get(), "FAULTY_DISK_FILE": database,
            "FAULTY_DISK_RULES": folder.path("rules"),
        ]
        if hasShadow { environment["FAULTY_DISK_SHADOW"] = folder.path("shadow") }
        if hasLog { environment["FAULTY_DISK_LOG"] = folder.path("log") }
        return try RunningProcess(
            RunningProcess.nightjar(),
            ["serve", "--listen", "127.0.0.1:0", "--db", database] + arguments,
            environment: environment.merging(variables) { $1 }
        )
    }

    /// What fails from now on.
    func set(_ rules: [String]) throws {
        try folder.write(rules.map { $0 + "\n" }.joined(), to: "rules")
    }

    /// What happened so far.
    func log() throws -> [String] {
        try String(contentsOfFile: folder.path("log"), encoding: .utf8).split(separator: "\n").map(
            String.init
        )
    }

    /// Takes the power away from a disk whose server is dead: what was written and not synced is there by the sector or not.
    func cutPower(_ random: inout SeededGenerator) throws {
        let files = FileManager.default
        for (name, path) in [("db", database), ("wal", database + "-wal")] {
            let shadow = folder.path("shadow/\(name)")
            guard files.fileExists(atPath: shadow) else {
                if files.fileExists(atPath: path) { try files.removeItem(atPath: path) }
                continue
            }
            try tear(name, path, shadow, &random)
            try Data(contentsOf: URL(fileURLWithPath: shadow)).write(to: URL(fileURLWithPath: path))
            try Data().write(to: URL(fileURLWithPath: shadow + ".dirty"))
        }
        if files.fileExists(atPath: database + "-shm") { try files.removeItem(atPath: database + "-shm") }
    }

    private func tear(_ name: String, _ path: String, _ shadow: String, _ random: inout SeededGenerator)
        throws
    {
        let sector = 512
        guard let dirty = FileManager.default.contents(atPath: shadow + ".dirty"),
            let written = FileManager.default.contents(atPath: path),
            let file = FileHandle(forUpdatingAtPath: shadow)
        else { return }
        let numbers = dirty.withUnsafeBytes { Array($0.bindMemory(to: Int64.self)) }
        for place in stride(from: 0, to: numbers.count - 1, by: 2) {
            let end = min(Int(numbers[place] + numbers[place + 1]), written.count)
            for start in stride(from: Int(numbers[place]), to: end, by: sector)
            where Bool.random(using: &random) {
                try file.seek(toOffset: UInt64(start))
                try file.write(contentsOf: written[start..<min(start + sector, end)])
            }
        }
        try file.close()
    }
}

/// Requests that the tests of a failing disk send.
enum FaultRequest {
    static let json = [(name: "Content-Type", value: "application/json")]

    /// One agent run, a trace of its own, with a mark that the disk's log shows.
    static func run(_ number: Int, padding: Int = 0) -> [UInt8] {
        let mark = String(format: "mark-%04d", number)
        return IngestTests.body(
            trace: trace(number),
            attributes: [
                ("gen_ai.operation.name", "invoke_agent"), ("gen_ai.agent.name", "helper"),
                ("note", .string(mark + String(repeating: "x", count: padding))),
            ]
        )
    }

    static func trace(_ number: Int) -> String { String(format: "%032x", number + 1) }

    /// Sends one.
    static func send(_ number: Int, to client: HTTPClient, padding: Int = 0) async throws -> HTTPResponse {
        try await client.send("POST", "/v1/traces", headers: json, body: run(number, padding: padding))
    }

    /// How many runs `/metrics` has.
    static func counted(_ client: HTTPClient) async throws -> Double {
        let text = try await client.get("/metrics").text
        let line = text.split(separator: "\n").first { $0.hasPrefix("mastra_agent_runs_ended{") }
        return line.flatMap { $0.split(separator: " ").last }.flatMap { Double($0) } ?? 0
    }

    /// Which of these traces are stored.
    static func stored(_ numbers: some Sequence<Int>, _ client: HTTPClient) async throws -> [Int] {
        var stored: [Int] = []
        for number in numbers where try await client.get("/api/traces/\(trace(number))").status == 200 {
            stored.append(number)
        }
        return stored
    }
}
