import Foundation
import Nightjar
import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

/// The recipes of the article: each runs on a server, and does what it says.
@Suite(.serialized) struct PluginRecipeTests {
    enum Recipe: String, CaseIterable {
        case cost = "Cost per customer"
        case burst = "Alert on a burst of errors"
        case healthChecks = "Drop health checks"
        case redaction = "Redact an attribute"
        case sampling = "Keep errors, sample the rest"
        case length = "Score by length"
        case judge = "Take a judge's verdict from a log"
        case owners = "Look up who owns a tool"
        case agreement = "Hold a scorer against feedback"
        case tenants = "Labels per tenant, from a bounded set"
        case percentile = "Show the 95th percentile as a gauge"
        case month = "Keep a monthly total across restarts"
        case labels = "Narrow a built-in metric"
        case names = "Clean up a name"
    }

    @Test func `every recipe has a test`() throws {
        #expect(try Article("PluginRecipes").headings == Recipe.allCases.map(\.rawValue))
    }

    @Test(arguments: Recipe.allCases)
    func `the recipe does what it says`(_ recipe: Recipe) async throws {
        let section = try Article("PluginRecipes").section(recipe.rawValue)
        let lua = section.code("lua")
        #expect(lua.count == 1)
        var files = ["recipe.lua": try #require(lua.first)]
        files["owners.csv"] = section.code("csv").first
        var trace = TraceConfiguration()
        trace.idlePeriod = .milliseconds(50)
        try await TestServer.run(plugins: files, trace: trace) { server in
            try await check(recipe, RecipeServer(server: server))
            let plugin = try await server.client.get("/api/plugins").json()["plugins"]?.array?.first
            #expect(plugin?["state"] == "running", "\(plugin?["loadError"] ?? .null)")
            #expect(plugin?["errors"] == [], "\(plugin?["errors"] ?? .null)")
        }
    }

    private func check(_ recipe: Recipe, _ server: RecipeServer) async throws {
        switch recipe {
        case .cost, .owners, .tenants, .percentile, .month, .labels:
            try await checkMetrics(recipe, server)
        case .burst: try await checkBurst(server)
        case .sampling: try await checkSampling(server)
        case .healthChecks, .redaction, .names: try await checkProcessing(recipe, server)
        case .length, .judge, .agreement: try await checkScores(recipe, server)
        }
    }

    private func checkMetrics(_ recipe: Recipe, _ server: RecipeServer) async throws {
        let failed: Value.Object = ["errorInfo": ["message": "no"]]
        switch recipe {
        case .cost:
            let usage: Value = [
                "model": "gpt-4o", "usage": ["inputTokens": 9, "cost": ["amount": 0.25]],
            ]
            try await server.send(
                server.span(1, "b1", parent: "a1", "model_generation", "chat", ["attributes": usage]),
                server.span(1, "a1", "agent_run", "support", ["metadata": ["customer": "acme"]])
            )
            try await server.expect(#"cost_usd_total{customer="acme"}"#, 0.25)
        case .owners:
            try await server.send(
                server.span(1, "b1", "tool_call", "refund", failed),
                server.span(2, "b2", "tool_call", "find_order"),
                server.span(3, "b3", "tool_call", "weather", failed)
            )
            try await server.expect(#"tool_failures_by_team_total{team="payments"}"#, 1)
            try await server.expect(#"tool_failures_by_team_total{team="nobody"}"#, 1)
        case .tenants:
            for (trace, tenant) in ["acme", "initech", "hooli"].enumerated() {
                try await server.send(
                    server.span(
                        trace + 1,
                        "a1",
                        "agent_run",
                        "support",
                        ["metadata": ["tenant": .string(tenant)]]
                    )
                )
            }
            try await server.expect(#"agent_runs_by_tenant_total{status="ok",tenant="acme"}"#, 1)
            try await server.expect(#"agent_runs_by_tenant_total{status="ok",tenant="other"}"#, 2)
        case .percentile:
            try await server.send(server.span(1, "a1", "agent_run", "support"))
            try await server.send(server.span(2, "a2", seconds: 3, "agent_run", "support"))
            try await server.expect("agent_p95_ms", 3000)
        case .month:
            let usage: Value = ["usage": ["inputTokens": 100, "outputTokens": 20]]
            for call in 1...2 {
                try await server.send(
                    server.span(call, "b1", seconds: call, "model_generation", "chat", ["attributes": usage])
                )
            }
            try await server.expect("tokens_this_month", 240)
        default:
            try await server.send(
                server.span(1, "b1", parent: "a1", "tool_call", "find_order"),
                server.span(1, "a1", "agent_run", "support")
            )
            try await server.expect(#"mastra_tool_calls_ended{status="ok",tool="find_order"}"#, 1)
        }
    }

    private func checkBurst(_ server: RecipeServer) async throws {
        for call in 1...4 { try await server.send(server.failure("b\(call)")) }
        #expect(await server.server.engine.flush())
        #expect(try await server.trace(1)["logs"] == [])
        for call in 5...7 { try await server.send(server.failure("b\(call)")) }
        #expect(await server.server.engine.flush())
        let logs = try await server.trace(1)["logs"]?.array ?? []
        #expect(logs.map { $0["message"] } == ["tools fail"])
        #expect(logs.first?["level"] == "error")
        #expect(logs.first?["data"]?["in_a_minute"] == 5)
    }

    private func checkSampling(_ server: RecipeServer) async throws {
        let failed: Value.Object = ["errorInfo": ["message": "no"]]
        for trace in 1...100 { try await server.send(server.span(trace, "a1", "agent_run", "support")) }
        for trace in 101...110 {
            try await server.send(server.span(trace, "a1", "agent_run", "support", failed))
        }
        #expect(await server.server.engine.flush())
        var kept: [Int] = []
        for trace in 1...110 where try await server.status(trace) == 200 { kept.append(trace) }
        #expect(kept.suffix(10) == Array(101...110)[...])
        #expect((11...40).contains(kept.count), "\(kept)")
        try await server.expect(#"mastra_agent_runs_ended{agent="support",status="ok"}"#, 100)
    }

    private func checkProcessing(_ recipe: Recipe, _ server: RecipeServer) async throws {
        try await server.send(
            server.span(1, "c1", "generic", "GET /healthz"),
            server.span(
                2,
                "c2",
                "generic",
                "GET /orders/17",
                ["attributes": ["customer.email": "ann@example.org"]]
            )
        )
        #expect(await server.server.engine.flush())
        let span = try #require(try await server.trace(2)["spans"]?.array?.first)
        switch recipe {
        case .healthChecks:
            #expect(try await server.status(1) == 404)
            #expect(span["name"] == "GET /orders/17")
        case .redaction: #expect(span["attributes"]?["customer.email"] == "…@example.org")
        default: #expect(span["name"] == "GET /orders/{id}")
        }
    }

    private func checkScores(_ recipe: Recipe, _ server: RecipeServer) async throws {
        let answer = String(repeating: "ö", count: 800)
        try await server.send(server.span(1, "a1", "agent_run", "support", ["output": .string(answer)]))
        switch recipe {
        case .length:
            let score = try await server.score("concise")
            #expect(score["score"] == 0.5)
            #expect(score["reason"] == "800 characters")
        case .judge:
            let data: Value = ["score": 0.8, "why": "cites the order"]
            try await server.send(
                ["type": "log", "log": ["level": "info", "message": "judged", "traceId": "1", "data": data]]
            )
            let score = try await server.score("judge")
            #expect(score["score"] == 0.8 && score["reason"] == "cites the order")
            #expect(score["annotatorKind"] == "llm")
        default:
            try await server.send(
                ["type": "score", "score": ["traceId": "1", "scorerName": "judge", "score": 0.9]]
            )
            _ = try await server.score("judge")
            for (value, agrees) in [(1, "true"), (0, "false")] {
                try await server.send([
                    "type": "feedback",
                    "feedback": [
                        "traceId": "1", "source": "user", "feedbackType": "thumbs",
                        "value": .int(Int64(value)),
                    ],
                ])
                try await server.expect("judge_against_users_total{agrees=\"\(agrees)\"}", 1)
            }
        }
    }
}

/// A server with a recipe, and what tests of recipes say to it.
struct RecipeServer {
    let server: TestServer

    func span(
        _ trace: Int,
        _ id: String,
        parent: String? = nil,
        seconds: Int = 1,
        _ type: String,
        _ name: String,
        _ more: Value.Object = [:]
    ) -> Value {
        var span: Value.Object = [
            "traceId": .string("\(trace)"), "id": .string(id), "type": .string(type), "name": .string(name),
            "entityName": .string(name), "startTime": "2026-09-21T13:33:20Z",
            "endTime": .string("2026-09-21T13:33:2\(seconds)Z"),
        ]
        span["parentSpanId"] = parent.map(Value.string)
        return ["type": "span_ended", "exportedSpan": .object(span.merging(more))]
    }

    /// A tool call of the first trace that failed.
    func failure(_ id: String) -> Value {
        span(1, id, "tool_call", "search", ["errorInfo": ["message": "no"]])
    }

    func send(_ events: Value...) async throws {
        let answer = try await server.client.send(
            "POST",
            "/api/events",
            headers: [("Content-Type", "application/x-ndjson")],
            body: EventTests.lines(events)
        )
        #expect(answer.status == 200 || answer.status == 202, "\(answer.text)")
    }

    func expect(_ series: String, _ value: Double) async throws {
        var last: [String: Double] = [:]
        do {
            try await wait(for: series, limit: .seconds(20)) {
                last = try await server.metrics()
                return last[series] == value
            }
        } catch is WaitError {
            let name = series.prefix { $0 != "{" }
            Issue.record("\(series) is not \(value): \(last.filter { $0.key.hasPrefix(name) })")
        }
    }

    func trace(_ number: Int) async throws -> Value {
        try await server.client.get("/api/traces/\(String(format: "%032d", number))").json()
    }

    func status(_ number: Int) async throws -> Int {
        try await server.client.get("/api/traces/\(String(format: "%032d", number))").status
    }

    /// The score that a scorer gave the first trace, as soon as it is there.
    func score(_ scorer: String) async throws -> Value {
        try await wait(for: "a score of \(scorer)", limit: .seconds(20)) {
            try await trace(1)["scores"]?.array?.first { $0["scorerName"] == .string(scorer) }
        }
    }
}
