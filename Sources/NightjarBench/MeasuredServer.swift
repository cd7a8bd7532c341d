import Foundation
import NightjarTesting

/// The built server as a process of its own, with a database and plugins of its own.
final class MeasuredServer: Sendable {
    /// The folder of its plugins, beside its database as it is by default.
    let plugins: String
    let host: String
    let port: Int
    private let process: RunningProcess
    private let data: TemporaryFolder

    /// Starts a server; `environment` is put on top of its own.
    init(
        stores: Bool,
        plugins files: [String: String],
        environment: [String: String] = [:]
    ) async throws {
        data = try TemporaryFolder()
        plugins = data.path("plugins")
        try FileManager.default.createDirectory(atPath: plugins, withIntermediateDirectories: false)
        for (name, text) in files { try data.write(text, to: "plugins/\(name)") }
        process = try RunningProcess(
            try RunningProcess.nightjar(),
            [
                "serve", "--listen", "127.0.0.1:0", "--db", stores ? data.path("nightjar.db") : "none",
                "--plugins", plugins, "--log-level", "error",
            ],
            environment: environment
        )
        (host, port) = try await process.listeningAddress()
    }

    /// Saves a plugin as editors do: written beside and put in its place.
    func save(_ text: String, as name: String) throws {
        let path = try data.write(text, to: "plugins/.\(name).new")
        guard rename(path, "\(plugins)/\(name)") == 0 else {
            throw BenchFailure(description: "\(name) could not be saved: \(String(cString: strerror(errno)))")
        }
    }

    /// A connection to it.
    func connection() throws -> KeepAliveConnection { try KeepAliveConnection(host: host, port: port) }

    /// The processor time that it has used, all its threads, in nanoseconds.
    func nanoseconds() throws -> Int64 {
        var clock = clockid_t()
        guard clock_getcpuclockid(process.id, &clock) == 0 else {
            throw BenchFailure(description: "the server has gone:\n\(process.errorOutput)")
        }
        return clockNanoseconds(clock)
    }

    /// The size of its database with what belongs to it, in bytes.
    var databaseBytes: Int {
        ["", "-wal"].reduce(0) { sum, end in
            let attributes = try? FileManager.default.attributesOfItem(atPath: data.path("nightjar.db\(end)"))
            // Absent where there is none.
            return sum + ((attributes?[.size] as? Int) ?? 0)
        }
    }

    /// The most memory that it has had, in MiB.
    var peakMebibytes: Int {
        // Absent on other systems than Linux; then it stays unsaid.
        let text = (try? String(contentsOfFile: "/proc/\(process.id)/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return (line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) >> 10
    }

    /// Waits until it uses next to no processor time any more: until what it took is finished.
    func rest(limit: Duration = .seconds(30)) async throws {
        let end = ContinuousClock.now.advanced(by: limit)
        var (last, calm) = (try nanoseconds(), 0)
        while calm < 3, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(100))
            let now = try nanoseconds()
            calm = now - last < 2_000_000 ? calm + 1 : 0
            last = now
        }
    }

    /// What its `/metrics` say.
    func totals() async throws -> LoadTotals {
        let answer = try await onLargeThread { [self] in try connection().get("/metrics") }
        return LoadTotals(prometheus: String(decoding: answer.body, as: UTF8.self))
    }

    /// What has become of it, for a failure's message.
    func complaints() async -> String {
        // Absent where it still runs.
        let code = try? await process.exitCode(limit: .seconds(2))
        return (code.map { "the server ended with \($0)\n" } ?? "the server runs on\n") + process.errorOutput
    }

    /// The number of its process.
    var id: Int32 { process.id }

    /// Its database file.
    var database: String { data.path("nightjar.db") }

    /// Tells it to stop and waits for that.
    func stop() async throws {
        process.signal(SIGTERM)
        let code = try await process.exitCode()
        guard code == 0 else {
            throw BenchFailure(description: "the server ended with \(code):\n\(process.errorOutput)")
        }
    }
}
