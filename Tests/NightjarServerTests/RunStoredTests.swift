import Foundation
import Nightjar
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// `nightjar run` over what is stored.
@Suite(.serialized) struct RunStoredTests {
    /// What the last score of each id says, whenever it was given: a trace may have ended several times.
    private func meanings(_ scores: [Value]) -> [String: [Value?]] {
        Dictionary(
            scores.map { score in
                let said = [score["score"], score["reason"], score["metadata"]?["pluginHash"]]
                return (score["id"]?.string ?? "", said)
            }
        ) { $1 }
    }

    @Test func `a run over a database gives what the plugin gave live, and over the server the same`()
        async throws
    {
        var live: [String: Double] = [:]
        var overServer: (code: Int32, out: String, error: String)?
        var beside: (code: Int32, out: String, error: String)?
        let script = "judge.lua"
        let folder = try await StoredDatabase.captured(plugins: [script: StoredScripts.judge]) { server in
            #expect(await server.engine.finish())
            live = try await server.metrics().filter { $0.key.hasPrefix("judge_spans_total") }
            try server.folder.write(StoredScripts.judge, to: script)
            overServer = try await StoredDatabase.nightjar(
                ["run", script, "--server", server.address, "--json"],
                in: server.folder
            )
            // While the server has the file open.
            beside = try await StoredDatabase.nightjar(
                ["run", script, "--db", "nightjar.db", "--json"],
                in: server.folder
            )
        }
        let run = try await StoredDatabase.nightjar(
            ["run", script, "--db", "nightjar.db", "--json"],
            in: folder
        )
        #expect(run.code == 0, "\(run.error)")
        let stored = try StoredDatabase.scores(in: folder).values.filter { $0.metadata["plugin"] != nil }
        #expect(stored.count > 10)
        let scores = try StoredDatabase.lines(run.out, "score").filter { $0["metadata"]?["plugin"] != nil }
        #expect(meanings(scores) == meanings(stored.map(\.json)))
        let metrics = try StoredDatabase.lines(run.out, "metric")
        var counted: [String: Double] = [:]
        for metric in metrics where metric["name"] == "judge_spans_total" {
            let key = "judge_spans_total{type=\"\(metric["labels"]?["type"]?.string ?? "")\"}"
            counted[key, default: 0] += metric["value"]?.number ?? 0
        }
        #expect(counted == live)
        for other in [overServer, beside] {
            #expect(other?.code == 0, "\(other?.error ?? "")")
            let out = try StoredDatabase.lines(other?.out ?? "", "score")
            #expect(try meanings(out) == meanings(StoredDatabase.lines(run.out, "score")))
        }
    }

