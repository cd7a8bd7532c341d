import Foundation
import NightjarSignals
import NightjarTesting
import Testing

/// Schemathesis sends what the description allows, and what it does not, to the real program, and holds every answer against
/// the description. Skipped where the Python environment of `scripts/test` is not installed.
@Suite(.serialized) struct APIPropertyTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    private static let program = root.appending(path: ".build-venv/bin/schemathesis")
    private static let isInstalled = FileManager.default.isExecutableFile(atPath: program.path)
    /// How many requests of each route are made up; `scripts/soak api` sets more.
    private static let examples =
        ProcessInfo.processInfo.environment["NIGHTJAR_API_EXAMPLES"] ?? "10"

    // But for the live events, whose answer does not end: `LiveTests` has those.
    @Test(.enabled(if: isInstalled), .timeLimit(.minutes(60)))
    func `no request is answered by a server error or in a way that is not described`() async throws {
        try await withServer { address, folder in
            try await Self.check(
                address,
                folder,
                ["--phases", "coverage,fuzzing", "--exclude-path", "/api/live"],
                config: Self.rules
            )
        }
    }

    @Test(.enabled(if: isInstalled), .timeLimit(.minutes(5)))
    func `the answers about traces that are stored are as described`() async throws {
        try await withServer { address, folder in
            let capture = try Captures.named("pydantic-ai")
            let trace = try #require(capture.expectedSpans.first?["trace_id"]?.string)
            let ids = "[parameters]\n\"path.id\" = \"\(trace)\"\n"
            for path in ["/api/traces/{id}", "/api/traces/{id}/rules"] {
                try await Self.check(
                    address,
                    folder,
                    [
                        "--phases", "coverage", "--mode", "positive", "--include-name", "GET \(path)",
                    ],
                    config: ids + Self.rules
                )
            }
        }
    }

    /// Too many items are 413 here; the body of scores has another form with `backfill`, which no schema can tell, nor lines of
    /// JSON; and in a query an instant has more forms than a pattern, an empty parameter is as good as none, and some go together.
    private static let rules = """
        [checks.negative_data_rejection]
        expected-statuses = ["4xx"]
        [[operations]]
        include-name = "POST /api/scores"
        checks.positive_data_acceptance.enabled = false
        [[operations]]
        include-name = "POST /api/import"
        checks.positive_data_acceptance.enabled = false
        [[operations]]
        include-method = "GET"
        checks.positive_data_acceptance.enabled = false
        checks.negative_data_rejection.enabled = false

        """

    private func withServer(_ body: (String, Fixture) async throws -> Void) async throws {
        let folder = try Fixture()
        let serve = ["serve", "--listen", "127.0.0.1:0", "--db", folder.path("api.db")]
        let plugins = Self.root.appending(path: "plugins").path
        let server = try RunningProcess(RunningProcess.nightjar(), serve + ["--plugins", plugins])
        let (host, port) = try await server.listeningAddress()
        let client = HTTPClient(host: host, port: port)
        for name in ["pydantic-ai", "otel-eval", "langfuse"] {
            for request in try Captures.named(name).requests {
                var headers = [
                    (
                        name: "Content-Type",
                        value: request.isJSON ? "application/json" : "application/x-protobuf"
                    )
                ]
                if request.isCompressed { headers.append(("Content-Encoding", "gzip")) }
                let path = "/v1/\(request.signal)"
                let answer = try await client.send("POST", path, headers: headers, body: request.body)
                #expect(answer.status == 200)
            }
        }
        try await body("http://\(host):\(port)", folder)
        #expect(try await client.get("/healthz").status == 200)
        server.signal(SIGTERM)
        #expect(try await server.exitCode() == 0)
    }

    private static func check(
        _ address: String,
        _ folder: Fixture,
        _ options: [String],
        config: String
    ) async throws {
        try folder.write(config, to: "schemathesis.toml")
        let arguments =
            ["--config-file", folder.path("schemathesis.toml"), "run", "\(address)/api/openapi.json"]
            + options + [
                "--max-examples", examples, "--seed", "1", "--generation-deterministic", "--no-color",
                "--warnings", "off",
            ]
        let run = try RunningProcess(program, arguments, folder: URL(filePath: folder.path("")))
        let code = try await run.exitCode(limit: .seconds(3000))
        #expect(code == 0, "\(run.output)\(run.errorOutput)")
        #expect(run.output.contains("Test cases:"), "nothing was sent: \(run.output)")
    }
}
