import Foundation
import NightjarTesting
import Testing

/// `nightjar types` and `nightjar new`.
@Suite(.serialized) struct EditorCommandTests {
    private func run(_ arguments: [String], in folder: Fixture) async throws -> (
        code: Int32, out: String, error: String
    ) {
        let process = try RunningProcess(RunningProcess.nightjar(), arguments, folder: folder.url)
        let code = try await process.exitCode()
        return (code, process.output, process.errorOutput)
    }

    @Test func `types writes definitions and settings that the loader passes over, again and again`()
        async throws
    {
        let folder = try Fixture()
        try folder.write("", to: "plugins/empty.lua")
        for _ in 1...2 {
            let ended = try await run(["types"], in: folder)
            #expect(ended.code == 0, "\(ended.error)")
            #expect(ended.out.split(separator: "\n").count == 2 && ended.error.isEmpty)
        }
        #expect(try folder.read("plugins/.nightjar/nightjar.lua").hasPrefix("---@meta"))
        #expect(try folder.read("plugins/.luarc.json").contains(".nightjar"))
        let check = try await run(["check"], in: folder)
        #expect(check.out == "1 plugin fine: empty\n")
    }

    @Test func `types leaves settings alone that someone wrote or changed, and says so`() async throws {
        let folder = try Fixture()
        try folder.write("{}", to: "plugins/.luarc.json")
        let foreign = try await run(["types", "plugins"], in: folder)
        #expect(foreign.code == 0)
        #expect(foreign.error.contains("plugins/.luarc.json is yours"))
        #expect(try folder.read("plugins/.luarc.json") == "{}")
        try folder.remove("plugins/.luarc.json")
        _ = try await run(["types", "plugins"], in: folder)
        let changed = try folder.read("plugins/.luarc.json").replacing("5.4", with: "5.3")
        try folder.write(changed, to: "plugins/.luarc.json")
        _ = try await run(["types", "plugins"], in: folder)
        #expect(try folder.read("plugins/.luarc.json") == changed)
        #expect(try await run(["types", "nowhere"], in: folder).code == 3)
    }

    @Test func `new writes a plugin and its test, which are fine`() async throws {
        let folder = try Fixture()
        for name in ["slow_tools", "9-lives"] {
            let ended = try await run(["new", name], in: folder)
            #expect(ended.code == 0, "\(ended.error)")
            #expect(ended.out == "written: plugins/\(name).lua\nwritten: plugins/\(name)_test.lua\n")
        }
        let check = try await run(["check", "plugins"], in: folder)
        #expect(check.code == 0, "\(check.error)")
        #expect(check.out == "2 plugins fine: 9-lives, slow_tools\n")
        guard try await ArticleRunner.hasTests() else { return }
        let tests = try await run(["test", "plugins"], in: folder)
        #expect(tests.code == 0, "\(tests.out)\(tests.error)")
    }

    @Test func `new keeps to names that plugins can have, and overwrites nothing`() async throws {
        let folder = try Fixture()
        for name in ["Upper", "a.b", "_draft", "../out", "thing_test", ""] {
            let ended = try await run(["new", name], in: folder)
            #expect(ended.code == 2 && ended.error.contains("cannot be a plugin's name"), "\(name)")
        }
        #expect(!FileManager.default.fileExists(atPath: folder.path("plugins")))
        for taken in ["mine/a.lua", "mine/b_test.lua", "mine/c/init.lua"] {
            try folder.write("-- mine", to: taken)
        }
        for name in ["a", "b", "c"] {
            let ended = try await run(["new", name, "--dir", "mine"], in: folder)
            #expect(ended.code == 1 && ended.error.contains("is there already"), "\(name)")
        }
        #expect(try folder.read("mine/a.lua") == "-- mine")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("mine")).count == 3)
    }
}
