import Foundation
import Nightjar
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// `nightjar score` over real databases and servers.
@Suite(.serialized) struct ScoreCommandTests {
    private func score(_ arguments: [String], in folder: Fixture) async throws -> (
        code: Int32, out: String, error: String
    ) {
        try await StoredDatabase.nightjar(["score"] + arguments, in: folder)
    }

    @Test func `a dry run prints distribution and examples, runs nothing but scorers and writes nothing`()
        async throws
    {
        let folder = try await StoredDatabase.captured()
        try folder.write(StoredScripts.judge, to: "judge.lua")
        let before = try StoredDatabase.scores(in: folder)
        let dry = try await score(["judge.lua", "--db", "nightjar.db", "--dry-run"], in: folder)
        #expect(dry.code == 0, "\(dry.error)")
        #expect(dry.out.contains("0 to 10"), "ten bars over the declared range")
        #expect(dry.out.contains("90 to 100"))
        #expect(dry.out.contains(" has "), "the reasons of examples")
        #expect(!dry.error.contains("over "), "the other rules do not run")
        let lines = try await score(["judge.lua", "--db", "nightjar.db", "--dry-run", "--json"], in: folder)
        let summaries = try StoredDatabase.lines(lines.out, "score_summary")
        #expect(summaries.map { $0["scorer"] } == ["spans", "words"])
        let scores = try StoredDatabase.lines(lines.out, "score")
        for summary in summaries {
            let own = scores.filter { $0["scorerName"] == summary["scorer"] }
            #expect(summary["count"]?.number == Double(own.count))
            #expect(summary["max"]?.number == own.compactMap { $0["score"]?.number }.max())
        }
        #expect(try StoredDatabase.scores(in: folder) == before)
        #expect(!FileManager.default.fileExists(atPath: folder.path("nightjar.db.backfill-judge.json")))
    }

