import Foundation
import Nightjar
import NightjarSignals
import NightjarTesting
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// `nightjar tail`, `traces`, `scores` and `feedback` against a running server.
@Suite(.serialized) struct ReadingCommandTests {
    private static let trace = String(repeating: "a", count: 32)

    private func ended(_ arguments: [String], _ address: String) async throws -> (
        code: Int32, out: String, error: String
    ) {
        let process = try RunningProcess(
            RunningProcess.nightjar(),
            arguments,
            environment: ["NIGHTJAR_SERVER": address]
        )
        let code = try await process.exitCode()
        return (code, process.output, process.errorOutput)
    }

    private func tail(_ arguments: [String], _ server: TestServer) async throws -> RunningProcess {
        let process = try RunningProcess(
            RunningProcess.nightjar(),
            ["tail", "--server", server.address] + arguments
        )
        try await wait(for: "tail to be let in") {
            try await server.metrics()["nightjar_live_readers"] == 1
        }
        return process
    }

    @Test func `events are shown a line each, with what a person looks for`() async throws {
        try await TestServer.run { server in
            let tail = try await tail(["--types", "span,log,score,feedback", "--limit", "8"], server)
            try await LiveTests.post(LiveTests.batch(Self.trace), to: server)
            #expect(try await tail.exitCode() == 0)
            let lines = tail.output.split(separator: "\n").map {
                $0.split(separator: /\ \ +/).map(String.init)
            }
            #expect(
                lines.map { $0[1] } == [
                    "span_started", "log", "log", "span_ended", "span_ended", "span_ended", "score",
                    "feedback",
                ]
            )
            #expect(
                lines[3] == [
                    "13:33:21.500", "span_ended", "model_generation", "chat", "agent=support model=gpt-4o",
                    "1.50 s", "ok", Self.trace,
                ]
            )
            #expect(lines[4].suffix(3) == ["error", "no", Self.trace])
            #expect(lines[6][2...] == ["tone", "1", Self.trace])
            #expect(!tail.output.contains("\u{1B}"))
            #expect(tail.errorOutput.isEmpty)
        }
    }

    @Test func `as JSON every line is an event, filters go to the server, and an interrupt is no failure`()
        async throws
    {
        try await TestServer.run { server in
            let tail = try await tail(["--json", "--status", "error", "--type", "tool_call"], server)
            try await LiveTests.post(LiveTests.batch(Self.trace), to: server)
            let line = try await tail.line(containing: "exportedSpan")
            #expect(try Value(json: line)["exportedSpan"]?["name"] == "search")
            tail.signal(SIGINT)
            #expect(try await tail.exitCode() == 0)
            #expect(tail.output.split(separator: "\n").count == 1)
        }
    }

    /// A stream that ends, then another.
    private func scripted(_ first: String, _ second: String) throws -> ScriptedServer {
        try ScriptedServer { request in
            let text = request.header("Last-Event-ID") == nil ? first : second
            return .status(200, headers: [("Content-Type", "text/event-stream")], body: Array(text.utf8))
        }
    }

    private static let score =
        #"data: {"type":"score","score":{"id":"1","timestamp":"2026-01-01T10:00:00Z","scorerName":"tone","score":1}}"#

    @Test func `a broken stream is taken up again, and what may be missing is said`() async throws {
        let server = try scripted(
            "retry: 5\n\nevent: score\n\(Self.score)\nid: x-1\n\nevent: dropped\n"
                + "data: {\"type\":\"dropped\",\"dropped\":{\"reason\":\"too_slow\",\"count\":4}}\n\n",
            "event: gap\ndata: {\"type\":\"gap\",\"gap\":{\"reason\":\"reconnected\",\"count\":7}}\n\n"
                + "event: score\n\(Self.score)\nid: x-9\n\n"
        )
        defer { server.stop() }
        let tail = try await ended(["tail", "--limit", "2", "--scorer", "tone"], server.url)
        #expect(tail.code == 0, "\(tail.error)")
        let lines = tail.out.split(separator: "\n")
        #expect(lines.count == 4)
        #expect(lines.dropFirst().first?.contains("too slow, 4 events") == true, "\(tail.out)")
        #expect(lines.dropFirst(2).first?.contains("gap: 7 events passed") == true, "\(tail.out)")
        #expect(server.requests.map(\.path) == ["/api/live?scorer=tone", "/api/live?scorer=tone"])
        #expect(server.requests.last?.header("Last-Event-ID") == "x-1")
        #expect(tail.error.contains("again in"))
    }

    @Test func `what no server will take ends with 1, no server with 3`() async throws {
        try await TestServer.run { server in
            let refused = try await ended(["tail", "--types", "spam"], server.address)
            #expect(refused.code == 1 && refused.error.contains("spam is no kind of event"), "\(refused)")
        }
        let gone = try await ended(["tail"], "http://127.0.0.1:1")
        #expect(gone.code == 3)
        #expect(gone.error.split(separator: "\n").count == 1, "\(gone.error)")
    }

    @Test func `traces are listed with the server's filters, page after page`() async throws {
        try await TestServer.run { server in
            for digit in ["a", "b", "c"] {
                try await LiveTests.post(LiveTests.batch(String(repeating: digit, count: 32)), to: server)
            }
            #expect(await server.engine.flush())
            let list = try await ended(
                ["traces", "list", "--limit", "2", "--agent", "support"],
                server.address
            )
            #expect(list.code == 0, "\(list.error)")
            #expect(list.out.hasPrefix("2 traces, there are more"), "\(list.out)")
            #expect(list.out.contains("support") && list.out.contains("ok (with errors)"), "\(list.out)")
            let json = try await ended(["traces", "list", "--json", "--name", "support"], server.address)
            #expect(try Value(json: json.out.trimmingCharacters(in: .newlines))["traces"]?.array?.count == 3)
            let none = try await ended(["traces", "list", "--agent", "nobody"], server.address)
            #expect(none.code == 0 && none.out == "no traces\n")
            let wrong = try await ended(["traces", "list", "--status", "great"], server.address)
            #expect(wrong.code == 1 && wrong.error.contains("status must be one of running, ok, error"))
        }
    }

    @Test func `a trace is shown as a tree with what was said of it`() async throws {
        try await TestServer.run { server in
            try await LiveTests.post(LiveTests.batch(Self.trace), to: server)
            #expect(await server.engine.flush())
            let added = try await ended(
                [
                    "scores", "add", "--trace", Self.trace, "--span", "b2", "--scorer", "grounded", "--score",
                    "-0.5",
                ],
                server.address
            )
            #expect(added.code == 0, "\(added.error)")
            let tree = try await ended(["traces", "get", Self.trace], server.address)
            #expect(tree.code == 0, "\(tree.error)")
            let lines = tree.out.split(separator: "\n").map(String.init)
            #expect(lines[0].hasPrefix("trace \(Self.trace), ok, 1.50 s, 3 spans"), "\(tree.out)")
            #expect(lines.contains { $0.hasPrefix("support ") })
            #expect(
                lines.contains { $0.hasPrefix("  chat ") && $0.hasSuffix("grounded -0.5") },
                "\(tree.out)"
            )
            #expect(lines.contains { $0.hasPrefix("  search ") && $0.contains("error") })
            #expect(lines.contains { $0.hasPrefix("score ") && $0.contains("tone") })
            #expect(lines.contains { $0.hasPrefix("thumbs ") && $0.contains("user") })
            let flat = try await ended(["traces", "get", Self.trace, "--json"], server.address)
            #expect(try Value(json: flat.out.trimmingCharacters(in: .newlines))["spans"]?.array?.count == 3)
            let nested = try await ended(["traces", "get", Self.trace, "--json", "--tree"], server.address)
            let roots = try Value(json: nested.out.trimmingCharacters(in: .newlines))["spans"]?.array
            #expect(roots?.count == 1 && roots?.first?["children"]?.array?.count == 2)
            let gone = try await ended(["traces", "get", String(repeating: "d", count: 32)], server.address)
            #expect(gone.code == 1 && gone.error.contains("answers 404"))
        }
    }

    @Test func `scores and feedback keep all that is given, replace by id, and wait for their trace`()
        async throws
    {
        try await TestServer.run { server in
            try await LiveTests.post(LiveTests.batch(Self.trace), to: server)
            let score = [
                "scores", "add", "--trace", Self.trace, "--id", "one", "--scorer", "tone", "--score", "0.5",
                "--label", "fair", "--reason", "so so", "--scorer-version", "2", "--annotator-kind", "human",
                "--experiment", "e1", "--metadata", "team=red", "--metadata", "round=3",
            ]
            let added = try await ended(score, server.address)
            #expect(added.code == 0 && added.out == "score one added\n", "\(added)")
            let again = try await ended(score, server.address)
            #expect(again.code == 0 && again.out == "score one replaced\n", "\(again)")
            let feedback = try await ended(
                [
                    "feedback", "add", "--trace", Self.trace, "--id", "two", "--type", "rating", "--value",
                    "4",
                    "--comment", "nice", "--user", "u9",
                ],
                server.address
            )
            #expect(feedback.code == 0 && feedback.out == "feedback two added\n", "\(feedback)")
            let early = try await ended(
                ["feedback", "add", "--trace", "ff", "--type", "note", "--value", "7", "--text", "--json"],
                server.address
            )
            #expect(early.code == 0 && early.out.contains(#""pending":true"#), "\(early)")
            let session = try await ended(
                ["scores", "add", "--session", "s1", "--scorer", "tone", "--label", "good"],
                server.address
            )
            #expect(session.code == 0, "\(session.error)")
            #expect(await server.engine.flush())
            let trace = try await server.client.get("/api/traces/\(Self.trace)").json()
            let kept = try #require(trace["scores"]?.array?.first { $0["id"] == "one" })
            for (key, value) in [
                ("scorerVersion", "2"), ("annotatorKind", "human"), ("experiment", "e1"), ("reason", "so so"),
                ("label", "fair"),
            ] {
                #expect(kept[key] == .string(value), "\(key) of \(kept.json)")
            }
            #expect(kept["metadata"]?["team"] == "red" && kept["metadata"]?["round"] == 3)
            let said = try #require(trace["feedback"]?.array?.first { $0["id"] == "two" })
            #expect(said["value"] == 4 && said["comment"] == "nice")
            #expect(said["metadata"]?["userId"] == "u9")
        }
    }

    @Test(arguments: [
        (["scores", "add", "--scorer", "tone", "--trace", trace], "--score is required"),
        (["scores", "add", "--scorer", "tone", "--score", "1"], "--trace is required"),
        (
            ["scores", "add", "--scorer", "tone", "--score", "1", "--trace", "xyz"],
            "--trace must be a trace id"
        ),
        (
            ["scores", "add", "--scorer", "t", "--score", "nan", "--trace", trace],
            "--score must be a finite number"
        ),
        (
            ["scores", "add", "--scorer", "t", "--score", "1", "--trace", trace, "--annotator-kind", "dog"],
            "--annotator-kind must be one of"
        ),
        (
            ["scores", "add", "--scorer", "t", "--score", "1", "--trace", trace, "--metadata", "x"],
            "KEY=VALUE"
        ),
        (["feedback", "add", "--type", "thumbs", "--trace", trace], "--value"),
        (
            ["feedback", "add", "--type", "t", "--value", "1", "--trace", trace, "--session", "s"],
            "--session is a target of its own"
        ),
        (["traces", "get", "xyz"], "no trace id"), (["traces", "list", "--limit", "0"], "--limit"),
        (["tail", "--limit", "0"], "--limit"),
    ])
    func `wrong usage ends with 2 and names the option`(_ arguments: [String], _ text: String) async throws {
        let wrong = try await ended(arguments, "http://127.0.0.1:1")
        #expect(wrong.code == 2)
        #expect(wrong.error.contains(text), "\(wrong.error)")
    }
}
