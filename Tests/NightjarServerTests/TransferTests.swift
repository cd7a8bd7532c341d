import Foundation
import Nightjar
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// `nightjar export` and `nightjar import` over real databases and servers. Compared are the exports byte for byte: everything but
/// when something was received, which an import does anew; and the totals of the built-in metrics.
@Suite(.serialized) struct TransferTests {
    /// A database with everything that can be exported.
    private func filled() async throws -> Fixture {
        try await StoredDatabase.captured(Captures.names) { server in
            for name in Captures.names {
                for request in try Captures.named(name).requests where request.signal == "logs" {
                    var headers = [(name: "Content-Type", value: "application/x-protobuf")]
                    if request.isJSON { headers[0].value = "application/json" }
                    if request.isCompressed { headers.append(("Content-Encoding", "gzip")) }
                    let answer = try await server.client.send(
                        "POST",
                        "/v1/logs",
                        headers: headers,
                        body: request.body
                    )
                    #expect(answer.status == 200)
                }
            }
            #expect(await server.engine.flush())
            try await Self.post(Self.events, to: server)
        }
    }

    private static func post(_ lines: String, to server: TestServer) async throws {
        let answer = try await server.client.send("POST", "/api/events", body: Array(lines.utf8))
        #expect(answer.status < 300, "\(answer.text)")
    }

    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    /// Spans as events, one of which still runs; a log twice, and once without a trace; a score of a session; feedback.
    private static let events = """
        {"type":"span_started","exportedSpan":{"traceId":"\(trace)","id":"1","name":"run","type":"agent_run","startTime":"2026-01-01T10:00:00.123456789Z"}}
        {"type":"span_ended","exportedSpan":{"traceId":"\(trace)","id":"1","name":"run","type":"agent_run","startTime":"2026-01-01T10:00:00.123456789Z","endTime":"2026-01-01T10:00:02Z","attributes":{"a":{"b":[1,2.5,null,"x"]}},"links":[{"traceId":"ff","spanId":"ee","attributes":{"k":1}}],"events":[{"name":"e","time":"2026-01-01T10:00:01Z","attributes":{"z":true}}],"metadata":{"userId":"u"},"tags":["t"],"input":{"q":"?"},"output":"!","errorInfo":{"message":"m","stack":"s"}}}
        {"type":"span_started","exportedSpan":{"traceId":"\(trace)","id":"2","parentSpanId":"1","name":"still","type":"tool_call","startTime":"2026-01-01T10:00:01Z"}}
        {"type":"log","log":{"timestamp":"2026-01-01T10:00:01Z","level":"warn","message":"twice","traceId":"\(trace)","data":{"n":1}}}
        {"type":"log","log":{"timestamp":"2026-01-01T10:00:01Z","level":"warn","message":"twice","traceId":"\(trace)","data":{"n":1}}}
        {"type":"log","log":{"timestamp":"2026-01-01T10:00:01Z","level":"info","message":"alone","tags":["a"]}}
        {"type":"log","log":{"timestamp":"2026-01-01T10:00:01Z","level":"info","message":"also alone"}}
        {"type":"score","score":{"id":"s1","timestamp":"2026-01-01T10:00:03Z","scorerName":"good","score":0.5,"traceId":"\(trace)","reason":"because"}}
        {"type":"score","score":{"id":"s2","timestamp":"2026-01-01T10:00:03Z","scorerName":"good","label":"yes","sessionId":"s"}}
        {"type":"feedback","feedback":{"id":"f1","timestamp":"2026-01-01T10:00:04Z","source":"user","feedbackType":"thumbs","value":1,"traceId":"\(trace)","spanId":"1"}}
        """

    private func nightjar(_ arguments: String..., in folder: Fixture) async throws -> (
        code: Int32, out: String, error: String
    ) {
        try await StoredDatabase.nightjar(arguments, in: folder)
    }

