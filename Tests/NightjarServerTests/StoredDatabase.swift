import Foundation
import Logging
import Nightjar
import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// Database files that a real server has filled, and the binary run over them.
enum StoredDatabase {
    static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    /// A folder with `nightjar.db`: recordings, ended, with what plugins said of them live.
    static func captured(
        _ names: [String] = ["genai-openai", "otel-eval", "pydantic-ai"],
        plugins: [String: String] = [:],
        more: (TestServer) async throws -> Void = { _ in }
    ) async throws -> Fixture {
        var folder: Fixture?
        try await TestServer.run(plugins: plugins) { server in
            folder = server.folder
            for name in names {
                for request in try Captures.named(name).requests where request.signal == "traces" {
                    #expect(try await server.post(request).status == 200)
                }
            }
            try await more(server)
            #expect(await server.engine.finish())
        }
        return try #require(folder)
    }

    /// The same with so many single agent runs, the first received first.
    static func runs(_ count: Int) async throws -> Fixture {
        try await captured([]) { server async throws in
            for number in 1...count {
                let body = IngestTests.body(trace: String(format: "%032x", number))
                #expect(try await server.post(body, type: "application/json").status == 200)
            }
        }
    }

    /// Runs the binary in the folder.
    static func nightjar(_ arguments: [String], in folder: Fixture) async throws -> (
        code: Int32, out: String, error: String
    ) {
        let process = try RunningProcess(RunningProcess.nightjar(), arguments, folder: folder.url)
        let code = try await process.exitCode(limit: .seconds(60))
        return (code, process.output, process.errorOutput)
    }

    /// The JSON lines of an output, those of one type.
    static func lines(_ output: String, _ type: String) throws -> [Value] {
        try output.split(separator: "\n").map { try Value(json: String($0)) }
            .filter { $0["type"]?.string == type }.compactMap { $0[type] }
    }

    /// Opens the file for looking at it, nobody else having it open.
    static func look<Result>(at folder: Fixture, _ body: (SQLiteStore) throws -> Result) throws -> Result {
        let store = try SQLiteStore(
            .file(folder.path("nightjar.db")),
            ledger: SeriesLedger(table: SeriesTable())
        )
        let result = try body(store)
        try store.close()
        return result
    }

    /// The scores of a scorer by trace and span.
    static func scores(in folder: Fixture, of scorer: String? = nil) throws -> [String: Score] {
        try look(at: folder) { store in
            var query = ScoreQuery()
            query.scorer = scorer
            query.limit = 500
            let records = try store.scores(query).records
            return Dictionary(records.map { ($0.score.id, $0.score) }) { $1 }
        }
    }
}

/// Scripts that tests run over them.
enum StoredScripts {
    /// Scores every run and every generation, counts and logs.
    static let judge = """
        nightjar.plugin { version = "1" }
        local seen = nightjar.counter("judge_spans_total", { labels = { "type" } })
        local sizes = nightjar.histogram("judge_answer_bytes")
        nightjar.on("span_ended", nil, function(span)
          seen:add(1, { type = span.type })
          sizes:record(#(span.output_text or ""))
        end)
        nightjar.on("trace_ended", nil, function(trace) nightjar.log.info("over " .. trace.id) end)
        nightjar.scorer("spans", { on = "trace_ended", range = { 0, 100 } }, function(trace)
          trace.addScore { score = #trace.spans, reason = trace.id .. " has " .. #trace.spans }
        end)
        nightjar.scorer("words", { on = "span_ended", match = { type = "model_generation" } }, function(span, trace)
          trace.addScore { span = span, score = #(span.input_text or "") + #(span.output_text or "") / 1000 }
        end)
        """

    /// The same scorers, one of which says something else; another version.
    static let stricter = judge.replacingOccurrences(of: "version = \"1\"", with: "version = \"2\"")
        .replacingOccurrences(of: "score = #trace.spans,", with: "score = #trace.spans * 2,")
}
