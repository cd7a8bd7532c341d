import Foundation
import NightjarSignals
import NightjarTesting
import Testing

/// A running server whose disk fails: what it says, that it loses nothing it acknowledged, and that it recovers by itself.
@Suite(.serialized) struct DiskFaultTests {
    @Test func `a 200 is written after the sync of what it acknowledges has returned`() async throws {
        let disk = try FaultyDisk(Fixture(), hasLog: true)
        let server = try disk.serve()
        let client = HTTPClient(port: try await server.listeningAddress().port)
        for number in 1...20 { #expect(try await FaultRequest.send(number, to: client).status == 200) }
        let log = try disk.log()
        for number in 1...20 {
            let mark = String(format: "mark-%04d", number)
            let request = try #require(log.firstIndex(of: "request \(mark)"))
            let answer = try #require(log[request...].firstIndex(of: "answer 200"))
            let between = log[request..<answer]
            let written = try #require(between.firstIndex(of: "write wal done \(mark)"), "\(between)")
            #expect(between[written...].contains("sync wal done"), "\(between)")
        }
        server.signal(SIGTERM)
        #expect(try await server.exitCode() == 0)
    }

    @Test(
        arguments: [
            (["fail wal write ENOSPC"], "store (full)"), (["fail wal write EIO"], "store (io)"),
            (["short wal write"], "store (io)"), (["fail wal sync EIO"], "store (io)"),
            (["fail wal sync ENOSPC"], "store (io)"), (["fail wal write EROFS"], "store (io)"),
            (["fail wal write EIO", "fail wal sync EIO", "fail db write EIO"], "store (io)"),
        ]
    )
    func `while the disk fails inputs are refused, reads go on, and all is well once it is`(
        rules: [String],
        reason: String
    ) async throws {
        let disk = try FaultyDisk(Fixture())
        var server = try disk.serve()
        var client = HTTPClient(port: try await server.listeningAddress().port)
        #expect(try await FaultRequest.send(1, to: client).status == 200)
        try await wait(for: "the first to be counted") { try await FaultRequest.counted(client) == 1 }

        try disk.set(rules)
        for number in 2...3 {
            let answer = try await FaultRequest.send(number, to: client)
            #expect(answer.status == 503)
            #expect(answer.header("retry-after") == "5")
            #expect(answer.text.contains(reason), "\(answer.text)")
        }
        let deletion = try await client.send("DELETE", "/api/traces/\(FaultRequest.trace(1))")
        #expect(deletion.status == 503)
        #expect(deletion.header("retry-after") == "5")
        let ready = try await client.get("/readyz")
        #expect(ready.status == 503)
        #expect(try ready.json()["detail"]?.string?.contains(reason) == true, "\(ready.text)")
        #expect(try await client.get("/healthz").status == 200)
        #expect(try await FaultRequest.stored(1...3, client) == [1])
        #expect(try await FaultRequest.counted(client) == 1)

        try disk.set([])
        try await wait(for: "the server to be ready, nothing being sent") {
            try await client.get("/readyz").status == 200
        }
        for number in [4, 2] { #expect(try await FaultRequest.send(number, to: client).status == 200) }
        server.signal(SIGKILL)
        _ = try await server.exitCode()
        server = try disk.serve()
        client = HTTPClient(port: try await server.listeningAddress().port)
        try await wait(for: "all to be counted") { try await FaultRequest.counted(client) == 3 }
        #expect(try await FaultRequest.stored([1, 2, 4], client) == [1, 2, 4])
        server.signal(SIGTERM)
        #expect(try await server.exitCode() == 0)
    }

    @Test func `what waits to be processed while the disk fails is processed once it is well`() async throws {
        let disk = try FaultyDisk(Fixture())
        let server = try disk.serve()
        let client = HTTPClient(port: try await server.listeningAddress().port)
        // Two syncs each: of the input, and of what comes of it.
        for number in 1...30 {
            try disk.set(["fail wal sync EIO \(1 + number % 3) n\(number)"])
            try await wait(for: "request \(number) to be taken") {
                let status = try await FaultRequest.send(number, to: client).status
                #expect(status == 200 || status == 503)
                return status == 200
            }
        }
        try await wait(for: "all to be counted once") { try await FaultRequest.counted(client) == 30 }
        server.signal(SIGTERM)
        #expect(try await server.exitCode() == 0)
    }

    @Test func `a log that cannot be written back is told of, and loses nothing`() async throws {
        let disk = try FaultyDisk(Fixture())
        var server = try disk.serve(["--plugins", "none"], ["NIGHTJAR_REDACTION_ENABLED": "false"])
        var client = HTTPClient(port: try await server.listeningAddress().port)
        try disk.set(["fail db sync EIO"])
        // The log is written back when it has 32 MiB.
        let first = String(decoding: FaultRequest.run(1, padding: 1_000_000), as: UTF8.self)
        for number in 1...36 {
            let body = Array(first.replacing(FaultRequest.trace(1), with: FaultRequest.trace(number)).utf8)
            let answer = try await client.send("POST", "/v1/traces", headers: FaultRequest.json, body: body)
            #expect(answer.status == 200)
        }
        let ready = try await client.get("/readyz")
        #expect(ready.status == 503)
        #expect(ready.text.contains("the log cannot be written back"), "\(ready.text)")
        #expect(try await FaultRequest.send(37, to: client).status == 200)
        try disk.set([])
        try await wait(for: "the log to be written back") { try await client.get("/readyz").status == 200 }
        server.signal(SIGKILL)
        _ = try await server.exitCode()
        server = try disk.serve()
        client = HTTPClient(port: try await server.listeningAddress().port)
        try await wait(for: "all to be counted") { try await FaultRequest.counted(client) == 37 }
        server.signal(SIGTERM)
        #expect(try await server.exitCode() == 0)
    }
}
