import Foundation
import NightjarTesting
import Testing

/// How often memory is asked for on the way of a span: by a count in a process of its own, which is the same every time.
/// A debug build asks more often than a release build, of which `scripts/bench --check` keeps the counts.
@Suite struct AllocationTests {
    private static let library = Result { try PreloadedLibrary.build("allocations.c") }

    /// A tenth above what was counted: 8.1, 47.3 and 47.3. The load's spans have about 20 attributes, so something for each
    /// attribute would be seen at once.
    @Test(arguments: [("decode-protobuf", 9.0), ("settle", 22.0), ("settle-extract", 22.0)])
    func `a span asks for memory so often at most`(path: String, most: Double) async throws {
        let once = try await Self.run(path, rounds: 2)
        let twice = try await Self.run(path, rounds: 4)
        let share = Double(twice.allocations - once.allocations) / Double(twice.spans - once.spans)
        #expect(share <= most, "\(path): \(share) allocations a span")
    }

    private static func run(_ path: String, rounds: Int) async throws -> (spans: Int, allocations: Int) {
        let process = try RunningProcess(
            try CommandTests.program,
            ["--count", path, "--rounds", "\(rounds)"],
            environment: ["LD_PRELOAD": try library.get(), "SWIFT_DETERMINISTIC_HASHING": "1"]
        )
        #expect(
            try await process.exitCode(limit: .seconds(120)) == 0,
            "\(process.output)\(process.errorOutput)"
        )
        let spans = try #require(Int(process.output.trimmingCharacters(in: .whitespacesAndNewlines)))
        let line = try #require(process.errorOutput.firstMatch(of: /allocations (\d+)/))
        return (spans, try #require(Int(line.1)))
    }
}
