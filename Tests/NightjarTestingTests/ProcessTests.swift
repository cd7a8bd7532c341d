import Foundation
import NightjarTesting
import Testing

@Suite struct ProcessTests {
    static let shell = URL(fileURLWithPath: "/bin/sh")

    @Test func `lines of both streams are there as they come`() async throws {
        let process = try RunningProcess(
            Self.shell,
            ["-c", "echo one; echo two >&2; printf three; exec cat /dev/null"]
        )
        #expect(try await process.line(containing: "tw") == "two")
        #expect(try await process.exitCode() == 0)
        #expect(process.output == "one\nthree\n")
        #expect(process.errorOutput == "two\n")
    }

    @Test func `the exit code is told, and the signal that ended it`() async throws {
        #expect(try await RunningProcess(Self.shell, ["-c", "exit 3"]).exitCode() == 3)
        let process = try RunningProcess(
            Self.shell,
            ["-c", "echo ready; while :; do read -r x < /dev/zero; done"]
        )
        try await process.line(containing: "ready")
        process.signal(SIGTERM)
        #expect(try await process.exitCode() == -SIGTERM)
    }

    @Test func `an address is found in what a server prints`() async throws {
        let process = try RunningProcess(
            Self.shell,
            ["-c", "echo starting 1.2; echo 'listening on http://127.0.0.1:45678/'"]
        )
        let address = try await process.listeningAddress()
        #expect(address.host == "127.0.0.1")
        #expect(address.port == 45_678)
    }

    @Test func `a line that never comes is an error that shows what came instead`() async throws {
        let process = try RunningProcess(Self.shell, ["-c", "echo something else"])
        let error = await #expect(throws: WaitError.self) { try await process.line(containing: "ready") }
        #expect(error?.description.contains("something else") == true)
    }

    @Test func `the environment is without the product's configuration`() async throws {
        let process = try RunningProcess(
            Self.shell,
            ["-c", "echo [$NIGHTJAR_LISTEN] [$X] $PWD"],
            environment: ["X": "y"],
            folder: URL(fileURLWithPath: "/")
        )
        #expect(try await process.exitCode() == 0)
        #expect(process.output == "[] [y] /\n")
    }

    @Test func `a process ends with its object`() async throws {
        let id = try RunningProcess(Self.shell, ["-c", "while :; do read -r x < /dev/zero; done"]).id
        try await wait(for: "the end of \(id)") { kill(id, 0) != 0 }
    }

    @Test func `waiting ends at once when the condition holds, and at the limit otherwise`() async throws {
        try await wait(for: "nothing", limit: .zero) { true }
        let error = await #expect(throws: WaitError.self) {
            try await wait(for: "a miracle", limit: .milliseconds(5)) { false }
        }
        #expect(error?.description.contains("a miracle") == true)
    }

    @Test func `a fixture is a copy of its own, gone with the object`() throws {
        let original = try Fixture()
        try original.write("a", to: "deep/down.lua")
        var copy: Fixture? = try Fixture(copying: original.url)
        try copy?.write("b", to: "deep/down.lua")
        #expect(try original.read("deep/down.lua") == "a")
        #expect(try copy?.read("deep/down.lua") == "b")
        let path = try #require(copy?.path())
        copy = nil
        #expect(!FileManager.default.fileExists(atPath: path))
    }
}