    /// Every series with what it counted, but for how often something was received: an import receives anew.
    private func totals(_ folder: Fixture, _ database: String) throws -> [String: SeriesTotal] {
        let store = try SQLiteStore(
            .file(folder.path(database)),
            ledger: SeriesLedger(table: SeriesTable())
        )
        defer { #expect(throws: Never.self) { try store.close() } }
        let series = try store.recover().series.map { series in
            var total = series.total
            // When it was counted.
            (total.time, total.updated) = (SeriesTotal().time, SeriesTotal().updated)
            return ("\(series.instrument.name) \(series.labels.map { "\($0.name)=\($0.value)" })", total)
        }
        return Dictionary(series) { $1 }
    }

    @Test
    func `an export that is imported gives the same export and the same metrics, as often as one likes`()
        async throws
    {
        let folder = try await filled()
        let first = try await nightjar("export", "--db", "nightjar.db", "-o", "a.jsonl", in: folder)
        #expect(first.code == 0, "\(first.error)")
        let exported = try folder.read("a.jsonl")
        #expect(exported.split(separator: "\n").count > 300)
        let taken = try await nightjar("import", "a.jsonl", "--db", "copy.db", in: folder)
        #expect(taken.code == 0, "\(taken.error)")
        let second = try await nightjar("export", "--db", "copy.db", in: folder)
        #expect(second.out == exported)
        let totals = try totals(folder, "copy.db")
        let original = try self.totals(folder, "nightjar.db")
        #expect(Set(totals.keys) == Set(original.keys))
        for (name, total) in original {
            let other = try #require(totals[name])
            // Traces are imported one after the other, and sums of fractions depend on the order.
            #expect(abs(other.sum - total.sum) <= abs(total.sum) * 1e-12, "\(name)")
            #expect(other.buckets == total.buckets, "\(name)")
        }
        #expect(original.keys.contains { $0.hasPrefix("mastra_model_input_tokens") })

        let again = try await nightjar("import", "a.jsonl", "--db", "copy.db", "--json", in: folder)
        #expect(again.code == 0, "\(again.error)")
        let outcome = try Value(json: again.out)
        #expect(outcome["known"]?.number == Double(exported.split(separator: "\n").count))
        #expect(outcome["taken"]?.object?.entries.allSatisfy { $0.value == 0 } == true)
        #expect(try self.totals(folder, "copy.db") == totals)
        #expect(try await nightjar("export", "--db", "copy.db", in: folder).out == exported)
    }

    @Test func `a server gives and takes the same, compressed or not`() async throws {
        let folder = try await filled()
        let exported = try await nightjar("export", "--db", "nightjar.db", in: folder).out
        try await TestServer.run { server in
            try folder.write(exported, to: "a.jsonl")
            let taken = try await nightjar("import", "a.jsonl", "--server", server.address, in: folder)
            #expect(taken.code == 0, "\(taken.error)")
            let zipped = try await nightjar(
                "export",
                "--server",
                server.address,
                "--gzip",
                "--output",
                "b.gz",
                in: folder
            )
            #expect(zipped.code == 0, "\(zipped.error)")
            #expect(await server.engine.finish())
            let again = try await nightjar("import", "b.gz", "--server", server.address, "--json", in: folder)
            #expect(try Value(json: again.out)["taken"]?.object?.entries.allSatisfy { $0.value == 0 } == true)
            #expect(try await nightjar("export", "--server", server.address, in: folder).out == exported)
            let page = try await server.client.get("/api/export?trace=\(Self.trace)")
            #expect(page.header("content-type") == "application/x-ndjson")
            #expect(page.text.split(separator: "\n").count == 7)
            #expect(try await server.client.get("/api/export?limit=3").status == 400)
        }
    }

    @Test func `filters choose traces, and what belongs to none comes only without them`() async throws {
        let folder = try await StoredDatabase.captured(["otel-eval"]) {
            try await Self.post(Self.events, to: $0)
        }
        func export(_ filters: String...) async throws -> [Value] {
            let ended = try await StoredDatabase.nightjar(
                ["export", "--db", "nightjar.db"] + filters,
                in: folder
            )
            #expect(ended.code == 0, "\(ended.error)")
            return try ended.out.split(separator: "\n").map { try Value(json: String($0)) }
        }
        let own = try await export("--trace", Self.trace, "--trace", Self.trace)
        #expect(
            own.map { $0["type"]?.string } == [
                "span_started", "span_ended", "span_started", "log", "log", "score", "feedback",
            ]
        )
        #expect(own[1]["exportedSpan"]?["attributes"]?["a"]?["b"] == [1, 2.5, .null, "x"])
        #expect(try await export("--name", "run") == own)
        #expect(try await export("--status", "running", "--name", "no").isEmpty)
        let early = try await export("--to", "2026-01-02T00:00:00Z")
        #expect(early.count == own.count + 3)
        #expect(
            early.suffix(3).compactMap { $0["log"]?["message"] ?? $0["score"]?["id"] } == [
                "alone", "also alone", "s2",
            ]
        )
        #expect(try await export("--from", "2100-01-01T00:00:00Z").isEmpty)
        let wrong = try await nightjar("export", "--db", "nightjar.db", "--status", "odd", in: folder)
        #expect(wrong.code == 2)
        #expect(wrong.error == "nightjar: status must be one of running, ok, error\n")
        let missing = try await nightjar("export", "--db", "none.db", "-o", "out.jsonl", in: folder)
        #expect(missing.code == 3)
        #expect(!FileManager.default.fileExists(atPath: folder.path("out.jsonl")))
    }

    @Test func `a line that is broken is named, what stands before it is taken, and a mended file goes on`()
        async throws
    {
        let folder = try Fixture()
        let lines = Self.events.split(separator: "\n").map(String.init)
        var broken = lines
        broken[4] = String(broken[4].dropLast(2))
        try folder.write(broken.joined(separator: "\n"), to: "a.jsonl")
        let stopped = try await nightjar("import", "a.jsonl", "--db", "n.db", in: folder)
        #expect(stopped.code == 1)
        #expect(stopped.error.contains("nightjar: a.jsonl:5: not JSON"), "\(stopped.error)")
        #expect(stopped.out.hasPrefix("took 3 spans, 1 logs, 0 scores, 0 feedback"))
        try folder.write(lines.joined(separator: "\n"), to: "a.jsonl")
        let mended = try await nightjar("import", "a.jsonl", "--db", "n.db", in: folder)
        #expect(
            mended.out.hasPrefix("took 0 spans, 3 logs, 2 scores, 1 feedback; 4 were there"),
            "\(mended.out)"
        )
        for (line, fault) in [
            (#"{"type":"spam"}"#, "must be one of"), (#"{"type":"log"}"#, "log: is required"),
            (#"{"type":"span_ended","exportedSpan":{},"otlp":"%"}"#, "otlp is not base64"),
            (#"{"type":"span_ended","exportedSpan":{},"otlp":"CgA="}"#, "holds 0 spans"),
        ] {
            try folder.write("\n" + line + "\n", to: "b.jsonl")
            let ended = try await nightjar("import", "b.jsonl", "--db", "n.db", in: folder)
            #expect(ended.code == 1)
            #expect(ended.error.contains("b.jsonl:2: ") && ended.error.contains(fault), "\(ended.error)")
        }
        try await TestServer.run { server in
            let answer = try await server.client.send("POST", "/api/import", body: Array("{}\n\nno".utf8))
            #expect(answer.status == 400)
            #expect(try answer.json()["errors"]?.array?.map { $0["path"] } == ["line 1", "line 3"])
        }
    }

    @Test func `metrics and what comes about anew are passed over`() async throws {
        let folder = try Fixture()
        try folder.write(
            """
            {"type":"metric","metric":{"timestamp":1,"name":"x","metricType":"counter","value":1}}
            {"type":"trace_ended","trace":{"traceId":"ab"}}
            """,
            to: "a.jsonl"
        )
        let ended = try await nightjar("import", "a.jsonl", "--db", "n.db", "--json", in: folder)
        #expect(try Value(json: ended.out)["passedOver"] == 2)
    }

    @Test func `secrets are taken out on the way in`() async throws {
        let folder = try Fixture()
        try folder.write(
            """
            {"type":"span_ended","exportedSpan":{"traceId":"1","id":"1","name":"a","startTime":1,"endTime":2,"attributes":{"password":"hunter2"}}}
            {"type":"log","log":{"timestamp":1,"message":"m","data":{"password":"hunter2"}}}
            """,
            to: "a.jsonl"
        )
        #expect(try await nightjar("import", "a.jsonl", "--db", "n.db", in: folder).code == 0)
        let out = try await nightjar("export", "--db", "n.db", in: folder).out
        #expect(out.contains("[REDACTED]"))
        #expect(!out.contains("hunter2"))
    }

    @Test func `a database that a server has open is read but not written`() async throws {
        try await TestServer.run { server in
            try server.folder.write(Self.events, to: "a.jsonl")
            let taken = try await nightjar("import", "a.jsonl", "--db", "nightjar.db", in: server.folder)
            #expect(taken.code == 3)
            #expect(taken.error.contains("open in another program"), "\(taken.error)")
            #expect(try await nightjar("export", "--db", "nightjar.db", in: server.folder).code == 0)
        }
    }
}
