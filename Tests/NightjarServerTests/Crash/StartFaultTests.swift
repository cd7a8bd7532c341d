import Foundation
import GRDB
import NightjarSignals
import NightjarTesting
import Testing

/// Database files that the server cannot have: each is one clear line and exit 3 at the start, or a refusal while it runs.
@Suite(.serialized) struct StartFaultTests {
    /// Whether the tests may mount: root, in a mount space of their own.
    private static let mayMount = {
        let probe = Process()
        probe.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        probe.arguments = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        (probe.standardOutput, probe.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
        guard (try? probe.run()) != nil else { return false }
        probe.waitUntilExit()
        return probe.terminationStatus == 0
    }()

    @Test func `a database that cannot be opened is one line and exit 3`() async throws {
        let folder = try Fixture()
        try folder.write(String(repeating: "no database ", count: 1000), to: "text.db")
        try FileManager.default.createDirectory(
            atPath: folder.path("folder.db"),
            withIntermediateDirectories: true
        )
        try await fill(folder, "newer.db")
        try await DatabaseQueue(path: folder.path("newer.db")).write {
            try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('9999')")
        }
        try await fill(folder, "holes.db")
        // All of it into the file itself.
        try await DatabaseQueue(path: folder.path("holes.db")).writeWithoutTransaction {
            _ = try $0.checkpoint(.truncate)
        }
        let holes = try FileHandle(forUpdating: URL(fileURLWithPath: folder.path("holes.db")))
        let size = try holes.seekToEnd()
        try #require(size > 4096)
        try holes.seek(toOffset: 4096)
        try holes.write(contentsOf: Data(count: Int(size) - 4096))
        try holes.close()
        for (name, words) in [
            ("none/n.db", "there is no folder"), ("text.db", "not a database"), ("folder.db", "directory"),
            ("newer.db", "a newer version wrote this database"), ("holes.db", "malformed"),
        ] {
            try await expectRefusal(serve(folder, name), words)
        }
    }

    @Test func `a database that another process writes to is refused at the start, and 503 later`()
        async throws
    {
        let folder = try Fixture()
        try await fill(folder, "n.db")
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let other = try DatabaseQueue(path: folder.path("n.db"), configuration: configuration)
        try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
        try await expectRefusal(serve(folder, "n.db"), "locked")
        try await other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }

        let server = try serve(folder, "n.db")
        let client = HTTPClient(port: try await server.listeningAddress().port)
        #expect(try await FaultRequest.send(2, to: client).status == 200)
        try await expectRefusal(serve(folder, "n.db"), "another server writes to it")
        try await wait(for: "both to be counted") { try await FaultRequest.counted(client) == 2 }
        try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
        let refused = try await FaultRequest.send(3, to: client)
        #expect(refused.status == 503)
        #expect(refused.header("retry-after") != nil)
        #expect(refused.text.contains("store (busy)"))
        #expect(try await client.get("/readyz").status == 503)
        #expect(try await client.get("/healthz").status == 200)
        #expect(try await FaultRequest.stored([1, 2, 3], client) == [1, 2])
        try await other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
        try await wait(for: "the server to be ready") { try await client.get("/readyz").status == 200 }
        #expect(try await FaultRequest.send(3, to: client).status == 200)
        try await wait(for: "all to be counted") { try await FaultRequest.counted(client) == 3 }
        server.signal(SIGTERM)
        #expect(try await server.exitCode() == 0)
    }

    @Test(.enabled(if: mayMount)) func `a database that may not be written is one line and exit 3`()
        async throws
    {
        let folder = try Fixture()
        try await fill(folder, "n.db")
        let place = folder.path()
        let server = try serve(
            folder,
            "n.db",
            within: "mount --bind '\(place)' '\(place)' && mount -o remount,ro,bind '\(place)'"
        )
        try await expectRefusal(server, "Read-only file system")
    }

    @Test(.enabled(if: mayMount))
    func `a disk that is full refuses, reads on, and recovers when there is room`()
        async throws
    {
        let folder = try Fixture()
        try FileManager.default.createDirectory(
            atPath: folder.path("small"),
            withIntermediateDirectories: true
        )
        let place = folder.path("small")
        let server = try serve(
            folder,
            "small/n.db",
            within:
                "mount -t tmpfs -o size=4m tmpfs '\(place)' && head -c 2000000 /dev/zero >'\(place)/ballast'"
        )
        let client = HTTPClient(port: try await server.listeningAddress().port)
        let taken = try await fillUp(client, "store (full)")
        let ready = try await client.get("/readyz")
        #expect(ready.status == 503)
        #expect(ready.text.contains("store (full)"))
        #expect(try await client.get("/healthz").status == 200)
        #expect(try await FaultRequest.stored(1...taken, client).count == taken)
        // The folder as the server sees it.
        try FileManager.default.removeItem(atPath: "/proc/\(server.id)/root\(place)/ballast")
        try await wait(for: "the server to be ready") { try await client.get("/readyz").status == 200 }
        #expect(try await FaultRequest.send(taken + 1, to: client).status == 200)
        try await wait(for: "all to be counted") {
            try await FaultRequest.counted(client) == Double(taken + 1)
        }
        server.signal(SIGTERM)
        #expect(try await server.exitCode() == 0)
    }

