import Foundation
import Nightjar
import NightjarBus
import NightjarSignals
import NightjarTesting
import Synchronization
import Testing

/// Tells senders to stop.
private final class StopSign: Sendable {
    private let state = Mutex(false)
    var isRaised: Bool { state.withLock { $0 } }
    func raise() { state.withLock { $0 = true } }
}

/// Plugins on the running server: what they emit, and what happens when their files change.
@Suite(.serialized) struct PluginTests {
    static let examples = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("plugins")

    private static var shortIdle: TraceConfiguration {
        var configuration = TraceConfiguration()
        configuration.idlePeriod = .milliseconds(50)
        return configuration
    }

    static func example(_ name: String) throws -> String {
        try String(contentsOf: examples.appendingPathComponent(name), encoding: .utf8)
    }

    @Test func `the example extractor counts failed tools by what its allow-list lets through`() async throws
    {
        let plugin = try Self.example("tool_failures.lua")
        try await TestServer.run(plugins: ["tool_failures.lua": plugin]) { server in
            for request in try Captures.named("genai-openai").requests where request.signal == "traces" {
                #expect(try await server.post(request).status == 200)
            }
            #expect(await server.engine.flush())
            let metrics = try await server.metrics()
            let key =
                #"tool_failures_total{agent="trip_planner",error_type="ValueError",tool="lookup_price"}"#
            #expect(metrics[key] == 1)
        }
    }

    @Test func `the example scorers judge spans and ended traces by their texts, and the scores are stored`()
        async throws
    {
        let plugin = try Self.example("answer_quality.lua")
        try await TestServer.run(
            plugins: ["answer_quality.lua": plugin],
            trace: Self.shortIdle
        ) { server in
            for request in try Captures.named("genai-openai").requests where request.signal == "traces" {
                #expect(try await server.post(request).status == 200)
            }
            let trace = "f0cbb2f1669220252f89f1c93d3f51d6"
            let scores = try await wait(for: "the verdict on the whole trace") {
                let all = try await server.client.get("/api/traces/\(trace)").json()["scores"]?.array ?? []
                return all.contains { $0["scorerName"] == "answered" } ? all : nil
            }
            let answered = try #require(scores.first { $0["scorerName"] == "answered" })
            #expect(answered["score"] == 1)
            #expect(answered["spanId"] == nil)
            #expect(answered["metadata"]?["plugin"]?.string?.hasPrefix("answer_quality@") == true)
            let onTopic = scores.filter { $0["scorerName"] == "on_topic" }
            #expect(onTopic.count == 3)
            #expect(onTopic.allSatisfy { $0["spanId"] != nil })
            // Six of the recording's traces have a run at their root.
            try await wait(for: "a verdict on each of the six runs") {
                let counts = try await server.metrics().filter {
                    $0.key.hasPrefix("mastra_scores_total") && $0.key.contains("answered")
                }
                return counts.values.reduce(0, +) == 6
            }
        }
    }

    @Test func `an allow-list of a plugin holds for a built-in metric`() async throws {
        let plugin = #"nightjar.labels("mastra_agent_runs_ended", { allow = { "agent" } })"#
        try await TestServer.run(plugins: ["narrow.lua": plugin]) { server in
            let answer = try await server.post(IngestTests.body(), type: "application/json")
            #expect(answer.status == 200)
            #expect(await server.engine.flush())
            #expect(try await server.metrics()[#"mastra_agent_runs_ended{agent="helper"}"#] == 1)
        }
    }

    @Test func `a plugin edited under load: every event is seen once, by one version, and none is lost`()
        async throws
    {
        try await TestServer.run(plugins: ["edited.lua": Self.counting("v0")]) { server in
            let done = StopSign()
            let sent = try await withThrowingTaskGroup(of: Int.self) { group in
                for sender in 0..<2 {
                    group.addTask { try await Self.send(server, prefix: sender + 1, until: done) }
                }
                for version in 0...5 {
                    guard version > 0 else {
                        try await Self.seen(version, server)
                        continue
                    }
                    try server.folder.write(Self.counting("v\(version)"), to: "plugins/.edited.tmp")
                    try FileManager.default.removeItem(atPath: server.folder.path("plugins/edited.lua"))
                    try FileManager.default.moveItem(
                        atPath: server.folder.path("plugins/.edited.tmp"),
                        toPath: server.folder.path("plugins/edited.lua")
                    )
                    try await Self.seen(version, server)
                }
                done.raise()
                return try await group.reduce(0, +)
            }
            #expect(await server.engine.flush())
            let counts = try await server.metrics().filter { $0.key.hasPrefix("edited_total{") }
            #expect(counts.values.reduce(0, +) == Double(sent), "\(counts)")
            #expect(counts.count == 6)
        }
    }

