import Foundation
import Nightjar
import NightjarSignals
import NightjarTesting
import Testing

/// Control of plugins, what they cost, and why rules did nothing, over HTTP.
@Suite(.serialized) struct PluginRouteTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    /// Sends one run of an agent and waits until the rules have seen it.
    static func sendRun(to server: TestServer, trace: String = trace) async throws {
        #expect(try await server.post(IngestTests.body(trace: trace), type: "application/json").status == 200)
        #expect(await server.engine.flush())
    }

    private func plugin(_ name: String, _ server: TestServer) async throws -> Value {
        let all = try await server.client.get("/api/plugins").json()["plugins"]?.array
        return try #require(all?.first { $0["name"] == .string(name) })
    }

    private func post(_ path: String, _ server: TestServer) async throws -> HTTPResponse {
        try await server.client.send("POST", path)
    }

    @Test func `a plugin's status says what it costs, and the figures move`() async throws {
        let script = PluginTests.counting("v1") + "\nnightjar.on('span_ended', { status = 'error' }, print)"
        try await TestServer.run(plugins: ["rule.lua": script]) { server in
            let before = try await plugin("rule", server)
            #expect(before["calls"] == 0 && before["matches"] == 0 && before["pinned"] == false)
            #expect(before["rules"]?.array?.first?["p99Microseconds"] == nil)
            try await Self.sendRun(to: server)
            let after = try await plugin("rule", server)
            #expect(after["calls"] == 1 && after["matches"] == 1)
            for key in ["share", "callSeconds", "memoryBytes"] {
                #expect(after[key]?.number ?? 0 > 0, "\(key) of \(after.json)")
            }
            let rules = try #require(after["rules"]?.array)
            #expect(rules.map { $0["label"] } == ["span_ended", "span_ended#2"])
            #expect(rules.map { $0["matches"] } == [1, 0])
            for key in ["meanMicroseconds", "p99Microseconds", "share", "callSeconds"] {
                #expect(rules[0][key]?.number ?? 0 > 0, "\(key) of \(rules[0].json)")
            }
        }
    }

    @Test func `the metrics tell of plugin rules, and go on over a reload`() async throws {
        let script =
            PluginTests.counting("v1") + "\nnightjar.on('span_ended', nil, function() error('no') end)"
        try await TestServer.run(plugins: ["rule.lua": script]) { server in
            try await Self.sendRun(to: server)
            #expect(try await post("/api/plugins/rule/reload", server).status == 200)
            try await Self.sendRun(to: server, trace: String(repeating: "a", count: 32))
            let metrics = try await server.metrics()
            let first = #"{plugin="rule",rule="span_ended"}"#
            let second = ##"{plugin="rule",rule="span_ended#2"}"##
            #expect(metrics["nightjar_plugin_matches_total" + first] == 2)
            #expect(metrics["nightjar_plugin_calls_total" + first] == 2)
            #expect(metrics["nightjar_plugin_errors_total" + first] == 0)
            #expect(metrics["nightjar_plugin_errors_total" + second] == 2)
            #expect(metrics["nightjar_plugin_call_seconds_total" + first] ?? 0 > 0)
            #expect(metrics["nightjar_plugin_circuit_open" + first] == 0)
            #expect(metrics[#"nightjar_plugin_memory_bytes{plugin="rule"}"#] ?? 0 > 0)
            #expect(metrics[#"nightjar_plugin_loads_total{outcome="loaded",plugin="rule"}"#] == 2)
            #expect(metrics[#"nightjar_plugin_loads_total{outcome="failed",plugin="rule"}"#] == 0)
        }
    }

    @Test func `a rule that fails again and again shows as an open circuit`() async throws {
        let script = "nightjar.on('span_ended', nil, function() error('no') end)"
        try await TestServer.run(plugins: ["bad.lua": script]) { server in
            for number in 1...50 {
                let body = IngestTests.body(span: String(format: "%016x", number))
                #expect(try await server.post(body, type: "application/json").status == 200)
            }
            #expect(await server.engine.flush())
            let key = #"nightjar_plugin_circuit_open{plugin="bad",rule="span_ended"}"#
            let metrics = try await server.metrics()
            #expect(metrics[key] == 1)
        }
    }

    @Test func `a plugin cannot give a name of these metrics another type`() async throws {
        let script = "nightjar.gauge('nightjar_plugin_calls_total')"
        try await TestServer.run(plugins: ["thief.lua": script]) { server in
            let fault = try await plugin("thief", server)["loadError"]?.string
            #expect(fault?.contains("nightjar_plugin_calls_total") == true, "\(fault ?? "it loads")")
        }
    }

    @Test(.enabled(if: promtool != nil, "promtool is not installed"))
    func `promtool does not complain of the metrics of plugins`() async throws {
        try await TestServer.run(plugins: ["rule.lua": PluginTests.counting("v1")]) { server in
            try await Self.sendRun(to: server)
            let text = try await server.client.get("/metrics").text
            let own = text.split(separator: "\n").filter { $0.contains("nightjar_plugin_") }
            #expect(own.count == 7 * 2 + 8)
            try server.folder.write(own.joined(separator: "\n") + "\n", to: "metrics.txt")
            let tool = try RunningProcess(
                URL(fileURLWithPath: "/bin/sh"),
                ["-c", "\(Self.promtool ?? "") check metrics < \(server.folder.path("metrics.txt"))"]
            )
            #expect(try await tool.exitCode() == 0)
            #expect(tool.lines.isEmpty, "\(tool.output)\(tool.errorOutput)")
        }
    }

    private static let promtool = [
        "/usr/bin/promtool", "/usr/local/bin/promtool", "/opt/homebrew/bin/promtool",
    ].first { FileManager.default.isExecutableFile(atPath: $0) }

    // MARK: Source

    @Test func `the source that runs is given with its modules, or as text`() async throws {
        let main = "local m = require('pack.sub') -- é\n"
        let plugins = ["pack/init.lua": main, "pack/sub.lua": "return {}", "broken.lua": "x = = 1"]
        try await TestServer.run(plugins: plugins) { server in
            let source = try await server.client.get("/api/plugins/pack/source").json()
            #expect(source["text"] == .string(main))
            #expect(source["modules"] == ["pack.sub": "return {}"])
            #expect(source["hash"]?.string?.count == 64)
            for (accept, type) in [
                ("text/plain", "text/plain; charset=utf-8"), ("application/json", "application/json"),
                ("text/plain;q=0.5, application/json", "application/json"),
                ("application/json;q=0.5, text/*", "text/plain; charset=utf-8"), ("*/*", "application/json"),
            ] {
                let answer = try await server.client.get(
                    "/api/plugins/pack/source",
                    headers: [(name: "Accept", value: accept)]
                )
                #expect(answer.header("content-type") == type, "\(accept)")
                if type.hasPrefix("text") { #expect(answer.text == main) }
            }
            let broken = try await server.client.get("/api/plugins/broken/source")
            #expect(broken.status == 404)
            #expect(try broken.json()["detail"]?.string?.contains("no version") == true)
            #expect(try await server.client.get("/api/plugins/nothing/source").status == 404)
        }
    }

    // MARK: Control

    @Test func `a plugin is switched off and on, reloaded and rolled back`() async throws {
        try await TestServer.run(plugins: ["rule.lua": PluginTests.counting("v1")]) { server in
            let off = try await post("/api/plugins/rule/disable", server)
            #expect(off.status == 200)
            #expect(try off.json()["state"] == "disabled")
            try await Self.sendRun(to: server)
            #expect(try await server.metrics()[#"edited_total{version="v1"}"#] == nil)
            let on = try await post("/api/plugins/rule/enable", server)
            #expect(on.status == 200)
            #expect(try on.json()["state"] == "running")
            try await Self.sendRun(to: server, trace: String(repeating: "b", count: 32))
            #expect(try await server.metrics()[#"edited_total{version="v1"}"#] == 1)

            try server.folder.write(PluginTests.counting("v2"), to: "plugins/rule.lua")
            let second = try await post("/api/plugins/rule/reload", server)
            #expect(second.status == 200)
            let back = try await post("/api/plugins/rule/rollback", server)
            #expect(back.status == 200)
            #expect(try back.json()["pinned"] == true)
            let hashes = try [on, second, back].map { try $0.json()["hash"] }
            #expect(hashes[2] == hashes[0] && hashes[2] != hashes[1])
            try await Self.sendRun(to: server, trace: String(repeating: "c", count: 32))
            #expect(try await server.metrics()[#"edited_total{version="v1"}"#] == 2)
        }
    }

    @Test func `what cannot be done is refused with the fitting status, and what runs stays`() async throws {
        try await TestServer.run(plugins: ["rule.lua": PluginTests.counting("v1")]) { server in
            for action in ["reload", "disable", "enable", "rollback"] {
                let unknown = try await post("/api/plugins/nothing/\(action)", server)
                #expect(unknown.status == 404)
                #expect(unknown.header("content-type") == "application/problem+json")
                #expect(try unknown.json()["detail"] == "there is no plugin 'nothing'")
            }
            let conflict = try await post("/api/plugins/rule/rollback", server)
            #expect(conflict.status == 409)
            #expect(try conflict.json()["detail"]?.string?.contains("no earlier content") == true)
            try server.folder.write("local x = 1\nlocal y = = 2\n", to: "plugins/rule.lua")
            let fault = try await post("/api/plugins/rule/reload", server)
            #expect(fault.status == 422)
            #expect(try fault.json()["detail"]?.string?.contains("rule.lua:2: ") == true)
            #expect(try fault.json()["errors"]?.array?.first?["path"] == "rule.lua:2")
            #expect(try await plugin("rule", server)["state"] == "stale")
            #expect(try await server.client.get("/api/plugins/rule/reload").status == 405)
        }
        let none = { (configuration: inout EngineConfiguration) in configuration.pluginFolder = nil }
        try await TestServer.run(change: none) { server in
            let answer = try await post("/api/plugins/rule/reload", server)
            #expect(answer.status == 404)
            #expect(try await server.client.get("/api/plugins/rule/source").status == 404)
        }
    }

    // MARK: Rules of a trace

    @Test func `every rule says what it did for a trace, or which key does not hold`() async throws {
        let script = """
            local hits = nightjar.counter("hits_total")
            nightjar.on("span_ended", { type = "agent_run" }, function() hits:add(1) hits:add(1) end)
            nightjar.on("span_ended", { type = "agent_run", agent = "other" }, function() end)
            nightjar.on("span_ended", { type = "agent_run" }, function() error("no") end)
            nightjar.on("trace_ended", { root = { type = "agent_run", agent = "other" } }, function() end)
            nightjar.on("log", nil, function() end)
            """
        try await TestServer.run(plugins: ["rule.lua": script, "z.lua": PluginTests.counting("v1")]) {
            server in
            try await Self.sendRun(to: server)
            func rules() async throws -> [Value] {
                let answer = try await server.client.get("/api/traces/\(Self.trace)/rules")
                #expect(answer.status == 200)
                return try answer.json()["rules"]?.array ?? []
            }
            let open = try await rules()
            #expect(open.map { $0["plugin"] } == ["rule", "rule", "rule", "rule", "rule", "z"])
            // On a machine that stalls for seconds the trace has ended meanwhile, and does not match any more.
            let ofTrace = open[3]["outcome"]
            #expect(ofTrace == "waiting" || ofTrace == "no_match", "\(open)")
            let others = open.enumerated().filter { $0.offset != 3 }.map { $0.element["outcome"] }
            #expect(others == ["ran", "no_match", "failed", "no_event", "ran"], "\(open)")
            #expect(open[0]["calls"] == 1 && open[0]["emitted"] == 2 && open[0]["errors"] == 0)
            #expect(open[0]["meanMicroseconds"]?.number ?? 0 > 0)
            #expect(open[1]["key"] == "agent" && open[1]["spanId"] == "00f067aa0ba902b7")
            #expect(open[1]["reason"]?.string?.contains("agent") == true)
            #expect(open[2]["errors"] == 1)
            #expect(await server.engine.finish())
            let ended = try await rules()
            #expect(ended[3]["outcome"] == "no_match" && ended[3]["key"] == "root.agent")
        }
    }

    @Test func `a rule that was loaded later is held against the trace as it is stored`() async throws {
        try await TestServer.run(plugins: [:]) { server in
            try await Self.sendRun(to: server)
            #expect(await server.engine.finish())
            try server.folder.write(
                """
                nightjar.on("span_ended", { agent = "helper" }, function() end)
                nightjar.on("span_ended", { agent = { prefix = "x" } }, function() end)
                nightjar.scorer("none", { on = "trace_ended", sample = 0 }, function() end)
                """,
                to: "plugins/late.lua"
            )
            let rules = try await wait(for: "the rules") {
                let answer = try await server.client.get("/api/traces/\(Self.trace)/rules").json()
                return answer["rules"]?.array?.isEmpty == false ? answer["rules"]?.array : nil
            }
            #expect(rules.map { $0["outcome"] } == ["would_run", "no_match", "sampled_out"], "\(rules)")
            #expect(rules[1]["key"] == "agent")
        }
    }

    @Test func `without a store the calls are told that are remembered`() async throws {
        let unstored = { (configuration: inout EngineConfiguration) in configuration.store = nil }
        try await TestServer.run(
            plugins: ["rule.lua": PluginTests.counting("v1") + "\nnightjar.on('log', nil, print)"],
            change: unstored
        ) { server in
            let path = "/api/traces/\(Self.trace)/rules"
            #expect(try await server.client.get(path).status == 404)
            try await Self.sendRun(to: server)
            let rules = try await server.client.get(path).json()["rules"]?.array ?? []
            #expect(rules.map { $0["outcome"] } == ["ran", "not_stored"])
        }
    }

    @Test func `a trace that is not there is not found, and what is no id is refused`() async throws {
        try await TestServer.run { server in
            let path = "/api/traces/\(String(repeating: "d", count: 32))/rules"
            let answer = try await server.client.get(path)
            #expect(answer.status == 404)
            #expect(try await server.client.get("/api/traces/xyz/rules").status == 400)
        }
    }
}
