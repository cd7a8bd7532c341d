import Foundation
import NightjarTesting

/// Counts what paths execute, and holds it against what is kept in a file.
///
/// Each path is run twice in processes of their own, with as many rounds and with twice as many: what the difference has, the
/// rounds have, and all else, the start of the process included, has no part in it.
struct CountCheck: Sendable {
    /// Under valgrind a path takes some seconds; on a machine with other work many.
    private static let patience = Duration.seconds(600)
    private static let atOnce = 2

    /// Where the counts are kept.
    let file: String

    /// Counts paths, all where none are named; false where one has become dearer than it may, and is not written.
    func run(_ names: [String], writes: Bool) async throws -> Bool {
        let paths = CountedPath.all.filter { names.isEmpty || names.contains($0.name) }
        let old = FileManager.default.contents(atPath: file).map { String(decoding: $0, as: UTF8.self) }
        var kept = try CountsFile(old ?? "")
        var failures: [String] = []
        var cheaper: [String] = []
        let folder = try TemporaryFolder()
        let program = try await stripped(into: folder)
        try await counted(paths, by: program, folder) { path, counts in
            let line = report(path, counts, kept[path.name])
            print(line)
            fflush(nil)
            if writes {
                kept.set(path.name, unit: path.unit, counts)
            } else if let before = kept[path.name] {
                let excesses = counts.excesses(over: before, tolerance: path.tolerance)
                failures += excesses.map { "\(path.name): \($0)" }
                if counts.instructions < before.instructions * (1 - path.tolerance) {
                    cheaper.append(path.name)
                }
            } else {
                failures.append("\(path.name): \(file) does not know it")
            }
        }
        if writes {
            kept.keep(CountedPath.all.map(\.name))
            try kept.text.write(toFile: file, atomically: true, encoding: .utf8)
            print("bench: \(file) is written")
        }
        if !cheaper.isEmpty {
            print(
                "bench: cheaper than \(file) says, renew it with --write: \(cheaper.joined(separator: ", "))"
            )
        }
        for failure in failures { print("bench: dearer: \(failure)") }
        return failures.isEmpty
    }

    /// This program without what Swift says of it to debuggers, which valgrind 3.19 does not understand and stops at.
    private func stripped(into folder: TemporaryFolder) async throws -> String {
        let path = folder.path("program")
        let strip = try RunningProcess(
            URL(fileURLWithPath: "/usr/bin/env"),
            ["strip", "--strip-debug", "-o", path, CommandLine.arguments[0]]
        )
        guard try await strip.exitCode(limit: Self.patience) == 0 else {
            throw BenchFailure(description: "no copy without debug information: \(strip.errorOutput)")
        }
        return path
    }

    /// Counts paths two at a time and hands them on in their order.
    private func counted(
        _ paths: [CountedPath],
        by program: String,
        _ folder: TemporaryFolder,
        _ each: (CountedPath, PathCounts) -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: (Int, PathCounts).self) { group in
            var (started, handedOn) = (0, 0)
            var done: [Int: PathCounts] = [:]
            func start() {
                guard started < paths.count else { return }
                let (place, path) = (started, paths[started])
                group.addTask { (place, try await Self.counts(of: path, by: program, folder)) }
                started += 1
            }
            for _ in 0..<Self.atOnce { start() }
            while let (place, counts) = try await group.next() {
                done[place] = counts
                start()
                while let next = done[handedOn] {
                    each(paths[handedOn], next)
                    handedOn += 1
                }
            }
        }
    }

    private static func counts(
        of path: CountedPath,
        by program: String,
        _ folder: TemporaryFolder
    ) async throws -> PathCounts {
        let once = try await run(path, rounds: path.rounds, by: program, folder)
        let twice = try await run(path, rounds: 2 * path.rounds, by: program, folder)
        let units = Double(twice.units - once.units)
        func share(_ part: KeyPath<CallgrindProfile, Int>) -> Double {
            Double(twice.profile[keyPath: part] - once.profile[keyPath: part]) / units
        }
        return PathCounts(
            instructions: share(\.instructions),
            allocations: share(\.allocations),
            retains: share(\.retains)
        )
    }

    private static func run(
        _ path: CountedPath,
        rounds: Int,
        by program: String,
        _ folder: TemporaryFolder
    ) async throws -> (units: Int, profile: CallgrindProfile) {
        let output = folder.path("\(path.name).\(rounds)")
        let process = try RunningProcess(
            URL(fileURLWithPath: "/usr/bin/env"),
            [
                "valgrind", "--tool=callgrind", "--callgrind-out-file=\(output)", program, "--count",
                path.name, "--rounds", "\(rounds)",
            ],
            // Else each process hashes, and so sorts and probes, otherwise.
            environment: ["SWIFT_DETERMINISTIC_HASHING": "1"]
        )
        let code = try await process.exitCode(limit: patience)
        guard code == 0, let units = Int(process.output.trimmingCharacters(in: .whitespacesAndNewlines))
        else {
            throw BenchFailure(
                description: "\(path.name) ended with \(code):\n\(process.output)\(process.errorOutput)"
            )
        }
        let text = try String(contentsOfFile: output, encoding: .utf8)
        return (units, try CallgrindProfile(text))
    }

    private func report(_ path: CountedPath, _ counts: PathCounts, _ kept: PathCounts?) -> String {
        let change = kept.map { " (\(PathCounts.percent($0.instructions, counts.instructions)))" } ?? ""
        return "\(path.name): \(PathCounts.text(counts.instructions)) instructions\(change), "
            + "\(PathCounts.text(counts.allocations)) allocations, \(PathCounts.text(counts.retains)) retains a \(path.unit)"
    }
}