    @Test func `a file that does not load leaves the running version in place and says file and line`()
        async throws
    {
        try await TestServer.run(plugins: ["rule.lua": Self.counting("good")]) { server in
            try server.folder.write("local x = 1\nlocal y = = 2\n", to: "plugins/rule.lua")
            let fault = try await wait(for: "the error to show") {
                try await server.client.get("/api/plugins").json()["plugins"]?.array?.first?["loadError"]?
                    .string
            }
            #expect(fault.contains("rule.lua:2"), "\(fault)")
            #expect(try await server.post(IngestTests.body(), type: "application/json").status == 200)
            #expect(await server.engine.flush())
            #expect(try await server.metrics()[#"edited_total{version="good"}"#] == 1)
        }
    }

    @Test func `a plugin cannot take a name of the host's own metrics`() async throws {
        let plugin = #"nightjar.gauge("nightjar_clock_skew_total")"#
        try await TestServer.run(plugins: ["thief.lua": plugin]) { server in
            let plugins = try await server.client.get("/api/plugins").json()["plugins"]?.array
            #expect(plugins?.first?["loadError"]?.string?.contains("nightjar_clock_skew_total") == true)
            let answer = try await server.post(IngestTests.body(), type: "application/json")
            #expect(answer.status == 200)
        }
    }

    @Test func `a policy that is saved later reaches a built-in metric in steady traffic`() async throws {
        try await TestServer.run(plugins: [:]) { server in
            _ = try await server.post(IngestTests.body(), type: "application/json")
            #expect(await server.engine.flush())
            let policy = #"nightjar.labels("mastra_agent_runs_ended", { allow = { "agent" } })"#
            try server.folder.write(policy, to: "plugins/narrow.lua")
            try await wait(for: "the policy to be live") {
                try await server.client.get("/api/plugins").json()["plugins"]?.array?.isEmpty == false
            }
            let body = IngestTests.body(trace: "4bf92f3577b34da6a3ce929d0e0e4737")
            _ = try await server.post(body, type: "application/json")
            #expect(await server.engine.flush())
            #expect(try await server.metrics()[#"mastra_agent_runs_ended{agent="helper"}"#] == 1)
        }
    }

    @Test func `a deleted plugin stops, an added one starts, without a restart`() async throws {
        try await TestServer.run(plugins: ["old.lua": Self.counting("old")]) { server in
            try server.folder.remove("plugins/old.lua")
            try server.folder.write(Self.counting("new"), to: "plugins/new.lua")
            try await wait(for: "the new plugin alone to run") {
                try await server.client.get("/api/plugins").json()["plugins"]?.array?.map { $0["name"] } == [
                    "new"
                ]
            }
            #expect(try await server.post(IngestTests.body(), type: "application/json").status == 200)
            #expect(await server.engine.flush())
            let counts = try await server.metrics().filter { $0.key.hasPrefix("edited_total{") }
            #expect(counts == [#"edited_total{version="new"}"#: 1])
        }
    }

    @Test func `an endless loop and a memory hog are stopped and their neighbour counts every event`()
        async throws
    {
        let plugins = [
            "endless.lua": #"nightjar.on("span_ended", nil, function() while true do end end)"#,
            "hog.lua": """
            nightjar.on("span_ended", nil, function()
              local t = {}
              while true do t[#t + 1] = ("x"):rep(100000) .. #t end
            end)
            """,
            "neighbour.lua": Self.counting("ok"),
        ]
        try await TestServer.run(plugins: plugins) { server in
            for number in 1...20 {
                let body = IngestTests.body(trace: String(format: "%032x", number))
                #expect(try await server.post(body, type: "application/json").status == 200)
            }
            #expect(await server.engine.flush())
            #expect(try await server.metrics()[#"edited_total{version="ok"}"#] == 20)
            let plugins = try await server.client.get("/api/plugins").json()["plugins"]?.array ?? []
            let limited = plugins.filter { $0["errors"]?.array?.first?["isLimit"] == true }
            #expect(limited.map { $0["name"] } == ["endless", "hog"])
        }
    }

    /// A plugin that counts ended spans under its own version.
    static func counting(_ version: String) -> String {
        """
        local seen = nightjar.counter("edited_total", { help = "Spans seen", labels = { "version" } })
        nightjar.on("span_ended", nil, function() seen:add(1, { version = "\(version)" }) end)
        """
    }

    private static func seen(_ version: Int, _ server: TestServer) async throws {
        try await wait(for: "version \(version) to count") {
            try await server.metrics()[#"edited_total{version="v\#(version)"}"#] ?? 0 > 0
        }
    }

    /// Sends single spans until told to stop; returns how many were acknowledged.
    private static func send(_ server: TestServer, prefix: Int, until stop: StopSign) async throws
        -> Int
    {
        var count = 0
        while !stop.isRaised, count < 100_000 {
            count += 1
            let body = IngestTests.body(trace: String(format: "%08x%024x", prefix, count))
            #expect(try await server.post(body, type: "application/json").status == 200)
        }
        return count
    }
}
