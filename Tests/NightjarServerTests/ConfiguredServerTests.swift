import Foundation
import NightjarSignals
import NightjarTesting
import Testing

/// `nightjar serve` with a configuration file, and the commands that ask the server.
@Suite(.serialized) struct ConfiguredServerTests {
    private let folder: Fixture

    init() throws { folder = try Fixture() }

    private func start(_ arguments: [String], environment: [String: String] = [:]) throws -> RunningProcess {
        try RunningProcess(RunningProcess.nightjar(), arguments, environment: environment, folder: folder.url)
    }

    private func ended(
        _ arguments: [String],
        environment: [String: String] = [:]
    ) async throws -> (code: Int32, out: String, error: String) {
        let process = try start(arguments, environment: environment)
        let code = try await process.exitCode()
        return (code, process.output, process.errorOutput)
    }

    /// Posts a recorded request for each of its bodies of traces.
    private func post(_ capture: String, to client: HTTPClient) async throws {
        for request in try Captures.named(capture).requests where request.signal == "traces" {
            var headers = [
                (name: "Content-Type", value: request.isJSON ? "application/json" : "application/x-protobuf")
            ]
            if request.isCompressed { headers.append(("Content-Encoding", "gzip")) }
            let answer = try await client.send("POST", "/v1/traces", headers: headers, body: request.body)
            #expect(answer.status == 200)
        }
    }

    @Test func `a server is as its file says`() async throws {
        try folder.write(
            """
            listen: 127.0.0.1:0
            metrics:
              prefix: shop_
              disabled: [mastra_tool_duration_ms]
              cardinality:
                perMetric:
                  shop_mastra_model_input_tokens: { allow: [model] }
            sampling: { type: never }
            """,
            to: "shop.yaml"
        )
        let server = try start(["serve", "--config", "shop.yaml", "--db", "n.db"])
        let client = HTTPClient(port: try await server.listeningAddress().port)
        try await post("synth-mastra", to: client)
        let text = try await wait(for: "the metrics", limit: .seconds(20)) { () -> String? in
            let text = try await client.get("/metrics").text
            return text.contains("shop_mastra_agent_runs_ended{") ? text : nil
        }
        #expect(!text.contains("\nmastra_"))
        #expect(!text.contains("shop_mastra_tool_duration_ms"))
        #expect(text.contains("shop_mastra_model_input_tokens{model="))
        #expect(!text.contains(/shop_mastra_model_input_tokens\{[^}]*agent=/))
        #expect(try await client.get("/api/traces").json()["traces"]?.array?.isEmpty == true, "sampled out")
        server.signal(SIGTERM)
        #expect(try await server.exitCode() == 0)
    }

    @Test func `plugins run with the settings and limits of the file, and those that it switches off do not`()
        async throws
    {
        func telling(_ more: String) -> String {
            """
            nightjar.plugin { settings = { word = "none" } }
            local told = nightjar.counter("told_total", { labels = { "plugin", "word" } })
            nightjar.on("span_ended", function(span)
              \(more)
              told:add(1, { plugin = nightjar.name, word = nightjar.settings.word })
            end)
            """
        }
        try folder.write(telling(""), to: "rules/set.lua")
        try folder.write(telling(""), to: "rules/off.lua")
        try folder.write(telling("for i = 1, 3 do print(i) end"), to: "rules/many.lua")
        try folder.write(
            """
            listen: 127.0.0.1:0
            plugins:
              dir: rules
              disabled: [off]
              settings: { set: { word: "12" } }
              limits: { emissions: 3 }
            """,
            to: "nightjar.yaml"
        )
        let server = try start(["serve", "--db", "n.db"])
        let client = HTTPClient(port: try await server.listeningAddress().port)
        let answer = try await client.send(
            "POST",
            "/v1/traces",
            headers: [(name: "Content-Type", value: "application/json")],
            body: IngestTests.body()
        )
        #expect(answer.status == 200)
        let told = try await wait(for: "the rules", limit: .seconds(20)) { () -> [Substring]? in
            let lines = try await client.get("/metrics").text.split(separator: "\n")
            let told = lines.filter { $0.hasPrefix("told_total") }
            return told.isEmpty ? nil : told
        }
        #expect(told == [#"told_total{plugin="set",word="12"} 1"#])
        let plugins = try await client.get("/api/plugins").json()["plugins"]?.array ?? []
        #expect(plugins.map { $0["state"] } == ["running", "disabled", "running"])
        let errors = plugins.first?["errors"]?.array
        #expect(errors?.first?["isLimit"] == true, "\(plugins.first?.json ?? "")")
        server.signal(SIGTERM)
        #expect(try await server.exitCode() == 0)
    }