    @Test func `rules see stored logs, feedback and others' scores, but not what they said themselves`()
        async throws
    {
        let script = """
            local heard = nightjar.counter("heard_total", { labels = { "what" } })
            nightjar.on("log", nil, function(log) heard:add(1, { what = log.message }) end)
            nightjar.on("score", nil, function(score) heard:add(1, { what = score.scorer_name }) end)
            nightjar.on("feedback", nil, function(item) heard:add(1, { what = item.feedback_type }) end)
            nightjar.scorer("own", { on = "trace_ended" }, function(trace)
              local seen = {}
              for _, score in ipairs(trace.scores) do seen[#seen + 1] = score.scorer_name end
              trace.addScore { score = #trace.feedback, reason = table.concat(seen, " ") }
            end)
            """
        let folder = try await StoredDatabase.captured([], plugins: ["ears.lua": script]) {
            server async throws in
            #expect(try await server.post(IngestTests.body(), type: "application/json").status == 200)
            #expect(await server.engine.flush())
            let target: Value = .string(StoredDatabase.trace)
            let events: [Value] = [
                ["type": "log", "log": ["message": "hello", "traceId": target]],
                ["type": "log", "log": ["message": "of no trace"]],
                [
                    "type": "feedback",
                    "feedback": ["source": "user", "feedbackType": "thumbs", "value": 1, "traceId": target],
                ],
                ["type": "score", "score": ["scorerName": "person", "score": 1, "traceId": target]],
            ]
            #expect(
                try await server.client.send("POST", "/api/events", body: EventTests.lines(events)).status
                    == 200
            )
        }
        try folder.write(script, to: "ears.lua")
        let run = try await StoredDatabase.nightjar(
            ["run", "ears.lua", "--db", "nightjar.db", "--json"],
            in: folder
        )
        #expect(run.code == 0, "\(run.error)")
        let heard = try StoredDatabase.lines(run.out, "metric").compactMap { $0["labels"]?["what"]?.string }
        #expect(heard.sorted() == ["hello", "of no trace", "person", "thumbs"])
        let own = try StoredDatabase.lines(run.out, "score")
        #expect(own.map { $0["score"] } == [1])
        #expect(own.map { $0["reason"] } == ["person"])
    }

    @Test func `only the newest traces are read where there are more than the limit, and that is said`()
        async throws
    {
        let folder = try await StoredDatabase.runs(5)
        try folder.write(StoredScripts.judge, to: "judge.lua")
        let cut = try await StoredDatabase.nightjar(
            ["run", "judge.lua", "--db", "nightjar.db", "--limit", "2", "--json"],
            in: folder
        )
        #expect(cut.error.contains("newest 2 traces"))
        let traces = try StoredDatabase.lines(cut.out, "score").compactMap {
            $0["traceId"]?.string?.suffix(1)
        }
        #expect(traces.sorted() == ["4", "5"])
        let none = try await StoredDatabase.nightjar(
            ["run", "judge.lua", "--db", "nightjar.db", "--since", "0s"],
            in: folder
        )
        #expect(none.out.contains("0 spans read"))
        let all = try await StoredDatabase.nightjar(
            ["run", "judge.lua", "--db", "nightjar.db", "--since", "1h"],
            in: folder
        )
        #expect(all.out.contains("5 spans read"))
    }

    @Test func `two versions are compared by metrics and scores, and nothing is said where they are equal`()
        async throws
    {
        let folder = try await StoredDatabase.runs(2)
        try folder.write(StoredScripts.judge, to: "judge.lua")
        try folder.write(
            StoredScripts.stricter.replacingOccurrences(of: "seen:add(1,", with: "seen:add(3,"),
            to: "next/judge.lua"
        )
        let input = ["--db", "nightjar.db", "--compare", "judge.lua"]
        let same = try await StoredDatabase.nightjar(["run", "judge.lua"] + input, in: folder)
        #expect(same.code == 0, "\(same.error)")
        #expect(same.out == "no difference\n")
        let other = try await StoredDatabase.nightjar(
            ["run", "next/judge.lua", "--json"] + input,
            in: folder
        )
        let metrics = try other.out.split(separator: "\n").map { try Value(json: String($0)) }
        let counter = metrics.first { $0["type"] == "metric_difference" }?["metric"]
        #expect(counter?["name"] == "judge_spans_total")
        #expect(counter?["old"]?["sum"] == 2)
        #expect(counter?["new"]?["sum"] == 6)
        let scores = metrics.filter { $0["type"] == "score_difference" }.compactMap { $0["score"] }
        #expect(scores.map { $0["change"] } == ["changed", "changed"])
        #expect(scores.map { $0["old"]?["score"] } == [1, 1])
        #expect(scores.map { $0["new"]?["score"] } == [2, 2])
        let tables = try await StoredDatabase.nightjar(["run", "next/judge.lua"] + input, in: folder)
        #expect(tables.out.contains("type=agent_run"))
        #expect(tables.out.contains("+4"))
        try folder.write("nightjar.counter(\"nothing\")", to: "none/judge.lua")
        let gone = try await StoredDatabase.nightjar(["run", "none/judge.lua", "--json"] + input, in: folder)
        #expect(gone.out.contains("\"change\":\"gone\""))
    }

    @Test func `a watched script runs again when it is saved, a broken one says so and waits`() async throws {
        let folder = try await StoredDatabase.runs(1)
        func script(_ scorer: String) -> String {
            "nightjar.scorer(\"\(scorer)\", { on = \"trace_ended\" }, function(t) t.addScore { score = 1 } end)"
        }
        try folder.write(script("first"), to: "w.lua")
        let process = try RunningProcess(
            RunningProcess.nightjar(),
            ["run", "w.lua", "--db", "nightjar.db", "--watch"],
            folder: folder.url
        )
        try await process.line(containing: "first ")
        try await process.line(containing: "--- ran in")
        try folder.write("nightjar.bogus()", to: "w.lua")
        try await process.line(containing: "bogus")
        try folder.write(script("second"), to: "w.lua")
        try await process.line(containing: "second ")
        process.signal(SIGINT)
        #expect(try await process.exitCode() == 0)
    }

    @Test(arguments: [
        ["run", "--db", "x", "--server", "http://localhost"], ["run", "--watch", "--db", "x"],
        ["run", "x.lua", "--db", "x", "--since", "soon"], ["run", "--input", "x", "--since", "1h"],
    ])
    func `wrong usage ends with 2`(_ arguments: [String]) async throws {
        let folder = try await StoredDatabase.runs(1)
        try folder.write("", to: "x.lua")
        let fixed = arguments.map { $0 == "x" ? "nightjar.db" : $0 }
        let ended = try await StoredDatabase.nightjar(fixed, in: folder)
        #expect(ended.code == 2, "\(ended.out) \(ended.error)")
        #expect(!ended.error.isEmpty)
    }

    @Test func `a database that is not there ends with 3`() async throws {
        let folder = try Fixture()
        let ended = try await StoredDatabase.nightjar(["run", "--db", "none.db"], in: folder)
        #expect(ended.code == 3)
        #expect(ended.error.contains("none.db"))
        #expect(!FileManager.default.fileExists(atPath: folder.path("none.db")))
    }
}
