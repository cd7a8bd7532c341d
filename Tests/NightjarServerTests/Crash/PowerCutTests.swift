import Foundation
import NightjarSignals
import NightjarTesting
import Testing

/// What is left when the power goes, on a disk that keeps what was synced, of the rest a part, and nothing of what it said it could
/// not write: the system marks such pages clean and never writes them again.
@Suite struct PowerCutTests {
    @Test func `what was acknowledged after a failed sync and a restart outlives a power cut`() async throws {
        let disk = try FaultyDisk(Fixture(), hasShadow: true)
        var random = SeededGenerator(seed: 1)
        var server = try disk.serve()
        var client = HTTPClient(port: try await server.listeningAddress().port)
        #expect(try await FaultRequest.send(1, to: client).status == 200)
        try await wait(for: "the first to be counted") { try await FaultRequest.counted(client) == 1 }
        try disk.set(["fail wal sync EIO"])
        #expect(try await FaultRequest.send(2, to: client).status == 503)
        server.signal(SIGKILL)
        _ = try await server.exitCode()

        // The log in the system's cache ends with the refused request; the disk has none of that.
        try disk.set([])
        server = try disk.serve()
        client = HTTPClient(port: try await server.listeningAddress().port)
        #expect(try await FaultRequest.send(3, to: client).status == 200)
        server.signal(SIGKILL)
        _ = try await server.exitCode()

        try disk.cutPower(&random)
        server = try disk.serve()
        client = HTTPClient(port: try await server.listeningAddress().port)
        #expect(try await FaultRequest.stored([1, 3], client) == [1, 3])
        server.signal(SIGTERM)
        #expect(try await server.exitCode() == 0)
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `what was acknowledged between failed syncs outlives a power cut`(seed: UInt64) async throws {
        let disk = try FaultyDisk(Fixture(), hasShadow: true)
        var random = SeededGenerator(seed: seed)
        var server = try disk.serve()
        var client = HTTPClient(port: try await server.listeningAddress().port)
        var acknowledged: [Int] = []
        for number in 1...24 {
            try disk.set(Bool.random(using: &random) ? ["fail wal sync EIO 1 n\(number)"] : [])
            // Sizes that differ: what is written over what failed is shorter, or longer.
            let padding = Int.random(in: 0...12_000, using: &random)
            if try await FaultRequest.send(number, to: client, padding: padding).status == 200 {
                acknowledged.append(number)
            }
            guard number % 8 == 0 else { continue }
            server.signal(SIGKILL)
            _ = try await server.exitCode()
            try disk.set([])
            if Bool.random(using: &random) { try disk.cutPower(&random) }
            server = try disk.serve()
            client = HTTPClient(port: try await server.listeningAddress().port)
            #expect(try await FaultRequest.stored(acknowledged, client) == acknowledged, "seed \(seed)")
        }
        #expect(!acknowledged.isEmpty)
        server.signal(SIGTERM)
        #expect(try await server.exitCode() == 0)
    }
}