    @Test func `the configuration is printed with where each value comes from`() async throws {
        try folder.write("trace:\n  idlePeriod: 3s\n", to: "nightjar.yaml")
        let printed = try await ended(
            ["serve", "--print-config", "--listen", "127.0.0.1:5"],
            environment: ["NIGHTJAR_PLUGINS_DIR": "rules"]
        )
        #expect(printed.code == 0, "\(printed.error)")
        for line in [
            "listen: 127.0.0.1:5  # --listen", "  dir: rules  # NIGHTJAR_PLUGINS_DIR",
            "  idlePeriod: 3s  # nightjar.yaml:2", "db: nightjar.db  # default",
        ] {
            #expect(printed.out.contains(line + "\n"), "\(printed.out)")
        }
    }

    @Test func `each fault of a file is a line, and nothing starts`() async throws {
        try folder.write("lissen: a\ntrace: { maxAge: long }\n", to: "nightjar.yaml")
        let refused = try await ended(["serve", "--db", "n.db"])
        #expect(refused.code == 2)
        #expect(
            refused.error == """
                nightjar: nightjar.yaml:1: lissen: there is no such key; did you mean listen?
                nightjar: nightjar.yaml:2: trace.maxAge: it is long; write a duration such as 250ms, 10s, 5m, 1h or 10d

                """
        )
        #expect(!FileManager.default.fileExists(atPath: folder.path("n.db")))
        let missing = try await ended(["serve", "--config", "none.yaml"])
        #expect(missing.code == 3)
        #expect(missing.error == "nightjar: none.yaml cannot be read; is it there?\n")
    }

    @Test func `metrics cardinality shows which metrics have how many series and what was dropped`()
        async throws
    {
        try folder.write(
            """
            metrics:
              cardinality:
                perMetric:
                  mastra_model_input_tokens: { allow: [model] }
                  mastra_tool_calls_ended: { cardinalityLimit: 1 }
            """,
            to: "nightjar.yaml"
        )
        let server = try start(["serve", "--listen", "127.0.0.1:0", "--db", "none"])
        let port = try await server.listeningAddress().port
        try await post("synth-mastra", to: HTTPClient(port: port))
        let environment = ["NIGHTJAR_SERVER": "http://127.0.0.1:\(port)"]
        let report = try await wait(for: "the report", limit: .seconds(30)) { () -> String? in
            let answer = try await ended(["metrics", "cardinality"], environment: environment)
            #expect(answer.code == 0, "\(answer.error)")
            return answer.out.contains("not_allowed") ? answer.out : nil
        }
        let rows = report.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(
            rows.contains { $0.prefix(2) == ["mastra_tool_calls_ended", "1"] && $0[2] != "-" },
            "\(report)"
        )
        #expect(
            rows.contains { $0.prefix(3) == ["mastra_model_input_tokens", "agent", "not_allowed"] },
            "\(report)"
        )
        let list = try await ended(["metrics", "list", "--server", "http://127.0.0.1:\(port)"])
        #expect(list.out.contains("mastra_agent_duration_ms"))
        let json = try await ended(["metrics", "cardinality", "--json"], environment: environment)
        let metrics = try Value(json: json.out.trimmingCharacters(in: .whitespacesAndNewlines))["metrics"]
        #expect(metrics?.array?.isEmpty == false)
        server.signal(SIGTERM)
        #expect(try await server.exitCode() == 0)
        let gone = try await ended(["metrics", "list"], environment: environment)
        #expect(gone.code == 3)
        #expect(gone.error.split(separator: "\n").count == 1)
        #expect(gone.error.contains("cannot be reached"), "\(gone.error)")
    }
}