    @Test func `a limit on the size of files refuses, and ends nothing`() async throws {
        let folder = try Fixture()
        // In blocks of 512 bytes in sh: 2 MiB.
        let server = try RunningProcess(
            URL(fileURLWithPath: "/bin/sh"),
            ["-c", "ulimit -f 4096 && exec \"$0\" \"$@\"", RunningProcess.nightjar().path]
                + arguments(folder, "n.db")
        )
        let client = HTTPClient(port: try await server.listeningAddress().port)
        let taken = try await fillUp(client, "store (")
        #expect(try await client.get("/healthz").status == 200)
        #expect(try await FaultRequest.stored(1...taken, client).count == taken)
        server.signal(SIGKILL)
        _ = try await server.exitCode()
        let next = try serve(folder, "n.db")
        let after = HTTPClient(port: try await next.listeningAddress().port)
        try await wait(for: "all to be counted") { try await FaultRequest.counted(after) == Double(taken) }
        next.signal(SIGTERM)
        #expect(try await next.exitCode() == 0)
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `a log that lost its end keeps what was before, and takes the rest again`(seed: UInt64) async throws
    {
        let folder = try Fixture()
        var random = SeededGenerator(seed: seed)
        let first = try serve(folder, "n.db")
        let before = HTTPClient(port: try await first.listeningAddress().port)
        for number in 1...12 { #expect(try await FaultRequest.send(number, to: before).status == 200) }
        first.signal(SIGKILL)
        _ = try await first.exitCode()
        let log = try FileHandle(forUpdating: URL(fileURLWithPath: folder.path("n.db-wal")))
        try log.truncate(atOffset: UInt64.random(in: 0...log.seekToEnd(), using: &random))
        try log.close()

        let second = try serve(folder, "n.db")
        let after = HTTPClient(port: try await second.listeningAddress().port)
        let left = try await FaultRequest.stored(1...12, after)
        #expect(left == Array(1..<left.count + 1), "seed \(seed)")
        for number in 1...12 { #expect(try await FaultRequest.send(number, to: after).status == 200) }
        try await wait(for: "all to be counted once") { try await FaultRequest.counted(after) == 12 }
        second.signal(SIGTERM)
        #expect(try await second.exitCode() == 0)
    }

    /// Sends until it is refused with these words; how many were taken.
    private func fillUp(_ client: HTTPClient, _ words: String) async throws -> Int {
        for number in 1...200 {
            let answer = try await FaultRequest.send(number, to: client, padding: 100_000)
            guard answer.status != 200 else { continue }
            #expect(answer.status == 503)
            #expect(answer.header("retry-after") == "5")
            #expect(answer.text.contains(words), "\(answer.text)")
            return number - 1
        }
        Issue.record("nothing was refused")
        return 200
    }

    /// A database that a server has written the first run to.
    private func fill(_ folder: Fixture, _ name: String) async throws {
        let server = try serve(folder, name)
        let client = HTTPClient(port: try await server.listeningAddress().port)
        #expect(try await FaultRequest.send(1, to: client).status == 200)
        server.signal(SIGTERM)
        #expect(try await server.exitCode() == 0)
    }

    private func arguments(_ folder: Fixture, _ name: String) -> [String] {
        ["serve", "--listen", "127.0.0.1:0", "--db", folder.path(name), "--plugins", "none"]
    }

    private func serve(_ folder: Fixture, _ name: String, within mounts: String? = nil) throws
        -> RunningProcess
    {
        guard let mounts else {
            return try RunningProcess(RunningProcess.nightjar(), arguments(folder, name))
        }
        return try RunningProcess(
            URL(fileURLWithPath: "/usr/bin/env"),
            ["unshare", "-m", "sh", "-c", "\(mounts) && exec \"$0\" \"$@\"", RunningProcess.nightjar().path]
                + arguments(folder, name)
        )
    }

    private func expectRefusal(_ server: RunningProcess, _ words: String) async throws {
        #expect(try await server.exitCode() == 3, "\(words)")
        let lines = server.errorOutput.split(separator: "\n")
        #expect(lines.count == 1, "\(server.errorOutput)")
        #expect(server.errorOutput.contains(words), "\(server.errorOutput)")
        #expect(server.output.isEmpty)
    }
}
