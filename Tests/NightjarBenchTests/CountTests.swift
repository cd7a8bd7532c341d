import Foundation
import NightjarBench
import Testing

/// How instructions, allocations and retains are read, kept and compared.
@Suite struct CountTests {
    @Test func `a function's calls are added up, by the name that its number was given first`() throws {
        let profile = try CallgrindProfile(
            """
            events: Ir
            fn=(1) main
            0 20
            cfn=(2) swift_retain
            calls=3 0
            0 30
            cfn=(3) malloc
            calls=2 0
            0 10
            fn=(4) walk'2
            cfn=(2)
            calls=4 0
            0 8
            cfn=(5) calloc
            calls=1 0
            0 9
            fn=(2)
            cfn=(4)
            calls=6 0
            0 1
            totals: 12345
            """
        )
        #expect(profile.instructions == 12_345)
        #expect(profile.retains == 7 && profile.allocations == 3)
        #expect(profile.calls["walk"] == 6)
        #expect(throws: (any Error).self) { try CallgrindProfile("events: Ir\n") }
    }

    @Test(arguments: [
        (1049.0, 0), (1051.0, 1), (900.0, 0),
    ])
    func `instructions may grow by a twentieth`(now: Double, excesses: Int) throws {
        let kept = PathCounts(instructions: 1000, allocations: 2, retains: 8)
        let found = PathCounts(instructions: now, allocations: 2, retains: 8)
        let lines = found.excesses(over: kept, tolerance: 0.05)
        #expect(lines.count == excesses)
        if let line = lines.first { #expect(line == "instructions 1000.0 -> 1051.0, +5.1 %, at most +5 %") }
    }

    @Test func `allocations and retains may not grow either, but for what is next to nothing`() {
        let kept = PathCounts(instructions: 1000, allocations: 0, retains: 8)
        let little = PathCounts(instructions: 1000, allocations: 0.009, retains: 8.4)
        #expect(little.excesses(over: kept, tolerance: 0.05).isEmpty)
        let much = PathCounts(instructions: 1000, allocations: 0.02, retains: 9)
        #expect(
            much.excesses(over: kept, tolerance: 0.05) == [
                "allocations 0.000 -> 0.020, from nothing, at most +5 %",
                "retains 8.000 -> 9.000, +12.5 %, at most +5 %",
            ]
        )
    }

    @Test func `what is written is read again`() throws {
        var file = CountsFile()
        file.set(
            "decode-protobuf",
            unit: "span",
            PathCounts(instructions: 7398.6, allocations: 0.077, retains: 3.146)
        )
        file.set("path", unit: "span", PathCounts(instructions: 60_000, allocations: 6.4, retains: 164))
        file.set("path", unit: "span", PathCounts(instructions: 61_000, allocations: 6.4, retains: 164))
        #expect(try CountsFile(file.text) == file)
        #expect(file["path"]?.instructions == 61_000 && file["none"] == nil)
        file.keep(["path"])
        #expect(file["decode-protobuf"] == nil)
        #expect(throws: (any Error).self) { try CountsFile("path span 1 2\n") }
    }

    @Test func `the repository's own file is one`() throws {
        let text = try String(
            contentsOf: Repository.root.appending(path: "scripts/bench-counts.txt"),
            encoding: .utf8
        )
        #expect(try CountsFile(text)["decode-protobuf"] != nil)
    }
}
