import Foundation
import NightjarTesting
import Testing

/// How the program takes what it is told.
@Suite struct CommandTests {
    /// The built program, beside the server's.
    static var program: URL {
        get throws {
            try RunningProcess.nightjar().deletingLastPathComponent().appending(path: "NightjarBench")
        }
    }

    @Test(arguments: [
        ["nothing"], ["--count", "decode-protobuf"], ["--count", "nothing", "--rounds", "1"],
        ["--rounds", "1"],
        ["--write"], ["--check", "decode"], ["--check", "--profile", "x.svg"], ["--runs", "0"], ["--spans"],
    ])
    func `what makes no sense is refused with how it is used`(arguments: [String]) async throws {
        let process = try RunningProcess(try Self.program, arguments)
        #expect(try await process.exitCode() == 2)
        #expect(process.output.contains("usage: scripts/bench"))
    }

    @Test func `the help names every benchmark and path`() async throws {
        let process = try RunningProcess(try Self.program, ["--help"])
        #expect(try await process.exitCode() == 0)
        for name in ["decode", "one-trace", "trace-fetch", "metric-query", "store-insert", "rule-no-match"] {
            #expect(process.output.contains(name), "\(name)")
        }
    }
}
