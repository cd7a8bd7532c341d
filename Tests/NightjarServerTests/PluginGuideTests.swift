import Foundation
import NightjarSignals
import NightjarTesting
import Testing

/// The tutorial of the article on plugins, done step by step: what it says comes out, comes out.
@Suite(.serialized) struct PluginGuideTests {
    private static let steps = [
        "Tutorial", "1. A counter", "2. Labels and a match", "3. A scorer", "4. A test",
        "5. Live, and what it costs",
    ]

    @Test func `the tutorial prints what it says at every step`() async throws {
        let article = try Article("Plugins")
        let runner = try ArticleRunner()
        var checked = 0
        var commands: String?
        for step in Self.steps {
            let parts = article.section(step)
            #expect(!parts.isEmpty, "\(step)")
            var path: String?
            for part in parts {
                switch part {
                case .heading: break
                case .text(let text): path = named(in: text) ?? path
                case .code("sh", let text):
                    if let waiting = commands { _ = try await runner.run(waiting) }
                    commands = text
                case .code("text", let text):
                    let expected = text.split(separator: "\n").map(String.init).sorted()
                    let said = try #require(commands, "\(step) shows output without a command")
                    let printed = try await runner.run(said, expecting: expected)
                    #expect(printed == expected, "\(step)")
                    checked += 1
                    commands = nil
                case .code(_, let text):
                    try await save(text, to: try #require(path, "\(step): which file is it?"), runner)
                }
            }
        }
        #expect(commands == nil && checked == 7)
        try await expectCost(runner)
        try await runTests(runner)
    }

    /// The file that a paragraph says to save, or to change.
    private func named(in text: String) -> String? {
        let names = text.matches(of: /`((?:plugins\/)?\w+\.(?:lua|jsonl))`/)
        return names.last.map { String($0.1) }
    }

    private func save(_ text: String, to path: String, _ runner: ArticleRunner) async throws {
        let exists = FileManager.default.fileExists(atPath: runner.folder.path(path))
        try runner.folder.write(text, to: path)
        if exists, text.contains("nightjar.log.warn") { try await runner.serverSaid("loaded, generation 2") }
    }

    private func expectCost(_ runner: ArticleRunner) async throws {
        let plugins = try await runner.plugins().json()["plugins"]?.array ?? []
        #expect(plugins.map { $0["name"] } == ["concise", "tools"])
        let rule = try #require(plugins.last?["rules"]?.array?.first)
        #expect(rule["calls"] == 3)
        #expect(rule["errors"] == 0)
    }

    private func runTests(_ runner: ArticleRunner) async throws {
        guard try await ArticleRunner.hasTests() else { return }
        // The tests are of the version before the last step.
        let article = try Article("Plugins")
        let version = try #require(article.section("2. Labels and a match").code("lua").first)
        try runner.folder.write(version, to: "plugins/tools.lua")
        let burst = try Article("PluginRecipes").section("Alert on a burst of errors").code("lua")
        try runner.folder.write(try #require(burst.first), to: "plugins/burst.lua")
        let test = article.section("Testing").code("lua")
        try runner.folder.write(try #require(test.first), to: "plugins/burst_test.lua")
        #expect(try await !runner.run("nightjar test plugins").isEmpty)
    }

    @Test func `the other Lua of the guide loads`() async throws {
        let article = try Article("Plugins")
        let runner = try ArticleRunner()
        for section in article.headings where !Self.steps.contains(section) && section != "Testing" {
            for (place, text) in article.section(section).code("lua").enumerated() {
                try runner.folder.write(text, to: "plugins/\(section.lowercased())_\(place).lua")
            }
        }
        #expect(try await runner.run("nightjar check plugins") == ["2 plugins fine: settings_0, state_0"])
    }
}