    @Test func `a backfill writes what a live scorer would have, once, uncounted, and is undone`()
        async throws
    {
        let live = try await StoredDatabase.captured(plugins: ["judge.lua": StoredScripts.judge])
        let expected = try StoredDatabase.scores(in: live).filter { $0.value.metadata["plugin"] != nil }
        let folder = try await StoredDatabase.captured()
        let others = try StoredDatabase.scores(in: folder)
        try folder.write(StoredScripts.judge, to: "judge.lua")
        let backfill = ["judge.lua", "--db", "nightjar.db"]
        let first = try await score(backfill, in: folder)
        #expect(first.code == 0, "\(first.error)")
        #expect(first.out.contains("\(expected.count) scores written, 0 unchanged"))
        let written = try StoredDatabase.scores(in: folder).filter { others[$0.key] == nil }
        #expect(Set(written.keys) == Set(expected.keys))
        for (id, score) in written {
            #expect(expected[id]?.saysTheSame(as: score) == true)
            #expect(expected[id]?.correlation == score.correlation)
        }
        let again = try await score(backfill, in: folder)
        #expect(again.out.contains("0 scores written, \(expected.count) unchanged"))
        #expect(try StoredDatabase.scores(in: folder).filter { others[$0.key] == nil } == written)
        #expect(
            try StoredDatabase.look(at: folder) { store in
                try written.keys.allSatisfy { try store.history(ofScore: $0).isEmpty }
                    && store.recover().scores.isEmpty
            }
        )
        let undone = try await score(backfill + ["--undo", "1"], in: folder)
        #expect(undone.out.contains("\(expected.count) scores of judge@1 deleted"))
        #expect(try StoredDatabase.scores(in: folder) == others)
    }

    @Test func `another version replaces and is undone, to what was there before`() async throws {
        let folder = try await StoredDatabase.runs(3)
        try folder.write(StoredScripts.judge, to: "judge.lua")
        _ = try await score(["judge.lua", "--db", "nightjar.db"], in: folder)
        let old = try StoredDatabase.scores(in: folder)
        #expect(old.values.map(\.score) == [1, 1, 1])
        try folder.write(StoredScripts.stricter, to: "judge.lua")
        let missing = try await score(["judge.lua", "--db", "nightjar.db", "--missing"], in: folder)
        #expect(missing.out.contains("3 scores written"), "what an earlier version scored is missing")
        #expect(try StoredDatabase.scores(in: folder).values.map(\.score) == [2, 2, 2])
        let undone = try await score(["judge.lua", "--db", "nightjar.db", "--undo", "2"], in: folder)
        #expect(undone.out.contains("0 scores of judge@2 deleted, 3 set back"))
        #expect(try StoredDatabase.scores(in: folder) == old)
    }

    @Test func `what this very version has scored is left out where only what is missing is asked for`()
        async throws
    {
        let folder = try await StoredDatabase.runs(3)
        let script =
            "nightjar.scorer(\"one\", { on = \"trace_ended\" }, function(t) t.addScore { score = 1 } end)"
        try folder.write(script, to: "one.lua")
        let backfill = ["one.lua", "--db", "nightjar.db", "--missing"]
        let first = try await score(backfill, in: folder)
        #expect(first.out.contains("3 scores written, 0 unchanged; 3 traces scored"))
        let again = try await score(backfill, in: folder)
        #expect(again.out.contains("0 scores written, 0 unchanged; 0 traces scored, 3 left out"))
        try folder.write(script + " -- another content", to: "one.lua")
        let other = try await score(backfill, in: folder)
        #expect(other.out.contains("3 scores written, 0 unchanged; 3 traces scored"))
    }

    @Test func `a backfill that was interrupted goes on, and ends as one that was not`() async throws {
        let count = 400
        let folder = try await StoredDatabase.runs(count)
        // The data file is no part of the version: it makes the first run slow enough to be met half-way.
        let script = """
            local pace = nightjar.data("pace.json")
            nightjar.scorer("steady", { on = "trace_ended" }, function(trace)
              local sum = 0
              for i = 1, pace.steps do sum = sum + i end
              trace.addScore { score = #trace.spans, reason = trace.id }
            end)
            """
        try folder.write(script, to: "steady.lua")
        try folder.write("{\"steps\": 1000000}", to: "pace.json")
        let marker = folder.path("nightjar.db.backfill-steady.json")
        let slow = try RunningProcess(
            RunningProcess.nightjar(),
            ["score", "steady.lua", "--db", "nightjar.db", "--missing"],
            folder: folder.url
        )
        try await wait(for: "some traces to be done") {
            let text = try? folder.read("nightjar.db.backfill-steady.json")
            return try text.map { try Value(json: $0)["done"]?.number ?? 0 > 0 } ?? false
        }
        slow.signal(SIGINT)
        #expect(try await slow.exitCode() == 1)
        #expect(slow.errorOutput.contains("the same command goes on"))
        #expect(FileManager.default.fileExists(atPath: marker))
        let half = try StoredDatabase.scores(in: folder)
        #expect(!half.isEmpty)
        #expect(half.count < count)
        try folder.write("{\"steps\": 1}", to: "pace.json")
        let rest = try await score(["steady.lua", "--db", "nightjar.db", "--missing"], in: folder)
        #expect(rest.code == 0, "\(rest.error)")
        #expect(rest.out.contains("\(count - half.count) scores written"))
        #expect(rest.out.contains("\(half.count) traces were done before"))
        #expect(!FileManager.default.fileExists(atPath: marker))
        let all = try StoredDatabase.scores(in: folder)
        #expect(all.count == count)
        #expect(all.filter { half[$0.key] != nil } == half)
    }

    @Test func `a database that a server has open is refused, and measured all the same`() async throws {
        try await TestServer.run { server in
            #expect(try await server.post(IngestTests.body(), type: "application/json").status == 200)
            #expect(await server.engine.finish())
            try server.folder.write(StoredScripts.judge, to: "judge.lua")
            let refused = try await score(["judge.lua", "--db", "nightjar.db"], in: server.folder)
            #expect(refused.code == 3)
            #expect(refused.error.contains("--server"))
            let dry = try await score(["judge.lua", "--db", "nightjar.db", "--dry-run"], in: server.folder)
            #expect(dry.code == 0, "\(dry.error)")
            #expect(dry.out.contains("1 traces scored"))
        }
    }

    @Test func `through a server a backfill is stored, uncounted and untold, and undone`() async throws {
        let listener = """
            nightjar.on("score", nil, function() nightjar.counter("told_total"):add(1) end)
            """
        var folder: Fixture?
        try await TestServer.run(plugins: ["listener.lua": listener]) { server in
            folder = server.folder
            for request in try Captures.named("genai-openai").requests where request.signal == "traces" {
                #expect(try await server.post(request).status == 200)
            }
            #expect(await server.engine.finish())
            try server.folder.write(StoredScripts.judge, to: "judge.lua")
            let backfill = ["judge.lua", "--server", server.address]
            let first = try await score(backfill, in: server.folder)
            #expect(first.code == 0, "\(first.error)")
            #expect(!first.out.hasPrefix("0 scores written"))
            let again = try await score(backfill, in: server.folder)
            #expect(again.out.hasPrefix("0 scores written"))
            #expect(await server.engine.flush())
            let metrics = try await server.metrics().keys
            #expect(!metrics.contains { $0.hasPrefix("mastra_scores_total") || $0.hasPrefix("told_total") })
            let trace = try await server.client.get("/api/traces?limit=1").json()["traces"]?.array?.first?[
                "traceId"
            ]
            let path = "/api/traces/\(trace?.string ?? "")"
            let stored = try await server.client.get(path).json()["scores"]?.array ?? []
            #expect(stored.contains { $0["metadata"]?["plugin"] == "judge@1" })
            #expect(stored.contains { $0["correlation"] != nil })
            let undone = try await score(backfill + ["--undo", "1", "--json"], in: server.folder)
            let count = try StoredDatabase.lines(undone.out, "undo").first?["deleted"]?.number ?? 0
            #expect(count > 0)
            #expect(try await server.client.get(path).json()["scores"]?.array?.isEmpty == true)
            _ = try await score(backfill, in: server.folder)
        }
        let waiting = try StoredDatabase.look(at: #require(folder)) { try $0.recover().scores.map(\.id) }
        #expect(waiting.isEmpty, "nor does the next start count them")
    }

    @Test func `two versions are set side by side`() async throws {
        let folder = try await StoredDatabase.captured()
        try folder.write(StoredScripts.judge, to: "judge.lua")
        try folder.write(StoredScripts.stricter, to: "stricter.lua")
        let compared = try await score(
            ["stricter.lua", "--db", "nightjar.db", "--compare", "judge.lua", "--json"],
            in: folder
        )
        #expect(compared.code == 0, "\(compared.error)")
        let comparisons = try StoredDatabase.lines(compared.out, "score_comparison")
        #expect(comparisons.map { $0["scorer"] } == ["spans", "words"])
        #expect(comparisons[0]["pearson"].flatMap(\.number).map { abs($0 - 1) < 1e-9 } == true)
        #expect(comparisons[0]["spearman"].flatMap(\.number).map { abs($0 - 1) < 1e-9 } == true)
        #expect(comparisons[0]["agreement"]?.number ?? 2 < 1)
        #expect(comparisons[0]["differences"]?.array?.isEmpty == false)
        #expect(comparisons[1]["agreement"] == 1)
        #expect(comparisons[1]["differences"]?.array?.isEmpty == true)
        let tables = try await score(
            ["stricter.lua", "--db", "nightjar.db", "--compare", "judge.lua"],
            in: folder
        )
        #expect(tables.out.contains("AGREEMENT"))
        #expect(try StoredDatabase.scores(in: folder, of: "spans").isEmpty)
    }

    @Test func `a scorer is measured against what people said`() async throws {
        let folder = try await StoredDatabase.captured([]) { server async throws in
            for number in 1...4 {
                let trace = String(format: "%032x", number)
                let body = IngestTests.body(trace: trace)
                #expect(try await server.post(body, type: "application/json").status == 200)
                for (type, value): (String, Value) in [
                    ("thumbs", number > 2 ? "up" : "down"), ("rating", .int(Int64(number))),
                ] {
                    let feedback: Value = ["source": "user", "feedbackType": .string(type), "value": value]
                    let path = "/api/traces/\(trace)/feedback"
                    #expect(try await server.client.post(path, json: feedback).status == 201)
                }
            }
        }
        let script = """
            nightjar.scorer("number", { on = "trace_ended" }, function(trace)
              trace.addScore { score = tonumber(trace.id:sub(-1)) }
            end)
            """
        try folder.write(script, to: "number.lua")
        let measured = try await score(
            ["number.lua", "--db", "nightjar.db", "--against", "feedback", "--json"],
            in: folder
        )
        #expect(measured.code == 0, "\(measured.error)")
        let found = try StoredDatabase.lines(measured.out, "score_agreement")
        #expect(found.map { $0["feedbackType"] } == ["rating", "thumbs"])
        #expect(found.map { $0["n"] } == [4, 4])
        #expect(found[0]["spearman"] == 1)
        #expect(found[1]["auc"] == 1)
        #expect(found[1]["accuracy"] == 1)
        #expect(found[1]["threshold"] == 2.5)
        let table = try await score(
            ["number.lua", "--db", "nightjar.db", "--against", "feedback"],
            in: folder
        )
        #expect(table.out.contains(">= 2.5"))
    }

    @Test func `only traces that match are looked at`() async throws {
        let folder = try await StoredDatabase.runs(3)
        try folder.write(StoredScripts.judge, to: "judge.lua")
        let id = String(format: "%032x", 2)
        for match in ["{ id = \"\(id)\" }", "{\"id\": \"\(id)\"}"] {
            let dry = try await score(
                ["judge.lua", "--db", "nightjar.db", "--dry-run", "--match", match, "--json"],
                in: folder
            )
            #expect(try StoredDatabase.lines(dry.out, "score").map { $0["traceId"]?.string } == [id])
        }
        let wrong = try await score(
            ["judge.lua", "--db", "nightjar.db", "--match", "{ rot = {} }"],
            in: folder
        )
        #expect(wrong.code == 2)
        #expect(wrong.error.contains("did you mean 'root'"))
    }

    @Test func `a scorer that fails is counted and ends the command with 1`() async throws {
        let folder = try await StoredDatabase.runs(60)
        let script = """
            nightjar.scorer("picky", { on = "trace_ended" }, function(trace)
              if trace.id:sub(-2) ~= "3c" then error("not this one") end
              trace.addScore { score = 1 }
            end)
            """
        try folder.write(script, to: "picky.lua")
        let ended = try await score(["picky.lua", "--db", "nightjar.db"], in: folder)
        #expect(ended.code == 1)
        #expect(ended.error.contains("59 of 60 calls of scorers failed"))
        #expect(ended.out.contains("1 scores written"), "no scorer is left out for failing")
    }

    @Test(arguments: [
        ["judge.lua"], ["judge.lua", "--db", "nightjar.db", "--server", "http://localhost"],
        ["judge.lua", "--db", "nightjar.db", "--undo", "1", "--dry-run"],
        ["judge.lua", "--db", "nightjar.db", "--against", "nothing"],
        ["judge.lua", "--db", "nightjar.db", "--dry-run", "--limit", "0"],
    ])
    func `wrong usage ends with 2`(_ arguments: [String]) async throws {
        let folder = try await StoredDatabase.runs(1)
        try folder.write(StoredScripts.judge, to: "judge.lua")
        #expect(try await score(arguments, in: folder).code == 2)
    }

    @Test func `a script without scorers is told so`() async throws {
        let folder = try await StoredDatabase.runs(1)
        try folder.write("nightjar.on(\"log\", nil, function() end)", to: "none.lua")
        let ended = try await score(["none.lua", "--db", "nightjar.db"], in: folder)
        #expect(ended.code == 1)
        #expect(ended.error.contains("no scorer"))
    }
}
