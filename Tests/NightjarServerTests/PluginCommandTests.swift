import Foundation
import Nightjar
import NightjarSignals
import NightjarTesting
import Testing

/// `nightjar plugins`, `top` and `explain` against a running server.
@Suite(.serialized) struct PluginCommandTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    private static let script = """
        local hits = nightjar.counter("hits_total")
        nightjar.on("span_ended", { type = "agent_run" }, function() hits:add(1) end)
        nightjar.on("span_ended", { type = "agent_run", agent = "other" }, function() end)
        """

    private func ended(_ arguments: [String], _ server: TestServer? = nil) async throws -> (
        code: Int32, out: String, error: String
    ) {
        let process = try RunningProcess(
            RunningProcess.nightjar(),
            arguments,
            environment: server.map { ["NIGHTJAR_SERVER": $0.address] } ?? [:]
        )
        let code = try await process.exitCode()
        return (code, process.output, process.errorOutput)
    }

    /// The cells of a printed table's rows, columns being two spaces apart.
    private func rows(_ text: String) -> [[String]] {
        text.split(separator: "\n").map { line in
            line.split(separator: /\ \ +/).map { $0.trimmingCharacters(in: .whitespaces) }
        }
    }

    @Test func `plugins are listed with their state and cost, as a table or JSON`() async throws {
        let plugins = ["rule.lua": Self.script, "broken.lua": "local x = = 1"]
        try await TestServer.run(plugins: plugins) { server in
            try await PluginRouteTests.sendRun(to: server)
            let list = try await ended(["plugins", "list"], server)
            #expect(list.code == 0, "\(list.error)")
            let rows = rows(list.out)
            #expect(
                rows.contains { $0.prefix(7) == ["rule", "running", "-", "1", "2", "1", "1"] },
                "\(list.out)"
            )
            #expect(rows.contains { $0.prefix(2) == ["broken", "failed"] }, "\(list.out)")
            #expect(list.out.contains("broken.lua:1:"))
            let json = try await ended(["plugins", "list", "--json", "--server", server.address])
            let answer = try Value(json: json.out.trimmingCharacters(in: .whitespacesAndNewlines))
            #expect(answer["plugins"]?.array?.map { $0["name"] } == ["broken", "rule"])
        }
    }

    @Test func `a plugin is controlled by name, and a refusal ends with 1 and the reason`() async throws {
        try await TestServer.run(plugins: ["rule.lua": Self.script]) { server in
            let off = try await ended(["plugins", "disable", "rule"], server)
            #expect(off.code == 0 && off.out.hasPrefix("rule: disabled, generation 1"), "\(off)")
            let on = try await ended(["plugins", "enable", "rule"], server)
            #expect(on.code == 0 && on.out.hasPrefix("rule: running, generation 2"), "\(on)")
            let conflict = try await ended(["plugins", "rollback", "rule"], server)
            #expect(conflict.code == 1)
            #expect(conflict.error.contains("answers 409: plugin rule: there is no earlier content"))
            #expect(conflict.error.split(separator: "\n").count == 1)
            try server.folder.write(Self.script + "\n-- changed", to: "plugins/rule.lua")
            let reloaded = try await ended(["plugins", "reload", "rule", "--json"], server)
            #expect(reloaded.code == 0, "\(reloaded.error)")
            let status = try Value(json: reloaded.out.trimmingCharacters(in: .whitespacesAndNewlines))
            #expect(status["name"] == "rule")
            let back = try await ended(["plugins", "rollback", "rule"], server)
            #expect(back.code == 0 && back.out.contains("running, pinned"), "\(back)")
            try server.folder.write("\nlocal x = = 1", to: "plugins/rule.lua")
            let fault = try await ended(["plugins", "reload", "rule"], server)
            #expect(fault.code == 1 && fault.error.contains("rule.lua:2:"), "\(fault)")
            let unknown = try await ended(["plugins", "reload", "nothing"], server)
            #expect(unknown.code == 1 && unknown.error.contains("there is no plugin 'nothing'"))
        }
    }

    @Test func `the errors of a plugin are printed, and followed as they come`() async throws {
        let script =
            "nightjar.on('span_ended', nil, function(span) error('no ' .. span.trace_id:sub(1, 1)) end)"
        try await TestServer.run(plugins: ["bad.lua": script]) { server in
            let none = try await ended(["plugins", "logs", "bad"], server)
            #expect(none.code == 0 && none.out.isEmpty)
            try await PluginRouteTests.sendRun(to: server)
            let one = try await ended(["plugins", "logs", "bad"], server)
            #expect(one.code == 0)
            #expect(
                one.out.contains("bad.lua:1: no 4") && one.out.contains("trace \(Self.trace)"),
                "\(one.out)"
            )
            let follower = try RunningProcess(
                RunningProcess.nightjar(),
                ["plugins", "logs", "-f", "bad", "--json", "--server", server.address]
            )
            try await follower.line(containing: "no 4")
            try await PluginRouteTests.sendRun(to: server, trace: String(repeating: "e", count: 32))
            let line = try await follower.line(containing: "no e")
            #expect(try Value(json: line)["count"] == 1)
            #expect(follower.output.split(separator: "\n").count == 2, "\(follower.output)")
            follower.signal(SIGINT)
            #expect(try await follower.exitCode() != 0)
            let unknown = try await ended(["plugins", "logs", "nothing"], server)
            #expect(unknown.code == 1 && unknown.error.contains("there is no plugin 'nothing'"))
        }
    }

    @Test func `top prints rules by what they cost, once where there is no terminal`() async throws {
        let costly = """
            nightjar.on("span_ended", nil, function()
              local t = {}
              for i = 1, 20000 do t[i % 7] = i end
            end)
            """
        try await TestServer.run(plugins: ["a.lua": Self.script, "costly.lua": costly]) { server in
            try await PluginRouteTests.sendRun(to: server)
            let top = try await ended(["top"], server)
            #expect(top.code == 0, "\(top.error)")
            let rows = rows(top.out)
            #expect(rows.first?.first?.hasPrefix("3 rules") == true, "\(top.out)")
            #expect(rows.dropFirst().map { $0[0] } == ["PLUGIN", "costly", "a", "a"], "\(top.out)")
            #expect(rows[2].contains("closed") && rows[2].contains("costly.lua:1"))
            #expect(!top.out.contains("\u{1B}"))
            let json = try await ended(["top", "--json", "--once"], server)
            #expect(
                try Value(json: json.out.trimmingCharacters(in: .whitespacesAndNewlines))["plugins"] != nil
            )
        }
    }

    @Test func `explain says what each rule did and which key does not hold`() async throws {
        try await TestServer.run(plugins: ["rule.lua": Self.script, "other.lua": "local x"]) { server in
            try await PluginRouteTests.sendRun(to: server)
            let all = try await ended(["explain", Self.trace], server)
            #expect(all.code == 0, "\(all.error)")
            let rows = rows(all.out)
            #expect(rows.contains { $0.prefix(3) == ["rule", "span_ended", "ran"] }, "\(all.out)")
            #expect(
                rows.contains {
                    $0.prefix(5) == ["rule", "span_ended#2", "no_match", "agent", "00f067aa0ba902b7"]
                },
                "\(all.out)"
            )
            for name in ["span_ended#2", "rule/span_ended#2", "rule.lua:3"] {
                let one = try await ended(["explain", Self.trace, name, "--json"], server)
                let answer = try Value(json: one.out.trimmingCharacters(in: .whitespacesAndNewlines))
                #expect(answer["rules"]?.array?.map { $0["key"] } == ["agent"], "\(name): \(one)")
            }
            let unknown = try await ended(["explain", Self.trace, "nothing"], server)
            #expect(unknown.code == 1 && unknown.error.contains("there is no rule 'nothing'"))
            let gone = try await ended(["explain", String(repeating: "d", count: 32)], server)
            #expect(gone.code == 1 && gone.error.contains("answers 404"))
        }
    }

    @Test(arguments: [
        ["plugins", "reload"], ["plugins", "reload", "../x"], ["plugins", "logs", "A/b"], ["explain"],
        ["explain", "xyz"], ["top", "--server", "nowhere"],
    ])
    func `wrong usage ends with 2`(_ arguments: [String]) async throws {
        let wrong = try await ended(arguments)
        #expect(wrong.code == 2)
        #expect(!wrong.error.isEmpty)
    }

    @Test(arguments: [["plugins", "list"], ["top"], ["explain", trace], ["plugins", "disable", "a"]])
    func `a server that is not there ends with 3 and one line`(_ arguments: [String]) async throws {
        let gone = try await ended(arguments + ["--server", "http://127.0.0.1:1"])
        #expect(gone.code == 3)
        #expect(gone.error.split(separator: "\n").count == 1, "\(gone.error)")
    }
}
