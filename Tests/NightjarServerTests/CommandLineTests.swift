import Foundation
import NightjarSignals
import NightjarTesting
import Testing

/// The binary as a user calls it: what it prints, and how it exits.
@Suite(.serialized) struct CommandLineTests {
    private func run(_ arguments: [String], folder: URL? = nil) async throws -> (
        code: Int32, out: String, error: String
    ) {
        let process = try RunningProcess(RunningProcess.nightjar(), arguments, folder: folder)
        let code = try await process.exitCode()
        return (code, process.output, process.errorOutput)
    }

    @Test func `version prints the version`() async throws {
        let plain = try await run(["version"])
        #expect(plain.code == 0)
        #expect(plain.out.hasPrefix("nightjar 0."))
        let json = try await run(["version", "--json"])
        #expect(try Value(json: json.out.trimmingCharacters(in: .whitespacesAndNewlines))["version"] != nil)
    }

    @Test(arguments: [
        ["nonsense"], ["serve", "--listen", "nowhere"], ["serve", "--log-level", "loud"], ["run"],
        ["metrics", "list", "--server", "nowhere"],
    ])
    func `wrong usage ends with 2 and says what is wrong`(_ arguments: [String]) async throws {
        let ended = try await run(arguments)
        #expect(ended.code == 2)
        #expect(!ended.error.isEmpty)
    }

    @Test func `listening beyond loopback without keys is refused`() async throws {
        let ended = try await run(["serve", "--listen", "0.0.0.0:0", "--db", "none"])
        #expect(ended.code == 2)
        #expect(ended.error.contains("--insecure"))
    }

    @Test func `a taken port and a database that cannot be opened end with 3 and one clear line`()
        async throws
    {
        let folder = try Fixture()
        let first = try RunningProcess(
            RunningProcess.nightjar(),
            ["serve", "--listen", "127.0.0.1:0", "--db", "none", "--plugins", "none"]
        )
        let port = try await first.listeningAddress().port
        let second = try await run([
            "serve", "--listen", "127.0.0.1:\(port)", "--db", "none", "--plugins", "none",
        ])
        #expect(second.code == 3)
        #expect(second.error.split(separator: "\n").count == 1, "\(second.error)")
        first.signal(SIGTERM)
        #expect(try await first.exitCode() == 0)
        let missing = folder.path("no/such/folder/n.db")
        let third = try await run(["serve", "--listen", "127.0.0.1:0", "--db", missing, "--plugins", "none"])
        #expect(third.code == 3)
        #expect(third.error.contains("no/such/folder"), "\(third.error)")
    }

    @Test func `check reports every mistake with file and line, and ends with 1`() async throws {
        let folder = try Fixture()
        try folder.write("local x = = 1\n", to: "plugins/broken.lua")
        try folder.write(
            "\nnightjar.on(\"span_ended\", { typ = \"tool_call\" }, function() end)\n",
            to: "plugins/typo.lua"
        )
        let ended = try await run(["check", folder.path("plugins")])
        #expect(ended.code == 1)
        #expect(ended.error.contains("broken.lua:1"))
        #expect(ended.error.contains("typo.lua:2"))
        #expect(ended.error.contains("type"), "a suggestion")
    }

    @Test func `run prints what a plugin emits over recorded bodies, as tables or as JSON lines`()
        async throws
    {
        let script = PluginTests.examples.appendingPathComponent("tool_failures.lua").path
        let input = Captures.folder.appendingPathComponent("genai-openai").path
        let tables = try await run(["run", script, "--input", input])
        #expect(tables.code == 0, "\(tables.error)")
        #expect(tables.out.contains("33 spans read"))
        #expect(tables.out.contains("agent=trip_planner error_type=ValueError tool=lookup_price  1"))
        let lines = try await run(["run", script, "--input", input, "--json"])
        let events = try lines.out.split(separator: "\n").map { try Value(json: String($0)) }
        #expect(events.map { $0["type"] } == ["metric"])
        #expect(events.first?["metric"]?["labels"]?["tool"] == "lookup_price")
        let builtIn = try await run(["run", "--input", input, "--json"])
        #expect(builtIn.out.contains("mastra_model_input_tokens"))
    }

    @Test func `run names a file that is no body of traces, and one that is not there`() async throws {
        let folder = try Fixture()
        try folder.write("{\"resourceSpans\": [", to: "cut.json")
        let cut = try await run(["run", "--input", folder.path("cut.json")])
        #expect(cut.code == 1)
        #expect(cut.error.contains("cut.json"))
        let missing = try await run(["run", "--input", folder.path("missing.pb")])
        #expect(missing.code == 3)
    }
}
